"""Unpack the archives of corpora: once, safely, and completely or not at all.

Only regular files are written. A link inside an archive becomes a copy of its target. A member
whose name would leave the folder is an error, and so is an archive that unpacks to many times its
own size. Archives inside an archive are unpacked where they are and removed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO
from typing import TYPE_CHECKING
from typing import cast

from sercore.corpora.archive_members import Member
from sercore.corpora.archive_members import archive_stem
from sercore.corpora.archive_members import members_of
from sercore.corpora.archive_members import reading
from sercore.corpora.filled import filled_folder
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sercore.storage.workspace import Workspace

# Compressed speech keeps at least a tenth of its size; a hundredth is an archive bomb.
_LARGEST_RATIO = 100
_ALWAYS_ALLOWED = 2**30
_MOST_FILES = 2_000_000
_DEEPEST = 4


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


def unpack(archive: Path, workspace: Workspace, folder: str, *, skip: Iterable[str] = ()) -> Path:
    """Unpack an archive into a workspace, once.

    The name of the new folder contains a digest of the archive, so another version is unpacked
    again. An interrupted call leaves no folder that looks complete, and a folder that lost files
    is unpacked again.

    Args:
        archive: a zip or tar file, compressed or not; archives inside it are unpacked too.
        workspace: the workspace; where it is a store, a folder of this machine takes its place.
        folder: the folder in the workspace that gets the new one.
        skip: glob patterns of members to leave out.

    Returns:
        The folder that holds the members.

    Raises:
        CorpusMissingError: the archive does not exist.
        CorpusError: it is not an archive, is damaged, encrypted, or not safe to unpack.
        DiskFullError: no space left.
        WorkspaceError: the workspace cannot be written.
    """
    workspace = workspace.on_this_machine
    patterns = tuple(skip)
    if not archive.is_file():
        raise CorpusMissingError(f"the archive {archive} does not exist")
    stem = archive_stem(archive.name) or archive.name
    target = f"{folder}/{stem}-{_identity(archive, patterns)[:12]}"
    return filled_folder(workspace, target, partial(extract, archive, skip=patterns))


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
    with reading(str(archive)):
        members = [
            (member.path, member.size)
            for member in islice(members_of(archive, str(archive)), most)
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
    links: list[Member] = []
    inner: list[str] = []
    with reading(name):
        for member in members_of(archive, name):
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
