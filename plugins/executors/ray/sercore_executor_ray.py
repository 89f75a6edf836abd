"""The executor ``ray``: actors of a Ray cluster, each with its loaded backbone.

Ray and its raylets print to the standard output of the process that connects to them. So a child
process connects (``python -m sercore_executor_ray``), and its output goes to a log. It reads one
task per line and answers with one line for each.
"""

from __future__ import annotations

import json
import os
import queue
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections import deque
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO
from typing import TYPE_CHECKING
from typing import Any
from typing import Self

from sercore import Outcome
from sercore import SercoreError
from sercore import Task
from sercore import hookimpl

if TYPE_CHECKING:
    from sercore import ExecutionContext
    from sercore import Outcomes
    from sercore import Resources

SERCORE_API = 1

_MOST_DEATHS = 3
_PATIENCE_S = 30.0
_POLL_S = 0.05
_OBJECT_STORE_BYTES = 80 * 2**20
"""Of a cluster that is started here: nothing is sent through it but tasks."""


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """The options below ``[executors.ray]``."""

    address: str | None = None
    """``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``; without it a cluster of this machine."""
    workers: int | None = None
    """Actors at once, at most; as many as the cluster has room for, if not stated."""
    cpus: float | None = None
    """Processors of one actor; as many as a task has threads, if not stated."""
    gpus: float | None = None
    """GPUs of one actor; one if the run uses a GPU, if not stated."""
    connect_timeout: float = 120.0
    """Seconds to wait for the cluster."""
    logs: str | None = None
    """Folder for logs; in the workspace, if that is a folder."""

    def __post_init__(self) -> None:
        """Refuse values that Ray would refuse after planning."""
        for name in ("workers", "cpus", "gpus", "connect_timeout"):
            value = getattr(self, name)
            if value is not None and (value < 0 or (value == 0 and name != "gpus")):
                raise ValueError(f"{name} must be more than 0, not {value!r}")


