"""A tracker for tests: one JSON line for each event; raises on request."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from sercore import hookimpl

SERCORE_API = 1


def _write(kind, values):
    if os.environ.get("TRACKER_RAISES") == kind:
        raise ConnectionError(f"no route to the {kind} server")
    with Path(os.environ["TRACKER_LOG"]).open("a") as log:
        log.write(json.dumps({"event": kind, **values}, default=str) + "\n")


@hookimpl
def sercore_cell_finished(event):
    _write("cell", asdict(event))


@hookimpl
def sercore_run_finished(event):
    averages = [
        {
            "backbone": reduction.setting.backbone,
            "in_domain": reduction.in_domain.mean,
            "complete": reduction.complete,
        }
        for reduction in event.reductions
    ]
    _write("run", {"run": event.run, "counts": dict(event.counts), "averages": averages,
                   "status": event.record["status"]})  # fmt: skip
