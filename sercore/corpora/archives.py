"""Unpack the archives of corpora: once, safely, and completely or not at all.

Only regular files are written. A link inside an archive becomes a copy of its target. A member
whose name would leave the folder is an error, and so is an archive that unpacks to many times its
own size. Archives inside an archive are unpacked where they are and removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from gzip import BadGzipFile
from itertools import islice
from lzma import LZMAError
from pathlib import Path
from typing import IO
from typing import TYPE_CHECKING
from typing import cast

from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from sercore.storage.workspace import Workspace

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Suffixes of the archives that can be unpacked."""

FOREIGN_SUFFIXES = (".rar", ".7z", ".zst", ".lzma", ".iso", ".dmg", ".cab")
"""Suffixes of archives that a user must unpack."""

_INDEX_BYTES = 2**25
"""What is read of a compressed tar file to see what is in it: its index is all over the file."""

# Compressed speech keeps at least a tenth of its size; a hundredth is an archive bomb.
_LARGEST_RATIO = 100
_ALWAYS_ALLOWED = 2**30
_MOST_FILES = 2_000_000
_DEEPEST = 4

_COMPRESSIONS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_LFS_POINTER = b"version https://git-lfs"
_DRIVE = re.compile(r"[A-Za-z]:(/|$)")
_DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    BadGzipFile,
    EOFError,
    NotImplementedError,
)


@dataclass(slots=True)
class _Budget:
    """How many bytes and files one archive, with its inner archives, may still write."""

    archive: str
    bytes: int
    files: int = _MOST_FILES

    def spend(self, *, bytes: int = 0, files: int = 0) -> None:  # noqa: A002
        self.bytes -= bytes
        self.files -= files
        if self.bytes < 0 or self.files < 0:
            raise CorpusError(
                f"{self.archive} unpacks to more than {_LARGEST_RATIO} times its own size",
                hint="this is no archive of speech; download it again from the corpus's authors",
            )


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of an archive, or a link to one."""

    path: str
    size: int
    open: Callable[[], IO[bytes]]
    link: str | None = None
    """The target of the link, by its path in the archive; None for a file."""


def archive_stem(name: str) -> str | None:
    """Return a file name without its archive suffix, or None if it does not name an archive.

    >>> archive_stem("MELD.Raw.tar.gz")
    'MELD.Raw'
    """
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


@dataclass(frozen=True, slots=True)
class Index:
    """The names of the files in an archive."""

    paths: tuple[str, ...]
    is_complete: bool
    """Whether these are all: the index of a compressed tar file is read in part."""

    def shown_below(self, archive: str) -> Iterator[str]:
        """Yield the paths below which a corpus with this archive would list the files.

        Args:
            archive: the path of the archive in the corpus.
        """
        stem = archive_stem(archive) or archive
        top = f"{posixpath.basename(stem)}/".casefold()
        if self.paths and all(path.casefold().startswith(top) for path in self.paths):
            stem = posixpath.dirname(stem)
        yield from (posixpath.join(stem, path) for path in self.paths)


def index_of(archive: Path) -> Index:
    """Return the names of the files in an archive; nothing is unpacked.

    Raises:
        CorpusError: it is not an archive, or is damaged.
    """
    name = str(archive)
    with archive.open("rb") as file:
        is_compressed_tar = file.read(6).startswith(_COMPRESSIONS)
    if not is_compressed_tar:
        with _reading(name):
            return Index(tuple(member.path for member in _members(archive, name)), True)
    paths = []
    with archive.open("rb") as file:
        limited = _Limited(file, _INDEX_BYTES)
        try:
            with tarfile.open(fileobj=limited, mode="r|*", errors="surrogateescape") as content:
                paths += [_inside(info.name, name) for info in content if info.isreg()]
        except _DAMAGES as error:
            if not limited.is_spent:
                raise CorpusError(
                    f"{name} is damaged or incomplete: {error}", hint="download it again"
                ) from error
    return Index(tuple(paths), not limited.is_spent)


class _Limited(io.RawIOBase):
    """The beginning of a file."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._left = most

    @property
    def is_spent(self) -> bool:
        """Whether the end of the beginning was reached."""
        return self._left <= 0

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(block)
        return block


