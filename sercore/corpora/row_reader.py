"""From the rows of tables to utterances, and to a sentence for every row that gives none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from posixpath import commonpath
from posixpath import dirname
from posixpath import isabs
from posixpath import join
from posixpath import normpath
from posixpath import splitext
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.files import composed
from sercore.corpora.interface import Scan
from sercore.corpora.interface import Utterance
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.corpora.problems import Problem
from sercore.corpora.table_columns import quoted
from sercore.errors import CorpusError
from sercore.settings import SPEAKER_SEPARATOR

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.table_columns import TableRow

_MISSING = frozenset({"", "nan", "NaN", "null", "NULL", "None", "<NA>", "NaT"})
"""What programs write for a value that does not exist."""

_GENDERS = {
    **dict.fromkeys(("f", "female", "w", "woman"), "female"),
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("c", "child"), "child"),
}
_PER_SECOND = 32_000
"""Bytes of a part of a recording, for the order of extraction: 16-bit samples at 16 kHz."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
"""The beginning of an absolute path of Windows."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """The declared spelling of native labels, by their spelling without case."""

    declared: Mapping[str, str]

    @classmethod
    def of(cls, labels: Iterable[str], aliases: Mapping[str, str] | None = None) -> Spelling:
        """Return the spelling of labels, and of aliases for them."""
        known = {_folded(alias): label for alias, label in (aliases or {}).items()}
        return cls(known | {_folded(label): label for label in labels})

    def __call__(self, label: str) -> str:
        """Return the declared spelling; the label itself if it is not declared."""
        return self.declared.get(_folded(label), label)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the recording of a row is."""

    path: str
    size: int
    name: str
    """Identifies the recording in the corpus."""


