"""The published matrices as a run, in every format and beside a run."""

import json

import pytest
from click.testing import CliRunner

from sercore.cli import cli
from sercore.published import published_matrices
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    result = CliRunner().invoke(
        cli,
        ["report", "published", "--workspace", str(folder / "none"), "--output", str(folder),
         "--format", "html,md,latex,csv,png"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder


def test_every_format_is_written(written):
    files = {path.name for path in written.iterdir()}

    assert files == {
        "report.html",
        "report.md",
        "report.tex",
        "cells.csv",
        "averages.csv",
        "figures",
    }
    assert (
        len(list((written / "figures").glob("*-matrix-*.png"))) == len(published_matrices()) == 10
    )


@pytest.mark.parametrize("name", ["report.html", "report.md", "report.tex"])
def test_every_format_says_that_there_is_no_interval(written, name):
    text = (written / name).read_text()

    assert "no average has an interval" in text.lower()


def test_the_paper_is_not_compared_with_itself(written):
    assert "measured minus paper" not in (written / "report.md").read_text()


def test_the_defect_of_a_row_is_stated(written):
    assert "the row of mesd is that of a constant predictor" in (written / "report.md").read_text()


def test_a_run_and_the_published_matrices_share_a_page(tmp_path):
    shapes = [
        SimulatedCorpus(id=name, utterances=60, speakers=4, classes=SIX, eligible=True)
        for name in ("cafe", "emovo")
    ]
    place = Workspace(tmp_path)
    simulate_run(place, "mine", shapes, {"wavlm": ("microsoft/wavlm-large", 1.0)})
    result = CliRunner().invoke(
        cli,
        ["report", "mine", "published", "--workspace", str(tmp_path), "--format", "md", "--json"],
    )

    assert result.exit_code == 0, result.output
    assert [group["run"] for group in json.loads(result.stdout)["groups"]] == ["mine", "published"]


def test_a_comparison_with_the_paper_lists_no_record(tmp_path):
    shapes = [SimulatedCorpus(id="cafe", utterances=60, speakers=4, classes=SIX, eligible=True)]
    simulate_run(Workspace(tmp_path), "mine", shapes, {"wavlm": ("microsoft/wavlm-large", 1.0)})
    result = CliRunner().invoke(cli, ["compare", "mine", "published", "--workspace", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert "'published' has no record" in result.output
    assert "(missing)" not in result.output


def test_the_published_run_is_marked(tmp_path):
    run = read_run(Workspace(tmp_path), "published")

    assert run.is_published
    assert run.report_folder == "reports/published"
