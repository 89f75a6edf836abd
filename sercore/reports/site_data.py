"""The rows of a leaderboard as data: JSON and Parquet beside the page."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa

from sercore.results.record import backbones_of
from sercore.results.record import corpora_of
from sercore.results.record import section

if TYPE_CHECKING:
    from sercore.reports.site_boards import RankedRow
    from sercore.reports.site_boards import SiteBoard
    from sercore.reports.site_rows import SiteEntry
    from sercore.statistics.intervals import Interval

SCHEMA_VERSION = 1


def provenance(entry: SiteEntry) -> dict[str, Any]:
    """Return where the results of an entry come from, as JSON values."""
    record, bundle = entry.run.record, entry.run.bundle
    protocol, settings = section(record, "protocol"), section(record, "settings")
    return {
        "id": entry.id,
        "run": bundle.run if bundle else entry.run.name,
        "group": entry.group,
        "contact": bundle.contact if bundle else None,
        "bundle_sha256": bundle.digest if bundle else None,
        "written": record.get("written"),
        "sercore": section(record, "environment").get("sercore"),
        "plugins": dict(section(record, "plugins")),
        "packages": dict(section(section(record, "environment"), "packages")),
        "protocol": protocol.get("id"),
        "split": protocol.get("split"),
        "first_seed": settings.get("seed"),
        "seeds": settings.get("n_seeds"),
        "corpora": {
            name: {
                "title": corpus.title,
                "manifest": entry.manifests.get(name) or corpus.manifest,
                "utterances": corpus.utterances,
                "licence": corpus.licence,
            }
            for name, corpus in corpora_of(record).items()
        },
        "backbones": {
            name: {
                "title": backbone.title,
                "checkpoint": backbone.checkpoint,
                "revision": backbone.revision,
                "weights": section(section(record, "backbones"), name).get("weights"),
            }
            for name, backbone in backbones_of(record).items()
        },
        "report": f"runs/{entry.id}/report.html",
    }


def site_rows(boards: Sequence[SiteBoard]) -> Iterator[dict[str, Any]]:
    """Yield one flat record for every row of every block."""
    for board in boards:
        for place, block in enumerate(board.blocks, 1):
            for ranked in block.rows:
                yield {
                    "board": board.id,
                    "comparison": board.title,
                    "block": place,
                    "common_cells": block.is_common,
                    **_row(ranked),
                }


def _row(ranked: RankedRow) -> dict[str, Any]:
    row, setting = ranked.row, ranked.row.setting
    inside, outside = row.reductions.in_domain, row.reductions.out_of_domain
    across = outside.average if outside else None
    bundle = row.entry.run.bundle
    return {
        "rank": ranked.rank,
        "entry": row.entry.id,
        "group": row.entry.group,
        "backbone": setting.backbone,
        "title": row.title,
        "checkpoint": setting.checkpoint,
        "revision": row.revision,
        "weights": setting.weights,
        "layer": setting.layer,
        "probe": setting.probe,
        "protocol": setting.protocol,
        "class_rule": setting.class_rule,
        "adjustment": setting.adjustment,
        "metric": setting.metric,
        "in_domain": inside.mean,
        **_ends("in_domain", row.intervals.in_domain),
        "in_domain_sd": inside.sd,
        "out_of_domain": across.mean if across else None,
        **_ends("out_of_domain", row.intervals.out_of_domain),
        "out_of_domain_sd": across.sd if across else None,
        "weighted": row.reductions.weighted,
        **_ends("weighted", row.intervals.weighted),
        "cells": len(row.cells),
        "complete": row.reductions.complete,
        "seeds": [seed for seed in row.seeds if seed is not None],
        "manifests": json.dumps(row.contents, sort_keys=True),
        "sercore": row.sercore,
        "written": str(row.entry.run.record.get("written") or "") or None,
        "bundle_sha256": bundle.digest if bundle else None,
        "marks": [mark.text for mark in ranked.marks],
        "demo": setting.demo,
        "report": f"runs/{row.entry.id}/report.html",
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    return {
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
    }


def site_json(entries: Sequence[SiteEntry], boards: Sequence[SiteBoard]) -> bytes:
    """Return the whole site as JSON."""
    content = {
        "schema": SCHEMA_VERSION,
        "entries": [provenance(entry) for entry in entries],
        "rows": [{**row, "manifests": json.loads(row["manifests"])} for row in site_rows(boards)],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


_FLOATS = tuple(
    f"{name}{ending}"
    for name in ("in_domain", "out_of_domain", "weighted")
    for ending in ("", "_low", "_high", "_sd")
    if (name, ending) != ("weighted", "_sd")
)
_OTHERS = {
    "block": pa.int32(),
    "rank": pa.int32(),
    "cells": pa.int64(),
    "common_cells": pa.bool_(),
    "complete": pa.bool_(),
    "demo": pa.bool_(),
    "seeds": pa.list_(pa.int64()),
    "marks": pa.list_(pa.string()),
}


def rows_parquet(boards: Sequence[SiteBoard]) -> bytes:
    """Return the rows as Parquet, one for every row of every block."""
    rows = list(site_rows(boards))
    names = list(rows[0]) if rows else []
    types = {**dict.fromkeys(_FLOATS, pa.float64()), **_OTHERS}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    return _parquet(pa.Table.from_pylist(rows, schema=schema))


_CELL_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in (
                *("entry", "group", "backbone", "checkpoint", "layer", "probe", "protocol"),
                *("class_rule", "adjustment", "metric", "train_corpus", "train_manifest"),
                *("test_corpus", "test_manifest"),
            )
        ),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        ("n_test", pa.int64()),
    ]
)


def cells_parquet(entries: Sequence[SiteEntry]) -> bytes:
    """Return every cell of every entry as Parquet."""
    rows = [
        {
            "entry": entry.id,
            "group": entry.group,
            "backbone": result.backbone,
            "checkpoint": result.matrix.setting.checkpoint,
            "layer": result.matrix.setting.layer,
            "probe": result.matrix.setting.probe,
            "protocol": result.matrix.setting.protocol,
            "class_rule": None if train == test else result.matrix.setting.class_rule,
            "adjustment": None if train == test else result.matrix.setting.adjustment,
            "metric": result.matrix.setting.metric,
            "train_corpus": train,
            "train_manifest": entry.manifests.get(train),
            "test_corpus": test,
            "test_manifest": entry.manifests.get(test),
            "value": view.cell.value,
            "low": view.interval.low if view.interval else None,
            "high": view.interval.high if view.interval else None,
            "n_test": view.cell.n_test,
        }
        for entry in entries
        for group in entry.content.groups
        for result in group.backbones
        for (train, test), view in sorted(result.cells.items())
    ]
    return _parquet(pa.Table.from_pylist(rows, schema=_CELL_SCHEMA))


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
