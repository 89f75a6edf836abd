"""Planning, and a run with nothing to do, for the whole grid at full size.

The grid has 819 cells over 19 manifests with 115 thousand utterances and nine backbones (see
`benchmarks.grid`). Planning reads all names, checks manifests and finds stored results. A run with
nothing to do also reads every stored score and writes its record. Imports are not measured.

    python -m benchmarks planning
    python -m benchmarks.planning --profile      # profile a run with nothing to do
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import Figure
from benchmarks.grid import MODULE
from benchmarks.grid import write_corpora
from benchmarks.grid import write_features
from sercore.cli.observers import QuietObserver
from sercore.plugins.registry import Registry
from sercore.runs.api import Prepared
from sercore.runs.api import execute
from sercore.runs.api import prepare
from sercore.runs.events import RunOptions
from sercore.runs.events import RunResult
from sercore.runs.journal import Journal
from sercore.runs.selection import Selection
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

PLAN_GOAL_S, RERUN_GOAL_S = 3.0, 10.0
NAME = "grid"


def run(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepared, first = build(root, 0.02 if quick else 1.0)
        planning, rerun = [], []
        for _ in range(1 if quick else 5):
            began = time.perf_counter()
            planned = plan(root)
            Journal(planned.workspace, NAME).reports()
            planning.append(time.perf_counter() - began)
            began = time.perf_counter()
            again = execute_plan(plan(root))
            rerun.append(time.perf_counter() - began)
            if again.computed:
                raise RuntimeError(f"a run with nothing to do computed {dict(again.computed)}")
        size = {
            "cells": prepared.plan.n_cells,
            "manifests": len(prepared.plan.corpora),
            "utterances": sum(len(corpus.manifest) for corpus in prepared.plan.corpora),
            "first_run_s": first.seconds,
        }
    grid = f"{size['cells']} cells, {size['manifests']} manifests, {size['utterances']} utterances"
    return [
        Figure(
            what=f"planning, fingerprints and journal of {grid}",
            unit="s",
            ours=statistics.median(planning),
            goal=PLAN_GOAL_S,
            detail=size | {"seconds": planning},
        ),
        Figure(
            what=f"run with nothing to do, {grid}",
            unit="s",
            ours=statistics.median(rerun),
            goal=RERUN_GOAL_S,
            detail=size | {"seconds": rerun},
        ),
    ]


def build(root: Path, scale: float) -> tuple[Prepared, RunResult]:
    """Write corpora and frames, and run the grid once."""
    write_corpora(root / "data", scale)
    prepared = plan(root)
    write_features(prepared.plan, prepared.workspace)
    result = execute_plan(prepared)
    if result.problems or not result.computed:
        raise RuntimeError(f"the simulated run failed: {result.problems[:3]}")
    return prepared, result


def plan(root: Path) -> Prepared:
    """Plan with a new registry, like a new process."""
    registry = Registry(("sercore.plugins.builtin", MODULE), points=())
    selection = Selection(
        everything=True,
        data=(root / "data",),
        protocol=registry.protocols.get("standard"),
        probes=("grid",),
        n_seeds=1,
        offline=True,
    )
    return prepare(selection, Settings(), Workspace(root / "workspace"), registry)


def execute_plan(prepared: Prepared) -> RunResult:
    """Execute a plan."""
    return execute(prepared, QuietObserver(), RunOptions(name=NAME, layer_means=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, help="write the grid to this folder, or reuse it")
    options = parser.parse_args()
    if not options.profile:
        parser.error("give --profile, or run 'python -m benchmarks planning'")
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        if not (root / "workspace").exists():
            build(root, options.scale)
        for case in (lambda: plan(root), lambda: execute_plan(plan(root))):
            profile = cProfile.Profile()
            began = time.perf_counter()
            profile.runcall(case)
            print(f"{time.perf_counter() - began:.2f} s, profiled")
            pstats.Stats(profile).sort_stats("cumulative").print_stats(35)


if __name__ == "__main__":
    main()
