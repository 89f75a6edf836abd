"""The one way to write results: a folder or object store with whole, sealed and leased files.

A reader of a workspace sees a complete file or no file, even if its writer was killed, and never
reads a damaged JSON or Parquet file: those carry a digest (see `sercore.storage.seals`).
"""

from __future__ import annotations

import errno
import hashlib
import io
import posixpath
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import BinaryIO
from typing import cast

from sercore.errors import DamagedError
from sercore.errors import DiskFullError
from sercore.errors import InUseError
from sercore.errors import SercoreError
from sercore.errors import StoreUnavailableError
from sercore.errors import WorkspaceError
from sercore.storage import leases
from sercore.storage import seals
from sercore.storage import temporary
from sercore.storage.lease_files import LocalLeaseFiles
from sercore.storage.lease_files import RemoteLeaseFiles
from sercore.storage.local_files import LocalFiles
from sercore.storage.names import check_relative
from sercore.storage.object_store import StoreError
from sercore.storage.object_store import check_url
from sercore.storage.pages import RemoteFile
from sercore.storage.remote_files import RemoteFiles

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.storage.lease_files import LeaseFiles
    from sercore.storage.local_files import FileFacts
    from sercore.storage.pages import PageCache
    from sercore.storage.zip_files import ZipFiles

_HIDDEN = {temporary.FOLDER, leases.FOLDER}