@dataclass(frozen=True)
class RayExecutor:
    """Gives every actor its next task when it has done one."""

    id: str = "ray"
    summary: str = "actors of a Ray cluster, or of Ray on this machine"
    parallel: bool = True
    options: RayOptions = RayOptions()

    def run(self, tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
        """See `sercore.Executor.run`."""
        running: dict[str, Task] = {}
        source = iter(tasks)
        with ExitStack() as stack:
            child: _Child | None = None
            while True:
                while child is None or len(running) < child.n_actors:
                    task = next(source, None)
                    if task is None:  # nothing can start yet, or nothing is left
                        break
                    child = child or stack.enter_context(_Child(context, task.resources))
                    running[task.id] = task
                    child.send(task)
                if child is None or not running:
                    return
                done = child.receive()
                yield Outcome(running.pop(done["task"]), lost=done["lost"])


class _Child:
    """The process that is connected to Ray.

    Args:
        context: the run.
        resources: what a task needs.
    """

    def __init__(self, context: ExecutionContext, resources: Resources) -> None:
        options: RayOptions = context.options
        self._context = context
        self._options = options
        on_gpu = resources.device.startswith("cuda")
        settings = {
            "workspace": context.workspace,
            "address": options.address,
            "workers": options.workers,
            "cpus": options.cpus or resources.threads,
            "gpus": options.gpus if options.gpus is not None else int(on_gpu),
            "logs": _log_folder(options, context),
        }
        self._log = f"{settings['logs'] or os.devnull}/ray.log" if settings["logs"] else os.devnull
        with Path(self._log).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", "sercore_executor_ray", json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the driver, which then ends this process
            )

    def __enter__(self) -> Self:
        try:
            self._wait_for_an_answer()
            self.n_actors = int(self._read()["actors"])
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def send(self, task: Task) -> None:
        """Hand a task over."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(task.to_json() + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None

    def receive(self) -> Mapping[str, Any]:
        """Return the next answer about a task."""
        while True:
            message = self._read()
            if "note" not in message:
                return message
            self._context.note(str(message["note"]))

    def _wait_for_an_answer(self) -> None:
        with selectors.DefaultSelector() as selector:
            assert self._process.stdout is not None
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._options.connect_timeout):
                raise SercoreError(
                    f"Ray at {self._options.address or 'this machine'} gives no answer within "
                    f"{self._options.connect_timeout:g} s",
                    hint="check address below [executors.ray] in sercore.toml",
                )

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._lost()
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise SercoreError(str(message["error"]), hint=str(message["hint"]))
        return message

    def _lost(self) -> SercoreError:
        return SercoreError(
            "the connection to Ray has ended",
            hint=f"its log is {self._log}; run the same command again to continue",
        )

    def _end(self) -> None:
        """End the process: at the end of its input it leaves the cluster."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # it has ended already
                    continue
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _log_folder(options: RayOptions, context: ExecutionContext) -> str | None:
    if options.logs is not None:
        folder = Path(options.logs).expanduser().absolute()
    elif "://" in context.workspace:
        return None
    else:
        folder = Path(context.workspace, "runs", context.run, "logs")
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _environment() -> dict[str, str]:
    """Return the environment of the child: Ray reports nothing about its use."""
    return {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", **os.environ}


# In the child process


class Actor:
    """Does tasks in a process of the cluster, one at a time.

    Args:
        workspace: folder or URL.
        logs: folder for its output, if it exists on its machine.
        variables: environment variables of the driver that sercore reads.
    """

    def __init__(self, workspace: str, logs: str | None, variables: Mapping[str, str]) -> None:
        os.environ.update(variables)
        self._workspace = workspace
        if logs is not None and Path(logs).is_dir():
            path = Path(logs, f"ray-{socket.gethostname()}-{os.getpid()}.log")
            with path.open("ab") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            os.environ["SERCORE_WORKER_LOG"] = str(path)

    def hello(self) -> None:
        """Answer as soon as the actor runs."""

    def do(self, text: str) -> None:
        """Do a task. Its results and its report are in the workspace."""
        from sercore import do_task

        do_task(Task.from_json(text), self._workspace)


class _Actors:
    """The actors of one run, and what they do.

    Args:
        ray: the module, connected.
        settings: as `_Child` writes them.
        tell: sends a message to the driver.
    """

    def __init__(self, ray: Any, settings: Mapping[str, Any], tell: _Teller) -> None:
        self._ray = ray
        self._settings = settings
        self._tell = tell
        wanted = {"num_cpus": settings["cpus"], "num_gpus": settings["gpus"]}
        self._kind = ray.remote(**wanted)(Actor)
        self.n_actors = self._room()
        self._idle: deque[Any] = deque()
        self._calls: dict[Any, tuple[Any, str | None]] = {}
        self._waiting: deque[str] = deque()
        self._deaths: Counter[str] = Counter()
        self._since = time.monotonic()
        self._has_complained = False
        for _ in range(self.n_actors):
            self._start_actor()

    def add(self, text: str) -> None:
        """Do a task when an actor is free."""
        self._waiting.append(text)

    def step(self) -> None:
        """Hand out tasks, and take over what has ended."""
        while self._waiting and self._idle:
            actor, next_text = self._idle.popleft(), self._waiting.popleft()
            self._calls[actor.do.remote(next_text)] = (actor, next_text)
        done, _ = self._ray.wait(list(self._calls), timeout=_POLL_S)
        for call in done:
            actor, text = self._calls.pop(call)
            try:
                self._ray.get(call)
            except self._ray.exceptions.RayActorError:
                self._start_actor()
                if text is not None:
                    self._note_death(text)
                continue
            except Exception as error:  # noqa: BLE001 - the task's own failures are in its report
                self._end(text, f"its worker failed: {' '.join(str(error).split())[:500]}")
            else:
                self._end(text, None)
            self._idle.append(actor)
            self._since = time.monotonic()
        self._complain()

    def _room(self) -> int:
        """Return how many actors there should be."""
        if self._settings["workers"]:
            return int(self._settings["workers"])
        have = self._ray.cluster_resources()
        rooms = [have.get("CPU", 0) // self._settings["cpus"]]
        if self._settings["gpus"]:
            rooms.append(have.get("GPU", 0) // self._settings["gpus"])
        return max(1, int(min(rooms)))

    def _start_actor(self) -> None:
        actor = self._kind.remote(self._settings["workspace"], self._settings["logs"], _variables())
        self._calls[actor.hello.remote()] = (actor, None)

    def _note_death(self, text: str) -> None:
        """Do the task of a dead actor again, if not too many have died with it."""
        self._deaths[text] += 1
        if self._deaths[text] < _MOST_DEATHS:
            self._waiting.appendleft(text)
        else:
            self._end(text, f"its worker died {_MOST_DEATHS} times in Ray")

    def _end(self, text: str | None, lost: str | None) -> None:
        if text is not None:
            self._tell({"task": Task.from_json(text).id, "lost": lost})

    def _complain(self) -> None:
        """Say once that no actor could be started for a while."""
        starting = [text for _, text in self._calls.values() if text is None]
        late = time.monotonic() - self._since > _PATIENCE_S
        if late and len(starting) == len(self._calls) and not self._has_complained:
            self._has_complained = True
            asked = f"{self._settings['cpus']:g} CPUs and {self._settings['gpus']:g} GPUs"
            self._tell({"note": f"Ray has no room for a worker with {asked} now, waiting"})


def _variables() -> dict[str, str]:
    """Return what actors on other machines must know of this one's environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("SERCORE_") or name in {"HF_HOME", "HF_HUB_OFFLINE"}
    }


class _Teller:
    """Writes messages to the driver, a line of JSON each."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __call__(self, message: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()


def main(settings: Mapping[str, Any]) -> None:
    """Connect to Ray and do the tasks of standard input until it ends."""
    tell = _Teller(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # whatever Ray prints goes to the log
    try:
        import ray
    except ImportError as error:
        tell({"error": f"ray cannot be imported: {error}", "hint": "pip install ray"})
        return
    known: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if settings["address"] is None:
        known |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    else:
        known["address"] = settings["address"]
    try:
        ray.init(**known)
        actors = _Actors(ray, settings, tell)
    except Exception as error:  # noqa: BLE001 - whatever Ray raises is one sentence for the user
        reason = " ".join(str(error).split())[:300]
        where = settings["address"] or "this machine"
        hint = "check [executors.ray] in sercore.toml"
        tell({"error": f"Ray at {where} cannot be used: {reason}", "hint": hint})
        return
    tell({"actors": actors.n_actors})
    _serve(actors)
    ray.shutdown()


def _serve(actors: _Actors) -> None:
    given: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            given.put(line)
        given.put("")

    threading.Thread(target=read, daemon=True).start()
    while True:
        while not given.empty():
            line = given.get()
            if not line:
                return
            actors.add(line.strip())
        actors.step()


@hookimpl
def sercore_executors() -> Iterable[RayExecutor]:
    return [RayExecutor()]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
