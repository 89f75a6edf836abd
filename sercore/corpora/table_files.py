"""Read tables of recordings: CSV, TSV, JSON Lines, and Parquet with or without embedded audio."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from posixpath import basename
from posixpath import dirname
from posixpath import splitext
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

from sercore.corpora.table_columns import TableRow
from sercore.corpora.tables import audio_column
from sercore.corpora.tables import decode_text
from sercore.corpora.tables import embedded_audio
from sercore.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.table_columns import Columns
    from sercore.corpora.tables import EmbeddedAudio


class Table(Protocol):
    """A table of a corpus on disk."""

    @property
    def path(self) -> str:
        """Its place in the corpus."""

    @property
    def header(self) -> list[str]:
        """The names of its columns.

        Raises:
            CorpusError: it cannot be read.
        """

    @property
    def embeds_audio(self) -> bool:
        """Whether its rows contain the recordings."""

    def rows(self, columns: Columns) -> Iterator[TableRow]:
        """Iterate over its rows.

        Raises:
            CorpusError: it cannot be read, or lacks a column.
        """


def open_table(files: CorpusFiles, path: str) -> Table:
    """Return a table; its suffix says of which kind it is.

    Raises:
        CorpusError: it is of another kind.
    """
    suffix = splitext(path)[1].lower()
    if suffix not in TABLE_SUFFIXES:
        raise CorpusError(
            f"{basename(path)} is not a table that sercore reads",
            hint=f"save it with one of the suffixes {', '.join(TABLE_SUFFIXES)}",
        )
    return TABLE_SUFFIXES[suffix](files, path)


@dataclass(frozen=True)
class _TextTable:
    """A table in a text file."""

    files: CorpusFiles
    path: str
    embeds_audio = False

    @cached_property
    def _text(self) -> str:
        try:
            return decode_text(self.files.read(self.path))
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def _row(self, number: int, values: Mapping[str, Any]) -> TableRow:
        where = f"{basename(self.path)}, line {number}"
        return TableRow(where=where, values=values, folder=dirname(self.path))


class _SeparatedTable(_TextTable):
    """CSV and TSV. A comma, a semicolon or a tab separates the fields of a CSV file."""

    @property
    def header(self) -> list[str]:
        return next(self._lines)[1]

    def rows(self, columns: Columns) -> Iterator[TableRow]:
        lines = self._lines
        _, header = next(lines)
        names = columns.find(header, basename(self.path))
        places = {fact: header.index(name) for fact, name in names.items()}
        for number, fields in lines:
            if any(fields):
                values = {
                    fact: fields[place] if place < len(fields) else None
                    for fact, place in places.items()
                }
                yield self._row(number, values)

    @property
    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """The fields of every line with its number, the header first."""
        first = self._text.partition("\n")[0]
        is_tsv = splitext(self.path)[1].lower() == ".tsv"
        delimiter = "\t" if is_tsv else max(",;\t", key=first.count)
        lines = csv.reader(io.StringIO(self._text, newline=""), delimiter=delimiter)
        try:
            yield 1, next(lines, [])
            for fields in lines:
                yield lines.line_num, fields
        except csv.Error as error:
            raise CorpusError(
                f"line {lines.line_num} of {basename(self.path)} cannot be read: {error}",
                hint="save the table again",
            ) from None


class _JsonLines(_TextTable):
    """One JSON object a line."""

    @cached_property
    def header(self) -> list[str]:
        return list(dict.fromkeys(key for _, row in self._objects for key in row))

    def rows(self, columns: Columns) -> Iterator[TableRow]:
        names = columns.find(self.header, basename(self.path))
        for number, row in self._objects:
            yield self._row(number, {fact: row.get(name) for fact, name in names.items()})

    @cached_property
    def _objects(self) -> list[tuple[int, dict[str, Any]]]:
        found = []
        for number, line in enumerate(self._text.split("\n"), start=1):
            if line.strip():
                found.append((number, self._object(number, line)))
        return found

    def _object(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise CorpusError(
                f"line {number} of {basename(self.path)} is not a JSON object",
                hint='write one object in every line, such as {"path": "a.wav", "label": "x"}',
            )
        return row


@dataclass(frozen=True)
class _ParquetTable:
    """Parquet. Labels that are stored as numbers get the names that the Hub's schema has."""

    files: CorpusFiles
    path: str

    @property
    def header(self) -> list[str]:
        return list(self._schema.names)

    @cached_property
    def embeds_audio(self) -> bool:
        return self._audio is not None

    def rows(self, columns: Columns) -> Iterator[TableRow]:
        wanted = columns.without("path") if self.embeds_audio else columns
        names = wanted.find(self.header, basename(self.path))
        if self._audio is not None:
            audio = self._audio.partition(".")[0]
            names = {fact: name for fact, name in names.items() if name != audio}
        classes = {fact: self._class_names(name) for fact, name in names.items()}
        records = self._records(list(dict.fromkeys(names.values())))
        for number, (record, audio_of) in enumerate(records, start=1):
            values = {fact: _named(record[name], classes[fact]) for fact, name in names.items()}
            row = TableRow(
                where=f"{basename(self.path)}, row {number}",
                values=values,
                folder=dirname(self.path),
            )
            if audio_of is not None:
                row = replace(
                    row,
                    values={"path": audio_of.name, **values},
                    embedded=self.path,
                    row=audio_of.row,
                    size=audio_of.size,
                )
            yield row

    def _records(
        self, names: list[str]
    ) -> Iterator[tuple[Mapping[str, Any], EmbeddedAudio | None]]:
        """Yield some columns of every row, with its audio where the file embeds audio."""
        if self.embeds_audio:
            for found in embedded_audio(self.files, self.path, names):
                yield found.values, found
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.files.open(self.path) as stream:
                for batch in pq.ParquetFile(stream).iter_batches(columns=names):
                    yield from ((record, None) for record in batch.to_pylist())
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from None

    @cached_property
    def _schema(self) -> pa.Schema:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.files.open(self.path) as stream:
                return pq.read_schema(stream)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from None

    @cached_property
    def _audio(self) -> str | None:
        """The dotted name of the column that embeds audio.

        A plain column of bytes counts only if there is no column of paths.
        """
        try:
            name = audio_column(self._schema, self.path)
        except CorpusError:
            return None
        has_paths = "path" in {column.strip().casefold() for column in self.header}
        return name if "." in name or not has_paths else None

    def _class_names(self, column: str) -> list[str] | None:
        """Return the names behind the numbers of a column, from the schema of ``datasets``."""
        try:
            known = json.loads((self._schema.metadata or {})[b"huggingface"])
            names = known["info"]["features"][column]["names"]
        except (KeyError, TypeError, ValueError):
            return None
        return [str(name) for name in names] if isinstance(names, list) else None


def _named(value: Any, names: list[str] | None) -> Any:
    """Return the name of a class that a column stores as a number."""
    if names is None or not isinstance(value, int) or not 0 <= value < len(names):
        return value
    return names[value]


def _unreadable(path: str, error: Exception) -> CorpusError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = " ".join(reason.partition("\n")[0].split()).rstrip(".")
    return CorpusError(f"{basename(path)} cannot be read: {first}", hint="save the table again")


TABLE_SUFFIXES: Mapping[str, Callable[[CorpusFiles, str], Table]] = {
    ".csv": _SeparatedTable,
    ".tsv": _SeparatedTable,
    ".jsonl": _JsonLines,
    ".parquet": _ParquetTable,
}
"""The kinds of tables by their suffix."""