class Workspace:
    """A folder or object store that holds everything sercore writes.

    All paths given to methods are POSIX and relative to the root; a path that leads out of it is
    refused with a WorkspaceError.

    Args:
        root: a folder, made on the first write, or the URL of an object store, such as
            ``s3://bucket/prefix``.
        files: the files of the root, where it is neither a folder nor a URL; they are only read.

    Raises:
        SettingsError: the URL names no supported store.
    """

    def __init__(self, root: str | Path, files: ZipFiles | None = None) -> None:
        text = str(root)
        self.is_local = "://" not in text
        self.root = str(Path(text).expanduser().absolute()) if self.is_local else text.rstrip("/")
        self._files: LocalFiles | RemoteFiles | ZipFiles
        kept: LeaseFiles
        folder = f"{self.root}/{leases.FOLDER}"
        if self.is_local:
            local = LocalFiles(self.root)
            self._files = files or local
            kept = LocalLeaseFiles(local, folder)
        else:
            check_url(self.root)
            remote = RemoteFiles(self.root)
            self._files = remote
            kept = RemoteLeaseFiles(remote, folder)
        self._leases = leases.Leases(kept, partial(write_error, folder))
        self._is_swept = False

    def __repr__(self) -> str:
        return f"Workspace({self.root!r})"

    def path(self, relative: str) -> str:
        """Return the absolute path or URL of a file.

        Raises:
            WorkspaceError: the path leads out of the workspace.
        """
        return posixpath.join(self.root, check_relative(relative))

    @property
    def on_this_machine(self) -> Workspace:
        """The workspace, or a folder of this machine that takes its place for unpacked corpora.

        Recordings are read by libraries that need files, and can always be unpacked again.
        """
        if self.is_local:
            return self
        from platformdirs import user_cache_path

        name = hashlib.sha256(self.root.encode()).hexdigest()[:16]
        return Workspace(user_cache_path("sercore", appauthor=False) / "unpacked" / name)

    def exists(self, relative: str) -> bool:
        """Return whether a whole file or folder is there.

        Raises:
            WorkspaceError: the store does not answer.
        """
        with _blaming_read(self.path(relative)):
            return self._files.exists(self.path(relative))

    def facts(self, relative: str) -> FileFacts | None:
        """Return size, time and version of a file; None if it is missing. Raises as `exists`."""
        with _blaming_read(self.path(relative)):
            return self._files.facts(self.path(relative))

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; empty if it is missing. Raises as `exists`."""
        with _blaming_read(self.path(folder)):
            return sorted(set(self._files.list(self.path(folder))) - _HIDDEN)

    def walk(self, folder: str) -> Sequence[tuple[str, int]]:
        """Return path (relative to the folder) and bytes of all files below a folder, sorted.

        Raises as `exists`.
        """
        with _blaming_read(self.path(folder)):
            return sorted(self._files.walk(self.path(folder)))

    @contextmanager
    def write(self, relative: str) -> Iterator[BinaryIO]:
        """Open a file for writing; it appears whole when the block ends well, else not at all.

        The file is on the disk when the block has ended, and survives a power failure.

        Raises:
            DiskFullError: no space left (or a file-size limit was hit).
            WorkspaceError: the file cannot be written for another reason.
        """
        target = self.path(relative)
        with _blaming(target):
            self._sweep_once()
            with self._files.write(target) as file:
                yield file

    def write_bytes(self, relative: str, data: bytes) -> None:
        """Write bytes as a whole file. Raises as `write` does."""
        with self.write(relative) as file:
            file.write(data)

    def write_sealed(self, relative: str, data: bytes) -> None:
        """Write a file whose metadata hold `seals.BLANK_SEAL`, with its digest filled in.

        Raises:
            ValueError: the bytes do not hold the blank seal exactly once.
            WorkspaceError: the file cannot be written.
        """
        self.write_bytes(relative, seals.sealed(data))

    def write_json(self, relative: str, value: Mapping[str, Any]) -> None:
        """Write an object as indented JSON with sorted keys and a seal. Raises as `write` does."""
        self.write_bytes(relative, seals.sealed_json(value))

    def write_table(self, relative: str, table: pa.Table) -> None:
        """Write a table as Parquet (zstd) with a seal. Raises as `write` does."""
        import pyarrow as pa

        try:
            data = seals.sealed_parquet(table)
        except pa.ArrowException as error:
            raise WorkspaceError(f"{self.path(relative)} cannot be written: {error}") from error
        self.write_bytes(relative, data)

    def open(self, relative: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            WorkspaceError: it is missing or cannot be read.
        """
        with _blaming_read(self.path(relative)):
            return self._files.open(self.path(relative))

    def read_bytes(self, relative: str) -> bytes:
        """Return a file's bytes. Raises as `open` does."""
        with _blaming_read(self.path(relative)):
            return self._files.read(self.path(relative))

    def remote_file(self, relative: str) -> RemoteFile:
        """Return a file of an object store, of which `pages` reads parts.

        Raises:
            WorkspaceError: it is missing, or the store does not answer.
        """
        facts = self.facts(relative)
        if facts is None:
            raise WorkspaceError(f"{self.path(relative)} cannot be read: it is missing")
        return RemoteFile(self.path(relative), facts.n_bytes, facts.version)

    @property
    def pages(self) -> PageCache:
        """The pages of remote files."""
        assert isinstance(self._files, RemoteFiles)
        return self._files.pages

    def read_sealed(self, relative: str) -> bytes:
        """Return the bytes of a file with a seal.

        Raises:
            DamagedError: the bytes are not those that were written.
            WorkspaceError: it is missing or cannot be read.
        """
        data = self.read_bytes(relative)
        damage = seals.damage(data)
        if damage:
            raise DamagedError(
                f"{self.path(relative)} is damaged: {damage}", hint="delete it and run again"
            )
        return data

    def damage(self, relative: str) -> str | None:
        """Return why a file with a seal cannot be used, in one sentence; None if it is intact.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        try:
            self.read_sealed(relative)
        except WorkspaceError as error:
            return error.message
        return None

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value without its seal. Raises as `read_sealed` does."""
        return seals.opened_json(self.read_sealed(relative))

    def read_table(self, relative: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a Parquet file's table without its seal. Raises as `read_sealed` does.

        Args:
            relative: the file.
            columns: the columns to decode; all if None.
        """
        import pyarrow.parquet as pq

        # ParquetFile, not read_table: that one treats `key=value` folders as columns.
        table = pq.ParquetFile(io.BytesIO(self.read_sealed(relative))).read(columns)
        metadata = dict(table.schema.metadata or {})
        metadata.pop(seals.KEY.encode(), None)
        return table.replace_schema_metadata(metadata or None)

    def digest(self, relative: str) -> str:
        """Return the SHA-256 (hexadecimal) of a file's bytes. Raises as `open` does."""
        with _blaming_read(self.path(relative)), self.open(relative) as file:
            return hashlib.file_digest(cast("io.BytesIO", file), "sha256").hexdigest()

    @contextmanager
    def new_folder(self, relative: str, *, keep_existing: bool = False) -> Iterator[Path]:
        """Fill a folder that appears whole when the block ends well, else not at all.

        Args:
            relative: the folder.
            keep_existing: keep the folder of another process that was faster and drop this one;
                for folders whose name says their content.

        Raises:
            WorkspaceError: the workspace is not on this machine, or cannot be written, or the
                folder is there already.
            DiskFullError: no space left.
        """
        if not isinstance(self._files, LocalFiles):
            raise WorkspaceError(
                f"{self.root} is not on this machine, so no folder can be unpacked there",
                hint="unpack it yourself and name its folder",
            )
        target = self.path(relative)
        with _blaming(target):
            self._sweep_once()
            with self._files.new_folder(target, keep_existing=keep_existing) as folder:
                yield folder

    def remove(self, relative: str) -> None:
        """Remove a file or folder; nothing happens if it is missing.

        A local folder disappears in one step, even if the process is killed.

        Raises:
            WorkspaceError: it cannot be removed.
        """
        if self.is_local and not self.exists(relative):  # a missing folder makes no `.tmp`
            return
        with _blaming(self.path(relative)):
            self._sweep_once()
            self._files.remove(self.path(relative))

    def touch(self, relative: str) -> None:
        """Note that a file was used now; where that cannot be noted nothing happens."""
        with suppress(OSError):  # a workspace may be readable only
            self._files.touch(self.path(relative))

    def sweep(self, *, longest_life: float = temporary.LONGEST_LIFE) -> int:
        """Remove what killed writers left behind, and return how many files and folders that was.

        Only the workspace's folders of temporary files and leases are looked at, and only names
        that sercore made. The first write, removal or new folder of a `Workspace` calls this.

        Args:
            longest_life: seconds that a temporary file may live if its writer cannot be seen from
                this machine.

        Raises:
            WorkspaceError: the workspace cannot be written.
        """
        self._is_swept = True
        with _blaming(self.root):
            return self._leases.sweep() + self._files.sweep(longest_life)

    def lease(
        self,
        key: str,
        what: str,
        *,
        wait: Callable[[str], None] | None = None,
        timeout: float | None = None,
        time_to_live: float = leases.TIME_TO_LIVE,
    ) -> AbstractContextManager[leases.Lease]:
        """Hold a lease, after waiting for its holder. See `sercore.storage.leases.Leases.hold`."""
        self._sweep_once()
        return self._leases.hold(key, what, wait=wait, timeout=timeout, time_to_live=time_to_live)

    def try_lease(
        self, key: str, *, time_to_live: float = leases.TIME_TO_LIVE
    ) -> AbstractContextManager[leases.Lease | None]:
        """Hold a lease if it is free; the block gets None if it is not.

        Raises:
            WorkspaceError: the lease cannot be written.
        """
        self._sweep_once()
        return self._leases.try_hold(key, time_to_live=time_to_live)

    def lease_holder(self, key: str) -> leases.Holder | None:
        """Return who holds a lease; None if it is free. Writes and locks nothing."""
        return self._leases.holder(key)

    def leases(self) -> Sequence[leases.Holder]:
        """Return who holds leases now, by key. Writes and locks nothing."""
        return self._leases.held()

    def is_leased(self, key: str) -> bool:
        """Return whether a running process holds a lease. Writes and locks nothing."""
        return self.lease_holder(key) is not None

    @contextmanager
    def claim(self, relative: str, what: str) -> Iterator[None]:
        """Hold the lease of a folder, without waiting.

        Args:
            relative: the folder.
            what: what it is called in the message.

        Raises:
            InUseError: another process holds it.
            WorkspaceError: the lease cannot be written.
        """
        with self.try_lease(relative) as lease:
            if lease is None:
                raise InUseError(
                    f"{what} is in use by another sercore process",
                    hint="wait for it, or choose another name",
                )
            yield

    def _sweep_once(self) -> None:
        if not self._is_swept:
            self.sweep()


@contextmanager
def _blaming(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(target, error) from error


@contextmanager
def _blaming_read(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise read_error(target, error) from error


def read_error(target: str, error: OSError) -> SercoreError:
    """Return what a failed read means to the user."""
    if isinstance(error, StoreError):
        return StoreUnavailableError(f"{target} cannot be read: {error.strerror}", hint=error.hint)
    return WorkspaceError(f"{target} cannot be read: {error.strerror or error}")


def write_error(target: str, error: OSError) -> SercoreError:
    """Return what a failed write means to the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFullError(
            f"there is no space left to write {target}",
            hint="free some space or choose another --workspace, then run again: "
            "what is done is kept",
        )
    if isinstance(error, StoreError):
        return StoreUnavailableError(
            f"{target} cannot be written: {error.strerror}", hint=error.hint
        )
    return WorkspaceError(
        f"{target} cannot be written: {error.strerror or error}",
        hint="check its permissions or choose another --workspace",
    )
