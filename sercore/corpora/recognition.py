"""Recognize corpora by the names of their files, whatever their folders are called.

Folders are listed, and the indexes of archives and the names in Parquet files are read; no audio is
opened.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore.corpora.archive_members import archive_stem
from sercore.corpora.archive_members import index_of
from sercore.corpora.files import composed
from sercore.corpora.files import is_folder
from sercore.corpora.files import is_litter_folder
from sercore.corpora.interface import NamedCorpus
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.corpora.tables import embedded_names
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus

LEVELS = 3
"""How many levels below a data folder a corpus may be."""
_SAMPLE = 4
"""Names of a folder that decide whether all of its names are compared with a corpus."""
_LEAST_SHARE = 0.1
"""Share of a complete copy below which a folder is not reported."""
_MAIN_SHARE = 0.9
"""Share of the utterances of a folder in one subfolder that makes the subfolder the place."""
_SEVERAL_COPIES = 1.2

_PARQUET = ".parquet"

Node = tuple[str, ...]
"""A folder or archive, by its path parts below the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A folder or archive whose file names fit a corpus."""

    corpus: str
    place: Path
    names: int
    """Utterances of the corpus that the names identify."""


@dataclass(slots=True)
class _Hits:
    """The utterances of one corpus that were found below a data folder."""

    by_node: dict[Node, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of utterances at and below every folder."""
    children: dict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))
    paths: set[str] = field(default_factory=set)

    def add(self, root: Node, path: str, name: str) -> None:
        self.paths.add(path)
        for level in range(min(len(root), LEVELS) + 1):
            self.by_node[root[:level]].add(name)
            if level:
                self.children[root[: level - 1]].add(root[:level])


def recognize(
    data: Path, corpora: Iterable[Corpus], known: Iterable[Path] = ()
) -> tuple[Candidate, ...]:
    """Return the folders and archives below a data folder whose names fit a corpus.

    Args:
        data: the data folder.
        corpora: the corpora to look for; those that cannot be recognized by names are skipped.
        known: folders of corpora that were found already; they are not listed again.
    """
    named = [corpus for corpus in corpora if isinstance(corpus, NamedCorpus)]
    hits = {corpus.card.id: _Hits() for corpus in named}
    top = data.resolve().name
    for parts, paths in _folders(data, known):
        shown = [composed(f"{top}/{path}") for path in paths]
        for corpus in named:
            if _embeds(shown) and not corpus.reads(shown[0].partition("!")[0]):
                continue
            if any(corpus.identify(path) is not None for path in _sample(shown)):
                for path in shown:
                    name = corpus.identify(path)
                    if name is not None:
                        hits[corpus.card.id].add(_root(parts, path, name), path, name)
    candidates = [
        Candidate(corpus=corpus.card.id, place=data.joinpath(*node), names=names)
        for corpus in named
        for node, names in _places(corpus, data, hits[corpus.card.id])
    ]
    # Some corpora have plain numbers as names, which also occur in others.
    return tuple(
        one
        for one in candidates
        if not any(
            two.names > one.names
            and len(hits[one.corpus].paths & hits[two.corpus].paths)
            >= _MAIN_SHARE * len(hits[one.corpus].paths)
            for two in candidates
        )
    )


def _places(corpus: NamedCorpus, data: Path, hits: _Hits) -> Iterator[tuple[Node, int]]:
    """Yield the places of the copies of a corpus, and the number of utterances there."""
    expected = [counts.utterances for counts in corpus.card.expected.values()]
    least = max(1.0, _LEAST_SHARE * min(expected, default=1))
    pending: list[Node] = [()]
    while pending:
        node = pending.pop()
        found = len(hits.by_node[node])
        if found < least:
            continue
        inner = sorted(hits.children[node], key=lambda child: -len(hits.by_node[child]))
        if sum(len(hits.by_node[child]) for child in inner) > _SEVERAL_COPIES * found:
            pending += inner
        elif (
            inner
            and len(hits.by_node[inner[0]]) >= _MAIN_SHARE * found
            and not _has_tables(corpus, data.joinpath(*node))
        ):
            pending.append(inner[0])
        else:
            yield node, found


def _root(parts: Node, path: str, name: str) -> Node:
    """Return the folder above the corpus's own folders, or the archive if it is inside.

    Args:
        parts: the folder or archive with the file.
        path: the path of the file, from the data folder on.
        name: the end of it that the corpus identified, without the suffix.
    """
    levels_above = path.count("/") - name.count("/") - 1
    return parts[: max(0, levels_above)]


def _has_tables(corpus: NamedCorpus, folder: Path) -> bool:
    """Return whether a folder itself contains annotations of a corpus."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are wanted
    except OSError:
        return False
    return any(corpus.reads(name) and corpus.identify(name) is None for name in names)


def _folders(data: Path, known: Iterable[Path]) -> Iterator[tuple[Node, list[str]]]:
    """Yield every folder and archive with the paths of its audio files below the data folder."""
    pending: list[Node] = [()]
    visited = {(facts.st_dev, facts.st_ino) for facts in _existing(known)}
    while pending:
        parts = pending.pop()
        folder = data.joinpath(*parts)
        try:
            facts = folder.stat()
            if (facts.st_dev, facts.st_ino) in visited:
                continue
            visited.add((facts.st_dev, facts.st_ino))
            with os.scandir(folder) as children:
                entries = list(children)
        except OSError:
            continue
        prefix = "".join(f"{part}/" for part in parts)
        sounds = []
        for entry in entries:
            if PurePosixPath(entry.name).suffix.lower() in AUDIO_SUFFIXES:
                sounds.append(f"{prefix}{entry.name}")
            elif PurePosixPath(entry.name).suffix.lower() == _PARQUET:
                if len(parts) <= LEVELS:
                    yield parts, _embedded(folder / entry.name, prefix)
            elif archive_stem(entry.name) is not None:
                if len(parts) <= LEVELS:
                    yield (*parts, entry.name), _members(folder / entry.name, prefix)
            elif is_folder(entry) and not is_litter_folder(entry.name):
                pending.append((*parts, entry.name))
        if sounds:
            yield parts, sorted(sounds)


def _existing(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    for folder in folders:
        with suppress(OSError):
            yield folder.stat()


def _members(archive: Path, prefix: str) -> list[str]:
    """Return the paths that the files in an archive would have in a folder."""
    try:
        if not archive.is_file():
            return []
        return sorted(index_of(archive).shown_below(f"{prefix}{archive.name}"))
    except (CorpusError, OSError):
        return []


def _embedded(table: Path, prefix: str) -> list[str]:
    """Return the recordings in a Parquet file as readers name them: ``<file>!<name>``."""
    try:
        names = embedded_names(table) if table.is_file() else []
    except OSError:
        return []
    return sorted(f"{prefix}{table.name}!{name}" for name in names)


def _embeds(paths: Sequence[str]) -> bool:
    """Return whether paths are those of recordings in a Parquet file."""
    return bool(paths) and paths[0].partition("!")[0].lower().endswith(_PARQUET)


def _sample(paths: Sequence[str]) -> Sequence[str]:
    """Return a few paths, evenly spread."""
    return paths[:: max(1, len(paths) // _SAMPLE)]
