"""The journal of a run: how its tasks went.

Every task leaves a report beside the run. Reports say how results were computed (seconds, memory,
host), never what they are, so they may differ between two runs whose results are equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SercoreError
from sercore.errors import WorkspaceError
from sercore.executors.task import TaskReport

if TYPE_CHECKING:
    from sercore.executors.task import Task
    from sercore.storage.workspace import Workspace


def costs_of(reports: Iterable[TaskReport]) -> dict[str, Any]:
    """Return what the computed tasks of each kind took: their number, seconds, hosts and devices.

    Seconds are those of one worker, the waiting for files included; tasks that ran at the same time
    count in full.
    """
    costs: dict[str, dict[str, Any]] = {}
    for report in reports:
        if report.status == "computed":
            cost = costs.setdefault(report.kind, {"tasks": 0, "seconds": 0.0, "devices": {}})
            cost["tasks"] += 1
            cost["seconds"] += report.seconds
            place = f"{report.host} {report.device or 'unknown'}"
            cost["devices"][place] = cost["devices"].get(place, 0.0) + report.seconds
    return costs


class Journal:
    """The reports of the tasks of one run.

    Args:
        workspace: where they are.
        run: the run's name.
    """

    def __init__(self, workspace: Workspace, run: str) -> None:
        self._workspace = workspace
        self._folder = f"runs/{run}/tasks"
        self._compacted = f"runs/{run}/journal.parquet"

    def forget(self, task: Task) -> None:
        """Remove the report that an earlier attempt left, before the task is done again."""
        self._workspace.remove(task.report_path)

    def report(self, task: Task) -> TaskReport | None:
        """Return the report of a task; None where its worker left none that can be read."""
        try:
            return TaskReport.from_plain(self._workspace.read_json(task.report_path))
        except SercoreError:
            return None

    def reports(self) -> list[TaskReport]:
        """Return the last report of every task, by label."""
        found = {report.task: report for report in self._read_compacted()}
        for name in self._workspace.list(self._folder):
            # A report that cannot be read says nothing about the result, which is checked itself.
            with suppress(SercoreError):
                values = self._workspace.read_json(f"{self._folder}/{name}")
                report = TaskReport.from_plain(values)
                found[report.task] = report
        return sorted(found.values(), key=lambda report: (report.kind, report.label, report.task))

    def news(self, known: dict[str, TaskReport]) -> None:
        """Add reports that are not known yet to the known ones, by task.

        Much faster than `reports` for a reader who asks again and again. What failed is read each
        time, because it may be done again.
        """
        if not known:
            known.update({report.task: report for report in self._read_compacted()})
        for name in self._workspace.list(self._folder):
            task = name.removesuffix(".json")
            if task not in known or known[task].status == "failed" or known[task].failures:
                with suppress(SercoreError):
                    values = self._workspace.read_json(f"{self._folder}/{name}")
                    known[task] = TaskReport.from_plain(values)

    def compact(self) -> None:
        """Move the single reports into one Parquet file.

        Raises:
            DiskFullError, WorkspaceError: as `Workspace.write`.
        """
        import pyarrow as pa

        if not self._workspace.list(self._folder) and not self._is_damaged():
            return
        rows = [
            {**report.to_plain(), "failures": json.dumps(dict(report.failures))}
            for report in self.reports()
        ]
        if rows:
            self._workspace.write_table(self._compacted, pa.Table.from_pylist(rows))
        else:
            self._workspace.remove(self._compacted)
        self._workspace.remove(self._folder)

    def _is_damaged(self) -> bool:
        there = self._workspace.exists(self._compacted)
        return there and self._workspace.damage(self._compacted) is not None

    def _read_compacted(self) -> list[TaskReport]:
        if not self._workspace.exists(self._compacted):
            return []
        try:
            rows = self._workspace.read_table(self._compacted).to_pylist()
            return [
                TaskReport.from_plain({**row, "failures": json.loads(row["failures"])})
                for row in rows
            ]
        except (WorkspaceError, KeyError, ValueError):
            return []  # a damaged journal loses timings, no result
