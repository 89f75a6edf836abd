"""A report as two flat tables, for CSV, Parquet and scripts: its cells and its averages.

The fields of the dataclasses are the columns. A field that is a dataclass contributes its own
fields in its place.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import fields
from dataclasses import is_dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import get_args
from typing import get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sercore.reports.flat_lines import AverageLine
from sercore.reports.flat_lines import BackboneColumns
from sercore.reports.flat_lines import CellLine
from sercore.reports.flat_lines import IntervalColumns

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import CellView
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.results.calibration import CalibrationMeasure
    from sercore.results.matrices import Cell
    from sercore.results.reductions import Average
    from sercore.statistics.intervals import Interval


_TYPES = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}


def _columns(kind: Any) -> Iterator[tuple[str, pa.DataType]]:
    hints = get_type_hints(kind)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from _columns(hint)
        else:
            plain = next(part for part in (*get_args(hint), hint) if part in _TYPES)
            yield field.name, _TYPES[plain]


CELL_SCHEMA = pa.schema(list(_columns(CellLine)))
"""Columns of ``cells.csv`` and ``cells.parquet``."""

AVERAGE_SCHEMA = pa.schema(list(_columns(AverageLine)))
"""Columns of ``averages.csv`` and ``averages.parquet``."""


def cells_table(content: Content) -> pa.Table:
    """Return one row per cell, missing cells too, as `CELL_SCHEMA`."""
    lines = [
        line
        for group in content.groups
        for result in group.backbones
        for line in _cell_lines(group, result)
    ]
    return _table(lines, CELL_SCHEMA)


def averages_table(content: Content) -> pa.Table:
    """Return one row per backbone and average, as `AVERAGE_SCHEMA`."""
    lines = [
        line
        for group in content.groups
        for result in group.backbones
        for line in _average_lines(group, result)
    ]
    return _table(lines, AVERAGE_SCHEMA)


def csv_bytes(table: pa.Table) -> bytes:
    """Return a table as CSV with a header; text that a spreadsheet would compute gets a ' first."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            inert = pc.replace_substring_regex(table.column(index), r"^([=+\-@\t\r])", r"'\1")
            table = table.set_column(index, field, inert)
    buffer = io.BytesIO()
    csv.write_csv(table, buffer)
    return buffer.getvalue()


