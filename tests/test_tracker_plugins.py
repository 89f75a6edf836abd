"""The tracker plugins, against the real libraries with a local store."""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from sercore.testing.trackers import run_event

pytestmark = pytest.mark.torch

PAIRS = {"emodb to emodb", "emodb to urdu", "urdu to emodb", "urdu to urdu"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


def require(*modules):
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the library {module} is not installed")


def run(corpora, workspace, **variables):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--probe", "pooled", "--class-rule", "shared-classes", "--threads", "1", "--json"]
    words += ["--data", str(corpora), "--workspace", str(workspace)]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        timeout=200,
    )
    assert answer.returncode == 0, (answer.stdout, answer.stderr)
    assert "Traceback" not in answer.stderr
    return json.loads(answer.stdout), answer.stderr


def ask(database, query):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def expected(said):
    """Return the scores of a run by the names that trackers give them."""
    return {
        f"{row['class_rule']}/logmel/pooled/layer last/{row['train_corpus']} to "
        f"{row['test_corpus']}": row["value"]
        for row in said["scores"]
    }


@pytest.fixture(scope="module")
def tracked(corpora, workspace, tmp_path_factory):
    """Return what a run with both trackers prints, and the folder that holds their databases."""
    require("mlflow", "sqlalchemy", "alembic", "trackio")
    place = tmp_path_factory.mktemp("tracked")
    said, errors = run(
        corpora, workspace, MLFLOW_TRACKING_URI=f"sqlite:///{place}/mlflow.db", TRACKIO_DIR=place
    )
    assert "tracker" not in errors
    assert "rackio" not in errors
    return said, place


AVERAGE = "average/in-domain/logmel/pooled/layer last/macro-f1/shared-classes/uniform"


def test_averages_of_several_sets_of_corpora_have_different_names():
    event = run_event()
    (one, *_) = event.reductions
    other = replace(one, setting=replace(one.setting, corpora="extended"))
    both = replace(event, reductions=(one, other))

    assert len(both.averages) == 2 * len(replace(event, reductions=(one,)).averages)
    assert any(name.endswith("/extended") for name in both.averages)


def test_mlflow_holds_the_scores_of_the_run(tracked):
    said, place = tracked
    database = place / "mlflow.db"

    sent = dict(ask(database, "select key, value from metrics where key not like 'average/%'"))
    assert sent.pop("cells done") == said["cells"]["done"]
    assert sent == pytest.approx(expected(said))
    assert {name.rpartition("/")[2] for name in sent} == PAIRS
    averages = dict(ask(database, "select key, value from metrics where key like 'average/%'"))
    in_domain = [
        row["value"] for row in said["scores"] if row["train_corpus"] == row["test_corpus"]
    ]
    assert averages[AVERAGE] == pytest.approx(sum(in_domain) / len(in_domain))
    parameters = dict(ask(database, "select key, value from params"))
    assert parameters["protocol"] == "standard"
    assert json.loads(parameters["corpora"]) == ["emodb", "urdu"]
    assert ask(database, "select name, status from runs") == [("default", "FINISHED")]
    assert ("sercore.folder", said["folder"]) in ask(database, "select key, value from tags")


def test_trackio_holds_the_scores_of_the_run(tracked):
    said, place = tracked
    database = place / "sercore.db"

    logged = [json.loads(text) for (text,) in ask(database, "select metrics from metrics")]
    sent = {name: value for entry in logged for name, value in entry.items()}
    assert sent.pop("cells done") == said["cells"]["done"]
    assert AVERAGE in sent
    scores = {name: sent[name] for name in sent if not name.startswith("average/")}
    assert scores == pytest.approx(expected(said))
    assert {name.rpartition("/")[2] for name in scores} == PAIRS
    (name,) = {name for (name,) in ask(database, "select run_name from metrics")}
    assert name.startswith("default 2")


def test_the_next_run_is_a_further_run_of_the_trackers_under_their_own_settings(
    corpora, workspace, tracked
):
    _, place = tracked

    run(
        corpora,
        workspace,
        MLFLOW_TRACKING_URI=f"sqlite:///{place}/mlflow.db",
        MLFLOW_EXPERIMENT_NAME="speech",
        TRACKIO_DIR=place,
        TRACKIO_PROJECT="speech",
    )

    query = "select e.name from runs r join experiments e on e.experiment_id = r.experiment_id"
    assert sorted(ask(place / "mlflow.db", query)) == [("sercore",), ("speech",)]
    (count,) = ask(place / "speech.db", "select count(*) from metrics")[0]
    assert count == len(PAIRS) + 1


def test_trackers_that_fail_cost_one_warning_and_no_cell(corpora, workspace, tmp_path):
    require("mlflow", "trackio")
    (tmp_path / "file").write_text("no folder")

    said, errors = run(
        corpora,
        workspace,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        TRACKIO_DIR=tmp_path / "file",
    )

    assert said["cells"].keys() == {"done"}
    assert errors.count("the tracker sercore_tracker_mlflow failed") == 1
    assert errors.count("the tracker sercore_tracker_trackio failed") == 1
    assert errors.count("Warning") == 0


def test_an_installed_tracker_without_a_place_does_nothing(corpora, workspace):
    code = (
        "import sys; from sercore.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('mlflow' in sys.modules or 'trackio' in sys.modules, file=sys.stderr)"
    )
    words = ["run", "--dataset", "urdu", "--backbone", "logmel", "--offline", "--json"]
    words += ["--probe", "pooled", "--data", str(corpora), "--workspace", str(workspace)]
    answer = subprocess.run(
        [sys.executable, "-c", code, *words, "--threads", "1", "--name", "alone"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.splitlines()[-1] == "False"
