"""An executor for tests: a fresh process for each task, which it can be told to kill.

A distribution of its own (`fresh_processes.install`), as a third party would write it: it imports
nothing but `sercore`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from sercore import ExecutionContext
from sercore import Outcome
from sercore import hookimpl

SERCORE_API = 1
ATTEMPTS = 3


class SpawnExecutor:
    """Start ``sercore work`` once for each task, and again when it dies.

    ``SPAWN_LOG`` names a file that gets one JSON line an attempt. ``SPAWN_KILL=n`` kills the first
    worker of every n-th task after ``SPAWN_KILL_AFTER`` seconds; ``SPAWN_KILL_ALWAYS`` names a
    kind of task whose workers all die. ``SPAWN_TASKS`` names a file that gets every task.
    """

    id = "spawn"
    summary = "a fresh process for each task"
    parallel = False
    options = None

    def __init__(self):
        self.count = 0

    def run(self, tasks, context: ExecutionContext):
        for task in tasks:
            self.count += 1
            yield Outcome(task, lost=self._attempt(task, context))

    def _attempt(self, task, context):
        every = int(os.environ.get("SPAWN_KILL", "0"))
        doomed = os.environ.get("SPAWN_KILL_ALWAYS") == task.kind
        for attempt in range(ATTEMPTS):
            first = attempt == 0 and every and self.count % every == 0
            status = self._once(task, context, kill=doomed or first)
            if status >= 0:
                return None
        return f"its worker was killed {ATTEMPTS} times"

    def _once(self, task, context, *, kill):
        if "SPAWN_TASKS" in os.environ:
            with Path(os.environ["SPAWN_TASKS"]).open("a") as tasks:
                tasks.write(task.to_json() + "\n")
        process = subprocess.Popen(context.command, stdin=subprocess.PIPE, text=True)
        process.stdin.write(task.to_json())
        process.stdin.close()
        if kill:
            time.sleep(float(os.environ.get("SPAWN_KILL_AFTER", "2.5")))
            process.send_signal(signal.SIGKILL)
        status = process.wait()
        with Path(os.environ["SPAWN_LOG"]).open("a") as log:
            log.write(json.dumps({"task": task.id, "kind": task.kind, "status": status}) + "\n")
        return status


@hookimpl
def sercore_executors():
    return [SpawnExecutor()]
