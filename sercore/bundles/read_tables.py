"""Check the tables of a bundle before anything is computed from them.

Every function raises `ValueError` with the end of a sentence about the bundle.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sercore.bundles.layout import PREDICTION_COLUMNS
from sercore.bundles.layout import SPLIT_SCHEMA
from sercore.bundles.layout import UNIT_SCHEMA
from sercore.bundles.public_tables import classes_of
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.storage import seals

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_VALUES = 500_000_000
"""Values of a table. A few bytes of Parquet can stand for any number of equal values."""

_MOST_CLASSES = 1000


def check_scores(data: bytes) -> pa.Table:
    """Return the scores of a bundle."""
    table = _table("scores.parquet", data)
    if not table.schema.equals(SCORE_SCHEMA):
        odd = next(
            (field.name for field in SCORE_SCHEMA if field not in table.schema),
            "more columns than it should have",
        )
        raise ValueError(
            f"its scores are those of another version of sercore (they differ in {odd})"
        )
    values = table["value"].drop_null()
    if not pc.all(pc.is_finite(values)).as_py() and len(values):
        raise ValueError("a score of it is no finite number")
    for name in ("backbone", "train_corpus", "test_corpus", "protocol", "status"):
        if table[name].null_count:
            raise ValueError(f"a score of it has no {name}")
    return table


def check_predictions(name: str, data: bytes) -> int:
    """Check one set of predictions, and return its last row of the manifest; -1 without any."""
    table = _table(name, data)
    try:
        classes: Sequence[str] = classes_of(table)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its member '{name}' names no classes") from error
    logits = pa.list_(pa.float32(), len(classes))
    types = dict(zip(PREDICTION_COLUMNS, (pa.int64(), pa.int8(), logits), strict=True))
    if len(classes) > _MOST_CLASSES or not all(isinstance(label, str) for label in classes):
        raise ValueError(f"its member '{name}' names no classes")
    _require_columns(name, table, pa.schema(list(types.items())))
    if table["logits"].combine_chunks().flatten().null_count:
        raise ValueError(f"its member '{name}' has missing values")
    if not len(table):
        return -1
    label = pc.min_max(table["label"]).as_py()
    if label["min"] < 0 or label["max"] >= len(classes):
        raise ValueError(f"its member '{name}' has a label that does not exist")
    return _last_row(name, table)


def check_split(name: str, data: bytes) -> int:
    """Check the split of one probe, and return its last row of the manifest; -1 without any."""
    table = _table(name, data)
    _require_columns(name, table, SPLIT_SCHEMA)
    return _last_row(name, table) if len(table) else -1


def check_units(name: str, data: bytes) -> int:
    """Check which utterances of one corpus share a speaker, and return how many there are."""
    table = _table(name, data)
    if not table.schema.equals(UNIT_SCHEMA):
        raise ValueError(f"its member '{name}' has other columns than sercore writes")
    return int(table.num_rows)


def _last_row(name: str, table: pa.Table) -> int:
    row = pc.min_max(table["row"]).as_py()
    if row["min"] < 0:
        raise ValueError(f"its member '{name}' has a row that does not exist")
    return int(row["max"])


def check_probe(name: str, record: Mapping[str, Any]) -> None:
    """Check the class counts of one probe."""
    classes, counts = record.get("classes"), record.get("train_counts")
    if not (isinstance(classes, list) and isinstance(counts, list)) or len(classes) != len(counts):
        raise ValueError(f"its member '{name}' does not count classes")
    if not all(isinstance(label, str) for label in classes) or not all(map(_is_count, counts)):
        raise ValueError(f"its member '{name}' does not count classes")


def _is_count(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(float(value)) and float(value) >= 0  # type: ignore[arg-type]


def _require_columns(name: str, table: pa.Table, schema: pa.Schema) -> None:
    if not table.schema.remove_metadata().equals(schema):
        raise ValueError(f"its member '{name}' has other columns than sercore writes")
    if any(table[column].null_count for column in schema.names):
        raise ValueError(f"its member '{name}' has missing values")


def _table(name: str, data: bytes) -> pa.Table:
    """Return the table of a sealed Parquet member, without its seal."""
    import pyarrow.parquet as pq

    damage = seals.damage(data)
    if damage:
        raise ValueError(f"its member '{name}' is damaged: {damage}")
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        values = _values(file.metadata)
        if values > _MOST_VALUES:
            raise ValueError(f"its member '{name}' would take {values} values in memory")
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"its member '{name}' is no Parquet file: {error}") from error
    metadata = {
        key: value
        for key, value in (table.schema.metadata or {}).items()
        if key != seals.KEY.encode()
    }
    return table.replace_schema_metadata(metadata or None)


def _values(metadata: Any) -> int:
    """Return how many values a Parquet file says that it holds."""
    stated = int(metadata.num_rows * metadata.num_columns)
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        stated += sum(int(group.column(column).num_values) for column in range(group.num_columns))
    return stated
