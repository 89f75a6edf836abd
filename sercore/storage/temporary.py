"""Names of temporary files and folders: a name says who made it and when.

A name is ``SECONDS.MACHINE.PID.STARTED.TOKEN``. Another process can therefore decide, without
opening anything, whether the file still belongs to a running writer.
"""

from __future__ import annotations

import re
import secrets
import time

from sercore.storage.processes import Process
from sercore.storage.processes import this_process

FOLDER = ".tmp"
"""The one folder of a workspace that holds temporary files, relative to the root."""

LONGEST_LIFE = 86400.0
"""Seconds after which a temporary file is abandoned if its writer cannot be seen from here."""

_NAME = re.compile(r"(\d+)\.([0-9a-f]{12})\.(\d+)\.(\d+)\.[0-9a-f]{16}")


def new_name() -> str:
    """Return a name for a temporary file of this process; no name is returned twice."""
    writer = this_process()
    parts = (int(time.time()), writer.machine, writer.pid, writer.started, secrets.token_hex(8))
    return ".".join(map(str, parts))


def is_abandoned(name: str, *, longest_life: float = LONGEST_LIFE) -> bool:
    """Return whether a name is one of ours and its writer ended or is too old.

    Args:
        name: a name in the temporary folder; names that sercore did not make are never abandoned.
        longest_life: seconds that the file of an invisible writer may live.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    made, machine, pid, started = match.groups()
    if Process(machine, int(pid), started).is_dead():
        return True
    is_own = machine == this_process().machine
    return not is_own and time.time() - int(made) > longest_life
