"""`sercore.evaluate`: the same as the command line, from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pd = pytest.importorskip("pandas")

import sercore

pytestmark = pytest.mark.torch

DOCS = Path(__file__).resolve().parent.parent / "docs"


class Loudness:
    """Log energy of 20 ms, with the version that lets its frames be stored."""

    def __init__(self, version="1"):
        self.version = version
        self.calls = 0

    def __call__(self, waveform, rate):
        self.calls += 1
        hop = rate // 50
        energy = (waveform[: len(waveform) // hop * hop].reshape(-1, hop) ** 2).mean(1)
        return np.log(energy + 1e-8)[:, np.newaxis] * np.ones(4)


@pytest.fixture
def run(data, tmp_path):
    def call(*words, **options):
        defaults = {"data": data, "workspace": tmp_path / "ws", "seeds": 1, "probes": "logistic"}
        return sercore.evaluate(*words, **{**defaults, "progress": False, **options})

    return call


def test_the_numbers_are_those_of_the_command_line(run, data, tmp_path):
    result = run("urdu", "logmel")
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "sercore", "run", "--dataset", "urdu", "--backbone", "logmel"),
            *("--data", str(data), "--workspace", str(tmp_path / "ws"), "--seeds", "1"),
            *("--probe", "logistic"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "nothing to compute: all results were stored already" in answer.stdout
    (row,) = result.scores().to_dict("records")
    assert row["value"] == pytest.approx(float(f"{row['value']:.4f}"), abs=1e-4)
    assert f"in-domain {row['value']:.4f}" in answer.stdout
    assert row["low"] <= row["value"] <= row["high"]


def test_a_result_has_scores_averages_and_a_matrix(run):
    result = run(["urdu", "emodb"], "logmel", class_rules="shared-classes")

    scores = result.scores()
    matrix = result.matrix()
    assert len(scores) == 4
    assert list(matrix.index) == list(matrix.columns) == ["emodb", "urdu"]
    for row in scores.to_dict("records"):
        assert matrix.loc[row["train_corpus"], row["test_corpus"]] == row["value"]
    board = result.leaderboard(arrow=True).to_pylist()
    assert [line["reduction"] for line in board] == ["in-domain", "out-of-domain", "weighted"]
    assert board[0]["mean"] == pytest.approx(np.diag(matrix).mean())
    assert len(result.all_scores(arrow=True)) > len(scores)
    assert "4 cells done" in repr(result)


def test_a_stored_run_is_the_same_result(run, tmp_path):
    result = run("urdu", "logmel")
    again = sercore.load("default", workspace=tmp_path / "ws")

    pd.testing.assert_frame_equal(result.scores(), again.scores())
    (row,) = result.compare(again, arrow=True).to_pylist()
    assert row["verdict"] == "equal"
    assert result.compare("default")["difference"].tolist() == [0.0]


def test_a_report_is_written(run, tmp_path):
    pytest.importorskip("jinja2")
    result = run("urdu", "logmel")

    (page,) = result.report()
    (table,) = result.report(tmp_path / "out", formats=["md"])
    assert "URDU" in page.read_text()
    assert table == tmp_path / "out" / "report.md"


def test_the_display_shows_intervals_and_escapes_names(run):
    result = run("urdu", {"<b>bold</b>": Loudness()})

    shown = result._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown
    assert "<b>bold" not in shown
    assert " to " in shown


class TestFunctions:
    def test_a_function_is_a_row_beside_installed_backbones(self, run):
        result = run("urdu", ["logmel", Loudness()])

        assert set(result.scores()["backbone"]) == {"logmel", "loudness"}
        with pytest.raises(sercore.SercoreError, match="2 matrices fit"):
            result.matrix()
        assert result.matrix("loudness").shape == (1, 1)

    def test_frames_of_a_version_are_stored(self, run):
        first, second, changed = Loudness(), Loudness(), Loudness("2")

        one = run("urdu", first)
        two = run("urdu", second)
        run("urdu", changed)

        assert first.calls == changed.calls > 40
        assert second.calls == 1  # on noise, to learn the width
        pd.testing.assert_frame_equal(one.scores(), two.scores())

    def test_a_function_without_a_version_is_always_called(self, run):
        calls = []

        def level(waveform, rate):
            calls.append(rate)
            return np.abs(waveform).mean() * np.ones(3)

        run("urdu", level)
        once = len(calls)
        run("urdu", level)

        assert len(calls) == 2 * once

    @pytest.mark.parametrize(
        ("function", "reason"),
        [
            (lambda *_: np.zeros((2, 3, 4)), r"an array of shape \(2, 3, 4\)"),
            (lambda *_: np.zeros((0, 4)), r"an array of shape \(0, 4\)"),
            (lambda waveform: waveform, "failed: TypeError"),
        ],
    )
    def test_what_is_no_backbone_is_refused_with_the_reason(self, run, function, reason):
        with pytest.raises(sercore.SercoreError, match=reason):
            run("urdu", function)

    def test_a_function_cannot_leave_this_process(self, run):
        with pytest.raises(sercore.SercoreError, match="cannot run functions of this process"):
            run("urdu", Loudness(), executor="spawn")


def test_a_typo_is_answered_with_a_suggestion(run):
    with pytest.raises(sercore.SercoreError, match="did you mean 'urdu'"):
        run("urd", "logmel")


def test_an_evaluation_without_any_score_raises(run):
    with pytest.raises(sercore.SercoreError, match="corpus emovo: it was not found"):
        run("emovo", "logmel")


def test_a_part_that_fails_is_a_warning(run):
    with pytest.warns(UserWarning, match="corpus emovo: it was not found"):
        result = run(["urdu", "emovo"], "logmel")

    scores = result.scores()
    assert list(scores[scores["status"] == "done"]["train_corpus"]) == ["urdu"]
    assert list(scores[scores["status"] == "missing"]["train_corpus"]) == ["emovo"]
    assert any("emovo" in problem for problem in result.problems)


def test_the_help_names_every_argument():
    import inspect

    text = inspect.getdoc(sercore.evaluate)

    for name in inspect.signature(sercore.evaluate).parameters:
        assert f"{name}: " in text


def test_the_tutorial_runs_as_a_notebook(tmp_path):
    pytest.importorskip("ipykernel")
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")

    notebook = jupytext.read(DOCS / "tutorials" / "first.py")
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=tmp_path)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"]["text/html"] for output in outputs if "text/html" in output["data"]]
    assert any("out-of-domain" in html and " to " in html for html in shown)
    assert any("sercore: took" in html for html in shown), "the line of progress is kept"
    assert not [output for output in outputs if output.output_type == "stream"]
