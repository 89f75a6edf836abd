"""A corpus's files: listed once, opened by their path inside the corpus, never written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import BinaryIO

from sercore.corpora.archives import archive_stem
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable


_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "_desktop.ini", ".directory"})


@dataclass(frozen=True, slots=True, order=True)
class FileEntry:
    """One file of a corpus."""

    path: str
    """POSIX, relative to the corpus root."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class _Listing:
    sizes: dict[str, int]
    """Bytes by path in the corpus."""
    places: dict[str, str]
    """Place on this disk by path in the corpus."""
    times: dict[str, tuple[int, int]]
    """When the content and the status of each last changed, in nanoseconds."""
    problems: list[Problem]


class CorpusFiles:
    """The files below one corpus folder.

    Links to folders are followed, unless they lead back to a folder that holds them. A name whose
    bytes are not UTF-8 is shown with those bytes as Latin-1 letters.

    Args:
        root: the folder.
        ignore: glob patterns of files that the user wants left out of every check.
        unpacked: where the content of each archive inside the folder lies, by the archive's path
            in it: shown as if it had been unpacked there, into a folder of the archive's name
            without its suffix. None: its content lies beside it already. A problem: why it is
            not there.

    Raises:
        CorpusMissingError: there is no such folder.
        CorpusError: the folder itself cannot be read.
    """

    def __init__(
        self,
        root: Path,
        ignore: Iterable[str] = (),
        unpacked: Mapping[str, Path | Problem | None] | None = None,
    ) -> None:
        self.root = root
        self.ignore = tuple(ignore)
        self.unpacked = dict(unpacked or {})
        if not root.is_dir():
            raise CorpusMissingError(f"there is no folder {root}")

    @cached_property
    def _listing(self) -> _Listing:
        found = _Listing({}, {}, {}, [])
        self._list(self.root, "", found)
        return found

    def _list(self, root: Path, prefix: str, found: _Listing) -> None:
        """List everything below a folder; each path begins with `prefix`."""
        pending: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(root, prefix, frozenset())]
        while pending:
            folder, shown, above = pending.pop()
            try:
                facts = folder.stat()
                identity = (facts.st_dev, facts.st_ino)
                if identity in above:
                    continue
                inside = above | {identity}
                with os.scandir(folder) as children:
                    for child in children:
                        path = shown + _readable(child.name)
                        if child.is_dir():
                            pending.append((folder / child.name, f"{path}/", inside))
                        elif not (
                            _is_litter(child.name) or (self.ignore and self._is_ignored(path))
                        ):
                            self._add(child, path, found)
            except OSError as error:
                if folder == self.root:
                    raise CorpusError(
                        f"the folder {self.root} cannot be read: {error.strerror}",
                        hint="check its permissions",
                    ) from None
                found.problems.append(
                    Problem(
                        kind="unreadable",
                        where=shown.rstrip("/"),
                        message=f"the folder cannot be read: {error.strerror}",
                        hint="check its permissions",
                    )
                )

    def _add(self, child: os.DirEntry[str], path: str, found: _Listing) -> None:
        if path in self.unpacked:
            content = self.unpacked[path]
            if isinstance(content, Problem):
                found.problems.append(content)
            elif content is not None:
                self._list(content, f"{archive_stem(path)}/", found)
            return
        try:
            facts = child.stat()
        except OSError as error:
            what = "is a link that leads nowhere" if child.is_symlink() else "cannot be read"
            found.problems.append(
                Problem(
                    kind="unreadable",
                    where=path,
                    message=f"the file {what}: {error.strerror}",
                    hint="copy the corpus again",
                )
            )
        else:
            found.sizes[path] = facts.st_size
            found.times[path] = (facts.st_mtime_ns, facts.st_ctime_ns)
            found.places[path] = child.path

    def __iter__(self) -> Iterator[FileEntry]:
        """Iterate over all files, sorted by path; litter of operating systems is left out."""
        return iter(self._entries)

    @cached_property
    def _entries(self) -> tuple[FileEntry, ...]:
        return tuple(FileEntry(path, size) for path, size in sorted(self._listing.sizes.items()))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Folders and files that could not be listed."""
        return tuple(sorted(self._listing.problems, key=lambda problem: problem.where))

    def stamp(self) -> str:
        """Return a digest of all names, sizes and times, and of what could not be listed.

        It tells whether anything was written since, so that nothing need be read again. Being
        different on every copy of a corpus, it is part of no key.
        """
        listing = self._listing
        facts = [f"{path}\0{size}\0{listing.times[path]}" for path, size in listing.sizes.items()]
        facts += map(str, listing.problems)
        return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()

    def state(self, path: str) -> tuple[int, int, int]:
        """Return the size in bytes, and when content and status changed, in nanoseconds.

        A file that was not listed has the size -1.
        """
        listing = self._listing
        return (listing.sizes.get(path, -1), *listing.times.get(path, (0, 0)))

    def is_unchanged(self, path: str) -> bool:
        """Return whether a file still is as it was when the corpus was listed."""
        try:
            facts = self.locate(path).stat()
        except OSError:
            return False
        return (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns) == self.state(path)

    def locate(self, path: str) -> Path:
        """Return where a file lies on this disk, by its path inside the corpus."""
        place = self._listing.places.get(path)
        return self.root / path if place is None else Path(place)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading by its path inside the corpus."""
        return self.locate(path).open("rb")

    def read(self, path: str) -> bytes:
        """Return the bytes of a file by its path inside the corpus."""
        with self.open(path) as file:
            return file.read()

    def _is_ignored(self, path: str) -> bool:
        # Asked for every file of a corpus: an empty loop would be felt.
        return bool(self.ignore) and any(Path(path).match(each) for each in self.ignore)


def _readable(name: str) -> str:
    """Return a name whose undecodable bytes (PEP 383) are Latin-1 letters."""
    if name.isascii() or name.isprintable():
        return name
    return "".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in name)


def _is_litter(name: str) -> bool:
    return name[:2] == "._" or name.lower() in _LITTER
