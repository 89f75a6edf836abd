"""Read the members of zip and tar files: their names, links and bytes; nothing is written."""

from __future__ import annotations

import io
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import IO
from typing import cast

from sercore.errors import CorpusError

SUFFIXES = (".tar.bz2", ".tar.gz", ".tar.xz", ".zip", ".tar", ".tgz")
"""Suffixes of the archives that can be unpacked, the longest first."""

_LONGEST = max(map(len, SUFFIXES))

FOREIGN_SUFFIXES = (".rar", ".7z", ".zst", ".lzma", ".iso", ".dmg", ".cab")
"""Suffixes of archives that a user must unpack."""

_INDEX_BYTES = 2**25
"""What is read of a compressed tar file to see what is in it: its index is all over the file."""

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


@dataclass(frozen=True, slots=True)
class Member:
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
    # Called for every file below a data folder, so the usual case must be fast.
    end = name[-_LONGEST:].lower()
    if not end.endswith(SUFFIXES):
        return None
    for suffix in SUFFIXES:
        if end.endswith(suffix) and len(name) > len(suffix):
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
        with reading(name):
            return Index(tuple(member.path for member in members_of(archive, name)), True)
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


def members_of(archive: Path, name: str) -> Iterator[Member]:
    """Yield the files and links in an archive, in their order.

    Args:
        archive: the zip or tar file.
        name: its name in messages.

    Raises:
        CorpusError: it is not an archive that sercore reads, is encrypted, or has a member
            outside its folder.
    """
    with archive.open("rb") as file:
        head = file.read(512)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise CorpusError(
            f"{name} is a web page, not an archive",
            hint="the server sent a page to sign in or confirm; download it in a browser",
        )
    if archive.name.lower().endswith(FOREIGN_SUFFIXES):
        raise CorpusError(
            f"sercore cannot unpack {archive.suffix.lower()} archives such as {name}",
            hint="unpack it yourself into the folder of the corpus",
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


def _zip_members(archive: Path, name: str) -> Iterator[Member]:
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
            yield Member(path, info.file_size, partial(content.open, info), link)


def _tar_members(archive: Path, name: str) -> Iterator[Member]:
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
            yield Member(path, info.size, partial(_open_member, content, info), link)
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
def reading(name: str) -> Iterator[None]:
    """Turn the errors of a damaged archive into a CorpusError with its name."""
    try:
        yield
    except _DAMAGES as error:
        raise CorpusError(
            f"{name} is damaged or incomplete: {error}", hint="download it again"
        ) from error
