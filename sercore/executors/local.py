"""The executor that is always there: one task after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

from sercore.executors import Outcome
from sercore.executors import Task


@dataclass(frozen=True)
class LocalExecutor:
    """Run tasks in order in this process; each uses all its threads itself."""

    id: str = "local"
    summary: str = "one task after the other in this process"

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See `sercore.executors.Executor.run`."""
        for task in tasks:
            try:
                value = task.work()
            except Exception as error:  # noqa: BLE001 - any failure is the cell's, not the run's
                yield Outcome(task, error=error)
            else:
                yield Outcome(task, value=value)
