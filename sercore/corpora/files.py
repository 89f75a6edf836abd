"""The files of a corpus: listed once and opened by their path inside the corpus."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import unicodedata
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import BinaryIO

from sercore.corpora.archive_members import archive_stem
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable


# Written by operating systems, file browsers, notebooks, NAS boxes and download tools.
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "_desktop.ini", ".directory"})
_LITTER_FOLDERS = frozenset(
    {
        "__macosx",
        "@eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        ".ipynb_checkpoints",
        "__pycache__",
        ".cache",
        ".git",
        ".svn",
        ".hg",
        ".dvc",
        ".thumbnails",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class FileEntry:
    """One file of a corpus."""

    path: str
    """POSIX, relative to the corpus root."""
    size: int
    """Bytes."""


@dataclass(slots=True)
class _Listing:
    """The result of listing a folder."""

    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes by path in the corpus."""
    places: dict[str, str] = field(default_factory=dict)
    """Place on this disk by path in the corpus."""
    times: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Times of the last change of content and of status in nanoseconds, by path in the corpus."""
    problems: list[Problem] = field(default_factory=list)
    visited: set[tuple[int, int]] = field(default_factory=set)
    """Device and inode of every listed folder: a folder is listed once, through any link."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Links to folders (place, path in the corpus), followed after the folders themselves."""


class CorpusFiles:
    """The files below one corpus folder.

    Links to folders are followed; a folder is listed once, even if several links lead to it. Only
    regular files are listed. Names are in Unicode's composed form (NFC), and bytes of a name that
    are not UTF-8 are shown as Latin-1 letters.

    Args:
        root: the folder.
        ignore: glob patterns of files to leave out.
        unpacked: the content of each archive inside the folder, by the archive's path: the folder
            with its content, which is listed in place of the archive; None if the content lies
            beside the archive; a problem if it cannot be unpacked.
        aliases: native labels by another spelling that this copy uses.
        ignored_labels: native labels whose utterances are left out.
        folders: the only folders that are listed, without their subfolders, as paths in the corpus
            without case; None: all folders. The corpus's own folder is always listed.

    Raises:
        CorpusMissingError: the folder does not exist.
        CorpusError: the folder itself cannot be read.
    """

    def __init__(
        self,
        root: Path,
        ignore: Iterable[str] = (),
        unpacked: Mapping[str, Path | Problem | None] | None = None,
        *,
        aliases: Mapping[str, str] | None = None,
        ignored_labels: Iterable[str] = (),
        folders: Iterable[str] | None = None,
    ) -> None:
        self.root = root
        self.ignore = tuple(ignore)
        self.unpacked = dict(unpacked or {})
        self.aliases = dict(aliases or {})
        self.ignored_labels = frozenset(ignored_labels)
        self._folders = None if folders is None else frozenset(folders)
        if not root.is_dir():
            raise CorpusMissingError(f"the folder {root} does not exist")

    @cached_property
    def _listing(self) -> _Listing:
        found = _Listing()
        self._list(str(self.root), "", found)
        return found

    def _list(self, root: str, prefix: str, found: _Listing) -> None:
        """List everything below a folder; every path begins with `prefix`."""
        self._list_tree(root, prefix, found)
        while found.links:
            found.links.sort(key=lambda link: link[1], reverse=True)
            place, path = found.links.pop()
            self._list_tree(place, f"{path}/", found)

    def _list_tree(self, root: str, prefix: str, found: _Listing) -> None:
        """List a folder and its subfolders, without following links to folders."""
        pending = [(root, prefix)]
        while pending:
            folder, shown = pending.pop()
            try:
                facts = Path(folder).stat()
                if (facts.st_dev, facts.st_ino) in found.visited:
                    continue
                found.visited.add((facts.st_dev, facts.st_ino))
                with os.scandir(folder) as children:
                    entries = list(children)
            except OSError as error:
                self._add_unreadable_folder(folder, shown, error, found)
                continue
            for child in entries:
                path = shown + _readable(child.name)
                if child.is_dir(follow_symlinks=False):
                    if self._is_listed(child.name, path):
                        pending.append((child.path, f"{path}/"))
                elif not (_is_litter(child.name) or self._is_ignored(path)):
                    self._add(child, path, found)

    def _add_unreadable_folder(
        self, folder: str, shown: str, error: OSError, found: _Listing
    ) -> None:
        if folder == str(self.root):
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
        """List one child of a folder that is not itself a folder."""
        if path in self.unpacked:
            content = self.unpacked[path]
            if isinstance(content, Problem):
                found.problems.append(content)
            elif content is not None:
                self._list(str(content), content_prefix(path, content), found)
            return
        try:
            facts = child.stat()
        except OSError as error:
            what = "is a broken link" if child.is_symlink() else "cannot be read"
            found.problems.append(
                Problem(
                    kind="unreadable",
                    where=path,
                    message=f"the file {what}: {error.strerror}",
                    hint="copy it again, or remove it if it is not part of the corpus",
                )
            )
            return
        if stat.S_ISDIR(facts.st_mode):
            if self._is_listed(child.name, path):
                found.links.append((child.path, path))
        elif not stat.S_ISREG(facts.st_mode):
            found.problems.append(
                Problem(
                    kind="skipped",
                    where=path,
                    message="it is a pipe, socket or device, not a file, and was skipped",
                )
            )
        elif path in found.sizes:
            found.problems.append(_same_name(path))
        else:
            found.sizes[path] = facts.st_size
            found.times[path] = (facts.st_mtime_ns, facts.st_ctime_ns)
            found.places[path] = child.path

    def __iter__(self) -> Iterator[FileEntry]:
        """Iterate over all files, sorted by path, without the litter of operating systems."""
        return iter(self._entries)

    @cached_property
    def _entries(self) -> tuple[FileEntry, ...]:
        return tuple(FileEntry(path, size) for path, size in sorted(self._listing.sizes.items()))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Folders and files that could not be listed, sorted by path."""
        return tuple(sorted(self._listing.problems, key=lambda problem: problem.where))

    def stamp(self) -> str:
        """Return a digest of all names, sizes, times and problems, and of the user's settings.

        An equal stamp means that nothing was written since. It differs between copies of a
        corpus, so it is part of no key.
        """
        listing = self._listing
        facts = [f"{path}\0{size}\0{listing.times[path]}" for path, size in listing.sizes.items()]
        facts += map(str, listing.problems)
        facts += [f"alias {name} {native}" for name, native in self.aliases.items()]
        facts += [f"ignored {name}" for name in self.ignored_labels]
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
        """Return the place of a file on this disk, by its path inside the corpus."""
        place = self._listing.places.get(path)
        return self.root / path if place is None else Path(place)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading by its path inside the corpus."""
        return self.locate(path).open("rb")

    def read(self, path: str) -> bytes:
        """Return the bytes of a file by its path inside the corpus."""
        with self.open(path) as file:
            return file.read()

    def _is_listed(self, name: str, path: str) -> bool:
        """Return whether a folder is listed, by its name and by its path in the corpus."""
        if self._folders is not None:
            return path.casefold() in self._folders
        return not is_litter_folder(name)

    def _is_ignored(self, path: str) -> bool:
        # Called for every file of a corpus, so the usual case must be fast.
        return bool(self.ignore) and any(Path(path).match(pattern) for pattern in self.ignore)


