"""The formats of manifests. Every format is a folder for each corpus."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.errors import SettingsError
from sercore.exports.manifests import csv_of
from sercore.exports.manifests import flat_table
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.exports.manifests import ExportedCorpus


def _csv(corpus: ExportedCorpus, folder: Path) -> None:
    (folder / "manifest.csv").write_bytes(csv_of(flat_table(corpus)))


def _audformat(corpus: ExportedCorpus, folder: Path) -> None:
    from sercore.exports.audformat_database import write_database

    write_database(corpus, folder)


def _hf(corpus: ExportedCorpus, folder: Path) -> None:
    from sercore.exports.hub_dataset import write_dataset

    write_dataset(corpus, folder)


def _croissant(corpus: ExportedCorpus, folder: Path) -> None:
    from sercore.exports.croissant import write_croissant

    write_croissant(corpus, folder)


class Format(NamedTuple):
    """A format of manifests."""

    write: Callable[[ExportedCorpus, Path], None]
    """Writes the files of a corpus into an empty folder."""
    library: str | None = None
    """What it needs; ``sercore[<library>]`` installs it."""


FORMATS = {
    "csv": Format(_csv),
    "audformat": Format(_audformat, "audformat"),
    "hf": Format(_hf),
    "croissant": Format(_croissant, "mlcroissant"),
}


def write_manifests(
    corpora: Sequence[ExportedCorpus], name: str, output: Path, *, replace: bool
) -> list[Path]:
    """Write a folder for each corpus and return the folders.

    Args:
        corpora: what is written.
        name: one of `FORMATS`.
        output: receives the folders ``<corpus>-<format>``.
        replace: whether folders with these names are replaced.

    Raises:
        SettingsError: a library is missing, a folder exists, or the format cannot hold a corpus.
        WorkspaceError: a folder cannot be written.
    """
    require_library(name)
    place = Workspace(output)
    folders = [f"{corpus.id}-{name}" for corpus in corpora]
    existing = [folder for folder in folders if place.exists(folder)]
    if existing and not replace:
        raise SettingsError(
            f"{place.path(existing[0])} exists", hint="add --replace, or choose another --output"
        )
    for corpus, folder in zip(corpora, folders, strict=True):
        # The new folder is whole before the old one is removed.
        with place.new_folder(f"{folder}.new") as path:
            FORMATS[name].write(corpus, path)
        place.remove(folder)
        Path(place.path(f"{folder}.new")).rename(place.path(folder))
    return [Path(place.path(folder)) for folder in folders]


def require_library(name: str) -> None:
    """Check that the library of a format is installed.

    Raises:
        SettingsError: it is not.
    """
    library = FORMATS[name].library
    if library is not None and find_spec(library) is None:
        raise SettingsError(
            f"the format {name} needs {library}, which is not installed",
            hint=f"pip install 'sercore[{library}]'",
        )
