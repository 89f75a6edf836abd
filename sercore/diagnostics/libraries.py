"""Import the libraries whose own error messages explain too little, in a process of their own.

A shared library can fail in any way, so a crash must not end `sercore doctor`. And importing takes
seconds, in which corpora can be checked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from dataclasses import dataclass

from sercore.environment import import_error
from sercore.environment import library_version
from sercore.environment import torchaudio_error

NAMES = ("torch", "torchaudio", "transformers", "soundfile", "av", "soxr", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class LibraryCheck:
    """Whether a library loads."""

    name: str
    version: str | None
    error: str | None = None


class LibraryTrial:
    """A process that imports the libraries. It starts at once.

    Args:
        names: the libraries.
    """

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self._names = names
        self._checks: tuple[LibraryCheck, ...] | None = None
        code = f"from {__name__} import import_all; import_all({names!r})"
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and own code
            [sys.executable, "-W", "ignore", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            text=True,
        )

    def result(self) -> tuple[LibraryCheck, ...]:
        """Wait for the process, and return one check per library."""
        if self._checks is None:
            out, err = self._process.communicate()
            checks = [LibraryCheck(**json.loads(line)) for line in out.splitlines()]
            failed = self._names[len(checks) :]
            reason = _reason(self._process.returncode, err)
            checks += [_unchecked(name, failed[0], reason) for name in failed]
            self._checks = tuple(checks)
        return self._checks


def import_all(names: tuple[str, ...]) -> None:
    """Import libraries one after the other, and print one line of JSON for each."""
    for name in names:
        check = LibraryCheck(
            name=name,
            version=library_version(name),
            error=torchaudio_error() if name == "torchaudio" else import_error(name),
        )
        print(json.dumps(asdict(check)), flush=True)  # noqa: T201 - for the parent process


def _unchecked(name: str, culprit: str, reason: str) -> LibraryCheck:
    error = reason if name == culprit else f"not checked, because importing {culprit} ended Python"
    return LibraryCheck(name=name, version=library_version(name), error=error)


def _reason(code: int, err: str) -> str:
    ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    last = err.strip().rpartition("\n")[2]
    return f"importing it ended Python with {ended}" + (f": {last}" if last else "")