def content_prefix(archive: str, content: Path) -> str:
    """Return the path in the corpus below which the content of an archive is listed.

    That is a folder of the archive's name without its suffix. If the archive contains only this
    folder, the content is listed beside the archive, so that the folder is not doubled.
    """
    stem = archive_stem(archive) or archive
    children = [child.name for child in content.iterdir() if not _is_litter(child.name)]
    if [name.casefold() for name in children] == [posixpath.basename(stem).casefold()]:
        parent = posixpath.dirname(archive)
        return f"{parent}/" if parent else ""
    return f"{stem}/"


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC); macOS writes decomposed names."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _same_name(path: str) -> Problem:
    return Problem(
        kind="duplicate-file",
        where=path,
        message="two files have this name, and only one of them is read",
        hint="compare the two and remove one",
    )


def _readable(name: str) -> str:
    """Return a name in composed form whose undecodable bytes (PEP 383) are Latin-1 letters."""
    if name.isascii():
        return name
    if not name.isprintable():
        name = "".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in name)
    return composed(name)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_litter_folder(name: str) -> bool:
    """Return whether a folder belongs to an operating system or a tool, not to a corpus."""
    return name.lower() in _LITTER_FOLDERS


def _is_litter(name: str) -> bool:
    return name[:2] == "._" or name.lower() in _LITTER
