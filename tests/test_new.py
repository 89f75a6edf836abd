"""`sercore new`: what it writes builds outside the repository, passes its checks and runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from sercore.cli import cli

pytestmark = pytest.mark.torch

KINDS = ("dataset", "backbone", "metric", "probe", "tracker")


def run(*words, cwd, status=0, **variables):
    answer = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder with one installed plugin of each kind, built from its own sources."""
    root = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        run("-m", "sercore", "new", kind, f"my-{kind}", cwd=root)
    words = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    words += ["--disable-pip-version-check", "--target", root / "site"]
    run(*words, *(root / f"sercore-{kind}-my-{kind}" for kind in KINDS), cwd=root)
    return root


def on_path(site):
    return {"PYTHONPATH": os.pathsep.join([str(site / "site"), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass(site, kind):
    folder = site / f"sercore-{kind}-my-{kind}"

    text = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder, cwd=folder, **on_path(site))

    assert " passed" in text
    assert "failed" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_sercore_check_passes(site, kind, tmp_path):
    words = ["-m", "sercore", "check", f"my-{kind}", "--json", "--workspace", tmp_path]

    result = json.loads(run(*words, cwd=site, SERCORE_METRIC="", **on_path(site)))

    assert result["passed"] is True
    assert result["distribution"] == f"sercore-{kind}-my-{kind}"
    assert {clause["outcome"] for clause in result["clauses"]} <= {"passed", "skipped"}


def test_they_run_together(site, tmp_path):
    words = ["-m", "sercore", "run", "--dataset", "demo-stage", "--backbone", "my-backbone"]
    words += ["--probe", "my-probe", "--seeds", "1", "--workspace", tmp_path / "ws", "--json"]
    log = tmp_path / "log.jsonl"

    found = json.loads(run(*words, cwd=site, MY_TRACKER_LOG=str(log), **on_path(site)))

    (row,) = found["scores"]
    assert (row["backbone"], row["probe"]) == ("my-backbone", "my-probe")
    assert row["value"] > 0.2, "the template of a backbone is no constant"
    assert [json.loads(line)["run"] for line in log.read_text().splitlines()] == ["default"] * 2
    import pyarrow.parquet as pq

    metrics = pq.read_table(tmp_path / "ws/runs/default/scores.parquet")["metric"].to_pylist()
    assert "my-metric" in metrics


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["dataset", "My_Corpus"], "'My_Corpus' is no name for a plugin"),
        (["dataset", "emodb"], "sercore-dataset-emodb exists already"),
        (["corpora", "mine"], "is not one of"),
    ],
)
def test_unusable_names_are_refused(words, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(cli, ["new", *words])

    assert reason in answer.output + str(answer.exception)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, ["new", "metric", "mine"])
    again = CliRunner().invoke(cli, ["new", "metric", "mine"])

    assert "exists and is not empty" in str(again.exception)