def unpack(archive: Path, workspace: Workspace, folder: str, *, skip: Iterable[str] = ()) -> Path:
    """Unpack an archive into a workspace, once.

    The name of the new folder contains a digest of the archive, so another version is unpacked
    again. An interrupted call leaves no folder that looks complete.

    Args:
        archive: a zip or tar file, compressed or not; archives inside it are unpacked too.
        workspace: the workspace; must be on this machine.
        folder: the folder in the workspace that gets the new one.
        skip: glob patterns of members to leave out.

    Returns:
        The folder that holds the members.

    Raises:
        CorpusMissingError: the archive does not exist.
        CorpusError: it is not an archive, is damaged, encrypted, or not safe to unpack.
        DiskFullError: no space left.
        WorkspaceError: the workspace cannot be written or is not on this machine.
    """
    patterns = tuple(skip)
    if not archive.is_file():
        raise CorpusMissingError(f"the archive {archive} does not exist")
    stem = archive_stem(archive.name) or archive.name
    target = f"{folder}/{stem}-{_identity(archive, patterns)[:12]}"
    place = Path(workspace.path(target))
    if place.is_dir():
        return place
    with workspace.new_folder(target, keep_existing=True) as filling:
        extract(archive, filling, skip=patterns)
    return place


def extract(archive: Path, folder: Path, *, skip: Iterable[str] = ()) -> None:
    """Unpack an archive into a folder that the caller removes on failure.

    Arguments and errors are those of `unpack`.
    """
    budget = _Budget(
        archive=str(archive),
        bytes=max(_ALWAYS_ALLOWED, _LARGEST_RATIO * archive.stat().st_size),
    )
    _unpack_into(archive, folder, str(archive), tuple(skip), budget, depth=1)


def is_beside(archive: Path, *, most: int = 64) -> bool:
    """Return whether the content of an archive already lies beside it.

    Args:
        archive: its members are looked up in its own folder and in the folder of its name.
        most: how many of its first members are compared, by path and size.

    Raises:
        CorpusError: it is not an archive, or is damaged.
    """
    stem = archive_stem(archive.name) or archive.name
    with _reading(str(archive)):
        members = [
            (member.path, member.size)
            for member in islice(_members(archive, str(archive)), most)
            if member.link is None
        ]
    return bool(members) and any(
        all(_has_size(folder / path, size) for path, size in members)
        for folder in (archive.parent, archive.parent / stem)
    )


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _identity(archive: Path, skip: tuple[str, ...]) -> str:
    """Return a digest of an archive's size, first and last megabyte."""
    digest = hashlib.sha256(repr(skip).encode())
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(str(size).encode())
        for start in (0, max(0, size - 2**20)):
            file.seek(start)
            digest.update(file.read(2**20))
    return digest.hexdigest()


def _unpack_into(
    archive: Path, folder: Path, name: str, skip: tuple[str, ...], budget: _Budget, depth: int
) -> None:
    links: list[_Member] = []
    inner: list[str] = []
    with _reading(name):
        for member in _members(archive, name):
            if any(fnmatch(member.path, pattern) for pattern in skip):
                continue
            if member.link is not None:
                links.append(member)
                continue
            _make_room(folder, member.size)
            with member.open() as source:
                _copy(source, folder / member.path, budget)
            if archive_stem(member.path) is not None:
                inner.append(member.path)
    for link in links:
        source_path = folder / cast("str", link.link)
        if not source_path.is_file():
            raise CorpusError(
                f"{name} holds a link, {link.path}, whose target is not in it",
                hint="unpack it yourself and name its folder",
            )
        with source_path.open("rb") as source:
            _copy(source, folder / link.path, budget)
    for path in inner:
        _unpack_inner(folder / path, f"{name}!{path}", skip, budget, depth + 1)


def _unpack_inner(
    archive: Path, name: str, skip: tuple[str, ...], budget: _Budget, depth: int
) -> None:
    if depth > _DEEPEST:
        raise CorpusError(
            f"{name} is nested in more than {_DEEPEST} archives",
            hint="unpack it yourself and name its folder",
        )
    stem = archive_stem(archive.name) or archive.name
    folder = archive.with_name(stem)
    if folder.exists():
        folder = archive.with_name(f"{archive.name}.unpacked")
    _unpack_into(archive, folder, name, skip, budget, depth)
    archive.unlink()
    children = list(folder.iterdir()) if folder.is_dir() else []
    if [child.name.casefold() for child in children] == [stem.casefold()]:
        # The archive contains the folder of its own name: it takes the place of the outer one.
        outer = folder.rename(folder.with_name(f"{folder.name}.outer"))
        (outer / children[0].name).rename(folder)
        outer.rmdir()


