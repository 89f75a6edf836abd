"""A corpus's files: listed once, opened by their path inside the corpus, never written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import BinaryIO

from sercore.corpora import Problem
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sercore.corpora import CorpusCard

_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "_desktop.ini", ".directory"})


@dataclass(frozen=True, slots=True, order=True)
class FileEntry:
    """One file of a corpus."""

    path: str
    """POSIX, relative to the corpus root."""
    size: int
    """Bytes."""


class CorpusFiles:
    """The files below one corpus folder.

    Args:
        root: the folder.
        ignore: glob patterns of files that the user wants left out of every check.

    Raises:
        CorpusMissingError: there is no such folder.
        CorpusError: the folder itself cannot be read.
    """

    def __init__(self, root: Path, ignore: Iterable[str] = ()) -> None:
        self.root = root
        self.ignore = tuple(ignore)
        if not root.is_dir():
            raise CorpusMissingError(f"there is no folder {root}")

    @cached_property
    def _listing(self) -> tuple[tuple[FileEntry, ...], tuple[Problem, ...]]:
        entries: list[FileEntry] = []
        problems: list[Problem] = []
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(self.root / folder) as children:
                    for child in children:
                        path = f"{folder}/{child.name}" if folder else child.name
                        if child.is_dir():
                            pending.append(path)
                        elif not _is_litter(child.name) and not self._is_ignored(path):
                            entries.append(FileEntry(path, child.stat().st_size))
            except OSError as error:
                if not folder:
                    raise CorpusError(
                        f"the folder {self.root} cannot be read: {error.strerror}",
                        hint="check its permissions",
                    ) from None
                problems.append(
                    Problem(
                        kind="unreadable",
                        where=folder,
                        message=f"the folder cannot be read: {error.strerror}",
                        hint="check its permissions",
                    )
                )
        return tuple(sorted(entries)), tuple(problems)

    def __iter__(self) -> Iterator[FileEntry]:
        """Iterate over all files, sorted by path; litter of operating systems is left out."""
        return iter(self._listing[0])

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Folders that could not be listed."""
        return self._listing[1]

    def locate(self, path: str) -> Path:
        """Return where a file lies on this disk, by its path inside the corpus."""
        return self.root / path

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading by its path inside the corpus."""
        return self.locate(path).open("rb")

    def read(self, path: str) -> bytes:
        """Return the bytes of a file by its path inside the corpus."""
        with self.open(path) as file:
            return file.read()

    def _is_ignored(self, path: str) -> bool:
        return any(Path(path).match(pattern) for pattern in self.ignore)


def find_corpus(card: CorpusCard, data: Path) -> Path | None:
    """Return the folder of a corpus below a data folder, by the usual names, or None.

    The data folder itself counts, so that ``--data`` may also name one corpus.
    """
    wanted = {name.casefold() for name in card.folders} | {card.id.casefold()}
    if data.name.casefold() in wanted:
        return data
    try:
        children = sorted(child for child in data.iterdir() if child.is_dir())
    except OSError:
        return None
    return next((child for child in children if child.name.casefold() in wanted), None)


def _is_litter(name: str) -> bool:
    return name.casefold() in _LITTER or name.startswith("._")
