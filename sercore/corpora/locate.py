"""Where a corpus lies, and how its files are opened there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sercore.corpora.interface import GeneratedCorpus

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from sercore.corpora.archives import archive_stem
from sercore.corpora.archives import is_beside
from sercore.corpora.archives import unpack
from sercore.corpora.files import CorpusFiles
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sercore.corpora.interface import CorpusCard
    from sercore.storage.workspace import Workspace


def open_corpus(
    place: Path,
    workspace: Workspace,
    folder: str,
    ignore: Iterable[str] = (),
    skip: Iterable[str] = (),
) -> CorpusFiles:
    """Return the files of a corpus, wherever it lies: a folder, an archive, archives in a folder.

    Archives are unpacked into the workspace, once; nothing is written beside the corpus. An
    archive in a folder whose content already lies beside it is left alone, and one that cannot be
    unpacked is one of `CorpusFiles.problems`.

    Args:
        place: the folder or archive.
        workspace: where archives are unpacked.
        folder: the folder in the workspace that gets them.
        ignore: as in `CorpusFiles`; an archive that matches is not unpacked either.
        skip: glob patterns of archives, and of members of archives, that hold nothing of use.

    Raises:
        CorpusMissingError: there is nothing at this place.
        CorpusError: it cannot be read, or is no archive.
        WorkspaceError: the workspace cannot be written.
    """
    patterns = tuple(skip)
    if place.is_file():
        return CorpusFiles(unpack(place, workspace, folder, skip=patterns), ignore)
    files = CorpusFiles(place, ignore)
    unpacked: dict[str, Path | Problem | None] = {}
    for entry in files:
        if archive_stem(entry.path) is None or any(fnmatch(entry.path, each) for each in patterns):
            continue
        archive = files.locate(entry.path)
        try:
            unpacked[entry.path] = (
                None if is_beside(archive) else unpack(archive, workspace, folder, skip=patterns)
            )
        except CorpusError as error:
            unpacked[entry.path] = Problem(
                kind="unreadable", where=entry.path, message=error.message, hint=error.hint
            )
    return CorpusFiles(place, ignore, unpacked) if unpacked else files


def find_corpus(card: CorpusCard, data: Path) -> Path | None:
    """Return a corpus's folder or archive below a data folder, by the usual names, or None.

    The data folder itself counts, so that ``--data`` may also name one corpus. A folder goes
    before an archive of the same corpus.
    """
    wanted = {name.casefold() for name in card.folders} | {card.id.casefold()}
    if (data.name if data.is_dir() else archive_stem(data.name) or "").casefold() in wanted:
        return data
    try:
        children = sorted(data.iterdir())
    except OSError:
        return None
    for child in children:
        if child.name.casefold() in wanted and child.is_dir():
            return child
    for child in children:
        if (archive_stem(child.name) or "").casefold() in wanted and child.is_file():
            return child
    return None


def locate(
    corpus: Corpus, selection_data: Iterable[Path], settings: Settings, workspace: Workspace
) -> Path | None:
    """Return the folder of a corpus from the settings, the data folders or its own generator."""
    configured = settings.datasets.get(corpus.card.id)
    if configured is not None and configured.path is not None:
        return configured.path
    for data in selection_data:
        found = find_corpus(corpus.card, data)
        if found is not None:
            return found
    if isinstance(corpus, GeneratedCorpus):
        relative = f"corpora/{corpus.card.id}"
        if not workspace.exists(relative):
            with workspace.new_folder(relative, keep_existing=True) as folder:
                corpus.write(folder)
        return Path(workspace.path(relative))
    return None


def open_files(
    corpus: Corpus, place: Path, settings: Settings, workspace: Workspace
) -> CorpusFiles:
    """Return the files of a corpus at a place; archives are unpacked into the workspace first.

    Raises:
        CorpusError: the place is missing or cannot be read.
    """
    configured = settings.datasets.get(corpus.card.id)
    return open_corpus(
        place,
        workspace,
        f"corpora/{corpus.card.id}",
        ignore=configured.ignore if configured else (),
        skip=corpus.card.unread,
    )
