"""Find a corpus below the data folders, and open its files there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sercore.corpora.archive_members import FOREIGN_SUFFIXES
from sercore.corpora.archive_members import archive_stem
from sercore.corpora.archive_members import index_of
from sercore.corpora.archives import is_beside
from sercore.corpora.archives import unpack
from sercore.corpora.files import CorpusFiles
from sercore.corpora.files import composed
from sercore.corpora.files import is_folder
from sercore.corpora.filled import filled_folder
from sercore.corpora.interface import GeneratedCorpus
from sercore.corpora.interface import NamedCorpus
from sercore.corpora.interface import PlacedCorpus
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.settings import DatasetSettings

if TYPE_CHECKING:
    from sercore.corpora.archive_members import Index
    from sercore.corpora.interface import Corpus
    from sercore.corpora.interface import CorpusCard
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace

_MOST_NAMES = 20_000
"""Names that are looked at before a folder counts as one without the corpus."""
_SHORTEST_PREFIX = 6
"""Letters of a usual name that may begin a longer word, as in ``subescobangla``."""


def places_in(data: Path) -> tuple[Path, ...]:
    """Return the folders and archives in a data folder, at most two levels deep.

    The first level comes before the second, and a folder before an archive.
    """
    places = [*_children(data)]
    places += [inner for place in places if place.is_dir() for inner in _children(place)]
    places.sort(key=lambda place: (len(place.parts), not place.is_dir(), place.name))
    return tuple(places)


def find_corpus(
    card: CorpusCard,
    data: Path,
    corpus: Corpus | None = None,
    places: Callable[[Path], Iterable[Path]] = places_in,
) -> Path | None:
    """Return the folder or archive of a corpus in a data folder, at most two levels deep, or None.

    Names are compared without case, punctuation and blanks: ``EMO-DB`` is ``emodb``. A name that
    only contains a usual name (``CaFE_192k_1``, ``urdu-emotion-dataset``) counts if files of the
    corpus are in it. The data folder itself may be the corpus. A folder is preferred to an
    archive, and the first level to the second.

    Args:
        card: the card of the corpus.
        data: the data folder.
        corpus: recognizes its files; without it only whole names count.
        places: `places_in`, or the same with a cache where many corpora are looked for.
    """
    names = _UsualNames.of(card)
    if names.equal(_bare(data)):
        return _inside_cache(data)
    found = [(place, _bare(place)) for place in places(data)]
    equal = [_inside_cache(place) for place, name in found if names.equal(name)]
    if corpus is None or not isinstance(corpus, NamedCorpus):
        return equal[0] if equal else None
    if len(equal) != 1:
        similar = [_inside_cache(place) for place, name in found if names.contained_in(name)]
        for place in [*equal, *similar]:
            if has_files_of(corpus, place):
                return place
    return equal[0] if equal else None


def has_files_of(corpus: NamedCorpus, place: Path) -> bool:
    """Return whether a folder or archive contains a file of a corpus, by names alone.

    A folder also contains what is in its archives.
    """
    if not place.is_dir():
        return _archive_fits(place, "", corpus.reads)
    archives = []
    for path in _names_below(place):
        if corpus.reads(path):
            return True
        if archive_stem(path) is not None:
            archives.append(path)
    return any(_archive_fits(place.parent / path, path, corpus.reads) for path in archives)


def locate(
    corpus: Corpus,
    selection_data: Iterable[Path],
    settings: Settings,
    workspace: Workspace,
    places: Callable[[Path], Iterable[Path]] = places_in,
    *,
    offline: bool = True,
) -> Path | None:
    """Return the place of a corpus from the settings, the data folders or its own generator.

    Args:
        corpus: the corpus.
        selection_data: the data folders.
        settings: the user's settings.
        workspace: gets the files of a corpus that can generate them.
        places: as in `find_corpus`.
        offline: whether a corpus that the user declared may not be downloaded.

    Raises:
        CorpusError: a corpus that the user declared is missing or cannot be downloaded.
    """
    if isinstance(corpus, PlacedCorpus):
        return corpus.find(offline=offline)
    configured = settings.datasets.get(corpus.card.id)
    if configured is not None and configured.path is not None:
        return configured.path
    for data in selection_data:
        found = find_corpus(corpus.card, data, corpus, places)
        if found is not None:
            return found
    return generated(corpus, workspace)


def generated(corpus: Corpus, workspace: Workspace) -> Path | None:
    """Return the folder of a corpus that writes its own files, filled where it is not whole.

    None for other corpora. Every machine has a copy of its own where the workspace is a store.
    """
    if not isinstance(corpus, GeneratedCorpus):
        return None
    return filled_folder(workspace.on_this_machine, f"corpora/{corpus.card.id}", corpus.write)


def open_files(
    corpus: Corpus, place: Path, settings: Settings, workspace: Workspace
) -> CorpusFiles:
    """Return the files of a corpus at a place; archives are unpacked into the workspace first.

    Raises:
        CorpusError: the place does not exist, cannot be read, or is an archive without a file of
            the corpus.
    """
    own = settings.datasets.get(corpus.card.id) or DatasetSettings()
    return open_place(corpus, place, own, workspace)


def open_place(
    corpus: Corpus, place: Path, settings: DatasetSettings, workspace: Workspace
) -> CorpusFiles:
    """Return the files of a corpus at a place, under the user's settings for this corpus.

    Raises:
        CorpusError: as `open_files`.
    """
    if isinstance(corpus, PlacedCorpus):
        return corpus.open(place, workspace)
    return open_corpus(
        place,
        workspace,
        f"corpora/{corpus.card.id}",
        skip=corpus.card.unread,
        reads=corpus.reads if isinstance(corpus, NamedCorpus) else None,
        title=corpus.card.title,
        settings=settings,
    )


def open_corpus(
    place: Path,
    workspace: Workspace,
    folder: str,
    ignore: Iterable[str] = (),
    skip: Iterable[str] = (),
    *,
    reads: Callable[[str], bool] | None = None,
    title: str = "the corpus",
    settings: DatasetSettings | None = None,
) -> CorpusFiles:
    """Return the files of a corpus in a folder, an archive, or a folder with archives.

    Archives are unpacked into the workspace, once; nothing is written beside the corpus. In a
    folder, an archive is left alone if its content lies beside it or if it has no file of the
    corpus. An archive that cannot be unpacked is one of `CorpusFiles.problems`.

    Args:
        place: the folder or archive.
        workspace: gets the content of archives, or a folder of this machine if it is a store.
        folder: the folder in the workspace for that content.
        ignore: as in `CorpusFiles`; an archive that matches is not unpacked either.
        skip: glob patterns of archives, and of members of archives, that are not needed.
        reads: whether a path is that of a file that the corpus reads; None: any may be.
        title: the corpus, for messages.
        settings: the user's settings for this corpus.

    Raises:
        CorpusError: the place does not exist, cannot be read, or has no file of the corpus.
        WorkspaceError: the workspace cannot be written.
    """
    patterns = tuple(skip)
    own = settings or DatasetSettings()
    listed = partial(
        CorpusFiles,
        ignore=(*ignore, *own.ignore),
        aliases=own.aliases,
        ignored_labels=own.ignore_labels,
    )
    if place.is_file():
        _require_fit(place, reads, title)
        return listed(unpack(place, workspace, folder, skip=patterns))
    files = listed(place)
    unpacked: dict[str, Path | Problem | None] = {}
    for path in _archives_in(files, patterns):
        archive = files.locate(path)
        try:
            if reads is None or _fits(index_of(archive), path, reads):
                beside = is_beside(archive)
                content = None if beside else unpack(archive, workspace, folder, skip=patterns)
                unpacked[path] = content
        except CorpusError as error:
            unpacked[path] = _unreadable(path, error)
    return listed(place, unpacked=unpacked) if unpacked else files


def _unreadable(archive: str, error: CorpusError) -> Problem:
    return Problem(kind="unreadable", where=archive, message=error.message, hint=error.hint)


def _archives_in(files: CorpusFiles, skip: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of the archives in a corpus, those that sercore cannot unpack included."""
    for entry in files:
        is_archive = _is_foreign(entry.path) or archive_stem(entry.path)
        if is_archive and not any(fnmatch(entry.path, pattern) for pattern in skip):
            yield entry.path