def _copy(source: IO[bytes], target: Path, budget: _Budget) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        out = target.open("wb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise CorpusError(
            f"{budget.archive} contains a file and a folder of the same name, {target.name}",
            hint="download it again from the corpus's authors",
        ) from error
    budget.spend(files=1)
    with out:
        while block := source.read(2**20):
            budget.spend(bytes=len(block))
            out.write(block)


def _make_room(folder: Path, size: int) -> None:
    if size > 2**26:  # small members fail soon enough on their own
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if shutil.disk_usage(existing).free < size:
            raise DiskFullError(
                f"there is no space left to unpack {size / 1e9:.1f} GB to {folder}",
                hint="free some space or choose another --workspace, then run again",
            )


def _members(archive: Path, name: str) -> Iterator[_Member]:
    with archive.open("rb") as file:
        head = file.read(512)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise CorpusError(
            f"{name} is a web page, not an archive",
            hint="the server sent a page to sign in or confirm; download it in a browser",
        )
    if archive.name.lower().endswith(FOREIGN_SUFFIXES):
        raise CorpusError(
            f"sercore cannot unpack {name}", hint="unpack it yourself and name its folder"
        )
    if head.startswith(_LFS_POINTER):
        raise CorpusError(
            f"{name} is a Git LFS pointer, not the archive itself",
            hint="run 'git lfs pull' in its folder, or download the archive",
        )
    # A tar file may end in a zip file, so the end alone does not identify a zip file.
    if head.startswith(b"PK") and zipfile.is_zipfile(archive):
        yield from _zip_members(archive, name)
    elif _is_tar(archive):
        yield from _tar_members(archive, name)
    else:
        raise CorpusError(
            f"{name} is neither a zip nor a tar archive, or its end is missing",
            hint="download it again",
        )


def _is_tar(archive: Path) -> bool:
    try:
        with tarfile.open(archive) as tar:
            tar.next()
    except _DAMAGES:
        return False
    return True


def _zip_members(archive: Path, name: str) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as content:
        for info in content.infolist():
            # Some programs for Windows write backslashes.
            path = _inside(info.filename.replace("\\", "/"), name)
            if info.is_dir() or not path:
                continue
            if info.flag_bits & 1:
                raise CorpusError(
                    f"{name} is encrypted", hint="unpack it yourself and name its folder"
                )
            link = None
            if stat.S_ISLNK(info.external_attr >> 16):
                link = _target(path, content.read(info).decode(errors="replace"), name)
            yield _Member(path, info.file_size, partial(content.open, info), link)


def _tar_members(archive: Path, name: str) -> Iterator[_Member]:
    with archive.open("rb") as file:
        is_compressed = file.read(6).startswith(_COMPRESSIONS)
    with tarfile.open(archive, errors="surrogateescape") as content:
        for info in content:
            path = _inside(info.name, name)
            if not path or not (info.isreg() or info.issym() or info.islnk()):
                continue
            link = None
            if info.issym():
                link = _target(path, info.linkname, name)
            elif info.islnk():
                link = _inside(info.linkname, name)
            yield _Member(path, info.size, partial(_open_member, content, info), link)
        if not is_compressed:  # decompressors report a truncated file themselves
            with archive.open("rb") as file:
                file.seek(content.offset)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError("its end is missing")


def _open_member(content: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast("IO[bytes]", content.extractfile(info))


def _target(path: str, link: str, name: str) -> str:
    """Return the target of a symbolic link, as a path in its archive."""
    if link.startswith("/"):
        raise _outside(link, name)
    return _inside(posixpath.normpath(posixpath.join(posixpath.dirname(path), link)), name)


def _inside(path: str, name: str) -> str:
    """Return a member's path without empty parts and dots.

    Raises:
        CorpusError: the path leaves the folder.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path or _DRIVE.match(path):
        raise _outside(path, name)
    return "/".join(parts)


def _outside(path: str, name: str) -> CorpusError:
    return CorpusError(
        f"{name} contains a path that leads outside its folder, {path!r}",
        hint="do not use it; download it again from the corpus's authors",
    )


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise CorpusError(
            f"{name} is damaged or incomplete: {error}", hint="download it again"
        ) from error
