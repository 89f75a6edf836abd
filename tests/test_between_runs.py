"""What changes between two runs of one name: only what depends on it is computed again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fresh_plugins import environment
from fresh_plugins import install

pytestmark = pytest.mark.torch

METRIC = """
from sercore import Metric, hookimpl

SERCORE_API = 1


@hookimpl
def sercore_metrics():
    from sercore_metric_constant_helper import VALUE

    return [Metric(id="constant", summary="one number", compute=lambda evaluation: {{None: VALUE}})]
"""

PROBE = '''
from dataclasses import dataclass

import numpy as np

from sercore import hookimpl

SERCORE_API = 1
SCALE = {scale}


@dataclass(frozen=True)
class Fitted:
    means: np.ndarray
    log: tuple = ()

    @property
    def weights(self):
        return {{"means": self.means}}

    def logits(self, frames, rows):
        pooled = np.stack([frames.frames(row).astype(np.float32).mean(0) for row in rows])
        gaps = ((pooled[:, None] - self.means[None]) ** 2).sum(-1)
        return (-SCALE * gaps).astype(np.float32)


@dataclass(frozen=True)
class Nearest:
    """Nearest class mean."""

    id: str = "nearest"
    summary: str = "nearest class mean"

    @property
    def settings(self):
        return {{}}

    def fit(self, frames, rows, labels, *, n_classes, seed, device, progress=None):
        pooled = np.stack([frames.frames(row).astype(np.float32).mean(0) for row in rows])
        means = [
            pooled[labels == c].mean(0) if (labels == c).any() else pooled.mean(0) + 1e3
            for c in range(n_classes)
        ]
        return Fitted(SCALE * np.stack(means).astype(np.float32))

    def load(self, weights, *, device="cpu"):
        return Fitted(weights["means"])


@hookimpl
def sercore_probes():
    return [Nearest()]
'''


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace")


def run(corpora, workspace, *more, env=None, probe="pooled", threads="1"):
    words = ["--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--class-rule", "shared-classes", "--probe", probe]
    words += ["--data", str(corpora), "--workspace", str(workspace), "--threads", threads]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", "run", *words, *more, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=200,
    )
    assert answer.returncode == 0, (answer.stdout, answer.stderr)
    return json.loads(answer.stdout)


def write_metric(folder, value, version="1.0"):
    install(
        folder,
        "sercore_metric_constant",
        version=version,
        source=METRIC.format(),
        beside={"sercore_metric_constant_helper": f"VALUE = {value}\n"},
    )


def constant_of(workspace, name):
    import pyarrow.parquet as pq

    rows = pq.read_table(workspace / f"runs/{name}/scores.parquet").to_pylist()
    return {row["value"] for row in rows if row["metric"] == "constant"}


def test_a_metric_that_changed_scores_again_and_nothing_else(corpora, workspace, tmp_path):
    env = environment(tmp_path)
    write_metric(tmp_path, 0.25)
    run(corpora, workspace, "--name", "metric", env=env)
    assert constant_of(workspace, "metric") == {0.25}
    assert run(corpora, workspace, "--name", "metric", env=env)["computed"] == {}

    write_metric(tmp_path, 0.75)  # only a module beside the entry point changed
    again = run(corpora, workspace, "--name", "metric", env=env)

    assert constant_of(workspace, "metric") == {0.75}
    assert again["computed"] == {"score": 4}


def test_a_probe_that_changed_trains_again_and_extracts_nothing(corpora, workspace, tmp_path):
    env = environment(tmp_path)
    install(tmp_path, "sercore_probe_nearest", source=PROBE.format(scale=1.0))
    first = run(corpora, workspace, "--name", "probe", env=env, probe="nearest")
    same = run(corpora, workspace, "--name", "probe", env=env, probe="nearest")
    assert same["computed"] == {}

    install(tmp_path, "sercore_probe_nearest", source=PROBE.format(scale=0.5))
    again = run(corpora, workspace, "--name", "probe", env=env, probe="nearest")

    assert again["computed"] == {"fit": 2, "predict": 4, "score": 4}
    keys = {row["probe_key"] for row in first["scores"]}
    assert not keys & {row["probe_key"] for row in again["scores"]}


def test_another_number_of_threads_is_another_probe(corpora, workspace):
    first = run(corpora, workspace, "--name", "threads", threads="1")
    again = run(corpora, workspace, "--name", "threads", threads="2")

    assert again["computed"] == {"fit": 2, "predict": 4, "score": 4}
    keys = {row["probe_key"] for row in first["scores"]}
    assert not keys & {row["probe_key"] for row in again["scores"]}