class RowReader:
    """Makes utterances of the rows of tables.

    Args:
        files: the corpus on disk.
        spelling: the declared spelling of labels.
        speaker_separator: between the speakers of a conversation; empty: there are none.
        section: the section of sercore.toml that is about the corpus; None for a plugin.
    """

    def __init__(
        self,
        files: CorpusFiles,
        spelling: Spelling,
        speaker_separator: str = SPEAKER_SEPARATOR,
        section: str | None = None,
    ) -> None:
        self._spelling = spelling
        self._separator = speaker_separator
        self._section = section
        self._root = files.root.absolute()
        self._sizes = {entry.path: entry.size for entry in files}
        self._unlisted = {problem.where: problem for problem in files.problems}
        self._problems: list[Problem] = []
        self._outside: list[tuple[TableRow, str]] = []
        self._missing: list[str] = []

    def scan(self, rows: Iterable[TableRow | Problem]) -> Scan:
        """Return the utterances of rows, and a problem for every row that gives none.

        Two rows that give one recording different labels are both left out.

        Raises:
            CorpusError: no row gives an utterance.
        """
        every: list[TableRow] = []
        for row in rows:
            if isinstance(row, Problem):
                self._problems.append(row)
            else:
                every.append(row)
        names = _names_of_embedded(every)
        found: dict[str, tuple[TableRow, Utterance]] = {}
        refuted: set[str] = set()
        for number, row in enumerate(every):
            utterance = self._utterance(row, names[number])
            if utterance is None:
                continue
            first = found.setdefault(utterance.utterance_id, (row, utterance))
            if first[1] is not utterance and self._refutes(first, (row, utterance)):
                refuted.add(utterance.utterance_id)
        self._add_outside()
        utterances = tuple(one for name, (_, one) in found.items() if name not in refuted)
        if not utterances:
            raise self._nothing(len(every))
        self._note_unused({utterance.path for _, utterance in found.values()})
        return Scan(utterances=utterances, problems=tuple(self._problems))

    def _utterance(self, row: TableRow, embedded: str | None) -> Utterance | None:
        """Return the utterance of a row, or None after noting why there is none."""
        values = row.values
        label = text_of(values.get("label"))
        if label is None:
            self._add("missing-annotation", row.where, "it has no label and was skipped")
            return None
        try:
            start, end = _span(values.get("start"), values.get("end"))
        except ValueError as error:
            self._add("unreadable", row.where, f"{error} and was skipped", "correct the table")
            return None
        place = self._file(row) if embedded is None else self._embedded(row, embedded)
        if place is None:
            return None
        size, name = place.size, place.name
        if start is not None or end is not None:
            name = f"{name}@{start or 0:g}-{'' if end is None else f'{end:g}'}"
            size = size if end is None else min(size, round((end - (start or 0)) * _PER_SECOND))
        return Utterance(
            utterance_id=text_of(values.get("id")) or name,
            path=place.path,
            native_label=self._spelling(label),
            size=size,
            row=row.row,
            start_s=start,
            end_s=end,
            speaker=self._speakers(values.get("speaker")),
            gender=_GENDERS.get((text_of(values.get("gender")) or "").lower()),
            text_id=" ".join((text_of(values.get("text")) or "").split()) or None,
            official_split=(text_of(values.get("split")) or "").lower() or None,
        )

    def _embedded(self, row: TableRow, name: str) -> _Place | None:
        if row.size is None:
            self._add("missing-file", row.where, "it contains no audio", "download it again")
            return None
        return _Place(row.embedded or "", row.size, name)

    def _file(self, row: TableRow) -> _Place | None:
        """Return the file that a row names, or None after noting that there is none."""
        named = text_of(row.values.get("path"))
        if named is None:
            self._add("unreadable", row.where, "it has no path and was skipped", "add the path")
            return None
        inside = path_inside(self._root, named, row.folder)
        if inside is None:
            self._outside.append((row, named))
            return None
        path = inside if inside in self._sizes else self._loosely.get(_stem(inside).casefold())
        if path is not None:
            return _Place(path, self._sizes[path], _stem(inside))
        if inside in self._unlisted:
            self._problems.append(self._unlisted[inside])
        else:
            self._missing.append(inside)
            where = f"{row.where} ({named})"
            self._add("missing-file", where, "the file does not exist", "copy it, or drop the row")
        return None

    @cached_property
    def _loosely(self) -> dict[str, str]:
        """Recordings by their path without suffix and case, where that is unique."""
        several: dict[str, list[str]] = {}
        for path in self._sizes:
            if splitext(path)[1].lower() in AUDIO_SUFFIXES:
                several.setdefault(_stem(path).casefold(), []).append(path)
        return {stem: paths[0] for stem, paths in several.items() if len(paths) == 1}

    def _speakers(self, value: Any) -> tuple[str, ...] | None:
        if isinstance(value, (list, tuple)):
            names = [text_of(name) for name in value]
        else:
            text = text_of(value)
            parts = text.split(self._separator) if text and self._separator else [text]
            names = [text_of(part) for part in parts]
        return tuple(dict.fromkeys(name for name in names if name)) or None

    def _refutes(
        self, first: tuple[TableRow, Utterance], second: tuple[TableRow, Utterance]
    ) -> bool:
        """Note that two rows are about one utterance; return whether their labels conflict."""
        before, one = first
        row, other = second
        if (one.path, one.row, one.start_s, one.end_s) != (
            *(other.path, other.row),
            *(other.start_s, other.end_s),
        ):
            message = f"its id '{other.utterance_id}' is that of {before.where}; it was skipped"
            self._add("conflict", row.where, message, "give every row another id")
        elif one.native_label != other.native_label:
            message = (
                f"it labels {one.utterance_id} '{other.native_label}' and {before.where} labels it "
                f"'{one.native_label}'; both were skipped"
            )
            self._add("conflict", row.where, message, "keep one of the two rows")
            return True
        elif one == other:
            self._add("duplicate-file", row.where, f"it repeats {before.where} and was skipped")
        else:
            message = f"it conflicts with {before.where} in a column, which was used"
            self._add("conflict", row.where, message, "keep one of the two rows")
        return False

    def _add(self, kind: str, where: str, message: str, hint: str | None = None) -> None:
        self._problems.append(Problem(kind=kind, where=where, message=message, hint=hint))

    def _add_outside(self) -> None:
        """Note the rows whose path leads out of the corpus."""
        if not self._outside:
            return
        folders = [dirname(normpath(path)) for _, path in self._outside if isabs(path)]
        hint = "move the table to a folder above all recordings"
        if folders and self._section is not None:
            common = commonpath(folders)
            hint = f"write path = {quoted(common)} under {self._section} in sercore.toml"
        for row, path in self._outside:
            message = f"the path does not lead below {self._root}"
            self._add("unreadable", f"{row.where} ({path})", message, hint)

    def _note_unused(self, used: set[str]) -> None:
        known = used | {problem.where for problem in self._problems}
        unused = sorted(
            path
            for path in self._sizes
            if path not in known and splitext(path)[1].lower() in AUDIO_SUFFIXES
        )
        if unused:
            where = unused[0] if len(unused) == 1 else f"{unused[0]} and {len(unused) - 1} more"
            self._add("skipped", where, "no row names the recording, so it is not used")

    def _nothing(self, n_rows: int) -> CorpusError:
        """Return why no row gives an utterance."""
        if not n_rows and not self._problems:
            return CorpusError(
                f"{self._root} holds no recording that a table or folder labels",
                hint="add a row, or a folder with the name of its label, for every recording",
            )
        if self._missing and len(self._missing) == n_rows:
            hint = "paths are relative to the folder of the table"
            if self._section is not None:
                hint += f', or to path = "DIR" under {self._section} in sercore.toml'
            return CorpusError(
                f"none of the {n_rows} files that the table names exists below {self._root}, "
                f"such as {self._missing[0]}",
                hint=hint,
            )
        first = self._problems[0]
        return CorpusError(
            f"{self._root} holds no usable recording; {first.where}: {first.message}",
            hint=first.hint,
        )


