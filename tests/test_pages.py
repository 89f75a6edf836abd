"""Pages of remote files: fetched once, in bounded memory, whatever the disk does."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sercore.storage import pages
from sercore.storage.pages import PAGE
from sercore.storage.pages import PageCache
from sercore.storage.pages import RemoteFile

N_PAGES = 40
DATA = np.random.default_rng(0).bytes(N_PAGES * PAGE - 1234)
FILE = RemoteFile("s3://b/x", len(DATA), "v1")


class Store:
    """A store in memory that counts what is fetched."""

    def __init__(self):
        self.spans = []
        self.error = None
        self.gate = threading.Event()
        self.gate.set()

    def fetch(self, path, spans):
        assert path == FILE.path
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.spans += spans
        return [memoryview(DATA)[start : start + length] for start, length in spans]

    @property
    def n_bytes(self):
        return sum(length for _, length in self.spans)


@pytest.fixture
def store():
    return Store()


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (0, 0),
        (0, 1),
        (PAGE - 1, 2),
        (3 * PAGE, PAGE),
        (len(DATA) - 5, 5),
        (PAGE + 7, 20 * PAGE),
        (0, len(DATA)),
    ],
)
def test_any_span_is_read(store, start, length):
    cache = PageCache(store.fetch)

    assert cache.read(FILE, start, length) == DATA[start : start + length]
    assert store.n_bytes <= length + 2 * PAGE


def test_a_span_beyond_the_end_is_refused(store):
    with pytest.raises(OSError, match="has .* bytes, not"):
        PageCache(store.fetch).read(FILE, len(DATA) - 1, 2)


@pytest.mark.parametrize("memory", [2 * PAGE, 100 * PAGE], ids=["little", "much"])
def test_every_page_is_fetched_once_while_the_disk_has_room(store, memory):
    cache = PageCache(store.fetch, memory=memory)
    order = np.random.default_rng(1).integers(0, len(DATA) - 1000, 300)

    for start in order.tolist():
        assert cache.read(FILE, start, 1000) == DATA[start : start + 1000]

    assert store.n_bytes <= len(DATA)
    assert len(store.spans) == len(set(store.spans))


@pytest.mark.parametrize("disk", [0, 5 * PAGE], ids=["no disk", "little disk"])
def test_without_room_pages_are_fetched_again_and_memory_stays_bounded(store, disk):
    cache = PageCache(store.fetch, memory=4 * PAGE, disk=disk)

    for _ in range(2):
        assert cache.read(FILE, 0, len(DATA)) == DATA
        assert len(cache._memory) <= 4

    assert store.n_bytes >= 2 * len(DATA) - 10 * PAGE
    assert cache._disk._file is None or os.fstat(cache._disk._file).st_size <= 5 * PAGE


def test_a_disk_that_becomes_full_keeps_what_it_has(store, monkeypatch):
    written = []

    def pwrite(descriptor, data, at):
        written.append(at)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data, at)

    real = os.pwrite
    monkeypatch.setattr(pages.os, "pwrite", pwrite)
    cache = PageCache(store.fetch, memory=2 * PAGE)

    for _ in range(2):
        assert cache.read(FILE, 0, len(DATA)) == DATA

    assert len(written) == 4
    assert store.n_bytes >= 2 * len(DATA) - 8 * PAGE


def test_some_of_the_disk_stays_free_for_others(store, monkeypatch):
    monkeypatch.setattr(pages, "_KEEP_FREE", 1 << 62)
    cache = PageCache(store.fetch, memory=2 * PAGE)

    assert cache.read(FILE, 0, len(DATA)) == DATA

    assert cache._disk._file is None


def test_what_will_be_needed_is_fetched_in_advance_and_once(store):
    cache = PageCache(store.fetch)
    store.gate.clear()
    cache.will_need(FILE, [(0, 2 * PAGE), (PAGE, PAGE), (9 * PAGE, 5)])
    cache.will_need(FILE, [(0, PAGE)])

    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(cache.read, FILE, n * PAGE, 9) for n in (0, 1, 9, 1)]
        store.gate.set()
        for read, number in zip(reads, (0, 1, 9, 1), strict=True):
            assert read.result(10) == DATA[number * PAGE : number * PAGE + 9]

    assert sorted(start // PAGE for start, _ in store.spans) == [0, 1, 9]


def test_hints_never_fill_more_than_half_of_the_memory(store):
    cache = PageCache(store.fetch, memory=8 * PAGE, disk=0)
    store.gate.clear()

    cache.will_need(FILE, [(0, len(DATA))])
    assert len(cache._coming) == 4
    store.gate.set()
    cache.read(FILE, 0, 1)


def test_an_error_reaches_the_reader_and_is_not_remembered(store):
    cache = PageCache(store.fetch)
    store.error = OSError(errno.EIO, "away")
    with pytest.raises(OSError, match="away"):
        cache.read(FILE, 0, 10)
    cache.will_need(FILE, [(5 * PAGE, 1)])  # nobody hears of its error
    store.error = None

    assert cache.read(FILE, 0, 10) == DATA[:10]
    assert cache.read(FILE, 5 * PAGE, 10) == DATA[5 * PAGE : 5 * PAGE + 10]


def test_another_version_of_a_file_is_another_file(store):
    cache = PageCache(store.fetch)
    cache.read(FILE, 0, 10)

    cache.read(RemoteFile(FILE.path, FILE.n_bytes, "v2"), 0, 10)

    assert [start for start, _ in store.spans] == [0, 0]


def test_many_threads_read_the_right_bytes(store):
    cache = PageCache(store.fetch, memory=3 * PAGE)
    starts = np.random.default_rng(2).integers(0, len(DATA) - 3 * PAGE, 200).tolist()

    def read(start):
        cache.will_need(FILE, [(start, 2 * PAGE)])
        return cache.read(FILE, start, 3 * PAGE) == DATA[start : start + 3 * PAGE]

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(read, starts))
    assert store.n_bytes <= len(DATA)
