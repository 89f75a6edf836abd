"""A report as two flat tables, for CSV, Parquet and scripts: its cells and its averages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa
from pyarrow import csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sercore.evaluation.statistics import Interval
    from sercore.reports.views import Content
    from sercore.reports.views import Family
    from sercore.reports.views import Row

_FAMILY = [
    ("run", pa.string()),
    ("protocol", pa.string()),
    ("class_rule", pa.string()),
    ("adjustment", pa.string()),
    ("metric", pa.string()),
    ("split", pa.string()),
    ("probe", pa.string()),
    ("demo", pa.bool_()),
    ("backbone", pa.string()),
    ("checkpoint", pa.string()),
]
_INTERVAL = [
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("interval_level", pa.float64()),
    ("interval_unit", pa.string()),  # speaker, a weaker grouping, or utterance
    ("interval_units", pa.int64()),  # how many were drawn
]

CELL_SCHEMA = pa.schema(
    [
        *_FAMILY,
        ("train_corpus", pa.string()),
        ("test_corpus", pa.string()),
        ("in_domain", pa.bool_()),
        ("status", pa.string()),  # done or missing
        ("reason", pa.string()),
        ("value", pa.float64()),  # mean over seeds
        ("deviation", pa.float64()),  # over seeds, or over folds where there is one seed
        ("lowest", pa.float64()),  # over seeds
        ("highest", pa.float64()),
        ("seeds", pa.int64()),
        ("folds", pa.int64()),
        ("pooled", pa.bool_()),
        *_INTERVAL,
        ("chance_majority", pa.float64()),
        ("chance_random", pa.float64()),
        ("chance_random_high", pa.float64()),
        ("paper", pa.float64()),
        ("n_classes", pa.int64()),
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("n_dropped", pa.int64()),
        ("n_missing", pa.int64()),
        ("shared_speakers", pa.int64()),
        ("shared_texts", pa.int64()),
        ("complete", pa.bool_()),
    ]
)
"""Columns of ``cells.csv`` and ``cells.parquet``."""

AVERAGE_SCHEMA = pa.schema(
    [
        *_FAMILY,
        ("reduction", pa.string()),  # in-domain, out-of-domain, weighted, trained-on, tested-on
        ("corpus", pa.string()),
        ("mean", pa.float64()),
        ("deviation", pa.float64()),
        ("n", pa.int64()),
        ("of", pa.int64()),
        ("complete", pa.bool_()),
        *_INTERVAL,
        ("paper_mean", pa.float64()),
        ("paper_deviation", pa.float64()),
    ]
)
"""Columns of ``averages.csv`` and ``averages.parquet``."""


def cells_table(content: Content) -> pa.Table:
    """Return one row per cell, missing ones too, as `CELL_SCHEMA`."""
    rows = [
        {**_family(family, row), **each}
        for family in content.families
        for row in family.rows
        for each in _cells(row)
    ]
    return _table(rows, CELL_SCHEMA)


def averages_table(content: Content) -> pa.Table:
    """Return one row per backbone and reduction, as `AVERAGE_SCHEMA`."""
    rows = [
        {**_family(family, row), **each}
        for family in content.families
        for row in family.rows
        for each in _averages(row)
    ]
    return _table(rows, AVERAGE_SCHEMA)


def csv_bytes(table: pa.Table) -> bytes:
    """Return a table as CSV with a header."""
    buffer = io.BytesIO()
    csv.write_csv(table, buffer)
    return buffer.getvalue()


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = {name: [row.get(name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def _family(family: Family, row: Row) -> dict[str, Any]:
    setting = row.matrix.setting
    named = ("protocol", "class_rule", "adjustment", "metric", "split", "probe", "demo")
    return {
        "run": family.run,
        **{name: getattr(setting, name) for name in (*named, "backbone", "checkpoint")},
    }


def _interval(interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {}
    return {
        "low": interval.low,
        "high": interval.high,
        "interval_level": interval.level,
        "interval_unit": interval.unit,
        "interval_units": interval.n_units,
    }


def _cells(row: Row) -> Iterator[dict[str, Any]]:
    counted = ("n_classes", "n_train", "n_test", "n_dropped", "n_missing")
    for (train, test), view in row.cells.items():
        cell, chance = view.cell, view.chance
        seeds = list(cell.by_seed.values())
        yield {
            "train_corpus": train,
            "test_corpus": test,
            "in_domain": cell.in_domain,
            "status": "done",
            "value": cell.value,
            "deviation": cell.spread,
            "lowest": min(seeds),
            "highest": max(seeds),
            "seeds": len(seeds),
            "folds": max(len(cell.by_fold) // len(seeds), 1),
            "pooled": cell.pooled,
            **_interval(view.interval),
            "chance_majority": chance.majority if chance else None,
            "chance_random": chance.random if chance else None,
            "chance_random_high": chance.random_high if chance else None,
            "paper": view.published,
            **{
                name: getattr(cell, name)
                for name in (*counted, "shared_speakers", "shared_texts", "complete")
            },
        }
    for (train, test), reason in row.matrix.missing.items():
        yield {
            "train_corpus": train,
            "test_corpus": test,
            "in_domain": train == test,
            "status": "missing",
            "reason": reason,
            "complete": False,
        }


def _averages(row: Row) -> Iterator[dict[str, Any]]:
    inside, outside, paper = row.reductions.in_domain, row.reductions.out_of_domain, row.published
    yield {
        "reduction": "in-domain",
        "mean": inside.mean,
        "deviation": inside.sd,
        "n": inside.n,
        "of": inside.of,
        "complete": inside.complete,
        **_interval(row.in_domain),
        "paper_mean": paper.id_mean if paper else None,
        "paper_deviation": paper.id_std if paper else None,
    }
    if outside is None:
        return
    yield {
        "reduction": "out-of-domain",
        "mean": outside.average.mean,
        "deviation": outside.average.sd,
        "n": outside.n_cells,
        "of": outside.of_cells,
        "complete": outside.complete,
        **_interval(row.out_of_domain),
        "paper_mean": paper.ood_mean if paper else None,
        "paper_deviation": paper.ood_std if paper else None,
    }
    yield {
        "reduction": "weighted",
        "mean": row.reductions.weighted,
        "n": inside.n + outside.n_cells,
        "of": inside.of + outside.of_cells,
        "complete": row.reductions.complete,
        **_interval(row.weighted),
        "paper_mean": paper.weighted_average if paper else None,
    }
    for kind, averages, intervals in (
        ("trained-on", outside.rows, row.trained_on),
        ("tested-on", outside.columns, row.tested_on),
    ):
        for name, average in averages.items():
            yield {
                "reduction": kind,
                "corpus": name,
                "mean": average.mean,
                "deviation": average.sd,
                "n": average.n,
                "of": average.of,
                "complete": average.complete,
                **_interval(intervals.get(name)),
            }
