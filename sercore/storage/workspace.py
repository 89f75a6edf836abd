"""The one way to write: paths local or fsspec, whole-or-nothing files, digests, claims.

A reader of a workspace sees a file complete or not at all, whatever killed its writer: bytes go to
a temporary name beside the target, reach the disk, and are renamed. Whatever is left of a killed
writer carries the temporary mark and is swept at the next start.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import posixpath
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import BinaryIO
from typing import cast

from sercore.errors import DiskFullError
from sercore.errors import WorkspaceError

if TYPE_CHECKING:
    import fsspec
    import pyarrow as pa

_PARTIAL = ".partial-"


class Workspace:
    """A folder (or fsspec URL) that holds everything sercore writes.

    All paths given to methods are POSIX and relative to the root.

    Args:
        root: a local folder or an fsspec URL such as ``s3://bucket/prefix``; made on first write.
    """

    def __init__(self, root: str | Path) -> None:
        text = str(root)
        self.is_local = "://" not in text
        self.root = str(Path(text).expanduser().absolute()) if self.is_local else text.rstrip("/")

    def __repr__(self) -> str:
        return f"Workspace({self.root!r})"

    def path(self, relative: str) -> str:
        """Return the absolute path or URL of a file."""
        return posixpath.join(self.root, relative)

    def exists(self, relative: str) -> bool:
        """Return whether a whole file is there."""
        if self.is_local:
            return os.path.exists(self.path(relative))  # noqa: PTH110 - called once per part
        return bool(self._filesystem.exists(self.path(relative)))

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted, without partial files; empty if it is missing."""
        if self.is_local:
            try:
                names = os.listdir(self.path(folder))  # noqa: PTH208 - names are what is wanted
            except (FileNotFoundError, NotADirectoryError):
                return []
        else:
            try:
                found = self._filesystem.ls(self.path(folder), detail=False)
            except FileNotFoundError:
                return []
            names = [posixpath.basename(each.rstrip("/")) for each in found]
        return sorted(name for name in names if _PARTIAL not in name)

    @contextmanager
    def write(self, relative: str) -> Iterator[BinaryIO]:
        """Open a file for writing; it appears whole when the block ends well, else not at all.

        Raises:
            DiskFullError: no space left (or a file-size limit was hit).
            WorkspaceError: the file cannot be written for another reason.
        """
        target = self.path(relative)
        partial = f"{target}{_PARTIAL}{uuid.uuid4().hex}"
        try:
            if self.is_local:
                with _written_locally(partial, target) as file:
                    yield file
            else:
                self._filesystem.makedirs(posixpath.dirname(target), exist_ok=True)
                with self._filesystem.open(partial, "wb") as file:
                    yield cast("BinaryIO", file)
                self._filesystem.mv(partial, target)
        except OSError as error:
            raise write_error(target, error) from error

    def write_bytes(self, relative: str, data: bytes) -> None:
        """Write bytes as a whole file. Raises as `write` does."""
        with self.write(relative) as file:
            file.write(data)

    def write_json(self, relative: str, value: object) -> None:
        """Write a value as indented JSON with sorted keys. Raises as `write` does."""
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        self.write_bytes(relative, (text + "\n").encode())

    def write_table(self, relative: str, table: pa.Table) -> None:
        """Write a table as Parquet (zstd). Raises as `write` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.write(relative) as file:
                pq.write_table(table, file, compression="zstd")
        except pa.ArrowException as error:
            raise WorkspaceError(f"{self.path(relative)} cannot be written: {error}") from error

    def open(self, relative: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            WorkspaceError: it is missing or cannot be read.
        """
        try:
            if self.is_local:
                return open(self.path(relative), "rb")  # noqa: PTH123 - caller closes it
            return cast("BinaryIO", self._filesystem.open(self.path(relative), "rb"))
        except OSError as error:
            raise WorkspaceError(
                f"{self.path(relative)} cannot be read: {error.strerror or error}"
            ) from error

    def read_bytes(self, relative: str) -> bytes:
        """Return a file's bytes. Raises as `open` does."""
        with self.open(relative) as file:
            return file.read()

    def read_json(self, relative: str) -> Any:
        """Return a JSON file's value.

        Raises:
            WorkspaceError: it is missing, cannot be read, or is not JSON.
        """
        try:
            return json.loads(self.read_bytes(relative))
        except ValueError as error:
            raise WorkspaceError(
                f"{self.path(relative)} is not JSON: {error}", hint="delete it and run again"
            ) from error

    def read_table(self, relative: str) -> pa.Table:
        """Return a Parquet file's table.

        Raises:
            WorkspaceError: it is missing, cannot be read, or is not Parquet.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            # ParquetFile, not read_table: that one treats `key=value` folders as columns.
            return pq.ParquetFile(io.BytesIO(self.read_bytes(relative))).read()
        except pa.ArrowException as error:
            raise WorkspaceError(
                f"{self.path(relative)} is not a Parquet file: {error}",
                hint="delete it and run again",
            ) from error

    def digest(self, relative: str) -> str:
        """Return the SHA-256 (hexadecimal) of a file's bytes. Raises as `open` does."""
        with self.open(relative) as file:
            return hashlib.file_digest(cast("io.BytesIO", file), "sha256").hexdigest()

    @contextmanager
    def new_folder(self, relative: str) -> Iterator[Path]:
        """Fill a folder that appears whole when the block ends well, else not at all.

        Raises:
            WorkspaceError: the workspace is not on this machine, or cannot be written.
            DiskFullError: no space left.
        """
        if not self.is_local:
            raise WorkspaceError(
                f"{self.root} is not on this machine, so no folder can be unpacked there",
                hint="unpack it yourself and name its folder",
            )
        target = Path(self.path(relative))
        partial = target.with_name(f"{target.name}{_PARTIAL}{uuid.uuid4().hex}")
        try:
            partial.mkdir(parents=True)
            yield partial
            partial.rename(target)
        except OSError as error:
            raise write_error(str(target), error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def remove(self, relative: str) -> None:
        """Remove a file or folder; nothing happens if it is not there."""
        if not self.exists(relative):
            return
        if self.is_local and Path(self.path(relative)).is_dir():
            # Out of sight in one step: nobody sees a folder of which half is gone.
            partial = Path(f"{self.path(relative)}{_PARTIAL}{uuid.uuid4().hex}")
            Path(self.path(relative)).rename(partial)
            shutil.rmtree(partial, ignore_errors=True)
            return
        self._filesystem.rm(self.path(relative), recursive=True)

    def touch(self, relative: str) -> None:
        """Note that a file was used now; where that cannot be noted nothing happens."""
        if self.is_local:
            with suppress(OSError):  # a workspace may be readable only
                os.utime(self.path(relative))

    @contextmanager
    def claim(self, relative: str, what: str) -> Iterator[None]:
        """Hold a folder for this process; a killed process lets go of its claims.

        Args:
            relative: the folder.
            what: what it is called in the message.

        Raises:
            WorkspaceError: another process holds it.
        """
        if not self.is_local:
            yield
            return
        from filelock import FileLock
        from filelock import Timeout

        lock = self.path(f"{relative}/.claim")
        try:
            Path(lock).parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=0):
                self._sweep(relative)
                yield
        except Timeout:
            raise WorkspaceError(
                f"{what} is in use by another sercore process",
                hint="wait for it, or choose another name",
            ) from None
        except OSError as error:
            raise write_error(lock, error) from error

    def _sweep(self, relative: str) -> None:
        for partial in Path(self.path(relative)).rglob(f"*{_PARTIAL}*"):
            partial.unlink(missing_ok=True)

    @property
    def _filesystem(self) -> fsspec.AbstractFileSystem:
        import fsspec

        return fsspec.core.url_to_fs(self.root)[0]


@contextmanager
def _written_locally(partial: str, target: str) -> Iterator[BinaryIO]:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, "wb") as file:  # noqa: PTH123
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)  # noqa: PTH105
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def write_error(target: str, error: OSError) -> WorkspaceError:
    """Return what a failed write means to the user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFullError(
            f"there is no space left to write {target}",
            hint="free some space or choose another --workspace, then run again: "
            "what is done is kept",
        )
    return WorkspaceError(
        f"{target} cannot be written: {error.strerror or error}",
        hint="check its permissions or choose another --workspace",
    )
