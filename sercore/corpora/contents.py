"""What the audio of a corpus is: the SHA-256 of the encoded bytes of each recording.

The workspace keeps the digest of each file with the file's size and times. A file is read again
only if its size, its modification time or its status-change time (ctime) differs. Programs can set
a modification time back, but not a ctime.

Where a Parquet file embeds recordings, the content of a recording is the digest of the bytes in its
row, so that a corrected label in the same file does not change the audio.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from sercore.corpora.tables import audio_column
from sercore.devices import available_processors
from sercore.errors import CorpusError
from sercore.errors import DamagedError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.storage.workspace import Workspace

UNREADABLE = "unreadable"
"""Content of a recording whose file cannot be read."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are read, and with all bytes that have to be read."""

Place = tuple[str, int | None]
"""Path of a file inside the corpus, and the row where the file embeds recordings."""

FileState = tuple[int, int, int]
"""Size in bytes, modification time and status-change time in nanoseconds."""

_FOLDER = "contents"
_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("place", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("ctime_ns", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
"""A row for each recording. `place` is the file's path on this disk where that is not below the
root, as for the content of an archive."""

_ROOT = b"root"

_SETTLED_NS = 2_000_000_000
"""A file that was written less than this before it was read is read again the next time: the times
of some file systems are no finer, so that a later write would leave no trace."""

_UNSETTLED = -1
_FILES_PER_TASK = 64
_BYTES_PER_TASK = 1 << 24


@dataclass(frozen=True, slots=True)
class _File:
    """What is known about one file."""

    place: Path
    state: FileState
    """Its state when it was read."""
    digests: dict[int | None, str]
    """Content by row."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of some recordings."""

    digests: list[str]
    """SHA-256 (hexadecimal) of each, or `UNREADABLE`."""
    settled: bool
    """Whether unchanged sizes and times prove from now on that the files did not change."""


def read_contents(files: CorpusFiles, places: Sequence[Place]) -> list[str]:
    """Return the content of recordings, all of which are read.

    Args:
        files: the corpus on disk.
        places: where the recordings are.
    """
    found = _read_files(_wanted(files, places), None, {})
    return [_digest_at(found, place) for place in places]


def contents_are_intact(corpus: str, files: CorpusFiles, workspace: Workspace) -> bool:
    """Return whether the stored digests of a corpus, if there are any, are those that were written.

    Args:
        corpus: id of the corpus.
        files: the corpus on disk.
        workspace: keeps the digests.
    """
    relative = f"{_FOLDER}/{corpus}/{_stem(files)}.parquet"
    try:
        if workspace.exists(relative):
            workspace.read_sealed(relative)
    except DamagedError:
        return False
    return True


def known_contents(
    corpus: str,
    files: CorpusFiles,
    places: Sequence[Place],
    workspace: Workspace,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Contents:
    """Return the content of recordings; only files that may have changed are read.

    Args:
        corpus: id of the corpus.
        files: the corpus on disk.
        places: where the recordings are.
        workspace: keeps the digests.
        progress: called with the bytes that are read; not called if nothing is read.
        note: given one sentence where stored digests were damaged.

    Raises:
        DiskFullError, WorkspaceError: the digests cannot be written.
    """
    relative = f"{_FOLDER}/{corpus}/{_stem(files)}.parquet"
    known: dict[str, _File] = {}
    try:
        if workspace.exists(relative):
            known = _from_table(workspace.read_table(relative))
    except DamagedError:
        if note is not None:
            note(f"the stored digests of {corpus} were damaged and its audio is read again")
    wanted = _wanted(files, places)
    changed = {path: file for path, file in wanted.items() if not _is_known(file, known.get(path))}
    found = {path: known[path] for path in wanted if path not in changed}
    try:
        _read_files(changed, progress, found)
    finally:
        # Digests computed before an interruption are stored, too.
        if changed:
            others = {path: file for path, file in known.items() if files.state(path)[0] >= 0}
            table = _to_table({**others, **found}, files.root)
            workspace.write_table(relative, table)
    settled = all(file.state[2] != _UNSETTLED for file in found.values())
    return Contents([_digest_at(found, place) for place in places], settled)


def changed_files(workspace: Workspace) -> Iterator[tuple[str, str, list[str]]]:
    """Compare all corpus files whose content is known with their digests; ignore file times.

    Yields:
        The corpus, its folder, and the paths of files that are gone or hold other bytes. Folders
        that are not on this machine now are left out.
    """
    for corpus in workspace.list(_FOLDER):
        for name in workspace.list(f"{_FOLDER}/{corpus}"):
            try:
                table = workspace.read_table(f"{_FOLDER}/{corpus}/{name}")
            except DamagedError:
                continue  # the next run reads the files again
            root = _root_of(table)
            if not root.is_dir():
                continue
            known = _from_table(table)
            now = _read_files(known, None, {})
            changed = [path for path in known if known[path].digests != now[path].digests]
            yield corpus, str(root), sorted(changed)


def _stem(files: CorpusFiles) -> str:
    return hashlib.sha256(os.fsencode(files.root.resolve())).hexdigest()[:16]


def _wanted(files: CorpusFiles, places: Iterable[Place]) -> dict[str, _File]:
    """Return the files that hold recordings, with the rows that are needed and no digests yet."""
    wanted: dict[str, _File] = {}
    for path, row in places:
        if path not in wanted:
            wanted[path] = _File(files.locate(path), files.state(path), {})
        wanted[path].digests[row] = UNREADABLE
    return wanted


def _is_known(file: _File, known: _File | None) -> bool:
    return (
        known is not None
        and known.state == file.state
        and known.place == file.place
        and file.digests.keys() <= known.digests.keys()
    )


def _digest_at(found: Mapping[str, _File], place: Place) -> str:
    path, row = place
    return found[path].digests.get(row, UNREADABLE)


def _read_files(
    wanted: Mapping[str, _File], progress: Progress | None, found: dict[str, _File]
) -> dict[str, _File]:
    """Read files in threads, the largest first, and add what they hold to `found`."""
    order = sorted(wanted, key=lambda path: -wanted[path].state[0])
    total, done = sum(file.state[0] for file in wanted.values()), 0
    now = time.time_ns()

    def read(paths: Sequence[str]) -> list[tuple[str, _File]]:
        return [(path, _read_file(wanted[path], now)) for path in paths]

    pool = ThreadPoolExecutor(available_processors(), thread_name_prefix="sercore-hash")
    try:
        tasks = [pool.submit(read, chunk) for chunk in _chunks(order, wanted)]
        if tasks and progress is not None:
            progress(0, total)
        for task in as_completed(tasks):
            found.update(task.result())
            done += sum(wanted[path].state[0] for path, _ in task.result())
            if progress is not None:
                progress(done, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found


def _chunks(order: Sequence[str], wanted: Mapping[str, _File]) -> list[list[str]]:
    """Cut files into tasks: many small ones together, a large one alone."""
    chunks: list[list[str]] = []
    n_bytes = 0
    for path in order:
        if not chunks or len(chunks[-1]) >= _FILES_PER_TASK or n_bytes > _BYTES_PER_TASK:
            chunks.append([])
            n_bytes = 0
        chunks[-1].append(path)
        n_bytes += wanted[path].state[0]
    return chunks


def _read_file(file: _File, now: int) -> _File:
    size, mtime, ctime = file.state
    try:
        if None in file.digests:
            with file.place.open("rb") as stream:
                digests: dict[int | None, str] = {
                    None: hashlib.file_digest(stream, "sha256").hexdigest()
                }
        else:
            digests = _embedded_digests(file.place)
    except (OSError, pa.ArrowException, CorpusError):
        # Extraction says what is wrong with it. Its times prove nothing: it is read again.
        unreadable = dict.fromkeys(file.digests, UNREADABLE)
        return _File(file.place, (size, mtime, _UNSETTLED), unreadable)
    settled = max(mtime, ctime) < now - _SETTLED_NS
    return _File(file.place, (size, mtime, ctime if settled else _UNSETTLED), digests)


def _embedded_digests(place: Path) -> dict[int | None, str]:
    import pyarrow.parquet as pq

    digests: dict[int | None, str] = {}
    with pq.ParquetFile(place) as parquet:
        audio = audio_column(parquet.schema_arrow, place.name)
        outer, _, inner = audio.partition(".")
        for batch in parquet.iter_batches(batch_size=32, columns=[audio]):
            held = batch.column(batch.schema.get_field_index(outer))
            for value in held.field(inner) if inner else held:
                data = value.as_buffer()
                digests[len(digests)] = hashlib.sha256(b"" if data is None else data).hexdigest()
    return digests


def _root_of(table: pa.Table) -> Path:
    return Path(os.fsdecode((table.schema.metadata or {}).get(_ROOT, b"/nowhere")))


def _from_table(table: pa.Table) -> dict[str, _File]:
    if not table.schema.equals(_SCHEMA):
        return {}
    root = _root_of(table)
    columns = [table.column(name).to_pylist() for name in _SCHEMA.names]
    known: dict[str, _File] = {}
    for path, place, row, size, mtime, ctime, digest in zip(*columns, strict=True):
        if path not in known:
            known[path] = _File(Path(place or root / path), (size, mtime, ctime), {})
        known[path].digests[row] = digest
    return known


def _to_table(known: Mapping[str, _File], root: Path) -> pa.Table:
    rows = [
        (path, None if file.place == root / path else str(file.place), row, *file.state, digest)
        for path, file in sorted(known.items())
        for row, digest in file.digests.items()
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA.names)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)]
    return pa.table(arrays, schema=_SCHEMA.with_metadata({_ROOT: os.fsencode(root)}))
