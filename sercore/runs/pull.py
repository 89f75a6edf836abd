"""A worker that takes tasks from the queue of a run until there is nothing left to do."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sercore.runs.interrupts import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from sercore.executors.task import TaskReport
    from sercore.runs.queue import WorkspaceQueue
    from sercore.runs.worker import Worker

_SHORTEST_POLL_S, _LONGEST_POLL_S = 0.05, 1.0


def pull(
    queue: WorkspaceQueue,
    worker: Worker,
    *,
    idle_s: float,
    stopping: threading.Event,
    show: Callable[[TaskReport], None],
) -> bool:
    """Do tasks of a queue.

    Ends when the queue is empty and its driver has ended, or when it was empty for some time. A
    signal ends it at once; the task that it does then is done by another worker.

    Args:
        queue: where the tasks are.
        worker: does them.
        idle_s: seconds without a task after which it ends.
        stopping: set by a signal; the worker stops its task then.
        show: called with the report of every task.

    Returns:
        Whether it ended because there was nothing left to do.
    """
    idle_since = time.monotonic()
    pause = _SHORTEST_POLL_S
    with stop_on_signals(stopping):
        try:
            while time.monotonic() - idle_since < idle_s:
                with queue.take() as taken:
                    if taken is not None:
                        show(worker.work(taken.task))
                if taken is not None:
                    idle_since, pause = time.monotonic(), _SHORTEST_POLL_S
                elif not queue.is_served:
                    return True
                else:
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_POLL_S)
        except KeyboardInterrupt:
            return False
    return True