def _is_foreign(name: str) -> bool:
    """Return whether a name is that of an archive that sercore cannot unpack."""
    return name.lower().endswith(FOREIGN_SUFFIXES)


def _require_fit(archive: Path, reads: Callable[[str], bool] | None, title: str) -> None:
    """Refuse to unpack an archive that has no file of the corpus.

    Raises:
        CorpusError: the archive has none, or cannot be read.
    """
    index = index_of(archive)
    if reads is None or _fits(index, archive.name, reads):
        return
    example = f", such as {index.paths[0]}" if index.paths else ""
    raise CorpusError(
        f"{archive} contains no file of {title}: {len(index.paths)} files{example}",
        hint="name the archive or folder of the corpus with --dataset ID=PATH",
    )


def _archive_fits(archive: Path, shown: str, reads: Callable[[str], bool]) -> bool:
    """Return whether an archive can be read and may have a file of the corpus."""
    try:
        return archive.is_file() and _fits(index_of(archive), shown, reads)
    except (CorpusError, OSError):
        return False


def _fits(index: Index, archive: str, reads: Callable[[str], bool]) -> bool:
    """Return whether an archive has a file of the corpus, or may have one in an inner archive."""
    if any(reads(path) for path in index.shown_below(archive)):
        return True
    return not index.is_complete or any(archive_stem(path) is not None for path in index.paths)


