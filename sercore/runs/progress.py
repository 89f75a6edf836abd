"""How far a run is, read from its workspace: from any machine, and without disturbing the run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import get_args

from sercore.errors import WorkspaceError
from sercore.executors.task import TaskKind
from sercore.executors.task import TaskReport
from sercore.runs.journal import Journal
from sercore.storage.names import run_folder

if TYPE_CHECKING:
    from sercore.storage.leases import Holder
    from sercore.storage.workspace import Workspace

TASK_LEASES = "tasks/"
"""What the keys of the leases of tasks begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """The tasks of one kind: corpora extracted, probes trained, corpora predicted.

    Several tasks may share one of these items, such as the parts of a large corpus. An item counts
    as done when its first task is.
    """

    kind: TaskKind
    planned: int | None
    """None in a run that an older sercore started."""
    done: int
    failed: int
    seconds: float | None
    """Mean of the items that were computed; None before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A process that does a task now."""

    host: str
    pid: int
    what: str
    seconds: float
    """Since it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that failed."""

    kind: TaskKind
    label: str
    reason: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one moment."""

    run: str
    status: str
    """``running``, ``ended``, ``interrupted``, or ``stopped`` if its driver was killed."""
    driver: str | None
    """Host and process that drives it."""
    written: str
    """When its record was written, ISO 8601."""
    stages: tuple[StageState, ...]
    workers: tuple[WorkerState, ...]
    """All that work in the workspace, for this run or another one."""
    failures: tuple[Failure, ...]
    seconds_left: float | None
    """Of all workers together; None where that cannot be told."""

    @property
    def is_over(self) -> bool:
        """Whether nobody works on it any more."""
        return self.driver is None and self.status != "running"


class RunWatcher:
    """Reads the state of one run again and again.

    Args:
        workspace: where it is.
        run: the run's name.

    Raises:
        SettingsError: the name cannot be that of a run.
    """

    def __init__(self, workspace: Workspace, run: str) -> None:
        self._workspace = workspace
        self._run = run
        self._folder = run_folder(run)
        self._journal = Journal(workspace, run)
        self._reports: dict[str, TaskReport] = {}

    def state(self) -> RunState:
        """Return the state now.

        Raises:
            WorkspaceError: there is no such run, or its record is damaged.
        """
        if not self._workspace.exists(f"{self._folder}/run.json"):
            raise WorkspaceError(
                f"the run '{self._run}' in {self._workspace.root} does not exist",
                hint="'sercore status' lists the runs",
            )
        record = self._workspace.read_json(f"{self._folder}/run.json")
        self._journal.news(self._reports)
        held = self._workspace.leases()
        driver = next((holder for holder in held if holder.key == self._folder), None)
        workers = tuple(_worker(one) for one in held if one.key.startswith(TASK_LEASES))
        planned = record.get("planned") or {}
        stages = tuple(self._stage(kind, planned) for kind in get_args(TaskKind))
        status = record["status"]
        if status == "running" and driver is None and not workers:
            status = "stopped"
        return RunState(
            run=self._run,
            status=status,
            driver=None if driver is None else str(driver),
            written=record["written"],
            stages=stages,
            workers=workers,
            failures=tuple(_failures(self._reports.values())),
            seconds_left=_seconds_left(stages, len(workers)) if status == "running" else None,
        )

    def reports_of(self, backbone: str, corpora: Iterable[str]) -> list[TaskReport]:
        """Return the reports of the tasks of a backbone that concern one of some corpora."""
        self._journal.news(self._reports)
        labels = [f"{backbone} {sign} {corpus}" for corpus in corpora for sign in "·→"]
        return sorted(
            (
                report
                for report in self._reports.values()
                if any(f"{report.label} ".startswith(f"{label} ") for label in labels)
            ),
            key=lambda report: (get_args(TaskKind).index(report.kind), report.label),
        )

    def _stage(self, kind: TaskKind, planned: Mapping[str, Any]) -> StageState:
        reports = [report for report in self._reports.values() if report.kind == kind]
        failed = {_item(report) for report in reports if report.status == "failed"}
        computed = [report for report in reports if report.status == "computed"]
        seconds = sum(report.seconds for report in computed)
        return StageState(
            kind=kind,
            planned=planned.get(kind),
            done=len({_item(report) for report in reports} - failed),
            failed=len(failed),
            seconds=seconds / len(set(map(_item, computed))) if computed else None,
        )


def running(workspace: Workspace) -> list[str]:
    """Return the names of the runs that have a driver now."""
    prefix = run_folder("x")[:-1]
    keys = [holder.key for holder in workspace.leases()]
    return sorted(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def _item(report: TaskReport) -> str:
    """Return which item of its stage a task belongs to."""
    # A corpus is predicted in several tasks, each with other keys, as its probes become ready.
    return report.label if report.kind == "predict" else "".join(report.writes) or report.task


def _worker(holder: Holder) -> WorkerState:
    return WorkerState(
        host=holder.host,
        pid=holder.pid,
        what=holder.what,
        seconds=max(0.0, time.time() - holder.since),
    )


def _failures(reports: Iterable[TaskReport]) -> list[Failure]:
    found = []
    for report in reports:
        reasons = (
            [report.reason] if report.reason else list(dict.fromkeys(report.failures.values()))
        )
        found += [
            Failure(kind=report.kind, label=report.label, reason=reason, host=report.host)
            for reason in reasons
        ]
    return sorted(found, key=lambda failure: (failure.kind, failure.label))


def _seconds_left(stages: Iterable[StageState], n_workers: int) -> float | None:
    """Return the work that is left, by the mean of each kind, over all workers."""
    total = 0.0
    for stage in stages:
        if stage.planned is None:
            return None
        left = stage.planned - stage.done - stage.failed
        if left > 0 and stage.seconds is None:
            return None
        total += max(0, left) * (stage.seconds or 0.0)
    return total / max(1, n_workers)
