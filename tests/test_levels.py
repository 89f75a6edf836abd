"""Ceiling and floor, matched averages and calibration: in every format of a report and of a run."""

import io
import json
import re
from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rich.console import Console

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from sercore.cli import cli
from sercore.cli.closing import averages_table
from sercore.cli.closing import print_summary
from sercore.reports.calibration import calibration_tables
from sercore.reports.content import build_content
from sercore.reports.html import html_page
from sercore.reports.latex import latex_page
from sercore.reports.levels import level_tables
from sercore.reports.markdown import markdown_page
from sercore.results.floors import findings_text
from sercore.results.interval_table import INTERVAL_SCHEMA
from sercore.results.interval_table import interval_table
from sercore.results.overview import run_overview
from sercore.results.stored_run import read_run
from sercore.results.summary import summary_markdown
from sercore.results.text import bracketed
from sercore.results.text import markdown_cell
from sercore.results.text import number
from sercore.results.text import range_text
from sercore.runs.events import RunResult
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
SHAPES = [
    SimulatedCorpus(id=name, utterances=150, speakers=speakers, classes=SIX, eligible=True)
    for name, speakers in (("emovo", 10), ("cafe", 12), ("mead", 4))
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run of a good encoder, a floor, and an encoder below the floor."""
    place = Workspace(tmp_path_factory.mktemp("levels"))
    backbones = {"good": (None, 1.5), "mel": (None, 0.8), "poor": (None, 0.1)}
    simulate_run(place, "run", SHAPES, backbones, n_seeds=3, floors=["mel"])
    record = place.read_json("runs/run/run.json")
    record["corpora"]["cafe"]["human_accuracy"] = 0.91
    place.write_json("runs/run/run.json", record)
    return read_run(place, "run")


@pytest.fixture(scope="module")
def content(run):
    return build_content([run])


@pytest.fixture(scope="module")
def overview(run):
    return run_overview(run)


@pytest.fixture(scope="module")
def texts(run, content, overview):
    """Return every text that is made of the run, by name."""
    console = Console(width=200, file=io.StringIO())
    console.print(averages_table(overview))
    return {
        "terminal": console.file.getvalue(),
        "summary": summary_markdown(run.scores, run.record, run.workspace),
        "markdown": markdown_page(content),
        "latex": latex_page(content),
        "html": html_page(content),
    }


# The page draws these from packed data; tests in a browser read them there.
@pytest.mark.parametrize("kind", ["terminal", "summary", "markdown", "latex"])
def test_floor_chance_and_shortcuts_stand_in_every_text(texts, content, kind):
    (group,) = content.groups
    (speaker,) = group.shortcuts
    text = texts[kind]

    assert "mel (floor)" in text
    assert "best blind guess" in text
    assert number(group.chance.in_domain.best_blind_guess) in text
    assert number(group.chance.out_of_domain.best_blind_guess) in text
    assert "speaker alone" in text
    assert number(speaker.mean) in text
    ends = (speaker.interval.low, speaker.interval.high)
    assert all(number(end) in text for end in ends)


def test_the_best_encoder_of_each_corpus_stands_beside_its_levels(content):
    (group,) = content.groups
    (table,) = level_tables(group)
    good = next(result for result in group.backbones if result.title == "good")
    mel = next(result for result in group.backbones if result.is_floor)

    assert table.columns == (
        *("corpus", "best encoder", "its score", "best blind guess", "speaker alone"),
        *("mel (floor)", "listeners (accuracy)"),
    )
    mean, cafe, emovo, mead = ([cell.text for cell in line] for line in table.lines)
    assert mean[:3] == [
        "mean", "good", bracketed(good.reductions.in_domain.mean, good.intervals.in_domain)
    ]  # fmt: skip
    view = mel.cells["cafe", "cafe"]
    assert cafe[5:] == [bracketed(view.cell.value, view.interval), "0.910"]
    assert [line[0] for line in (cafe, emovo, mead)] == ["cafe", "emovo", "mead"]
    assert emovo[-1] == mean[-1] == "—"


def test_a_floor_above_an_encoder_is_named_with_both_intervals(content, overview, texts):
    (group,) = content.groups
    poor, mel = (
        next(result for result in group.backbones if result.backbone == name)
        for name in ("poor", "mel")
    )

    assert [finding.corpus for finding in group.findings] == ["cafe", "emovo", "mead"]
    (notice,) = (notice for notice in content.notices if notice.kind == "shortcut")
    for corpus in ("cafe", "emovo", "mead"):
        low, high = (result.cells[corpus, corpus] for result in (poor, mel))
        assert (
            f"on {corpus} 'mel' {bracketed(high.cell.value, high.interval)} above 'poor' "
            f"{bracketed(low.cell.value, low.interval)}"
        ) in notice.text
    assert "'sercore run --protocol speaker-disjoint'" in notice.text
    assert overview.findings == [notice.text]
    assert markdown_cell(notice.text) in texts["summary"]
    assert markdown_cell(notice.text) in texts["markdown"]
    assert "floor scores above an encoder on 3 corpora" in texts["html"]


def test_the_end_of_a_run_names_a_floor_above_an_encoder(run, overview):
    console = Console(width=200, file=io.StringIO())
    result = RunResult(
        name="run", folder=f"{run.workspace.root}/runs/run", scores=run.scores,
        record=dict(run.record), counts=Counter(done=27), problems=(), notes=(),
        computed=Counter(), missing=(), interrupted=False, seconds=1.0, overview=overview,
    )  # fmt: skip

    print_summary(console, result)

    said = console.file.getvalue()
    assert f"floors above encoders\n  {overview.findings[0]}\n" in said
    assert "intervals.parquet" in said
    assert "mel (floor)" in said


def test_without_a_floor_above_an_encoder_nothing_is_said(tmp_path):
    place = Workspace(tmp_path)
    backbones = {"good": (None, 1.5), "mel": (None, 0.2)}
    simulate_run(place, "run", SHAPES[:2], backbones, floors=["mel"])
    simulate_run(place, "alone", SHAPES[:2], {"mel": (None, 0.2)}, floors=["mel"])

    for name in ("run", "alone"):
        content = build_content([read_run(place, name)])
        assert content.groups[0].findings == ()
        assert not [notice for notice in content.notices if notice.kind == "shortcut"]


def test_all_floors_above_an_encoder_are_named_the_highest_first(tmp_path):
    place = Workspace(tmp_path)
    backbones = {"poor": (None, 0.1), "mel": (None, 0.8), "mfcc": (None, 1.5), "good": (None, 3.0)}
    simulate_run(place, "run", SHAPES[:1], backbones, floors=["mel", "mfcc"])

    (finding,) = build_content([read_run(place, "run")]).groups[0].findings

    assert [score.title for score in finding.floors] == ["mfcc (floor)", "mel (floor)"]
    assert [score.title for score in finding.below] == ["poor"]
    assert finding.n_encoders == 2


def test_the_notice_does_not_lead_to_the_split_that_the_run_has(tmp_path):
    place = Workspace(tmp_path)
    backbones = {"poor": (None, 0.1), "mel": (None, 1.0)}
    simulate_run(place, "run", SHAPES[:2], backbones, floors=["mel"], protocol="speaker-disjoint")

    text = findings_text(build_content([read_run(place, "run")]).groups[0].findings)

    assert "In this split no speaker is on both sides." in text
    assert "--protocol" not in text


def test_the_matched_average_has_no_adjustment_on_either_side(run, content, texts):
    (group,) = content.groups
    (unadjusted,) = build_content([run], adjustment="none").groups
    expected = {result.backbone: result for result in unadjusted.backbones}

    for result in group.backbones:
        other = expected[result.backbone]
        assert result.matched.adjustment == "none"
        assert result.matched.weighted == pytest.approx(other.reductions.weighted, abs=1e-12)
        assert result.matched.out_of_domain == pytest.approx(other.out_of_domain.mean, abs=1e-12)
        assert result.matched.interval == other.intervals.weighted
        assert other.matched is None  # it is matched itself
        for kind in ("summary", "markdown", "latex"):
            assert number(result.matched.weighted) in texts[kind]
            assert number(result.matched.interval.low) in texts[kind]
    for kind in ("summary", "markdown"):
        assert "weighted, matched" in texts[kind]
    assert "-matched}" in texts["latex"]


def test_calibration_is_shown_for_the_headline_adjustment(run, content, texts):
    (group,) = content.groups
    (table,) = calibration_tables(group)
    scores = run.scores

    for result in group.backbones:
        for metric, measure in (
            ("expected-calibration-error", result.calibration.ece),
            ("negative-log-likelihood", result.calibration.nll),
        ):
            named = pc.equal(scores["backbone"], result.backbone)
            own = scores.filter(pc.and_(pc.equal(scores["metric"], metric), named))
            inside = own.filter(own["in_domain"])["value"].to_numpy()
            assert len(inside) == 9
            assert measure.in_domain.mean == pytest.approx(inside.mean(), abs=1e-12)
            uniform = own.filter(pc.equal(own["adjustment"], "uniform"))["value"].to_numpy()
            assert len(uniform) == 18
            assert measure.out_of_domain.mean == pytest.approx(uniform.mean(), abs=1e-12)
    line = next(line for line in table.lines if line[0].text == group.backbones[0].title)
    assert "adjustment uniform" in table.text
    for kind in ("markdown", "latex"):
        assert "NLL out of domain" in texts[kind]
        shown = line[3].text if kind == "markdown" else line[3].text.replace("±", r"$\pm$")
        assert shown in texts[kind]


def test_a_cell_with_a_masked_label_has_no_likelihood_and_the_table_says_so(tmp_path):
    place = Workspace(tmp_path)
    fewer = SimulatedCorpus(id="cafe", utterances=150, speakers=8, classes=SIX[:4], eligible=True)
    simulate_run(place, "run", [SHAPES[0], fewer, SHAPES[2]], {"one": (None, 1.0)})

    (group,) = build_content([read_run(place, "run")]).groups
    (table,) = calibration_tables(group)

    (line,) = table.lines
    assert line[-1].text == "4 of 6"
    assert "no NLL" in table.text
    assert ("cafe", "emovo") in group.backbones[0].calibration.ece.cells


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_flat_tables_have_columns_for_all_of_it(run, content, tmp_path, suffix):
    done = CliRunner().invoke(
        cli,
        ["report", "run", "--workspace", run.workspace.root, "--output", str(tmp_path),
         "--format", suffix, "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    read = csv.read_csv if suffix == "csv" else pq.read_table
    cells, averages = (read(tmp_path / f"{name}.{suffix}").to_pylist()
                       for name in ("cells", "averages"))  # fmt: skip
    (group,) = content.groups
    (speaker,) = group.shortcuts

    assert {row["backbone"] for row in cells if row["floor"]} == {"mel"}
    for row in cells:
        inside = row["in_domain"]
        assert (row["speaker_alone"] is not None) == inside
        assert row["expected_calibration_error"] > 0
        if inside:
            found = speaker.cells[row["test_corpus"]]
            assert row["speaker_alone"] == pytest.approx(found.cell.value)
            assert row["speaker_alone_low"] == pytest.approx(found.interval.low)
            assert row["human_accuracy"] == (0.91 if row["test_corpus"] == "cafe" else None)
        assert row["text_alone"] is None
    by_reduction = {row["reduction"]: row for row in averages if row["backbone"] == "good"}
    assert by_reduction["in-domain"]["speaker_alone"] == pytest.approx(speaker.mean)
    assert by_reduction["in-domain"]["chance"] == pytest.approx(1 / 6)
    assert by_reduction["out-of-domain"]["negative_log_likelihood"] > 0
    good = next(result for result in group.backbones if result.title == "good")
    assert by_reduction["weighted-matched"]["mean"] == pytest.approx(good.matched.weighted)
    assert by_reduction["weighted-matched"]["low"] == pytest.approx(good.matched.interval.low)
    assert {notice["kind"] for notice in json.loads(done.stdout)["notices"]} >= {"shortcut"}


def test_every_number_of_the_summary_and_of_markdown_has_an_interval(content, texts):
    """Cells, means by corpus, and all averages; chance is exact."""
    (group,) = content.groups

    for result in group.backbones:
        outside = result.reductions.out_of_domain
        numbers = [(view.cell.value, view.interval) for view in result.cells.values()]
        numbers += [(one.mean, result.intervals.rows[name]) for name, one in outside.rows.items()]
        numbers += [
            (one.mean, result.intervals.columns[name]) for name, one in outside.columns.items()
        ]
        for value, interval in numbers:
            shown = markdown_cell(bracketed(value, interval))
            assert re.search(r"\[.*\]", shown)
            assert shown in texts["summary"]
            assert shown in texts["markdown"]
        for interval in (result.intervals.weighted, result.matched.interval):
            assert range_text(interval) in texts["markdown"]


def test_intervals_of_cells_are_a_table_of_the_run(content, overview):
    (group,) = content.groups
    table = interval_table(overview)
    expected = {
        (result.backbone, *pair): view.interval
        for result in group.backbones
        for pair, view in result.cells.items()
    }

    assert table.schema.equals(INTERVAL_SCHEMA)
    rows = table.to_pylist()
    assert len(rows) == len(expected) == 27
    for row in rows:
        interval = expected[row["backbone"], row["train_corpus"], row["test_corpus"]]
        assert (row["low"], row["high"], row["value"]) == (
            interval.low, interval.high, pytest.approx(interval.value, abs=1e-12)
        )  # fmt: skip
        assert (row["unit"], row["units"]) == ("speaker", interval.n_units)
        assert row["seeds"] == 3
    assert np.isfinite(table["low"].to_numpy()).all()


def test_rescoring_writes_the_intervals_too(run):
    done = CliRunner().invoke(
        cli, ["score", "run", "--name", "again", "--workspace", run.workspace.root]
    )
    assert done.exit_code == 0, (done.output, done.exception)

    table = run.workspace.read_table("runs/again/intervals.parquet")

    assert table.num_rows == 27
    assert table["low"].null_count == 0