@dataclass(frozen=True, slots=True)
class _UsualNames:
    """The usual names of a corpus, in lower case, letters and digits only."""

    names: frozenset[str]

    @classmethod
    def of(cls, card: CorpusCard) -> _UsualNames:
        files = [archive_stem(download.filename) for download in card.downloads]
        named = [*card.folders, card.id, *(stem for stem in files if stem is not None)]
        return cls(frozenset("".join(_words(name)) for name in named))

    def equal(self, name: str) -> bool:
        return "".join(_words(name)) in self.names

    def contained_in(self, name: str) -> bool:
        """Return whether a name contains a usual one as whole words, or begins a word with it."""
        words = _words(name)
        for start in range(len(words)):
            rest = "".join(words[start:])
            ends = {len("".join(words[start:end])) for end in range(start + 1, len(words) + 1)}
            for usual in self.names:
                if rest.startswith(usual) and (
                    len(usual) in ends
                    or len(usual) >= _SHORTEST_PREFIX
                    or rest[len(usual)].isdigit()
                ):
                    return True
        return False


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", composed(name).casefold())


def _bare(place: Path) -> str:
    """Return the name of a folder, or that of an archive without its suffix."""
    if place.is_dir():
        return place.name
    for suffix in FOREIGN_SUFFIXES:
        if place.name.lower().endswith(suffix):
            return place.name[: -len(suffix)]
    return archive_stem(place.name) or ""


def _children(folder: Path) -> Iterator[Path]:
    """Yield the visible folders and archives in a folder."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if is_folder(entry) or archive_stem(name) or _is_foreign(name):
                    yield folder / name
    except OSError:
        return


def _inside_cache(folder: Path) -> Path:
    """Return the snapshot in a folder of the Hugging Face cache, and any other folder itself."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    try:
        current = snapshots / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        current = snapshots
    if current != snapshots and current.is_dir():
        return current
    revisions = sorted(snapshots.iterdir(), key=lambda place: place.stat().st_mtime)
    return revisions[-1] if revisions else folder


def _names_below(folder: Path) -> Iterator[str]:
    """Yield paths of files below a folder, a limited number of them."""
    seen = 0
    for parent, _, names in os.walk(folder):
        relative = Path(parent).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in names:
            seen += 1
            if seen > _MOST_NAMES:
                return
            yield f"{folder.name}/{prefix}{name}"
