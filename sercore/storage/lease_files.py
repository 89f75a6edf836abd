"""The files of leases: read with their version, and written only if the version is still the same.

On this machine, and on network file systems with locks, one write is one step among processes: it
runs under a file lock that is held for a few milliseconds. An object store checks the version
itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

from sercore.storage import seals

if TYPE_CHECKING:
    from sercore.storage.local_files import LocalFiles
    from sercore.storage.remote_files import RemoteFiles

_GUARD_SECONDS = 5.0


class LeaseFiles(Protocol):
    """Where leases are kept. Methods raise OSError where the storage fails."""

    def names(self) -> list[str]:
        """Return the names of all leases."""

    def read(self, name: str) -> tuple[Mapping[str, Any] | None, str] | None:
        """Return the content of a lease (None: damaged) and its version; None if it is missing."""

    def write(self, name: str, content: Mapping[str, Any], version: str | None) -> bool:
        """Replace a version of a lease (None: it is missing); return False if it changed."""

    def remove(self, name: str, version: str) -> bool:
        """Remove a version of a lease; return False if it changed."""


class LocalLeaseFiles:
    """Leases in a folder of this machine.

    Args:
        files: the files of the workspace.
        folder: the absolute path of the folder.
    """

    def __init__(self, files: LocalFiles, folder: str) -> None:
        self._files = files
        self._folder = folder

    def names(self) -> list[str]:
        """See `LeaseFiles.names`."""
        return [name for name in self._files.list(self._folder) if name.endswith(".json")]

    def read(self, name: str) -> tuple[Mapping[str, Any] | None, str] | None:
        """See `LeaseFiles.read`."""
        try:
            data = self._files.read(f"{self._folder}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _content(data), hashlib.sha256(data).hexdigest()

    def write(self, name: str, content: Mapping[str, Any], version: str | None) -> bool:
        """See `LeaseFiles.write`."""
        with self._guard():
            if self._version(name) != version:
                return False
            with self._files.write(f"{self._folder}/{name}") as file:
                file.write(seals.sealed_json(content))
            return True

    def remove(self, name: str, version: str) -> bool:
        """See `LeaseFiles.remove`."""
        with self._guard():
            if self._version(name) != version:
                return False
            self._files.remove(f"{self._folder}/{name}")
            return True

    def _version(self, name: str) -> str | None:
        found = self.read(name)
        return None if found is None else found[1]

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Make the block one step among the processes that share the folder."""
        from filelock import FileLock
        from filelock import Timeout

        lock = FileLock(f"{self._folder}/guard", timeout=_GUARD_SECONDS)
        is_held = False
        # Without the lock a lease is still right nearly always, and never needed to be: a file
        # system may have no locks, and a stopped process may hold this one.
        with suppress(Timeout, NotImplementedError, OSError):
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            is_held = True
        try:
            yield
        finally:
            if is_held:
                lock.release()


class RemoteLeaseFiles:
    """Leases in an object store.

    Args:
        files: the files of the workspace.
        folder: the URL of the folder.
    """

    def __init__(self, files: RemoteFiles, folder: str) -> None:
        self._files = files
        self._folder = folder

    def names(self) -> list[str]:
        """See `LeaseFiles.names`."""
        return [name for name in self._files.list(self._folder) if name.endswith(".json")]

    def read(self, name: str) -> tuple[Mapping[str, Any] | None, str] | None:
        """See `LeaseFiles.read`."""
        found = self._files.read_version(f"{self._folder}/{name}")
        return None if found is None else (_content(found[0]), found[1])

    def write(self, name: str, content: Mapping[str, Any], version: str | None) -> bool:
        """See `LeaseFiles.write`."""
        path, data = f"{self._folder}/{name}", seals.sealed_json(content)
        if version is None:
            written = self._files.create(path, data)
        else:
            written = self._files.replace(path, data, version)
        if written is not None:
            return True
        # A request that is repeated after its answer was lost finds its own content.
        found = self._files.read_version(path)
        return found is not None and found[0] == data

    def remove(self, name: str, version: str) -> bool:
        """See `LeaseFiles.remove`. Stores delete without a condition, so this takes two steps."""
        found = self._files.read_version(f"{self._folder}/{name}")
        if found is None or found[1] != version:
            return False
        self._files.remove(f"{self._folder}/{name}")
        return True


def _content(data: bytes) -> Mapping[str, Any] | None:
    if seals.damage(data) is not None:
        return None
    try:
        content: Mapping[str, Any] = seals.opened_json(data)
    except (ValueError, KeyError, TypeError):
        return None
    return content
