"""Which process wrote something, and whether that process still runs."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process on one machine, not to be confused with a later process of the same number."""

    machine: str
    """Identifies the running kernel and its process numbers, 12 hexadecimal digits."""
    pid: int
    started: str
    """Start time in clock ticks since boot; ``0`` where the system does not show it."""

    def is_dead(self) -> bool:
        """Return whether the process certainly ended.

        False where that cannot be seen from here: the process runs on another machine or in
        another container, or this system does not show processes.
        """
        if self.machine != _machine():
            return False
        state, started = _state(self.pid)
        is_other = started != self.started and "0" not in (started, self.started)
        return state in {"gone", "Z", "X"} or is_other


def this_process() -> Process:
    """Return the calling process."""
    pid = os.getpid()
    return Process(machine=_machine(), pid=pid, started=_state(pid)[1])


@cache
def _machine() -> str:
    # Two containers can share a host name, and a machine gives out old numbers after a restart.
    parts = [platform.node()]
    sources: tuple[tuple[str, Callable[[Path], object]], ...] = (
        ("/proc/sys/kernel/random/boot_id", Path.read_text),
        ("/proc/self/ns/pid", Path.readlink),
    )
    for place, read in sources:
        try:
            parts.append(str(read(Path(place))))
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _state(pid: int) -> tuple[str, str]:
    """Return the state letter of a process ("gone" if there is none) and its start time."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _state_by_signal(pid)
    # The second field is the program's name in parentheses and may itself hold parentheses.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _state_by_signal(pid: int) -> tuple[str, str]:
    if os.name != "posix":  # elsewhere signal 0 does something
        return "R", "0"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone", "0"
    except PermissionError:
        pass
    return "R", "0"
