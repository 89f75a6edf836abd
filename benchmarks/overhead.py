"""What executors and the driver add to each task.

Probes of a demo corpus are trained by one worker. The overhead is the time
per task beyond what the worker reports. Slurm is measured where `SLURM_CONF` names a cluster and
its commands are on `PATH`, Ray where it is installed.

    python -m benchmarks overhead
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from benchmarks.common import Figure
from sercore.cli.observers import QuietObserver
from sercore.executors import Executor
from sercore.executors import Outcome
from sercore.executors import Resources
from sercore.executors import Task
from sercore.executors import TaskReport
from sercore.plugins.registry import Catalog
from sercore.plugins.registry import registry
from sercore.runs.agenda import Agenda
from sercore.runs.api import execute
from sercore.runs.api import prepare
from sercore.runs.events import RunOptions
from sercore.runs.journal import Journal
from sercore.runs.selection import select
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.executors import ExecutionContext
    from sercore.executors import Outcomes

ROUNDS, SEEDS = 3, 30


@dataclass
class TimedExecutor:
    """Notes when every task of another executor ended."""

    inner: Executor
    ended: list[tuple[str, str, float]] = field(default_factory=list)
    """Id, kind and time."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run(self, tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
        for outcome in self.inner.run(tasks, context):
            self.ended.append((outcome.task.id, outcome.task.kind, time.perf_counter()))
            yield outcome


def run(*, quick: bool) -> list[Figure]:
    figures = [_driver(200 if quick else 10_000)]
    for name in ("local", "ray", "slurm"):
        if not _is_there(name):
            print(f"  {name} is not on this machine", flush=True)
            continue
        rounds = [_overhead(name, 3 if quick else SEEDS) for _ in range(1 if quick else ROUNDS)]
        figures.append(
            Figure(
                what=f"overhead per task, executor {name}",
                unit="ms",
                ours=1000 * statistics.median(overhead for overhead, _ in rounds),
                detail={
                    "overhead_s": [overhead for overhead, _ in rounds],
                    "first_task_s": [first for _, first in rounds],
                },
            )
        )
    return figures


def _is_there(name: str) -> bool:
    if name == "ray":
        return importlib.util.find_spec("ray") is not None
    return name == "local" or ("SLURM_CONF" in os.environ and bool(shutil.which("sbatch")))


def _overhead(name: str, n_seeds: int) -> tuple[float, float]:
    """Return the seconds per task beyond its own, and those until the first task has ended."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        selection = select(
            registry(),
            datasets={"demo-stage": None},
            backbones=("logmel",),
            probes=("pooled",),
            n_seeds=n_seeds,
            offline=True,
        )
        settings = Settings(executors={"slurm": {"workers": 1}, "ray": {"workers": 1}})
        prepared = prepare(selection, settings, workspace, registry())
        executor = TimedExecutor(registry().executors.get(name))
        timed = Catalog("executor", {name: executor}, {})
        known = registry().executors
        vars(prepared.registry)["executors"] = timed
        try:
            began = time.perf_counter()
            result = execute(prepared, QuietObserver(), RunOptions(name="x", threads=1), name)
        finally:
            vars(prepared.registry)["executors"] = known
        if result.problems:
            raise RuntimeError(f"the run failed: {result.problems[:3]}")
        seconds = {report.task: report.seconds for report in Journal(workspace, "x").reports()}
    fits = [(task, ended) for task, kind, ended in executor.ended if kind == "fit"]
    (_, first), *others = fits
    wall = others[-1][1] - first
    work = sum(seconds[task] for task, _ in others)
    return (wall - work) / len(others), executor.ended[0][2] - began


class _Flat:
    """Work of one backbone: many tasks that do not depend on each other."""

    def __init__(self, n_tasks: int) -> None:
        first = Task(
            kind="fit",
            label="task",
            run="x",
            spec="ab" * 32,
            backbone="none",
            corpus="none",
            key="cd" * 32,
            writes=("cd" * 32,),
            resources=Resources(device="cpu", threads=1),
        )
        self._tasks = [replace(first, fold=fold) for fold in range(n_tasks)]
        self._left = n_tasks

    @property
    def is_done(self) -> bool:
        return not self._left

    def weight(self, task: Task) -> int:
        return task.fold or 0

    def urgency(self, task: Task) -> int:
        return len(task.reads)

    def begin(self) -> list[Task]:
        return self._tasks

    def done(self, outcome: Outcome) -> list[Task]:
        del outcome
        self._left -= 1
        return []


def _driver(n_tasks: int) -> Figure:
    """Measure the agenda and the journal, on a local disk, with the reports that workers write."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        work: Any = _Flat(n_tasks)
        agenda = Agenda([work], Journal(workspace, "x"))
        workers = 0.0
        began = time.perf_counter()
        for task in agenda.tasks():
            if task is None:
                raise RuntimeError("all tasks can start at once")
            started = time.perf_counter()
            report = TaskReport(
                task=task.id,
                kind=task.kind,
                label=task.label,
                status="computed",
                failures={},
                seconds=1.0,
                peak_memory_mb=None,
                host="another",
                pid=1,
            )
            workspace.write_json(task.report_path, report.to_plain())
            workers += time.perf_counter() - started
            agenda.done(Outcome(task))
        seconds = time.perf_counter() - began - workers
    return Figure(
        what=f"tasks that the driver hands out and takes back, of {n_tasks}",
        unit="1/s",
        ours=n_tasks / seconds,
        detail={"driver_s": seconds, "writing_reports_s": workers},
    )
