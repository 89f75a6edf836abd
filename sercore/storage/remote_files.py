"""Files of a workspace in an object store.

An object store has no folders and no rename, and needs neither: an upload appears whole when it is
complete. What two processes must agree on is written under a condition (`create`, `replace`).
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from functools import cache
from functools import partial
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import cast

from sercore.errors import DiskFullError
from sercore.storage.local_files import FileFacts
from sercore.storage.object_store import call
from sercore.storage.object_store import open_store
from sercore.storage.pages import MEMORY
from sercore.storage.pages import PageCache
from sercore.storage.sizes import parse_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obstore import PutMode
    from obstore.store import ObjectStore

MEMORY_VARIABLE = "SERCORE_FRAME_MEMORY"
"""Environment variable: memory for parts of remote files, such as ``2GB``."""

SCRATCH_VARIABLE = "SERCORE_FRAME_SCRATCH"
"""Environment variable: space of the temporary folder for parts of remote files; 0 for none."""

_IN_MEMORY = 32 << 20
"""Bytes of an upload that are collected in memory; more go to a temporary file of this machine."""
_CHUNK = 8 << 20
_CHUNKS_AT_ONCE = 4
_READ_AHEAD = 1 << 20
_TOUCH_AFTER = 3600.0


class RemoteFiles:
    """Files below the URL of an object store. All paths are URLs.

    Every method raises OSError where the store fails.

    Args:
        root: the URL, such as ``s3://bucket/prefix``.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def exists(self, path: str) -> bool:
        """Return whether a file or folder is there."""
        return self.facts(path) is not None or bool(self.list(path))

    def facts(self, path: str) -> FileFacts | None:
        """Return size, time and version of a file; None if it is missing."""
        import obstore

        try:
            found = call(lambda: obstore.head(self._store, self._key(path)))
        except FileNotFoundError:
            return None
        return FileFacts(
            n_bytes=found["size"],
            changed=found["last_modified"].timestamp(),
            version=found["e_tag"] or str(found["last_modified"]),
        )

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, in any order; empty if the folder is missing."""
        import obstore

        found = call(lambda: obstore.list_with_delimiter(self._store, self._key(folder)))
        paths = [*found["common_prefixes"], *(entry["path"] for entry in found["objects"])]
        return [posixpath.basename(path) for path in paths]

    def walk(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield path (relative to the folder) and bytes of every file below a folder."""
        prefix = f"{self._key(folder)}/".lstrip("/")
        for path, n_bytes in self._below(folder):
            yield path.removeprefix(prefix), n_bytes

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        import obstore

        return call(lambda: bytes(obstore.get(self._store, self._key(path)).bytes()))

    def read_ranges(self, path: str, spans: Sequence[tuple[int, int]]) -> Sequence[memoryview]:
        """Return the bytes of some spans (start, length) of a file."""
        import obstore

        starts, lengths = zip(*spans, strict=True)
        found = call(
            lambda: obstore.get_ranges(self._store, self._key(path), starts=starts, lengths=lengths)
        )
        return [memoryview(data) for data in found]

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; only what is read is fetched."""
        facts = self.facts(path)
        if facts is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raw = _RangeReader(self, path, facts.n_bytes)
        return cast("BinaryIO", io.BufferedReader(raw, _READ_AHEAD))

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Open a file that appears whole when the block ends well, else not at all."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as collected:
            try:
                yield cast("BinaryIO", collected)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise DiskFullError(
                    f"there is no space left in {tempfile.gettempdir()}, where files for "
                    f"{self._root} are collected",
                    hint="let TMPDIR name a folder with more space, then run again",
                ) from error
            call(lambda: self._upload(path, cast("BinaryIO", collected)))

    def create(self, path: str, data: bytes) -> str | None:
        """Write a file if it is missing, in one step; return its version, or None if it is there.

        After an error the file may be there although None is returned: read it to be sure.
        """
        return self._write_if(path, data, None)

    def replace(self, path: str, data: bytes, version: str) -> str | None:
        """Replace a version of a file, in one step; return the new version, or None if it changed.

        After an error the file may hold the data although None is returned: read it to be sure.
        """
        return self._write_if(path, data, version)

    def read_version(self, path: str) -> tuple[bytes, str] | None:
        """Return the bytes of a file and their version; None if it is missing."""
        import obstore

        def get() -> tuple[bytes, str]:
            found = obstore.get(self._store, self._key(path))
            return bytes(found.bytes()), str(found.meta["e_tag"])

        try:
            return call(get)
        except FileNotFoundError:
            return None

    def remove(self, path: str) -> None:
        """Remove a file or folder; nothing happens if it is missing.

        Records go first, so that what is removed halfway is not taken for complete.
        """
        import obstore

        keys = [self._key(path), *(key for key, _ in self._below(path))]
        keys.sort(key=lambda key: (not key.endswith(".json"), key))
        for key in keys:
            with suppress(FileNotFoundError):
                call(partial(obstore.delete, self._store, key))

    def touch(self, path: str) -> None:
        """Make the time of a file the present one, unless it is less than an hour old."""
        facts = self.facts(path)
        if facts is None or time.time() - facts.changed < _TOUCH_AFTER:
            return
        found = self.read_version(path)
        if found is not None:
            self.replace(path, *found)

    @property
    def pages(self) -> PageCache:
        """The pages of these files; shared by everything in this process with this root."""
        return _pages_of(self._root)

    def sweep(self, longest_life: float) -> int:
        """Return 0: an upload leaves no temporary file in the store."""
        del longest_life
        return 0

    def _upload(self, path: str, file: BinaryIO) -> None:
        import obstore

        file.seek(0)
        obstore.put(
            self._store,
            self._key(path),
            file,
            chunk_size=_CHUNK,
            max_concurrency=_CHUNKS_AT_ONCE,
        )

    def _write_if(self, path: str, data: bytes, version: str | None) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError
        from obstore.exceptions import PreconditionError

        mode: PutMode = "create" if version is None else {"e_tag": version}
        try:
            put = call(
                lambda: obstore.put(
                    self._store, self._key(path), data, mode=mode, use_multipart=False
                )
            )
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return None
        return str(put["e_tag"])

    def _below(self, folder: str) -> Iterator[tuple[str, int]]:
        import obstore

        def entries() -> Sequence[tuple[str, int]]:
            batches = obstore.list(self._store, self._key(folder))
            return [(entry["path"], entry["size"]) for batch in batches for entry in batch]

        yield from call(entries)

    def _key(self, path: str) -> str:
        return path[len(self._root) :].strip("/")

    @property
    def _store(self) -> ObjectStore:
        return open_store(self._root)


@cache
def _pages_of(root: str) -> PageCache:
    disk = os.environ.get(SCRATCH_VARIABLE)
    return PageCache(
        RemoteFiles(root).read_ranges,
        memory=parse_size(os.environ.get(MEMORY_VARIABLE, str(MEMORY))),
        disk=None if disk is None else parse_size(disk),
    )


class _RangeReader(io.RawIOBase):
    """Reads a file of a store in ranges.

    Args:
        files: the store.
        path: of the file.
        n_bytes: its size.
    """

    def __init__(self, files: RemoteFiles, path: str, n_bytes: int) -> None:
        self._files = files
        self._path = path
        self._n_bytes = n_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._n_bytes}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        length = min(len(buffer), self._n_bytes - self._at)
        if length <= 0:
            return 0
        (data,) = self._files.read_ranges(self._path, [(self._at, length)])
        buffer[:length] = data
        self._at += length
        return length
