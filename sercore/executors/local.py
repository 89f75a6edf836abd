"""The built-in executor: tasks run in this process."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sercore.executors.interface import Outcome

if TYPE_CHECKING:
    from sercore.executors.interface import ExecutionContext
    from sercore.executors.interface import Outcomes
    from sercore.executors.task import Task


@dataclass(frozen=True)
class LocalExecutor:
    """Run tasks in order in this process; each uses all threads that the run allows."""

    id: str = "local"
    summary: str = "one task after the other in this process"
    parallel: bool = False
    options: None = None

    def run(self, tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
        """See `sercore.executors.Executor.run`."""
        if context.overlap:
            yield from _overlapped(tasks, context)
            return
        for task in tasks:
            if task is not None:
                context.work(task)
                yield Outcome(task)


def _overlapped(tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
    """Extract corpora in a thread of their own, ahead of the other tasks."""
    extracted: SimpleQueue[Future[Outcome]] = SimpleQueue()

    def work(task: Task) -> Outcome:
        context.work(task)
        return Outcome(task)

    pool = ThreadPoolExecutor(1, thread_name_prefix="sercore-extract-ahead")
    try:
        for task in tasks:
            if task is None:
                yield extracted.get().result()
            elif task.kind == "extract":
                pool.submit(work, task).add_done_callback(extracted.put)
            else:
                yield work(task)
            while not extracted.empty():
                yield extracted.get().result()
    finally:
        pool.shutdown(cancel_futures=True)
