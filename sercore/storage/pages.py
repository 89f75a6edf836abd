"""Parts of remote files, read in pages: a little in memory, the rest in a file on this machine.

A probe reads the frames of a corpus a hundred times, in another order each time, and a corpus can
be larger than memory. So every page is fetched once, kept in memory while there is room, and
written to one temporary file. That file has no name: it disappears with the process, however the
process ends. Where the disk has no room for a page, the page is fetched again when it is needed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

PAGE = 512 << 10
"""Bytes of a page."""

MEMORY = 256 << 20
"""Bytes of the pages that are kept in memory."""

_KEEP_FREE = 1 << 30
"""Bytes of the disk that stay free for others."""
_FETCHERS = 4
_FETCH_AT_ONCE = 16
"""Pages of one request to the store."""

Span = tuple[int, int]
"""First byte and number of bytes."""

_Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One version of a file in a store."""

    path: str
    n_bytes: int
    version: str

    def key(self, page: int) -> _Key:
        """Return what a page of it is called among the pages of all files."""
        return self.path, self.version, page

    def span(self, page: int) -> Span:
        """Return the bytes of a page; the last page may be shorter than the others."""
        start = page * PAGE
        return start, min(PAGE, self.n_bytes - start)


class PageCache:
    """Pages of remote files. All methods may be called from any thread.

    Args:
        fetch: returns the bytes of some spans of the file at a path; raises OSError.
        memory: bytes of the pages that are kept in memory.
        disk: bytes that the temporary file may have at most.
    """

    def __init__(
        self,
        fetch: Callable[[str, Sequence[Span]], Sequence[memoryview]],
        *,
        memory: int = MEMORY,
        disk: int | None = None,
    ) -> None:
        self._fetch = fetch
        self._room = max(2, memory // PAGE)
        self._disk = _Disk(disk)
        self._lock = threading.Lock()
        self._memory: OrderedDict[_Key, bytes] = OrderedDict()
        self._coming: dict[_Key, Future[dict[_Key, bytes]]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def read(self, file: RemoteFile, start: int, length: int) -> bytearray:
        """Return some bytes of a file.

        Raises:
            OSError: the store fails, or the file has another size by now.
        """
        if start < 0 or length < 0 or start + length > file.n_bytes:
            raise OSError(f"{file.path} has {file.n_bytes} bytes, not {start + length}")
        found = bytearray(length)
        wanted = _pages(start, length)
        for first in range(wanted.start, wanted.stop, _FETCH_AT_ONCE):
            batch = range(first, min(first + _FETCH_AT_ONCE, wanted.stop))
            for page, data in self._batch(file, batch).items():
                at = page * PAGE
                begin, end = max(start, at), min(start + length, at + len(data))
                found[begin - start : end - start] = memoryview(data)[begin - at : end - at]
        return found

    def will_need(self, file: RemoteFile, spans: Iterable[Span]) -> None:
        """Begin to fetch some bytes, unless that would push what was read last out of memory."""
        pages = sorted({page for start, length in spans for page in _pages(start, length)})
        with self._lock:
            room = self._room // 2 - len(self._coming)
            absent = [page for page in pages if not self._is_known(file.key(page))][: max(0, room)]
            for first in range(0, len(absent), _FETCH_AT_ONCE):
                self._start(file, absent[first : first + _FETCH_AT_ONCE])

    def _batch(self, file: RemoteFile, pages: range) -> dict[int, bytes]:
        """Return some pages, of which all may be in memory at once."""
        with self._lock:
            known = {page: self._kept(file.key(page)) for page in pages}
            coming = {page: self._coming.get(file.key(page)) for page in pages}
            absent = [page for page in pages if known[page] is None and coming[page] is None]
            started = self._start(file, absent) if absent else None
        found = {page: data for page, data in known.items() if data is not None}
        for page in pages:
            if page not in found:
                arrived = (coming[page] or started).result()  # type: ignore[union-attr]
                found[page] = arrived[file.key(page)]
        return found

    def _is_known(self, key: _Key) -> bool:
        return key in self._memory or key in self._coming or key in self._disk

    def _kept(self, key: _Key) -> bytes | None:
        data = self._memory.get(key)
        if data is not None:
            self._memory.move_to_end(key)
            return data
        return self._disk.read(key)

    def _start(self, file: RemoteFile, pages: Sequence[int]) -> Future[dict[_Key, bytes]]:
        """Fetch pages in a thread. The caller holds the lock."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="sercore-pages")
        future = self._pool.submit(self._arrive, file, pages)
        self._coming |= dict.fromkeys(map(file.key, pages), future)
        return future

    def _arrive(self, file: RemoteFile, pages: Sequence[int]) -> dict[_Key, bytes]:
        keys = [file.key(page) for page in pages]
        try:
            fetched = self._fetch(file.path, [file.span(page) for page in pages])
            # Copies: a view would keep all bytes of its request alive.
            arrived = {key: bytes(data) for key, data in zip(keys, fetched, strict=True)}
        except BaseException:
            self._keep(keys, {})
            raise
        self._keep(keys, arrived)
        return arrived

    def _keep(self, keys: Sequence[_Key], arrived: dict[_Key, bytes]) -> None:
        with self._lock:
            for key, data in arrived.items():
                self._disk.write(key, data)
                self._memory[key] = data
            while len(self._memory) > self._room:
                self._memory.popitem(last=False)
            for key in keys:
                self._coming.pop(key, None)


class _Disk:
    """Pages in a temporary file. The caller holds a lock.

    Args:
        most: bytes of the file; as many as leave some of the disk free, if None.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._file: int | None = None
        self._places: dict[_Key, tuple[int, int]] = {}
        self._is_full = most == 0 or not hasattr(os, "pwrite")  # Windows has none

    def __contains__(self, key: _Key) -> bool:
        return key in self._places

    def read(self, key: _Key) -> bytes | None:
        """Return a page; None if it is not in the file."""
        place = self._places.get(key)
        if place is None or self._file is None:
            return None
        slot, length = place
        return os.pread(self._file, length, slot * PAGE)

    def write(self, key: _Key, data: bytes) -> None:
        """Add a page, while there is room."""
        if self._is_full or key in self._places:
            return
        slot = len(self._places)
        if not self._has_room(slot):
            self._is_full = True
            return
        try:
            if self._file is None:
                self._file = self._make()
            written = os.pwrite(self._file, data, slot * PAGE)
        except OSError:  # the disk became full: the pages that it holds stay
            written = -1
        if written == len(data):
            self._places[key] = (slot, len(data))
        else:
            self._is_full = True

    def _make(self) -> int:
        descriptor, name = tempfile.mkstemp(prefix="sercore-pages-")
        weakref.finalize(self, os.close, descriptor)
        os.unlink(name)  # noqa: PTH108 - the system removes it when it is closed
        return descriptor

    def _has_room(self, slot: int) -> bool:
        if self._most is not None:
            return (slot + 1) * PAGE <= self._most
        return shutil.disk_usage(tempfile.gettempdir()).free > _KEEP_FREE


def _pages(start: int, length: int) -> range:
    return range(start // PAGE, (start + length + PAGE - 1) // PAGE) if length else range(0)
