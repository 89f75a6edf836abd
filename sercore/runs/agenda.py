"""Which task is done next.

The work of a backbone begins when nothing is left to start for those before it, so that few
backbones' frames are needed at a time. Within a backbone, predictions come before probes and probes
before extraction, because what is nearly done frees frames first. Large corpora come before small
ones, because the largest one decides when a run on many machines ends.
"""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from heapq import heappop
from heapq import heappush
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.executors.interface import Outcome
from sercore.runs.frame_space import Unlimited

if TYPE_CHECKING:
    from sercore.executors.task import Task
    from sercore.executors.task import TaskReport
    from sercore.runs.backbone_work import BackboneWork
    from sercore.runs.frame_space import Space
    from sercore.runs.journal import Journal

_MOST_ATTEMPTS = 3


class _Entry(NamedTuple):
    """A task that can start; entries are sorted by urgency."""

    backbone: int
    urgency: int
    weight: int
    number: int
    task: Task
    work: BackboneWork


class Agenda:
    """The tasks of a run that can start, the most urgent first.

    Args:
        works: the work of every backbone, in order.
        journal: holds the reports of tasks.
        space: decides when the next backbone begins.
        ended: called when the work of a backbone has ended.
    """

    def __init__(
        self,
        works: Iterable[BackboneWork],
        journal: Journal,
        *,
        space: Space | None = None,
        ended: Callable[[BackboneWork], None] = lambda _: None,
    ) -> None:
        self._later = deque(enumerate(works))
        self._journal = journal
        self._space = space or Unlimited()
        self._ended = ended
        self._begun: dict[int, BackboneWork] = {}
        self._startable: list[_Entry] = []
        self._running: dict[str, _Entry] = {}
        self._reasons: dict[str, list[str]] = defaultdict(list)
        self._n_entries = 0

    def tasks(self) -> Iterator[Task | None]:
        """Yield the next task whenever it is asked for, until all are done.

        Yields None while nothing can start before a running task has ended (see `done`).
        """
        while True:
            entry = self._next()
            if entry is not None:
                self._journal.forget(entry.task)
                self._running[entry.task.id] = entry
                yield entry.task
            elif self._running:
                yield None
            else:
                return

    def done(self, outcome: Outcome) -> None:
        """Take over the outcome of a task. One that failed on another machine may be repeated."""
        entry = self._running.pop(outcome.task.id)
        if self._is_repeated(outcome):
            heappush(self._startable, entry)
            return
        self._add(entry.backbone, entry.work, entry.work.done(outcome))

    def give_up(self, reason: str) -> None:
        """Fail all tasks that are running or can start, and those that they make possible."""
        while True:
            entry = next(iter(self._running.values()), None) or self._next()
            if entry is None:
                return
            self._running[entry.task.id] = entry
            self.done(Outcome(entry.task, lost=reason))

    def _next(self) -> _Entry | None:
        while not self._startable and self._later:
            begun = tuple(self._begun.values())
            if begun and not self._space.admits(begun, self._later[0][1]):
                return None
            number, work = self._later.popleft()
            tasks = work.begin()
            if any(task.kind == "extract" for task in tasks):
                self._space.make_room(begun, work)
            self._begun[number] = work
            self._add(number, work, tasks)
        return heappop(self._startable) if self._startable else None

    def _add(self, number: int, work: BackboneWork, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._n_entries += 1
            rank = (number, work.urgency(task), -work.weight(task), self._n_entries)
            entry = _Entry(*rank, task, work)
            heappush(self._startable, entry)
        if work.is_done:
            del self._begun[number]
            self._ended(work)

    def _is_repeated(self, outcome: Outcome) -> bool:
        """Return whether a failure may have been that of a machine, and not of the task.

        A task is done a second time. It is done a third time only if it failed in another way.
        """
        report = self._journal.report(outcome.task)
        if outcome.lost or report is None or report.status != "failed" or _is_here(report):
            return False
        reasons = self._reasons[outcome.task.id]
        reasons.append(str(report.reason))
        return len(reasons) < _MOST_ATTEMPTS and reasons[-1] not in reasons[:-1]


def _is_here(report: TaskReport) -> bool:
    return (report.host, report.pid) == (platform.node(), os.getpid())
