"""The full grid on many simulated workers, in the order of the real driver.

The grid has nineteen corpora and nine backbones at full size (see `benchmarks.grid`). The plan, the
agenda, keys, stores and reports are real; cells are not scored. The clock is simulated: a task
takes as long as ``sercore bench full-scale`` assumes for one GPU, and a worker does one task at a
time. Loading weights and starting processes take no time.

    python -m benchmarks makespan
    python -m benchmarks.makespan --workers 64 --scale 0.1     # fewer utterances, so fewer tasks

The lower bound is the longest chain of tasks that need each other, or all work divided by the
workers, whichever is larger.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import threading
import time
from collections.abc import Generator
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.common import Figure
from benchmarks.grid import WIDTH
from benchmarks.grid import write_corpora
from benchmarks.planning import plan
from sercore.cli.observers import QuietObserver
from sercore.diagnostics.cost_model import Machine
from sercore.diagnostics.cost_model import installed_cards
from sercore.diagnostics.cost_model import task_seconds
from sercore.executors import Outcome
from sercore.executors import Task
from sercore.features.parts import ExtractedUtterance
from sercore.runs.agenda import Agenda
from sercore.runs.backbone_work import BackboneWork
from sercore.runs.events import RunOptions
from sercore.runs.explainer import Explainer
from sercore.runs.journal import Journal
from sercore.runs.shard import Unscored
from sercore.runs.spec import spec_of
from sercore.runs.tasks import extracted_parts
from sercore.runs.tools import execution_context
from sercore.runs.tools import run_tools

if TYPE_CHECKING:
    from sercore.backbones.interface import BackboneCard
    from sercore.executors import ExecutionContext
    from sercore.runs.api import Prepared

GOALS = {1: 0.99, 8: 0.85, 64: 0.70}
"""Efficiency by number of workers."""

GPU = Machine(
    name="one GPU",
    count=1,
    encoder_flops=100e12 * 0.3,
    probe_flops=15e12 * 0.3,
    link_bytes=10e9,
    measured=False,
)
"""The defaults of ``sercore bench full-scale``."""


@dataclass
class SimulatedExecutor:
    """Does tasks at once, and lets them take time on a clock of its own.

    Args:
        prepared: the plan.
        workers: how many tasks at a time.
    """

    prepared: Prepared
    workers: int
    id: str = "simulated"
    summary: str = "many workers on a simulated clock"
    parallel: bool = True
    options: None = None
    now: float = 0.0
    """Simulated seconds since the start."""
    tasks: list[tuple[Task, float]] = field(default_factory=list)
    """What was done, with its simulated seconds."""
    real: float = 0.0
    """Real seconds that the tasks themselves took."""
    most_backbones: int = 0
    """Backbones whose tasks ran at the same time, at most."""

    def run(
        self, tasks: Iterable[Task | None], context: ExecutionContext
    ) -> Generator[Outcome, None, None]:
        source = iter(tasks)
        busy: list[tuple[float, int, Task]] = []
        while True:
            while len(busy) < self.workers:
                task = next(source, None)
                if task is None:
                    break
                began = time.perf_counter()
                self._do(task, context)
                self.real += time.perf_counter() - began
                seconds = self._seconds(task)
                self.tasks.append((task, seconds))
                heapq.heappush(busy, (self.now + seconds, len(self.tasks), task))
            if not busy:
                return
            running = {task.backbone for _, _, task in busy}
            self.most_backbones = max(self.most_backbones, len(running))
            self.now, _, ended = heapq.heappop(busy)
            yield Outcome(ended)

    def _do(self, task: Task, context: ExecutionContext) -> None:
        if task.kind != "extract":
            context.work(task)
            return
        plan = self.prepared.plan
        backbone = next(known for known in plan.backbones if known.given == task.backbone)
        corpus = next(known for known in plan.corpora if known.id == task.corpus)
        store = backbone.features(corpus, self.prepared.workspace, plan.selection.protocol)
        rng = np.random.default_rng(0)
        for part in extracted_parts(task, store):
            utterances = [
                ExtractedUtterance(
                    row=row,
                    path="",
                    frames=rng.standard_normal((1, WIDTH), dtype=np.float32),
                    duration_s=1.0,
                )
                for row in store.rows[part].tolist()
            ]
            store.write_part(part, utterances, layer_means=False, plan={})

    def _seconds(self, task: Task) -> float:
        whole = task_seconds(task.kind, self._card(task), task.corpus, GPU, probes=len(task.writes))
        if task.kind != "extract" or task.parts is None:
            return whole
        corpus = next(known for known in self.prepared.plan.corpora if known.id == task.corpus)
        rows = corpus.manifest.part_rows
        done = sum(len(rows[part]) for part in range(*task.parts))
        return whole * done / len(corpus.manifest)

    def _card(self, task: Task) -> BackboneCard:
        backbone = next(
            known for known in self.prepared.plan.backbones if known.given == task.backbone
        )
        return next(
            card
            for card in installed_cards()
            if card.checkpoint == backbone.backbone.card.checkpoint
        )

    @property
    def bound(self) -> float:
        """The lower bound of the time, in simulated seconds."""
        longest: dict[tuple[str, str, str], float] = {}
        for task, seconds in self.tasks:
            for name in (task.corpus, "all") if task.kind == "predict" else (task.corpus,):
                place = (task.backbone, name, task.kind)
                longest[place] = max(longest.get(place, 0.0), seconds)
        chains = [
            longest.get((backbone, corpus, "extract"), 0.0)
            + seconds
            + longest.get((backbone, "all", "predict"), 0.0)
            for (backbone, corpus, kind), seconds in longest.items()
            if kind == "fit"
        ]
        work = sum(seconds for _, seconds in self.tasks)
        return max(work / self.workers, *chains)


def simulate(root: Path, workers: int) -> tuple[SimulatedExecutor, float]:
    """Run the grid in a folder with its corpora; return the executor and the driver's seconds."""
    prepared = plan(root)
    workspace, registry = prepared.workspace, prepared.registry
    name, observer = f"workers-{workers}", QuietObserver()
    spec = spec_of(prepared.plan, prepared.settings, RunOptions(layer_means=False), threads=1)
    journal = Journal(workspace, name)
    executor = SimulatedExecutor(prepared, workers)
    tools = run_tools(
        name,
        spec,
        workspace,
        journal=journal,
        explainer=Explainer(workspace, f"runs/{name}"),
        speaker=observer,
        scorer=Unscored(),
        cut=True,
    )
    context = execution_context(
        name,
        workspace,
        registry,
        stage=observer.stage,
        note=observer.note,
        say=observer.note,
        stopping=threading.Event(),
    )
    began = time.perf_counter()
    works = [
        BackboneWork(
            backbone, [job for job in prepared.plan.jobs if job.backbone is backbone], tools
        )
        for backbone in prepared.plan.backbones
    ]
    agenda = Agenda(works, journal)
    for outcome in executor.run(agenda.tasks(), context):
        agenda.done(outcome)
    seconds = time.perf_counter() - began - executor.real
    cells = sum(len(task.writes) for task, _ in executor.tasks if task.kind == "predict")
    if cells != prepared.plan.n_cells:
        raise RuntimeError(f"{cells} of {prepared.plan.n_cells} cells were predicted")
    return executor, seconds


def run(*, quick: bool) -> list[Figure]:
    found = []
    for workers, goal in GOALS.items():
        with tempfile.TemporaryDirectory() as folder:
            write_corpora(Path(folder) / "data", 0.02 if quick else 1.0, distinct=True)
            executor, seconds = simulate(Path(folder), workers)
        found.append(
            Figure(
                what=f"full grid on {workers} workers: lower bound divided by makespan",
                unit="h",
                ours=executor.now / 3600,
                alternative="lower bound",
                theirs=executor.bound / 3600,
                ratio=executor.bound / executor.now,
                goal=goal,
                detail={
                    "tasks": len(executor.tasks),
                    "most_backbones": executor.most_backbones,
                    "driver_s": seconds,
                    "tasks_per_s": len(executor.tasks) / seconds,
                },
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_corpora(Path(folder) / "data", options.scale, distinct=True)
        executor, seconds = simulate(Path(folder), options.workers)
    print(
        f"{options.workers} workers, {len(executor.tasks)} tasks: {executor.now / 3600:.2f} h, "
        f"bound {executor.bound / 3600:.2f} h, efficiency {executor.bound / executor.now:.2f}, "
        f"{executor.most_backbones} backbones at once; driver {seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
