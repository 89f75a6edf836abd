"""Files of a workspace behind an fsspec URL.

Object stores have no rename: a file is uploaded under a temporary name, copied to its own name and
removed. A reader sees a file whole or not at all; a folder disappears file by file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import cast

from sercore.storage import temporary

if TYPE_CHECKING:
    import fsspec


class RemoteFiles:
    """Files below an fsspec URL. All paths are URLs.

    Every method raises OSError where the storage does.

    Args:
        root: the URL, such as ``s3://bucket/prefix``.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._scratch = f"{root}/{temporary.FOLDER}"

    def exists(self, path: str) -> bool:
        """Return whether a file or folder is there."""
        return bool(self._system.exists(path))

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, in any order; empty if the folder is missing."""
        try:
            found = self._system.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        return [posixpath.basename(path.rstrip("/")) for path in found]

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return cast("BinaryIO", self._system.open(path, "rb"))

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Open a file that appears whole when the block ends well, else not at all."""
        place = f"{self._scratch}/{temporary.new_name()}"
        for target in (place, path):
            self._system.makedirs(posixpath.dirname(target), exist_ok=True)
        try:
            with self._system.open(place, "wb") as file:
                yield cast("BinaryIO", file)
            self._system.mv(place, path)
        finally:
            self.remove(place)

    def remove(self, path: str) -> None:
        """Remove a file or folder; nothing happens if it is missing."""
        with suppress(FileNotFoundError):
            self._system.rm(path, recursive=True)

    def sweep(self, longest_life: float) -> int:
        """Remove abandoned temporary files and return their number."""
        names = self.list(self._scratch)
        gone = [name for name in names if temporary.is_abandoned(name, longest_life=longest_life)]
        for name in gone:
            self.remove(f"{self._scratch}/{name}")
        return len(gone)

    @property
    def _system(self) -> fsspec.AbstractFileSystem:
        import fsspec

        return fsspec.core.url_to_fs(self._root)[0]
