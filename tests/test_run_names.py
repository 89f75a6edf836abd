"""A run is what its name says: it is continued, extended, or kept and another name is chosen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.torch


def run(corpora, workspace, *more, datasets=("urdu", "emodb"), status=0):
    words = [word for name in datasets for word in ("--dataset", name)]
    words += ["--backbone", "logmel", "--offline", "--probe", "pooled", "--threads", "1"]
    words += ["--class-rule", "shared-classes", "--data", corpora, "--workspace", workspace]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", "run", *map(str, words), *more, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert answer.returncode == status, (answer.stdout, answer.stderr)
    assert "Traceback" not in answer.stderr
    found = json.loads(answer.stdout)
    return answer.stderr if "error" in found else found


def scored(workspace, name):
    table = pq.read_table(workspace / f"runs/{name}/scores.parquet")
    return {
        (row["train_corpus"], row["test_corpus"])
        for row in table.to_pylist()
        if row["headline"] and row["status"] == "done" and row["class"] is None
    }


@pytest.fixture
def four_cells(corpora, tmp_path):
    """Return a workspace with a run of four cells named `default`."""
    assert run(corpora, tmp_path)["run"] == "default"
    return tmp_path


def test_the_same_selection_continues_its_run(corpora, four_cells):
    again = run(corpora, four_cells)

    assert again["run"] == "default"
    assert again["computed"] == {}


def test_a_larger_selection_extends_the_run(corpora, tmp_path):
    assert run(corpora, tmp_path, datasets=["urdu"])["cells"] == {"done": 1}

    larger = run(corpora, tmp_path)

    assert larger["run"] == "default"
    assert larger["cells"] == {"done": 4}
    assert larger["computed"]["extract"] == 1


def test_a_smaller_selection_gets_a_name_of_its_own(corpora, four_cells):
    before = scored(four_cells, "default")

    smaller = run(corpora, four_cells, datasets=["urdu"])

    assert smaller["run"] == "default-2"
    assert any("so this run is named 'default-2'" in note for note in smaller["notes"])
    assert scored(four_cells, "default") == before
    assert run(corpora, four_cells, datasets=["urdu"])["run"] == "default-2"  # and continues it
    assert run(corpora, four_cells)["run"] == "default"


def test_a_corpus_that_is_not_found_removes_no_scored_cell(corpora, four_cells):
    before = scored(four_cells, "default")

    typo = run(corpora, four_cells, datasets=[f"urdu={corpora}/typo", "emodb"], status=3)

    assert typo["run"] == "default-2"
    assert scored(four_cells, "default") == before


def test_a_named_run_is_not_replaced_unless_asked(corpora, four_cells):
    run(corpora, four_cells, "--name", "mine")

    refused = run(corpora, four_cells, "--name", "mine", datasets=["emodb"], status=1)

    assert "the run 'mine' has 4 scored cells, and this selection lacks 3 of them" in refused
    assert "choose another --name, or add --replace" in refused
    assert len(scored(four_cells, "mine")) == 4
    replaced = run(corpora, four_cells, "--name", "mine", "--replace", datasets=["emodb"])
    assert replaced["run"] == "mine"
    assert scored(four_cells, "mine") == {("emodb", "emodb")}


def test_other_settings_of_the_protocol_are_another_run(corpora, four_cells):
    paper = run(corpora, four_cells, "--protocol", "paper")

    assert paper["run"] == "default-2"
    assert any("under another protocol or precision" in note for note in paper["notes"])


def test_a_run_made_by_score_is_not_replaced(corpora, four_cells):
    subprocess.run(
        [sys.executable, "-m", "sercore", "score", "default", "--workspace", str(four_cells)],
        check=True,
        capture_output=True,
    )

    refused = run(corpora, four_cells, "--name", "default-rescored", status=1)

    assert "was made by 'sercore score'" in refused


def test_an_interrupted_run_keeps_the_scores_that_it_did_not_reach(corpora, four_cells):
    before = scored(four_cells, "default")
    words = ["--dataset", "urdu", "--dataset", "emodb", "--offline", "--probe", "pooled"]
    words += ["--backbone", "logmel", "--threads", "1", "--class-rule", "shared-classes"]
    words += ["--seeds", "4", "--data", str(corpora), "--workspace", str(four_cells)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sercore", "run", *words],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stdout:
        if line.startswith("training"):
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=100)

    assert process.returncode == 130
    assert scored(four_cells, "default") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "../x"], "the run name '../x' cannot be used"),
        (["--executor", "nothing"], "there is no executor named 'nothing'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_planning(corpora, tmp_path, words, said):
    refused = run(corpora, tmp_path / "ws", *words, status=1)

    assert said in refused
    assert not (tmp_path / "ws").exists()