def text_of(value: Any) -> str | None:
    """Return a value of a table as text; None for what programs write for a missing value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of numbers with a gap is one of floats
    text = composed(str(value)).strip()
    return None if text in _MISSING else text


def path_inside(root: Path, named: str, folder: str = "") -> str | None:
    """Return a path in a corpus, composed and without ``..``; None if it leads out of the corpus.

    Args:
        root: the corpus's folder.
        named: a path as a table has it: absolute or relative, with slashes or backslashes.
        folder: the folder in the corpus that a relative path starts from.
    """
    text = composed(named)
    if "\\" in text and "/" not in text:
        text = text.replace("\\", "/")
    if _DRIVE.match(text):
        return None
    if not isabs(text):
        inner = normpath(join(folder, text))
        return None if inner == ".." or inner.startswith("../") else inner
    inner = normpath(text)
    for above in (root.absolute(), root.resolve()):
        prefix = composed(str(above)).rstrip("/") + "/"
        if inner.startswith(prefix):
            return inner.removeprefix(prefix)
    return None


def _span(start: Any, end: Any) -> tuple[float | None, float | None]:
    """Return a time span in seconds.

    Raises:
        ValueError: it is none; the text says why.
    """
    first, last = _seconds("start", start), _seconds("end", end)
    if last is not None and last <= (first or 0.0):
        raise ValueError(f"its end {last:g} s is not after its start {first or 0:g} s")
    return first, last


def _seconds(name: str, value: Any) -> float | None:
    text = text_of(value)
    if text is None:
        return None
    try:
        seconds = float(text.replace(",", "."))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f"its {name} '{text}' is not a number of seconds")
    return seconds


def _names_of_embedded(every: Sequence[TableRow]) -> list[str | None]:
    """Return a name for every row with embedded audio, and None for the others.

    It is the path of the original file if all rows have one of their own, else the place of the
    row.
    """
    paths = [text_of(row.values.get("path")) for row in every if row.embedded is not None]
    are_own = None not in paths and len(set(paths)) == len(paths)
    names: list[str | None] = []
    for row in every:
        if row.embedded is None:
            names.append(None)
        elif are_own:
            names.append(_stem(text_of(row.values.get("path")) or ""))
        else:
            names.append(f"{splitext(row.embedded)[0]}#{row.row}")
    return names


def _stem(path: str) -> str:
    """Return a path without the suffix of a container."""
    stem, suffix = splitext(path)
    return stem if suffix.lower() in AUDIO_SUFFIXES else path


def _folded(label: str) -> str:
    return composed(label).casefold()
