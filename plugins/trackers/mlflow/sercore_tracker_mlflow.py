"""Send the scores of runs to the MLflow server or database that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from sercore import CellEvent
from sercore import RunEvent
from sercore import hookimpl

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERCORE_API = 1

PLACE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"

_DEFAULTS = {
    # Seven attempts, MLflow's default, would stop a run for minutes when its server is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_STATUS = {"ended": "FINISHED", "interrupted": "KILLED"}
_BATCH = 500
"""Metrics in one request; MLflow takes 1000."""


@dataclass
class _Execution:
    """One run of sercore, as a run of MLflow."""

    client: MlflowClient
    run_id: str
    steps: Counter[str] = field(default_factory=Counter)
    """Values sent so far, by name: one for each fold and seed."""


_executions: dict[str, _Execution | None] = {}
"""The runs that were begun, by name; None after a failure, until the run ends."""


@hookimpl
def sercore_cell_finished(event: CellEvent) -> None:
    if PLACE in os.environ and event.scores:
        execution = _execution(event.run)
        if execution is not None:
            try:
                _send_scores(execution, event)
            except Exception:
                _executions[event.run] = None  # one warning, not one request that fails per cell
                raise


@hookimpl
def sercore_run_finished(event: RunEvent) -> None:
    if PLACE not in os.environ:
        return
    try:
        execution = _execution(event.run)
        if execution is not None:
            _send_end(execution, event)
    finally:
        _executions.pop(event.run, None)


def _execution(run: str) -> _Execution | None:
    """Return the run of MLflow, which the first event begins; None after a failure."""
    if run not in _executions:
        _executions[run] = None
        _executions[run] = _begin(run)
    return _executions[run]


def _begin(run: str) -> _Execution:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=os.environ[PLACE])
    experiment = os.environ.get(EXPERIMENT, "sercore")
    found = client.get_experiment_by_name(experiment)
    identifier = found.experiment_id if found else client.create_experiment(experiment)
    created = client.create_run(identifier, run_name=run, tags={"sercore.run": run})
    return _Execution(client, created.info.run_id)


def _send_scores(execution: _Execution, event: CellEvent) -> None:
    for name, value in event.named_scores.items():
        step = execution.steps[name]
        execution.client.log_metric(execution.run_id, name, value, step=step)
        execution.steps[name] += 1


def _send_end(execution: _Execution, event: RunEvent) -> None:
    from mlflow.entities import Metric
    from mlflow.entities import Param
    from mlflow.entities import RunTag

    client, run_id = execution.client, execution.run_id
    cells = {f"cells {status}": count for status, count in event.counts.items()}
    now = int(time.time() * 1000)
    values = {**event.averages, **cells}
    metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
    for first in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[first : first + _BATCH])
    params = [Param(name, value) for name, value in _parameters(event.record).items()]
    tags = [
        RunTag("sercore.folder", event.folder),
        RunTag("sercore.problems", str(len(event.record["problems"]))),
    ]
    client.log_batch(run_id, params=params, tags=tags)
    client.set_terminated(run_id, _STATUS["interrupted" if event.interrupted else "ended"])


def _parameters(record: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run was asked for, as texts."""
    choices = {
        **record["settings"],
        "protocol": record["protocol"]["id"],
        "corpora": sorted(record["corpora"]),
        "backbones": sorted(record["backbones"]),
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in choices.items()
    }
