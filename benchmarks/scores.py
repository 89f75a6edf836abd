"""Rescoring and confidence intervals at full size, from simulated predictions.

Nine backbones and nineteen corpora of the published sizes give 819 cells and 5.8 million predicted
utterances. Only the logits are simulated; files, priors, metrics and intervals are real.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.common import Figure
from sercore.evaluation.metrics import METRICS
from sercore.published import published_summaries
from sercore.results.cell_statistics import CellStatistics
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import read_run
from sercore.runs.rescore import rescore
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import simulate_run
from sercore.testing.simulated import table1_shapes

RESCORE_GOAL_S = 60.0
INTERVALS_GOAL_S = 3.0


def run(*, quick: bool) -> list[Figure]:
    """Measure rescoring all cells, and the intervals of all cells."""
    scale = 0.02 if quick else 1.0
    names = list(published_summaries())[: 2 if quick else None]
    backbones = {
        name.rpartition("/")[2].lower(): (name, 1.0 - 0.05 * place)
        for place, name in enumerate(names)
    }
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        simulate_run(workspace, "full", table1_shapes(scale), backbones)
        stored = read_run(workspace, "full")
        seconds = []
        for _ in range(1 if quick else 3):
            began = time.perf_counter()
            result = rescore(stored, METRICS)
            seconds.append(time.perf_counter() - began)
        predictions = [
            workspace.read_table(f"predictions/{name}").num_rows
            for name in workspace.list("predictions")
        ]
        began = time.perf_counter()
        matrices = matrices_of(stored.scores, stored.record)
        estimates = CellStatistics(stored).estimates(matrices)
        intervals = time.perf_counter() - began
    size = {"cells": len(predictions), "utterances": sum(predictions)}
    return [
        Figure(
            what=f"rescoring {size['cells']} cells, all metrics and adjustments",
            unit="s",
            ours=sorted(seconds)[len(seconds) // 2],
            goal=RESCORE_GOAL_S,
            detail={**size, "seconds": seconds, "scores": result.scores.num_rows},
        ),
        Figure(
            what=f"intervals of {len(estimates)} cells, from files to t quantiles",
            unit="s",
            ours=intervals,
            goal=INTERVALS_GOAL_S,
            detail=size,
        ),
    ]
