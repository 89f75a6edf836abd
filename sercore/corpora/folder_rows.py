"""Read folders of recordings as people and the Hub lay them out.

A folder is one of three: Parquet files with embedded audio, recordings with a table called
``metadata``, or one folder of recordings for every label.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from posixpath import basename
from posixpath import splitext
from typing import TYPE_CHECKING

from sercore.corpora.hub import missing_shards
from sercore.corpora.hub import split_of
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.corpora.paths import glob_expression
from sercore.corpora.problems import Problem
from sercore.corpora.table_columns import TableRow
from sercore.corpora.table_columns import column_line
from sercore.corpora.table_files import TABLE_SUFFIXES
from sercore.corpora.table_files import open_table

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.table_columns import Columns
    from sercore.corpora.table_files import Table

_SPLITS = frozenset({"train", "dev", "valid", "validation", "test"})
"""Names of folders that are splits, not labels."""


def is_part(path: str) -> bool:
    """Return whether a path is that of a recording or of a table that describes recordings."""
    return _is_recording(path) or _is_parquet(path) or _is_metadata(path)


def folder_rows(
    files: CorpusFiles, columns: Columns, patterns: Iterable[str]
) -> Iterator[TableRow | Problem]:
    """Iterate over the recordings of a folder.

    Args:
        files: the folder.
        columns: the columns of its tables.
        patterns: glob patterns of the files to read; empty: all of them.

    Raises:
        CorpusError: a table cannot be read, or lacks a column.
    """
    wanted = tuple(patterns)
    expression = glob_expression(*wanted) if wanted else None
    paths = [
        entry.path
        for entry in files
        if is_part(entry.path) and (expression is None or expression.fullmatch(entry.path))
    ]
    parquet = [path for path in paths if _is_parquet(path)]
    metadata = [path for path in paths if _is_metadata(path)]
    if any(open_table(files, path).embeds_audio for path in parquet[:1]):
        yield from missing_shards(parquet)
        for path in parquet:
            yield from _table_rows(open_table(files, path), columns, split_of(path))
    elif metadata:
        for path in metadata:
            yield from _described(open_table(files, path), columns)
    else:
        yield from _labelled_folders([path for path in paths if _is_recording(path)])


def unread_columns(table: Table, columns: Columns) -> Iterator[Problem]:
    """Yield a note if columns of a table look useful and are not read."""
    similar = columns.similar(table.header)
    if table.embeds_audio:
        similar.pop("path", None)
    if similar and columns.section is not None:
        line = column_line({**columns.names, **similar})
        yield Problem(
            kind="skipped",
            where=basename(table.path),
            message=f"its columns {', '.join(similar.values())} are not read",
            hint=f"write {line} under {columns.section} in sercore.toml if they are what they seem",
        )


def _table_rows(table: Table, columns: Columns, split: str | None) -> Iterator[TableRow | Problem]:
    """Yield the rows of a table; a split that the table does not state is that of its name."""
    yield from unread_columns(table, columns)
    for row in table.rows(columns):
        yield replace(row, values={"split": split, **row.values})


def _described(table: Table, columns: Columns) -> Iterator[TableRow | Problem]:
    """Yield the rows of a table of metadata; without labels, folders are the labels."""
    if "path" not in columns.names:
        columns = replace(columns, names={"path": "file_name", **columns.names})
    has_labels = columns.name("label").casefold() in map(str.casefold, table.header)
    top = table.path.split("/")[0]
    split = top if "/" in table.path and top.lower() in _SPLITS else None
    if has_labels or "label" in columns.names:
        yield from _table_rows(table, columns, split)
        return
    for row in _table_rows(table, columns.without("label"), split):
        if isinstance(row, TableRow):
            label = _folder_label(f"{row.folder}/{row.values.get('path')}")
            yield replace(row, values={**row.values, "label": label})
        else:
            yield row


def _labelled_folders(paths: list[str]) -> Iterator[TableRow | Problem]:
    """Yield a row for every recording whose folder is its label."""
    tops = {path.split("/")[0].lower() for path in paths if path.count("/") > 1}
    has_splits = bool(tops) and tops <= _SPLITS
    for path in paths:
        label = _folder_label(path)
        if label is None:
            yield Problem(
                kind="missing-annotation",
                where=path,
                message="it is in no folder of a label and was skipped",
            )
            continue
        values: Mapping[str, str] = {"path": path, "label": label}
        if has_splits:
            values = {**values, "split": path.split("/")[0]}
        yield TableRow(where=path, values=values)


def _folder_label(path: str) -> str | None:
    """Return the name of the folder that holds a file; None at the top."""
    parts = [part for part in path.split("/") if part]
    return parts[-2] if len(parts) > 1 else None


def _is_recording(path: str) -> bool:
    return splitext(path)[1].lower() in AUDIO_SUFFIXES


def _is_parquet(path: str) -> bool:
    return splitext(path)[1].lower() == ".parquet" and not _is_metadata(path)


def _is_metadata(path: str) -> bool:
    stem, suffix = splitext(basename(path))
    return stem.lower() == "metadata" and suffix.lower() in TABLE_SUFFIXES
