"""Corpora without a plugin: the user declares where they are and what their labels mean.

A declaration is the section of a corpus in sercore.toml (`sercore.settings.DatasetSettings`), or
``--dataset NAME=KIND:PLACE``. It travels in the specification of a run, so that a worker needs no
settings file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from posixpath import dirname
from typing import TYPE_CHECKING

from sercore.corpora.audformat_rows import audformat_rows
from sercore.corpora.files import CorpusFiles
from sercore.corpora.folder_rows import folder_rows
from sercore.corpora.folder_rows import is_part
from sercore.corpora.folder_rows import unread_columns
from sercore.corpora.hub import find_snapshot
from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Scan
from sercore.corpora.labels import CLASSES
from sercore.corpora.labels import Emotion
from sercore.corpora.labels import suggested_class
from sercore.corpora.locate import open_corpus
from sercore.corpora.row_reader import RowReader
from sercore.corpora.row_reader import Spelling
from sercore.corpora.row_reader import path_inside
from sercore.corpora.row_reader import text_of
from sercore.corpora.table_columns import FACTS
from sercore.corpora.table_columns import Columns
from sercore.corpora.table_columns import TableRow
from sercore.corpora.table_columns import inline_table
from sercore.corpora.table_files import open_table
from sercore.errors import CorpusMissingError
from sercore.errors import SettingsError
from sercore.errors import UnknownLabelError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sercore.corpora.labels import Label
    from sercore.corpora.problems import Problem
    from sercore.settings import CorpusSource
    from sercore.settings import DatasetSettings
    from sercore.storage.workspace import Workspace

_MOST_LABELS = 40
"""Labels that an error lists. With more of them, the column is probably not that of labels."""
_WHAT = {
    "table": "table",
    "folder": "folder",
    "hf": "snapshot",
    "audformat": "database",
}


@dataclass(frozen=True, kw_only=True)
class DeclaredCorpus:
    """A corpus that the user declared. It belongs to no published set of corpora.

    Args:
        name: its name on the command line.
        settings: the declaration; it has a source.

    Raises:
        SettingsError: a class or column in the declaration does not exist.
    """

    name: str
    settings: DatasetSettings

    def __post_init__(self) -> None:
        for label, name in self.settings.labels.items():
            if name not in CLASSES:
                raise SettingsError(
                    f"the label '{label}' of {self.name} has the class '{name}', which does not "
                    "exist",
                    hint=f"choose one of {', '.join(CLASSES)}, or leave the label out with "
                    "ignore_labels",
                )
        for fact in self.settings.columns:
            if fact not in FACTS:
                raise SettingsError(
                    f"the columns of {self.name} include '{fact}', which sercore does not read",
                    hint=f"it reads {', '.join(FACTS)}",
                )

    @property
    def source(self) -> CorpusSource:
        """Where it comes from."""
        assert self.settings.source is not None
        return self.settings.source

    @property
    def section(self) -> str:
        """Its section in sercore.toml."""
        return f"[datasets.{self.name}]"

    @cached_property
    def card(self) -> CorpusCard:
        """The facts about it, most of which are unknown."""
        homepage = None
        if self.source.revision is not None:
            homepage = f"https://huggingface.co/datasets/{self.source.place}"
        return CorpusCard(
            id=self.name,
            title=self.settings.title or self.name,
            language=self.settings.language or "unknown",
            language_code="und",
            licence=None,
            access="declared",
            homepage=homepage,
            citation=None,
            folders=(self.name,),
            obtain=f"Its source is {self.source}.",
            expected={},
            speakers=None,
            declared=True,
        )

    @cached_property
    def labels(self) -> Mapping[str, Emotion | Label]:
        """The declared labels, and the names of the classes, which need no declaration."""
        own = {label: Emotion(name) for label, name in self.settings.labels.items()}
        folded = {label.casefold() for label in own}
        return {**{name: Emotion(name) for name in CLASSES if name not in folded}, **own}

    def find(self, *, offline: bool) -> Path:
        """Return where it is on this disk, downloaded first if it is on the Hub.

        Raises:
            CorpusMissingError: it is not there.
            CorpusError: it cannot be downloaded.
        """
        source = self.source
        if source.revision is not None:
            return find_snapshot(source, self.name, self.settings.files, offline=offline)
        place = Path(source.place)
        if not (place.is_file() if source.kind == "table" else place.exists()):
            what = _WHAT[source.kind]
            raise CorpusMissingError(
                f"there is no {what} {place}", hint=f"correct the source of {self.name}"
            )
        return place

    def open(self, place: Path, workspace: Workspace) -> CorpusFiles:
        """Return its files.

        Raises:
            CorpusError: they cannot be read.
        """
        settings = self.settings
        if self.source.kind in ("folder", "hf"):
            return open_corpus(
                place,
                workspace,
                f"corpora/{self.name}",
                reads=is_part,
                title=self.card.title,
                settings=settings,
            )
        root, folders = place, None
        if self.source.kind == "table":
            root = settings.path or place.parent
            folders = self._folders(CorpusFiles(root, folders=()), place)
        return CorpusFiles(
            root,
            settings.ignore,
            aliases=settings.aliases,
            ignored_labels=settings.ignore_labels,
            folders=folders,
        )

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read its tables or the names of its folders. See `sercore.corpora.Corpus.scan`.

        Raises:
            UnknownLabelError: a label has no class.
        """
        del reading
        spelling = Spelling.of(
            (*self.settings.labels, *files.ignored_labels, *files.aliases, *CLASSES)
        )
        reader = RowReader(files, spelling, self.settings.speaker_separator, self.section)
        scan = reader.scan(self._rows(files))
        known = {*self.labels, *files.aliases, *files.ignored_labels}
        unknown = Counter(
            utterance.native_label
            for utterance in scan.utterances
            if utterance.native_label not in known
        )
        if unknown:
            raise self._unknown_labels(unknown)
        if self.source.kind != "table":
            return replace(scan, problems=tuple(dict.fromkeys((*files.problems, *scan.problems))))
        return scan

    def stamp(self, place: Path) -> str:
        """Return a digest of the declaration and of the state of its table."""
        facts = place.stat()
        state = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns) if place.is_file() else None
        return digest_of([self.settings.to_plain(), state])

    @property
    def _columns(self) -> Columns:
        return Columns(names=self.settings.columns, section=self.section)

    def _rows(self, files: CorpusFiles) -> Iterator[TableRow | Problem]:
        kind, patterns = self.source.kind, self.settings.files
        if kind == "table":
            yield from self._table_rows(files, Path(self.source.place))
        elif kind == "audformat":
            yield from audformat_rows(files, self._columns, patterns)
        else:
            yield from folder_rows(files, self._columns, patterns)

    def _table_rows(self, files: CorpusFiles, place: Path) -> Iterator[TableRow | Problem]:
        """Yield the rows of a table; their paths are relative to the root of the corpus."""
        table = open_table(files, str(place))
        yield from unread_columns(table, self._columns)
        for row in table.rows(self._columns):
            yield replace(row, folder="")

    def _folders(self, files: CorpusFiles, place: Path) -> Iterable[str]:
        """Return the folders that a table names, with those above them, without case.

        Only these are listed: the folder of a table may hold anything else.
        """
        table = open_table(files, str(place))
        found: set[str] = set()
        if table.embeds_audio:
            return found
        for row in table.rows(self._columns):
            inside = path_inside(files.root, text_of(row.values.get("path")) or "")
            folder = dirname(inside or "").casefold()
            while folder and folder not in found:
                found.add(folder)
                folder = dirname(folder)
        return found

    def _unknown_labels(self, unknown: Counter[str]) -> UnknownLabelError:
        """Return one error for all labels without a class, with the map to paste."""
        shown = unknown.most_common(_MOST_LABELS)
        seen = ", ".join(f"'{label}' ({n})" for label, n in shown)
        if len(unknown) > len(shown):
            return UnknownLabelError(
                f"{self.name} has {len(unknown)} labels without a class: {seen} and more",
                hint=f'name the column of labels: columns = {{ label = "NAME" }} under '
                f"{self.section} in sercore.toml",
            )
        names = {
            **self.settings.labels,
            **{label: suggested_class(label) or "?" for label, _ in shown},
        }
        filled = f" with one of {', '.join(CLASSES)} for every ?" if "?" in names.values() else ""
        return UnknownLabelError(
            f"{self.name} has labels without a class: {seen}",
            hint=f"write labels = {inline_table(names)}{filled} under {self.section} in "
            "sercore.toml; ignore_labels leaves labels out",
        )
