"""Files of a workspace on this machine: whole or absent, and on the disk when a write returns.

Every write, new folder and removal passes through one temporary folder below the root. The folder
shares the root's file system, so a rename is atomic, and leftovers are found without a walk.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from typing import TypeVar

from sercore.storage import temporary

T = TypeVar("T")

_ATTEMPTS = 1000
_FOLDER_EXISTS = (errno.EEXIST, errno.ENOTEMPTY)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a listing says about a file."""

    n_bytes: int
    changed: float
    """When it was written, in seconds since 1970."""
    version: str
    """Differs between two contents of the file."""


class LocalFiles:
    """Files below a folder of this machine. All paths are absolute.

    Every method raises OSError where the system does.

    Args:
        root: the folder; made on the first write.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._scratch = f"{root}/{temporary.FOLDER}"

    def exists(self, path: str) -> bool:
        """Return whether a file or folder is there."""
        return os.path.exists(path)  # noqa: PTH110 - called once per part

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, in any order; empty if the folder is missing."""
        try:
            return os.listdir(folder)  # noqa: PTH208 - names are what is wanted
        except (FileNotFoundError, NotADirectoryError):
            return []

    def facts(self, path: str) -> FileFacts | None:
        """Return size, time and version of a file; None if it is missing."""
        try:
            found = os.stat(path)  # noqa: PTH116 - called for every file of the cache
        except FileNotFoundError:
            return None
        state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return FileFacts(found.st_size, found.st_mtime, "-".join(map(str, state)))

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield path (relative to the folder) and bytes of every file below a folder."""
        folder = folder.rstrip("/")
        for place, _, names in os.walk(folder):
            for name in names:
                path = f"{place}/{name}"
                facts = self.facts(path)
                if facts is not None:  # removed in between
                    yield path[len(folder) + 1 :], facts.n_bytes

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return open(path, "rb")  # noqa: PTH123 - the caller closes it

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with self.open(path) as file:
            return file.read()

    def touch(self, path: str) -> None:
        """Make the time of a file the present one."""
        os.utime(path)

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Open a file that appears whole when the block ends well, else not at all."""
        with self._temporary(lambda place: open(place, "xb")) as (place, file):  # noqa: PTH123
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            make_folder(Path(path).parent)
            os.replace(place, path)  # noqa: PTH105
            sync_folder(Path(path).parent)

    @contextmanager
    def new_folder(self, path: str, *, keep_existing: bool = False) -> Iterator[Path]:
        """Fill a folder that appears whole when the block ends well, else not at all.

        Args:
            path: of the folder.
            keep_existing: drop the new folder if a folder with files is there by then.
        """
        with self._temporary(os.mkdir) as (place, _):
            yield Path(place)
            sync_tree(Path(place))
            make_folder(Path(path).parent)
            try:
                os.rename(place, path)  # noqa: PTH104
            except OSError as error:
                if not (keep_existing and error.errno in _FOLDER_EXISTS):
                    raise
            sync_folder(Path(path).parent)

    def remove(self, path: str) -> None:
        """Remove a file or folder; nothing happens if it is missing.

        A folder disappears in one step: no reader sees half of it.
        """
        if not os.path.isdir(path) or os.path.islink(path):  # noqa: PTH112, PTH114
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
                sync_folder(Path(path).parent)
            return
        with suppress(FileNotFoundError), self._temporary(os.mkdir) as (place, _):
            os.rename(path, f"{place}/removed")  # noqa: PTH104
            sync_folder(Path(path).parent)

    def sweep(self, longest_life: float) -> int:
        """Remove abandoned temporary files and return their number."""
        names = self.list(self._scratch)
        gone = [name for name in names if temporary.is_abandoned(name, longest_life=longest_life)]
        for name in gone:
            with suppress(OSError):  # another user's file in a shared workspace
                _discard(f"{self._scratch}/{name}")
        self._drop_scratch()
        return len(gone)

    @contextmanager
    def _temporary(self, make: Callable[[str], T]) -> Iterator[tuple[str, T]]:
        place, made = self._make(make)
        try:
            yield place, made
        finally:
            _discard(place)
            self._drop_scratch()

    def _make(self, make: Callable[[str], T]) -> tuple[str, T]:
        place = f"{self._scratch}/{temporary.new_name()}"
        make_folder(Path(self._root))
        for _ in range(_ATTEMPTS):
            with suppress(FileExistsError):
                os.mkdir(self._scratch)  # noqa: PTH102
            try:
                return place, make(place)
            except FileNotFoundError:  # another writer dropped the empty folder in between
                continue
        return place, make(place)

    def _drop_scratch(self) -> None:
        with suppress(OSError):  # missing, or other writers use it
            os.rmdir(self._scratch)  # noqa: PTH106


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents so that they survive a power failure."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, where the system can do that."""
    with suppress(OSError):  # some network file systems and Windows refuse
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Write everything below a folder to the disk."""
    if hasattr(os, "sync"):  # one call, where syncing a hundred thousand files takes minutes
        os.sync()
        return
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def _discard(path: str) -> None:
    with suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)  # noqa: PTH108
