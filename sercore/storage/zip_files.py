"""The members of a zip file, read as files of a workspace. Nothing can be written.

Only uncompressed members are read. So no member is larger than the bytes that it takes in the zip
file, and a small file cannot fill the memory.
"""

from __future__ import annotations

import errno
import os
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import cast

from sercore.errors import WorkspaceError
from sercore.storage.local_files import FileFacts
from sercore.storage.names import check_relative

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_MEMBERS = 1_000_000


class ZipFiles:
    """The members of a zip file below a root that stands for the file.

    Args:
        path: the zip file.

    Raises:
        WorkspaceError: it cannot be read, or has a member that sercore does not write: compressed,
            encrypted, named twice, or with a name that leads out of the file.
    """

    def __init__(self, path: Path) -> None:
        self._root = str(path)
        try:
            size = path.stat().st_size
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be read: {error.strerror or error}") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise WorkspaceError(f"{path} is not a zip file, or is cut short") from error
        members = self._zip.infolist()
        reason = _refusal(members, size)
        if reason is not None:
            self._zip.close()
            raise WorkspaceError(f"{path} is not used: {reason}")
        self._sizes = {member.filename: member.file_size for member in members}
        self._folders = {
            name[:end] for name in self._sizes for end, letter in enumerate(name) if letter == "/"
        }

    @property
    def names(self) -> frozenset[str]:
        """The names of all members."""
        return frozenset(self._sizes)

    def size(self, name: str) -> int:
        """Return the bytes of a member."""
        return self._sizes[name]

    def member(self, name: str) -> bytes:
        """Return the bytes of a member by its name.

        Raises:
            OSError: it is missing or damaged.
        """
        try:
            return self._zip.read(name)
        except KeyError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from error
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
            raise OSError(errno.EIO, f"the member is damaged ({error})") from error

    def exists(self, path: str) -> bool:
        """Return whether a member or folder is there."""
        name = self._name(path)
        return name in self._sizes or name in self._folders

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, in any order; empty if the folder is missing."""
        prefix = self._name(folder) + "/"
        inside = (name[len(prefix) :] for name in self._sizes if name.startswith(prefix))
        return list({name.partition("/")[0] for name in inside})

    def facts(self, path: str) -> FileFacts | None:
        """Return size, time and version of a member; None if it is missing."""
        name = self._name(path)
        if name not in self._sizes:
            return None
        return FileFacts(self._sizes[name], 0.0, f"{self._zip.getinfo(name).CRC:08x}")

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield path (relative to the folder) and bytes of every member below a folder."""
        prefix = f"{self._name(folder)}/".lstrip("/")
        for name, size in self._sizes.items():
            if name.startswith(prefix):
                yield name[len(prefix) :], size

    def touch(self, path: str) -> None:
        """Change nothing: a zip file keeps no times of use."""

    def open(self, path: str) -> BinaryIO:
        """Open a member for reading."""
        import io

        return io.BytesIO(self.read(path))

    def read(self, path: str) -> bytes:
        """Return the bytes of a member. Raises as `member` does."""
        return self.member(self._name(path))

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Refuse to write."""
        yield cast("BinaryIO", _refuse(path))

    def remove(self, path: str) -> None:
        """Refuse to remove."""
        _refuse(path)

    def sweep(self, longest_life: float) -> int:
        """Remove nothing: a zip file holds no temporary files."""
        del longest_life
        return 0

    def _name(self, path: str) -> str:
        return path.removeprefix(self._root).lstrip("/")


def _refuse(path: str) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


def _refusal(members: list[zipfile.ZipInfo], size: int) -> str | None:
    """Return why a zip file is not read, as the end of a sentence."""
    if len(members) > _MOST_MEMBERS:
        return f"it has {len(members)} members"
    seen: set[str] = set()
    for member in members:
        # `orig_filename` is what the file says; `filename` ends at a NUL character.
        fault = _fault(member, seen)
        if fault is not None:
            return f"its member '{member.orig_filename}' {fault}"
        seen.add(member.orig_filename)
    if sum(member.file_size for member in members) > size:
        return "its members overlap"
    return None


def _fault(member: zipfile.ZipInfo, seen: set[str]) -> str | None:
    name = member.orig_filename
    stored = member.compress_type == zipfile.ZIP_STORED
    faults = {
        "leads out of it": not _stays_inside(name),
        "has a name that sercore does not write": "\\" in name or name.endswith("/") or not name,
        "is there twice": name in seen,
        "is compressed": not stored or member.file_size != member.compress_size,
        "is encrypted": bool(member.flag_bits & 0x1),
    }
    return next((text for text, found in faults.items() if found), None)


def _stays_inside(name: str) -> bool:
    try:
        check_relative(name)
    except WorkspaceError:
        return False
    return True
