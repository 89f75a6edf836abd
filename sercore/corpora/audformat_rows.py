"""Read databases in audformat through the library of that name, an optional requirement.

The library loads pickled tables and unrestricted YAML. Both can run code of whoever wrote the
database, so pickles are refused and the header is read by the safe loader of YAML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.paths import glob_expression
from sercore.corpora.table_columns import TableRow
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.table_columns import Columns

HEADER = "db.yaml"
_SCHEMES = {"label": "emotion", "text": "transcription"}
"""Schemes that are read unless others are given, where they differ from the fact."""
_UNUSABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError)
"""What the library raises for a database that it cannot read."""
_FACTS = ("label", "speaker", "gender", "text")


def audformat_rows(
    files: CorpusFiles, columns: Columns, patterns: Iterable[str]
) -> Iterator[TableRow]:
    """Iterate over the labelled files and segments of a database.

    Args:
        files: the folder with ``db.yaml``, the tables and the recordings.
        columns: names of schemes or columns by what they hold.
        patterns: glob patterns of the files of tables to search for labels; empty: all tables.

    Raises:
        CorpusError: the library is not installed, or the database cannot be read.
    """
    database = _load(files)
    names = {fact: columns.names.get(fact, _SCHEMES.get(fact, fact)) for fact in _FACTS}
    tables = _tables(database, tuple(patterns))
    frame = _labels(files, database, names, tables, columns.section)
    splits = _splits(database, names["label"])
    for place, record in zip(frame.index, frame.to_dict("records"), strict=True):
        file, first, last = place if isinstance(place, tuple) else (place, None, None)
        start, end = _seconds(first), _seconds(last)
        values = {fact: record.get(name) for fact, name in names.items()}
        is_whole = end is None and not start
        values |= {"path": file, "split": splits.get(file), "end": end}
        values["start"] = None if is_whole else start
        yield TableRow(where=f"{HEADER} ({file})", values=values)


def _load(files: CorpusFiles) -> Any:
    """Return the database with its tables.

    Raises:
        CorpusError: the library is not installed, or the database cannot be read safely.
    """
    try:
        import audformat
        import yaml
    except ImportError:
        raise CorpusError(
            f"{files.root} is a database in audformat, and the library for it is not installed",
            hint="install it with pip install 'sercore[audformat]'",
        ) from None
    pickles = [entry.path for entry in files if fnmatch(entry.path, "db.*.pkl")]
    if pickles:
        raise CorpusError(
            f"{files.root} has the pickle {pickles[0]}, which could run code and is not loaded",
            hint="save the tables of the database as CSV or Parquet, and remove the pickles",
        )
    try:
        header = yaml.safe_load(files.read(HEADER).decode("utf-8"))
        database = audformat.Database.load_header_from_yaml(header)
        for name in (*database.misc_tables, *database.tables):
            database[name].load(str(files.locate(f"db.{name}")))
    except (yaml.YAMLError, *_UNUSABLE) as error:
        raise CorpusError(
            f"{files.root} cannot be read as a database in audformat: {_first_line(error)}",
            hint="name the folder that contains its db.yaml, as in audformat:DIR",
        ) from error
    return database


def _labels(
    files: CorpusFiles,
    database: Any,
    names: Mapping[str, str],
    tables: Sequence[str] | None,
    section: str | None,
) -> Any:
    """Return a data frame with the facts of all labelled files or segments.

    Raises:
        CorpusError: there is no label, or there are several for one recording.
    """
    label = names["label"]
    try:
        frame = database.get(label, [names[fact] for fact in _FACTS[1:]], tables=tables)
    except (ValueError, TypeError):
        holders = [name for name in database.tables if label in database[name].columns]
        raise CorpusError(
            f"tables of {files.root} give a recording several values of '{label}'",
            hint=f"choose one of db.{', db.'.join(holders or database.tables)} with files = "
            f'["db.TABLE.*"] under {section} in sercore.toml',
        ) from None
    if not len(frame):
        raise CorpusError(
            f"{files.root} has no label in a scheme '{label}'; its schemes are "
            f"{', '.join(database.schemes) or 'none'}",
            hint=f'write columns = {{ label = "SCHEME" }} under {section} in sercore.toml',
        )
    return frame


def _tables(database: Any, patterns: tuple[str, ...]) -> list[str] | None:
    """Return the tables whose files match a pattern; None for all."""
    if not patterns:
        return None
    expression = glob_expression(*patterns)
    files = {name: (f"db.{name}.csv", f"db.{name}.parquet") for name in database.tables}
    return [name for name, shown in files.items() if any(map(expression.fullmatch, shown))]


def _splits(database: Any, label: str) -> dict[str, str]:
    """Return the split of every file that is in one."""
    found = {}
    for name, split in database.splits.items():
        index = database.get(label, splits=[name]).index
        files = index.get_level_values("file") if len(index) else ()
        found.update(dict.fromkeys(files, split.type))
    return found


def _seconds(value: Any) -> float | None:
    """Return a duration of pandas in seconds; None for a missing one."""
    if value is None:
        return None
    seconds = float(value.total_seconds())
    return None if math.isnan(seconds) else seconds


def _first_line(error: Exception) -> str:
    return " ".join(str(error).partition("\n")[0].split()).rstrip(".")
