"""The queue of a run: tasks in the workspace, for workers that take one whenever they are free.

    runs/<run>/queue/<number>-<task>.json    a task, and who has tried to do it
    runs/<run>/lost/<task>.json              why nobody tries any more

A worker holds the lease of the task that it does. If it dies, the lease ends and the next worker
takes the task. The entry is removed after the report of the task was written.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import WorkspaceError
from sercore.executors.interface import Outcome
from sercore.executors.task import Task
from sercore.runs.worker import LOG_VARIABLE

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

MOST_DEATHS = 3
"""Workers that may die during one task."""
MOST_INTERRUPTIONS = 10
"""Times that a worker may be told to end during one task, by a time limit or a preemption."""


@dataclass(frozen=True)
class Taken:
    """A task that this process has taken from the queue."""

    task: Task
    path: str
    """Its entry."""


class WorkspaceQueue:
    """The queue of one run.

    Args:
        workspace: where it is.
        run: the run's name.
    """

    def __init__(self, workspace: Workspace, run: str) -> None:
        self._workspace = workspace
        self._run = run
        self._folder = f"runs/{run}/queue"
        self._lost = f"runs/{run}/lost"
        self._put: dict[str, Task] = {}
        self._n_put = 0

    # The side of the driver

    def put(self, task: Task) -> None:
        """See `sercore.executors.TaskQueue`. The first call removes what another driver left."""
        if not self._n_put:
            self.close()
        self._n_put += 1
        self._put[task.id] = task
        entry = {"task": task.to_plain(), "attempts": []}
        self._workspace.write_json(f"{self._folder}/{self._n_put:08d}-{task.id}.json", entry)

    def finished(self) -> list[Outcome]:
        """See `sercore.executors.TaskQueue`."""
        if not self._put:
            return []
        waiting = {_id_of(name) for name in self._workspace.list(self._folder)}
        ended = [name for name in self._put if name not in waiting]
        return [Outcome(self._put.pop(name), lost=self._reason(name)) for name in ended]

    def close(self) -> None:
        """See `sercore.executors.TaskQueue`."""
        self._workspace.remove(self._folder)
        self._workspace.remove(self._lost)

    def _reason(self, name: str) -> str | None:
        path = f"{self._lost}/{name}.json"
        if not self._workspace.exists(path):
            return None
        return str(self._workspace.read_json(path)["reason"])

    # The side of the workers

    @property
    def is_served(self) -> bool:
        """Whether the driver of the run is alive."""
        return self._workspace.is_leased(f"runs/{self._run}")

    @contextmanager
    def take(self) -> Iterator[Taken | None]:
        """Take the first task that nobody does; the block gets None if there is none.

        When the block ends well, the task leaves the queue. When it is interrupted, or this process
        dies, another worker takes the task.
        """
        for name in self._workspace.list(self._folder):
            with self._workspace.try_lease(f"queue/{self._run}/{_id_of(name)}") as lease:
                taken = self._open(f"{self._folder}/{name}") if lease is not None else None
                if taken is None:
                    continue
                try:
                    yield taken
                except KeyboardInterrupt:
                    self._note_interruption(taken.path)
                    raise
                self._workspace.remove(taken.path)
                return
        yield None

    def _open(self, path: str) -> Taken | None:
        """Note an attempt at a task and return it; None if it has ended or is given up."""
        try:
            entry = self._workspace.read_json(path)
        except WorkspaceError:
            return None  # another worker has done it
        task = Task.from_json(json.dumps(entry["task"]))
        reason = _given_up(entry["attempts"])
        if reason is not None:
            self._workspace.write_json(f"{self._lost}/{task.id}.json", {"reason": reason})
            self._workspace.remove(path)
            return None
        attempt = {
            "host": platform.node(),
            "pid": os.getpid(),
            "log": os.environ.get(LOG_VARIABLE),
            "interrupted": False,
        }
        entry["attempts"].append(attempt)
        self._workspace.write_json(path, entry)
        return Taken(task, path)

    def _note_interruption(self, path: str) -> None:
        entry = self._workspace.read_json(path)
        entry["attempts"][-1]["interrupted"] = True
        self._workspace.write_json(path, entry)


def _id_of(name: str) -> str:
    return name.rpartition("-")[2].removesuffix(".json")


def _given_up(attempts: Sequence[dict[str, Any]]) -> str | None:
    """Return why a task is not tried again, in one sentence; None if it is."""
    dead = [attempt for attempt in attempts if not attempt["interrupted"]]
    if len(dead) < MOST_DEATHS and len(attempts) - len(dead) < MOST_INTERRUPTIONS:
        return None
    ended = dead if len(dead) >= MOST_DEATHS else attempts
    hosts = ", ".join(sorted({attempt["host"] for attempt in ended}))
    verb = "died" if ended is dead else "was told to end"
    log = next((attempt["log"] for attempt in reversed(ended) if attempt["log"]), None)
    text = f"its worker {verb} {len(ended)} times ({hosts})"
    return f"{text}; the last log is {log}" if log else text