def _table(lines: Sequence[CellLine] | Sequence[AverageLine], schema: pa.Schema) -> pa.Table:
    rows = [dict(_flattened(line)) for line in lines]
    columns = {name: [row[name] for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def _flattened(line: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(line):
        value = getattr(line, field.name)
        if is_dataclass(value):
            yield from _flattened(value)
        else:
            yield field.name, value


def _backbone(group: ComparisonGroup, result: BackboneResult) -> BackboneColumns:
    setting = result.matrix.setting
    return BackboneColumns(
        run=group.run,
        protocol=setting.protocol,
        class_rule=setting.class_rule,
        adjustment=setting.adjustment,
        metric=setting.metric,
        split=setting.split,
        probe=setting.probe,
        probe_settings=setting.probe_settings,
        demo=setting.demo,
        corpora=setting.corpora,
        backbone=setting.backbone,
        floor=result.is_floor,
        layer=setting.layer,
        dtype=setting.dtype,
        checkpoint=setting.checkpoint,
        revision=setting.revision,
    )


def _interval(interval: Interval | None) -> IntervalColumns:
    if interval is None:
        return IntervalColumns()
    return IntervalColumns(
        low=interval.low,
        high=interval.high,
        interval_level=interval.level,
        interval_unit=interval.unit,
        interval_units=interval.n_units,
        interval_effective_units=interval.effective_units,
        interval_df=interval.df,
        interval_notes=" ".join(interval.notes),
    )


def _cell_lines(group: ComparisonGroup, result: BackboneResult) -> Iterator[CellLine]:
    backbone = _backbone(group, result)
    for view in result.cells.values():
        yield _done(backbone, view, _beside_cell(group, result, view.cell))
    for (train, test), reason in result.matrix.missing.items():
        yield CellLine(
            backbone_of=backbone,
            train_corpus=train,
            test_corpus=test,
            in_domain=train == test,
            status="missing",
            reason=reason,
            complete=False,
        )


def _done(backbone: BackboneColumns, view: CellView, beside: Mapping[str, Any]) -> CellLine:
    cell, chance = view.cell, view.chance
    seeds = list(cell.by_seed.values())
    return CellLine(
        backbone_of=backbone,
        train_corpus=cell.train,
        test_corpus=cell.test,
        in_domain=cell.in_domain,
        status="done",
        value=cell.value,
        deviation=cell.spread,
        lowest=min(seeds),
        highest=max(seeds),
        seeds=len(seeds),
        folds=max(len(cell.by_fold) // len(seeds), 1),
        pooled=cell.pooled,
        interval=_interval(view.interval),
        chance=chance.best_blind_guess if chance else None,
        chance_majority=chance.majority if chance else None,
        chance_own_answers=chance.own_answers if chance else None,
        **beside,
        paper=view.published,
        n_classes=cell.n_classes,
        n_train=cell.n_train,
        n_test=cell.n_test,
        n_dropped=cell.n_dropped,
        n_missing=cell.n_missing,
        shared_speakers=cell.shared_speakers,
        shared_texts=cell.shared_texts,
        complete=cell.complete,
    )


def _beside_cell(group: ComparisonGroup, result: BackboneResult, cell: Cell) -> dict[str, Any]:
    """Return the columns of a cell about shortcuts, listeners and calibration."""
    columns: dict[str, Any] = {}
    if cell.in_domain:
        columns["human_accuracy"] = group.human_accuracy.get(cell.test)
        for shortcut in group.shortcuts:
            found = shortcut.cells.get(cell.test)
            if found is not None:
                columns |= _shortcut(shortcut.known, found.cell.value, found.interval)
    for column, measure in _measures(result):
        columns[column] = measure.cells.get((cell.train, cell.test))
    return columns


def _beside_average(
    group: ComparisonGroup, result: BackboneResult, *, inside: bool
) -> dict[str, Any]:
    """Return the columns of an average about chance, shortcuts and calibration."""
    columns: dict[str, Any] = {}
    level = group.chance.in_domain if inside else group.chance.out_of_domain
    columns["chance"] = level.best_blind_guess if level else None
    for shortcut in group.shortcuts if inside else ():
        columns |= _shortcut(shortcut.known, shortcut.mean, shortcut.interval)
    for column, measure in _measures(result):
        average = measure.in_domain if inside else measure.out_of_domain
        columns[column] = average.mean if average else None
    return columns


def _measures(result: BackboneResult) -> Iterator[tuple[str, CalibrationMeasure]]:
    """Yield the measures of calibration with the names of their columns."""
    found = result.calibration
    if found is not None and found.ece is not None:
        yield "expected_calibration_error", found.ece
    if found is not None and found.nll is not None:
        yield "negative_log_likelihood", found.nll


def _shortcut(known: str, value: float, interval: Interval | None) -> dict[str, float | None]:
    return {
        f"{known}_alone": value,
        f"{known}_alone_low": interval.low if interval else None,
        f"{known}_alone_high": interval.high if interval else None,
    }


def _average_lines(group: ComparisonGroup, result: BackboneResult) -> Iterator[AverageLine]:
    backbone = _backbone(group, result)
    reductions, intervals, paper = result.reductions, result.intervals, result.published
    inside, outside = reductions.in_domain, reductions.out_of_domain
    yield AverageLine(
        backbone_of=backbone,
        reduction="in-domain",
        mean=inside.mean,
        deviation=inside.sd,
        n=inside.n,
        of=inside.of,
        complete=inside.complete,
        interval=_interval(intervals.in_domain),
        **_beside_average(group, result, inside=True),
        paper_mean=paper.id_mean if paper else None,
        paper_deviation=paper.id_std if paper else None,
    )
    if outside is None:
        return
    yield AverageLine(
        backbone_of=backbone,
        reduction="out-of-domain",
        mean=outside.average.mean,
        deviation=outside.average.sd,
        n=outside.n_cells,
        of=outside.of_cells,
        complete=outside.complete,
        interval=_interval(intervals.out_of_domain),
        **_beside_average(group, result, inside=False),
        paper_mean=paper.ood_mean if paper else None,
        paper_deviation=paper.ood_std if paper else None,
    )
    yield AverageLine(
        backbone_of=backbone,
        reduction="weighted",
        mean=reductions.weighted,
        n=inside.n + outside.n_cells,
        of=inside.of + outside.of_cells,
        complete=reductions.complete,
        interval=_interval(intervals.weighted),
        paper_mean=paper.weighted_average if paper else None,
    )
    if result.matched is not None:
        yield AverageLine(
            backbone_of=backbone,
            reduction="weighted-matched",
            mean=result.matched.weighted,
            n=inside.n + outside.n_cells,
            of=inside.of + outside.of_cells,
            complete=reductions.complete,
            interval=_interval(result.matched.interval),
        )
    for corpus, average in outside.rows.items():
        yield _corpus_line(backbone, "trained-on", corpus, average, intervals.rows.get(corpus))
    for corpus, average in outside.columns.items():
        yield _corpus_line(backbone, "tested-on", corpus, average, intervals.columns.get(corpus))


def _corpus_line(
    backbone: BackboneColumns,
    reduction: str,
    corpus: str,
    average: Average,
    interval: Interval | None,
) -> AverageLine:
    return AverageLine(
        backbone_of=backbone,
        reduction=reduction,
        corpus=corpus,
        mean=average.mean,
        deviation=average.sd,
        n=average.n,
        of=average.of,
        complete=average.complete,
        interval=_interval(interval),
    )
