"""Two runs at the same time in one workspace: neither fails, and nothing is computed twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.torch


def start(corpora, workspace, *more):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--probe", "pooled", "--class-rule", "shared-classes", "--threads", "1", "--json"]
    words += ["--data", str(corpora), "--workspace", str(workspace), *more]
    return subprocess.Popen(
        [sys.executable, "-m", "sercore", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, (out, err)
    assert "Traceback" not in err
    return json.loads(out)


def scores(workspace, name):
    return (workspace / f"runs/{name}/scores.parquet").read_bytes()


@pytest.mark.parametrize("names", [("a", "b"), (None, None)], ids=["two names", "one name"])
def test_both_end_well_and_each_stage_is_computed_once(corpora, tmp_path, names):
    options = [("--name", name) if name else () for name in names]
    processes = [start(corpora, tmp_path, *given) for given in options]

    said = [end(process) for process in processes]

    computed = sum((Counter(run["computed"]) for run in said), Counter())
    assert computed["extract"] == 2
    assert computed["fit"] == 2
    assert all(run["cells"] == {"done": 4} for run in said)
    if names[0]:
        assert scores(tmp_path, "a") == scores(tmp_path, "b")
    assert not list(tmp_path.glob("**/*.partial*"))
    reports = [
        report
        for path in tmp_path.glob("runs/*/journal.parquet")
        for report in pq.read_table(path).to_pylist()
    ]
    kinds = Counter(report["kind"] for report in reports if report["status"] == "computed")
    assert kinds == {"extract": 2, "fit": 2, "predict": 2}


def test_two_first_demo_runs_do_not_collide(tmp_path):
    words = ["run", "--all", "--demo", "--probe", "pooled", "--threads", "1", "--json"]
    words += ["--offline", "--workspace", str(tmp_path)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "sercore", *words, "--name", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]

    said = [end(process) for process in processes]

    assert all(run["cells"] == {"done": 9} for run in said)
    assert sum(run["computed"].get("extract", 0) for run in said) == 3
