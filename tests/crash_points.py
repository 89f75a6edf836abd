"""Kills a command at its n-th step that changes a folder or makes a write durable.

Two ways, with the same meaning:

- `Hooked` runs the command in a fork of a process that imported everything once, with the functions
  of `os` replaced; steps are counted over all threads. It is fast and works on every POSIX system.
- `Traced` runs the command under strace, which kills it inside the real system call, whoever calls
  it; strace counts the calls of one kind in one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

STEPS = ("rename", "replace", "unlink", "remove", "rmdir", "fsync", "fdatasync", "sync")
"""Functions of `os` that are steps."""

CALLS = "rename,renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,sync"
"""System calls that are steps."""

PRELOADED = [
    "crash_points",
    "filelock",
    "pandas",
    "pyarrow.parquet",
    "safetensors.numpy",
    "scipy.stats",
    "sercore.cli.run",
    "sercore.cli.score",
    "sercore.reports.write",
    "sercore.runs.driver",
    "sercore.runs.worker",
    "sklearn.linear_model",
    "soundfile",
    "soxr",
    "torchaudio",
]
"""Modules whose import takes most of a command's time."""


@dataclass(frozen=True)
class Point:
    """The moment before a step: the `number`-th call of `call`, from 1."""

    call: str
    number: int


class Hooked:
    """Kills a command with a hook inside its process."""

    def __init__(self, log):
        self.log = log
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(PRELOADED)

    def points(self, words):
        """Run a command to its end and return its points, in order."""
        assert self._run(words, None) == 0, self.log.read_text()
        steps = Path(f"{self.log}.steps").read_text().split()
        return [Point(call, number) for number, call in enumerate(steps, start=1)]

    def kill(self, words, point):
        """Run a command up to a point; return whether the point was reached."""
        status = self._run(words, point.number)
        assert status in (0, -signal.SIGKILL), self.log.read_text()
        return status != 0

    def run(self, words):
        """Run a command without harm and return its exit status."""
        return self._run(words, None)

    def _run(self, words, number):
        child = self._processes.Process(
            target=_run_here, args=(words, number, str(self.log), dict(os.environ))
        )
        child.start()
        child.join()
        return child.exitcode


def _run_here(words, number, log, environment):
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    _hook(f"{log}.steps", number)
    from sercore.cli import main

    main(words)


def _hook(log, number):
    """Count the steps of this process and kill it before the one of a number."""
    count, lock = 0, threading.Lock()
    steps = open(log, "w")  # noqa: SIM115 - open until the process ends

    def counted(name, function):
        def step(*args, **options):
            nonlocal count
            with lock:
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                print(name, file=steps, flush=True)
            return function(*args, **options)

        return step

    for name in STEPS:
        setattr(os, name, counted(name, getattr(os, name)))


class Traced:
    """Kills a command with strace."""

    def __init__(self, log):
        self.log = log

    @staticmethod
    def is_possible():
        """Return whether strace is installed and may trace here."""
        if shutil.which("strace") is None:
            return False
        done = subprocess.run(["strace", "-f", "true"], capture_output=True, check=False)
        return done.returncode == 0

    def points(self, words, below):
        """Run a command to its end and return the points that touch files below a folder."""
        trace = Path(f"{self.log}.trace")
        options = ["-y", "-s", "4096", "-o", str(trace), "-e", f"trace={CALLS}"]
        assert self._run(words, options) == 0, self.log.read_text()
        counts, points = {}, {}
        for line in trace.read_text(errors="replace").splitlines():
            match = re.match(r"(\d+) +(\w+)\(", line)
            if match is None:  # the end of a call that another thread interrupted, or an exit
                continue
            counts[match.groups()] = counts.get(match.groups(), 0) + 1
            if f"{below}" in line or match[2] == "sync":
                points[Point(match[2], counts[match.groups()])] = None
        return list(points)

    def kill(self, words, point):
        """Run a command up to a point; return whether the point was reached."""
        inject = f"inject={point.call}:signal=KILL:when={point.number}"
        options = ["-o", f"{self.log}.trace", "-e", f"trace={point.call}", "-e", inject]
        status = self._run(words, options)
        assert status in (0, -signal.SIGKILL), self.log.read_text()
        return status != 0

    def _run(self, words, options):
        command = ["strace", "-f", "-qq", *options, sys.executable, "-m"]
        with self.log.open("wb") as output:
            return subprocess.run(
                [*command, "sercore", *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            ).returncode


def contents(*folders):
    """Return the bytes of every file below some folders, and None for every empty folder."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                found[str(path)] = path.read_bytes()
            elif not any(path.iterdir()):
                found[str(path)] = None
    return found
