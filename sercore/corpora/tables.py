"""Read the tables of corpora: text, CSV, and Parquet with or without embedded audio."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sercore.corpora.files import CorpusFiles

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedAudio:
    """One row of a Parquet file that embeds audio."""

    row: int
    size: int | None
    """Bytes of the audio; None if the row has none."""
    values: Mapping[str, Any]
    """The requested columns."""
    name: str | None = None
    """The path of the original file, where the column of audio states it."""


def decode_text(data: bytes) -> str:
    """Decode text whose encoding is unknown.

    The order is UTF-16 (with a byte-order mark), UTF-8, Windows-1252, and Latin-1, which accepts
    every byte.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def csv_rows(
    files: CorpusFiles, path: str, columns: Sequence[str], *, delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Iterate over the rows of a CSV file whose first line names its columns.

    Args:
        files: the corpus on disk.
        path: the CSV file inside the corpus.
        columns: the needed columns; case and surrounding blanks are ignored.
        delimiter: the separator of fields.

    Yields:
        The line on which the row ends, counted from 1, and the needed fields without
        surrounding blanks.

    Raises:
        CorpusError: a column is missing, or a row ends before the last needed one.
    """
    lines = csv.reader(io.StringIO(decode_text(files.read(path)), newline=""), delimiter=delimiter)
    positions = column_positions(next(lines, []), columns, path)
    for fields in lines:
        if not any(fields):
            continue
        try:
            row = {name: fields[position].strip() for name, position in positions.items()}
        except IndexError:
            raise CorpusError(
                f"line {lines.line_num} of {path} has {len(fields)} fields, too few for its header",
                hint="the file is damaged; replace it by one from a fresh copy of the corpus",
            ) from None
        yield lines.line_num, row


def column_positions(header: Sequence[object], columns: Sequence[str], path: str) -> dict[str, int]:
    """Return the positions of the needed columns of a table.

    Raises:
        CorpusError: a column is missing.
    """
    names = [str(name or "").strip().casefold() for name in header]
    try:
        return {name: names.index(name.casefold()) for name in columns}
    except ValueError:
        missing = ", ".join(name for name in columns if name.casefold() not in names)
        raise CorpusError(
            f"{path} has no column {missing}",
            hint="use the file that the authors distribute",
        ) from None


def embedded_audio(
    files: CorpusFiles, path: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[EmbeddedAudio]:
    """Iterate over the rows of a Parquet file that embeds audio, a few rows in memory at a time.

    Args:
        files: the corpus on disk.
        path: the Parquet file inside the corpus.
        columns: the other columns that are needed.
        optional: columns that are read if they exist.

    Raises:
        CorpusError: the file is not Parquet, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with files.open(path) as stream:
        try:
            parquet = pq.ParquetFile(stream)
            audio = audio_column(parquet.schema_arrow, path)
            column_positions(parquet.schema_arrow.names, columns, path)
            wanted = [*columns, *(name for name in optional if name in parquet.schema_arrow.names)]
            row = 0
            outer, _, inner = audio.partition(".")
            named = inner and parquet.schema_arrow.field(outer).type.get_field_index("path") >= 0
            read = [*wanted, audio, *([f"{outer}.path"] if named else [])]
            for batch in parquet.iter_batches(batch_size=32, columns=read):
                held = batch.column(batch.schema.get_field_index(outer))
                names = held.field("path").to_pylist() if named else [None] * len(batch)
                if inner:
                    held = held.field(inner)
                values = batch.select(wanted).to_pylist()
                sizes = pc.binary_length(held).to_pylist()
                for row_values, size, name in zip(values, sizes, names, strict=True):
                    yield EmbeddedAudio(row=row, size=size, values=row_values, name=name)
                    row += 1
        except pa.ArrowException as error:
            raise CorpusError(
                f"{path} is not a readable Parquet file: {error}",
                hint="download it again; a Git LFS pointer must be fetched with 'git lfs pull'",
            ) from None


def embedded_names(place: Path) -> list[str]:
    """Return the names of the recordings that a Parquet file embeds.

    They stand in its first column of text, plain or beside the audio, whose first value is the name
    of a file for sound. No audio is read. Empty if it is not Parquet, or has no such column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(place) as parquet:
            for column in _text_columns(parquet.schema_arrow):
                batches = (
                    _flat(batch) for batch in parquet.iter_batches(batch_size=64, columns=[column])
                )
                first = next(batches, [])
                if first and _is_sound(first[0]):
                    return [str(name) for name in chain(first, *batches) if _is_sound(name)]
    except (pa.ArrowException, OSError):
        return []
    return []


def _text_columns(schema: pa.Schema) -> Iterator[str]:
    """Yield the dotted names of the columns of text, those inside structs included."""
    import pyarrow.types as kinds

    for column in schema:
        if kinds.is_string(column.type) or kinds.is_large_string(column.type):
            yield str(column.name)
        elif kinds.is_struct(column.type):
            inside = (
                f"{column.name}.{inner.name}"
                for inner in column.type
                if str(inner.type) == "string"
            )
            yield from inside


def _flat(batch: pa.RecordBatch) -> list[object]:
    """Return the values of a batch of one column, or of the only field of its struct."""
    values: list[object] = batch.column(0).to_pylist()
    return [next(iter(one.values())) if isinstance(one, dict) else one for one in values]


def _is_sound(name: object) -> bool:
    return isinstance(name, str) and PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES


def audio_column(schema: pa.Schema, path: str) -> str:
    """Return the dotted name of the column of a Parquet file that holds encoded audio.

    Structs such as ``{bytes, path}`` are preferred to plain columns of bytes.

    Raises:
        CorpusError: the file has no such column.
    """
    import pyarrow.types as kinds

    def holds_bytes(column: pa.Field) -> bool:
        return bool(kinds.is_binary(column.type) or kinds.is_large_binary(column.type))

    for column in schema:
        if kinds.is_struct(column.type):
            for inner in column.type:
                if holds_bytes(inner):
                    return f"{column.name}.{inner.name}"
    for column in schema:
        if holds_bytes(column):
            return str(column.name)
    raise CorpusError(
        f"{path} has no column of embedded audio",
        hint="download the Parquet files with the audio, not only the index",
    )
