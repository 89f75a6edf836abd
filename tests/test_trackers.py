"""Trackers: what a real one hears, and that one that raises costs one warning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_plugins import environment
from fresh_plugins import install

pytestmark = pytest.mark.torch

METRIC = """
from sercore import Metric, hookimpl

SERCORE_API = 1


def broken(evaluation):
    raise ArithmeticError("no such number")


@hookimpl
def sercore_metrics():
    return [Metric(id="broken", summary="always raises", compute=broken)]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture
def plugins(tmp_path):
    return install(tmp_path / "plugins", "sercore_tracker_lines")


def run(corpora, workspace, *more, env, status=0):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--probe", "pooled", "--class-rule", "shared-classes", "--class-rule", "cluster"]
    words += ["--data", str(corpora), "--workspace", str(workspace), "--threads", "1", "--json"]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words, *more],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=200,
    )
    assert answer.returncode == status, (answer.stdout, answer.stderr)
    assert "Traceback" not in answer.stderr
    return json.loads(answer.stdout), answer.stderr


def heard(log):
    return [json.loads(line) for line in Path(log).read_text().splitlines()]


def test_a_tracker_hears_of_every_cell_once_and_of_the_run(corpora, workspace, plugins, tmp_path):
    said, _ = run(corpora, workspace, env=environment(plugins, TRACKER_LOG=str(tmp_path / "log")))

    *cells, end = heard(tmp_path / "log")
    places = [(cell["train_corpus"], cell["test_corpus"]) for cell in cells]
    assert sorted(places) == [
        ("emodb", "emodb"), ("emodb", "urdu"), ("urdu", "emodb"), ("urdu", "urdu"),
    ]  # fmt: skip
    for cell in cells:
        assert cell["status"] == "done"
        assert cell["probe"] == "pooled"
        assert set(cell["scores"]) <= {"in-domain", "shared-classes", "cluster"}
        assert cell["record"]["prediction_key"]
    by_place = {
        (row["train_corpus"], row["test_corpus"], row["class_rule"]): row["value"]
        for row in said["scores"]
    }
    for cell in cells:
        for rule, value in cell["scores"].items():
            assert value == by_place[cell["train_corpus"], cell["test_corpus"], rule]
    assert end["counts"] == said["cells"]
    assert end["status"] == "ended"
    assert end["averages"]
    assert end["averages"][0]["in_domain"] > 0


@pytest.mark.parametrize("event", ["cell", "run"])
def test_a_tracker_that_raises_costs_one_warning(corpora, workspace, plugins, tmp_path, event):
    env = environment(plugins, TRACKER_LOG=str(tmp_path / "log"), TRACKER_RAISES=event)

    said, errors = run(corpora, workspace, env=env)

    assert said["cells"].keys() == {"done"}
    assert errors.count(f"no route to the {event} server") == 1
    assert "the tracker sercore_tracker_lines failed" in errors


def test_a_metric_that_raises_fails_its_cells_and_is_heard_once(
    corpora, workspace, plugins, tmp_path
):
    install(plugins, "sercore_metric_broken", source=METRIC)
    env = environment(plugins, TRACKER_LOG=str(tmp_path / "log"))

    said, _ = run(corpora, workspace, "--name", "broken", env=env, status=1)

    cells = [event for event in heard(tmp_path / "log") if event["event"] == "cell"]
    assert [cell["status"] for cell in cells] == ["failed"] * 4
    assert all("no such number" in cell["reason"] for cell in cells)
    assert said["cells"].keys() == {"failed"}
