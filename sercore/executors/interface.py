"""The contract of an executor: where tasks run."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol
from typing import runtime_checkable

if TYPE_CHECKING:
    from sercore.executors.task import Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task that an executor is done with.

    Whether it succeeded stands in the workspace (its results and its report), not here.
    """

    task: Task
    lost: str | None = None
    """One sentence, where the executor gave up: its worker died more often than it retries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """How tasks are done, for executors to choose from."""

    workspace: str
    """Folder or URL of the workspace."""
    work: Callable[[Task], None]
    """Does a task in this process and writes its results and its report. Keeps the loaded
    backbone from task to task. Raises KeyboardInterrupt only."""
    command: tuple[str, ...]
    """Arguments of a fresh process that does the one task that it reads from standard input. It
    needs the workspace only, and exits with 0 (done) or 1 (failed, see the report)."""


@runtime_checkable
class Executor(Protocol):
    """What an executor plugin registers."""

    @property
    def id(self) -> str:
        """The name that ``--executor`` takes."""

    @property
    def summary(self) -> str:
        """One sentence for listings."""

    def run(self, tasks: Iterable[Task], context: ExecutionContext) -> Iterator[Outcome]:
        """Do tasks that do not depend on each other, and yield every report when its task is done.

        A worker that dies is retried. Only an interrupt ends the iteration early. May be called
        while another iteration runs, also from another thread.
        """
