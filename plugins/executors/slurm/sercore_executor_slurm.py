"""The executor ``slurm``: workers as array jobs, which take tasks from the queue of the run.

A worker keeps its backbone from task to task and ends when it finds no task for a while. It exits
with 0 also after failed tasks, because their reports are in the workspace. When Slurm ends a worker
(preemption, time limit, lost node), another one does its task.
"""

from __future__ import annotations

import re
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sercore import SercoreError
from sercore import hookimpl

if TYPE_CHECKING:
    from sercore import ExecutionContext
    from sercore import Outcomes
    from sercore import Resources
    from sercore import Task

SERCORE_API = 1

_POLL_S = 0.5
_LOOK_AT_WORKERS_S = 3.0
_MOST_FRUITLESS = 3
_TIME = re.compile(r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}")
_MEMORY = re.compile(r"\d+[KMGT]?")
_ORDINARY = {"None", "Priority", "Resources", "BeginTime", "Cleaning"}
"""Reasons of Slurm for which a job waits and that pass by themselves."""


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """The options below ``[executors.slurm]``."""

    workers: int = 8
    """Workers at once, at most."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: str | None = None
    """Time limit of one worker, as ``sbatch --time`` takes it."""
    cpus: int | None = None
    """Processors of one worker; as many as a task has threads, if not stated."""
    gpus: int | None = None
    """GPUs of one worker; one if the run uses a GPU, if not stated."""
    memory: str | None = None
    """Memory of one worker, as ``sbatch --mem`` takes it."""
    idle: float = 60.0
    """Seconds without a task after which a worker ends."""
    setup: str | None = None
    """Shell lines before the worker starts, such as ``module load``."""
    sbatch: tuple[str, ...] = ()
    """More options of ``sbatch``, such as ``--constraint=a100``."""
    logs: str | None = None
    """Folder for the logs of the workers; in the workspace, if that is a folder."""

    def __post_init__(self) -> None:
        """Refuse values that Slurm would refuse after planning."""
        _require(self.workers >= 1, "workers", "at least 1", self.workers)
        _require(self.idle > 0, "idle", "more than 0 seconds", self.idle)
        _require((self.cpus or 1) >= 1, "cpus", "at least 1", self.cpus)
        _require((self.gpus or 0) >= 0, "gpus", "at least 0", self.gpus)
        if self.time is not None:
            is_time = _TIME.fullmatch(self.time) is not None
            _require(is_time, "time", "of a form such as 90, 2:30:00 or 1-12", self.time)
        if self.memory is not None:
            is_size = _MEMORY.fullmatch(self.memory) is not None
            _require(is_size, "memory", "of a form such as 16G", self.memory)


def _require(good: object, name: str, wanted: str, value: object) -> None:
    if not good:
        raise ValueError(f"{name} must be {wanted}, not {value!r}")


@dataclass(frozen=True)
class SlurmExecutor:
    """Keeps as many workers in Slurm as there are tasks for."""

    id: str = "slurm"
    summary: str = "array jobs of Slurm, whose workers take tasks from the workspace"
    parallel: bool = True
    options: SlurmOptions = SlurmOptions()

    def run(self, tasks: Iterable[Task | None], context: ExecutionContext) -> Outcomes:
        """See `sercore.Executor.run`."""
        options: SlurmOptions = context.options
        fleet: _Fleet | None = None
        source = iter(tasks)
        in_flight = 0
        try:
            while True:
                # One task more for each worker, so that none waits for this process.
                while in_flight < 2 * options.workers:
                    task = next(source, None)
                    if task is None:  # nothing can start yet, or nothing is left
                        break
                    fleet = fleet or _Fleet(options, context, task.resources)
                    context.queue.put(task)
                    in_flight += 1
                if fleet is None or not in_flight:
                    return
                finished = context.queue.finished()
                if finished:
                    in_flight -= len(finished)
                    fleet.has_worked()
                    yield from finished
                else:
                    fleet.keep(min(in_flight, options.workers))
                    time.sleep(_POLL_S)
        finally:
            if fleet is not None:
                fleet.cancel()
                context.queue.close()


class _Fleet:
    """The workers of one run in Slurm.

    Args:
        options: what the user set.
        context: how a worker is started.
        resources: what a task needs.

    Raises:
        SercoreError: Slurm is not on this machine, or the logs cannot be written.
    """

    def __init__(
        self, options: SlurmOptions, context: ExecutionContext, resources: Resources
    ) -> None:
        self._programs = {name: _program(name) for name in ("sbatch", "squeue", "scancel")}
        self._options = options
        self._context = context
        self._resources = resources
        self._name = f"sercore-{context.run}-{secrets.token_hex(4)}"
        self._logs = _log_folder(options, context)
        self._looked = 0.0
        self._fruitless = 0
        self._said: set[str] = set()

    def keep(self, wanted: int) -> None:
        """Submit workers until there are as many as wanted.

        Raises:
            SercoreError: Slurm refuses them, or they end again and again before they do a task.
        """
        now = time.monotonic()
        if self._looked and now - self._looked < _LOOK_AT_WORKERS_S:
            return
        self._looked = now
        lacking = wanted - self._count()
        if lacking <= 0:
            return
        if self._fruitless >= _MOST_FRUITLESS:
            raise SercoreError(
                f"the workers ended {self._fruitless} times in Slurm before they had done a task",
                hint=f"their logs are in {self._logs}",
            )
        self._fruitless += 1
        self._submit(lacking)

    def has_worked(self) -> None:
        """Note that the workers can do tasks."""
        self._fruitless = 0

    def cancel(self) -> None:
        """End all workers."""
        self._slurm("scancel", "--name", self._name)

    def _count(self) -> int:
        """Return the number of workers that run or wait."""
        chosen = ("--array", "--name", self._name)
        answer = self._slurm("squeue", "--noheader", "--format=%T %r", *chosen)
        if answer.returncode:  # the controller is away for a moment
            self._note(f"Slurm does not answer: {_first_line(answer.stderr)}")
            return self._options.workers
        states = [line.split(maxsplit=1) for line in answer.stdout.splitlines()]
        alive = [state for state in states if state[0] != "COMPLETING"]
        for state, reason in alive:
            if state == "PENDING" and reason.strip("()") not in _ORDINARY:
                self._note(f"workers wait in Slurm: {reason}")
        return len(alive)

    def _submit(self, n: int) -> None:
        answer = self._slurm("sbatch", "--parsable", *self._arguments(n), given=self._script())
        if answer.returncode:
            raise SercoreError(
                f"Slurm refuses the workers: {_first_line(answer.stderr)}",
                hint="change [executors.slurm] in sercore.toml",
            )
        job = answer.stdout.strip().partition(";")[0]
        self._note(f"{n} workers were submitted to Slurm as job {job}, logs in {self._logs}")

    def _slurm(
        self, program: str, *arguments: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the user's own options for the user's own cluster
            [self._programs[program], *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def _arguments(self, n: int) -> list[str]:
        options = self._options
        on_gpu = self._resources.device.startswith("cuda")
        gpus = options.gpus if options.gpus is not None else int(on_gpu)
        wanted = {
            "job-name": self._name,
            "array": f"0-{n - 1}",
            "output": f"{self._logs}/slurm-%A-%a.log",
            "open-mode": "append",
            "cpus-per-task": options.cpus or self._resources.threads,
            "gres": f"gpu:{gpus}" if gpus else None,
            "partition": options.partition,
            "account": options.account,
            "qos": options.qos,
            "time": options.time,
            "mem": options.memory,
        }
        given = [f"--{name}={value}" for name, value in wanted.items() if value is not None]
        return [*given, "--requeue", *options.sbatch]

    def _script(self) -> str:
        worker = [*self._context.pull_command, "--idle", str(self._options.idle)]
        log = f"{self._logs}/slurm-$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID.log"
        lines = (
            "#!/bin/bash",
            self._options.setup or "",
            f'export SERCORE_WORKER_LOG="{log}"',
            f"exec {shlex.join(worker)}",
        )
        return "\n".join(lines) + "\n"

    def _note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._context.note(text)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SercoreError(
            f"the executor 'slurm' needs the command {name}, which is not on this machine",
            hint="run on a login node of your cluster",
        )
    return path


def _log_folder(options: SlurmOptions, context: ExecutionContext) -> Path:
    if options.logs is not None:
        folder = Path(options.logs).expanduser().absolute()
    elif "://" in context.workspace:
        folder = Path("sercore-logs", context.run).absolute()
    else:
        folder = Path(context.workspace, "runs", context.run, "logs")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SercoreError(
            f"the logs of the workers cannot be written to {folder}: {error.strerror}",
            hint="set logs below [executors.slurm] in sercore.toml",
        ) from None
    return folder


def _first_line(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1].removeprefix("sbatch: error: ") if lines else "it gives no reason"


@hookimpl
def sercore_executors() -> Iterable[SlurmExecutor]:
    return [SlurmExecutor()]
