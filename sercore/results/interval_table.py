"""The intervals of a run as a table: one row per cell, over its folds and seeds."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa

from sercore.results.matrices import Setting

if TYPE_CHECKING:
    from sercore.results.matrices import Cell
    from sercore.results.overview import RunOverview
    from sercore.statistics.intervals import Interval

_SETTING = tuple(field.name for field in fields(Setting))

INTERVAL_SCHEMA = pa.schema(
    [
        *((name, pa.bool_() if name == "demo" else pa.string()) for name in _SETTING),
        ("train_corpus", pa.string()),
        ("test_corpus", pa.string()),
        ("in_domain", pa.bool_()),
        ("seeds", pa.int64()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("level", pa.float64()),
        ("unit", pa.string()),
        ("units", pa.int64()),
        ("effective_units", pa.float64()),
        ("df", pa.float64()),
        ("notes", pa.string()),
    ]
)
"""Columns of ``runs/<name>/intervals.parquet``. `value` is the headline score of a cell over its
folds and seeds; the ends are null where a score has no interval. The setting's columns and those of
the corpora are as in `sercore.evaluation.scores.SCORE_SCHEMA`; `class_rule` and `adjustment` are
those of the matrix that the cell belongs to, in domain too. The others are as in
`sercore.statistics.intervals.Interval`."""


def interval_table(overview: RunOverview) -> pa.Table:
    """Return the cells of a run with their intervals, as `INTERVAL_SCHEMA`."""
    rows = [
        _row(one.matrix.setting, cell, one.cells.get(pair))
        for one in overview.matrices
        for pair, cell in one.matrix.cells.items()
    ]
    return pa.Table.from_pylist(rows, schema=INTERVAL_SCHEMA)


def _row(setting: Setting, cell: Cell, interval: Interval | None) -> dict[str, Any]:
    row = {name: getattr(setting, name) for name in _SETTING}
    row |= {
        "train_corpus": cell.train,
        "test_corpus": cell.test,
        "in_domain": cell.in_domain,
        "seeds": len(cell.by_seed),
        "value": cell.value,
    }
    if interval is not None:
        row |= {
            "low": interval.low,
            "high": interval.high,
            "level": interval.level,
            "unit": interval.unit,
            "units": interval.n_units,
            "effective_units": interval.effective_units,
            "df": interval.df,
            "notes": " ".join(interval.notes),
        }
    return row
