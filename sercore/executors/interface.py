"""The contract of an executor: where tasks run."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
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


class TaskQueue(Protocol):
    """Tasks in the workspace, for workers that take the next one whenever they are free.

    `ExecutionContext.pull_command` starts such a worker. A task whose worker died is taken by
    another one, unless its workers died again and again.
    """

    def put(self, task: Task) -> None:
        """Add a task behind all others."""

    def finished(self) -> list[Outcome]:
        """Return the outcomes of the tasks that were put here and ended since the last call."""

    def close(self) -> None:
        """Remove the tasks that no worker has taken, and let idle workers end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """How tasks are done, for executors to choose from."""

    workspace: str
    """Folder or URL of the workspace."""
    run: str
    """Name of the run."""
    options: Any
    """The executor's own options, with what ``[executors.ID]`` of sercore.toml changes."""
    overlap: bool
    """Whether a corpus may be extracted while probes are trained in the same process."""
    work: Callable[[Task], None]
    """Does a task in this process and writes its results and its report. Keeps the loaded
    backbone from task to task. Raises KeyboardInterrupt only."""
    command: tuple[str, ...]
    """Arguments of a fresh process that does the one task that it reads from standard input. It
    needs the workspace only, and exits with 0 (done) or 1 (failed, see the report)."""
    queue: TaskQueue
    """For executors whose workers take tasks themselves."""
    pull_command: tuple[str, ...]
    """Arguments of a fresh process that does tasks of the queue until the run has ended."""
    note: Callable[[str], None]
    """Shows one sentence to the user."""


Outcomes = Generator[Outcome, None, None]
"""What a generator function returns that yields outcomes. It is closed when nobody waits for the
remaining tasks."""


@runtime_checkable
class Executor(Protocol):
    """What an executor plugin registers."""

    @property
    def id(self) -> str:
        """The name that ``--executor`` takes."""

    @property
    def summary(self) -> str:
        """One sentence for listings."""

    @property
    def parallel(self) -> bool:
        """Whether it does several tasks at once; then large corpora are cut into several tasks."""

    @property
    def options(self) -> Any:
        """A frozen dataclass with its options and their defaults; None if it has no options.

        Fields are of type str, int, float, bool or ``tuple[str, ...]``, or one of them or None.
        ``__post_init__`` may refuse a value with a ValueError of one sentence.
        """

    def run(self, tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
        """Do tasks, and yield the outcome of every task when it is done.

        The next task is taken from `tasks` when there is room for it, because what comes next
        depends on the outcomes so far. None instead of a task says that nothing can start before
        a running task has ended; it never comes while nothing is running.

        A worker that dies is replaced, and its task done again, a limited number of times. Only an
        interrupt ends the iteration early; whatever was started is then cancelled.

        Raises:
            SercoreError: nothing can be done in this way, such as without access to a cluster.
        """
