"""The built-in executor: one task after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.executors.interface import Outcome

if TYPE_CHECKING:
    from sercore.executors.interface import ExecutionContext
    from sercore.executors.task import Task


@dataclass(frozen=True)
class LocalExecutor:
    """Run tasks in order in this process; each uses all threads that the run allows."""

    id: str = "local"
    summary: str = "one task after the other in this process"

    def run(self, tasks: Iterable[Task], context: ExecutionContext) -> Iterator[Outcome]:
        """See `sercore.executors.Executor.run`."""
        for task in tasks:
            context.work(task)
            yield Outcome(task)
