"""The matrix as a picture: every place that is drawn is a cell."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from sercore.reports.content import build_content
from sercore.reports.drawing import file_of
from sercore.reports.heat_maps import IN_DOMAIN_ALONE
from sercore.reports.heat_maps import matrix
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
SHAPES = [
    SimulatedCorpus(
        id=name, utterances=120, speakers=6, classes=SIX, eligible=name not in ("ekk", "urdu")
    )
    for name in ("emovo", "cafe", "mead", "ekk", "urdu")
]


def figure_of(folder, **options):
    place = Workspace(folder)
    simulate_run(place, "run", SHAPES, {"one": (None, 0.8), "two": (None, 0.5)}, **options)
    (group,) = build_content([read_run(place, "run")]).groups
    result = next(result for result in group.backbones if result.backbone == "one")
    return matrix(group, result), result


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_corpora_without_out_of_domain_cells_share_one_row(tmp_path):
    drawing, result = figure_of(tmp_path)

    block, row = drawing.figure.axes
    assert labels(block.xaxis) == labels(block.yaxis) == ["cafe", "emovo", "mead"]
    assert labels(row.yaxis) == [IN_DOMAIN_ALONE]
    assert labels(row.xaxis) == ["ekk", "urdu"]
    for axes in (block, row):
        (image,) = axes.get_images()
        assert np.ma.count_masked(image.get_array()) == 0
    shown = {
        (labels(block.yaxis)[int(y)], labels(block.xaxis)[int(x)]): text.get_text()
        for text in block.texts
        for x, y in [text.get_position()]
    }
    assert shown == {
        pair: f"{view.cell.value:.2f}"[1:]
        for pair, view in result.cells.items()
        if not {"ekk", "urdu"} & set(pair)
    }
    assert file_of(drawing, "png").startswith(b"\x89PNG")


def test_a_missing_cell_is_marked_in_its_block(tmp_path):
    lacking = [("one", "emovo", "cafe"), ("one", "urdu", "urdu")]
    drawing, _ = figure_of(tmp_path, lacking=lacking)

    block, row = drawing.figure.axes
    for axes, place in ((block, (0, 1)), (row, (1, 0))):
        (mark,) = (text for text in axes.texts if text.get_text() == "\u00d7")
        assert mark.get_position() == place
        (image,) = axes.get_images()
        assert np.ma.count_masked(image.get_array()) == 1
