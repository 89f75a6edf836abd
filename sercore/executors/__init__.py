"""Where the stages of a plan run: this process, or elsewhere through a plugin."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import Protocol
from typing import runtime_checkable


@dataclass(frozen=True)
class Task:
    """One stage of one plan item.

    Args:
        kind: ``extract``, ``fit`` or ``predict``.
        label: what it is called on screen.
        key: whatever identifies it to the runner.
        work: does it and returns its result; everything it writes is whole or absent.
    """

    kind: str
    label: str
    key: Any
    work: Callable[[], Any]


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a value or with an error."""

    task: Task
    value: Any = None
    error: Exception | None = None


@runtime_checkable
class Executor(Protocol):
    """What an executor plugin registers."""

    @property
    def id(self) -> str:
        """The registered name."""

    @property
    def summary(self) -> str:
        """One sentence for listings."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run tasks that do not depend on each other and yield outcomes as they end.

        An exception of a task is its outcome; only an interrupt ends the iteration. May be called
        while another iteration goes on, also from another thread.
        """
