"""Heat maps of the page."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.reports.cells import cell_tip
from sercore.reports.cells import is_unsure
from sercore.reports.colours import level
from sercore.results.text import interval_text
from sercore.results.text import number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from sercore.reports.cells import CellIndex
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Side
    from sercore.results.matrices import Pair
    from sercore.results.reductions import Average
    from sercore.results.reductions import OutOfDomain
    from sercore.statistics.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """A square of a heat map."""

    tip: str
    text: str = ""
    level: int = 0
    """Step of the colour scale."""
    missing: bool = False
    id: str | None = None
    """Of the details that a click opens."""
    label: str = ""
    """What a screen reader says; with an id."""
    own: bool = False
    """Whether it is framed as an in-domain cell among others."""
    unsure: bool = False
    """Whether its interval reaches down to the best blind guess."""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A row of a heat map; None is an empty square."""

    title: str
    cells: tuple[HeatCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatTable:
    """A heat map."""

    title: str
    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    total: bool = False
    """Whether the last column holds means."""


def matrix_tables(
    group: ComparisonGroup, result: BackboneResult, index: CellIndex
) -> Iterator[HeatTable]:
    """Yield a map for every set of corpora that out-of-domain cells connect.

    Its last column is the out-of-domain mean by train corpus, its last row that by test corpus.
    Without out-of-domain cells there is no map.
    """
    metric = group.setting.metric
    outside = result.reductions.out_of_domain
    if outside is not None:
        rows, columns = result.intervals.rows, result.intervals.columns
        yield _matrix_table(result, outside, rows, columns, index, f"{metric}; {outside.coverage}")
    for small in result.reductions.small_clusters:
        caption = f"{metric}; {small.coverage}; a small cluster, which no average above includes"
        yield _matrix_table(result, small, {}, {}, index, caption)


def in_domain_table(group: ComparisonGroup, index: CellIndex) -> HeatTable | None:
    """Return the in-domain cells of all backbones, or None if there are none."""
    corpora = group.in_domain_corpora
    if not corpora:
        return None
    return HeatTable(
        title="In-domain scores",
        caption=f"{group.setting.metric}; a click shows the confusion matrix.",
        corner="backbone",
        columns=(*corpora, "mean"),
        total=True,
        rows=tuple(
            HeatRow(
                result.title,
                (
                    *(_unframed(_cell(result, (name, name), index)) for name in corpora),
                    _value(
                        result.reductions.in_domain.mean,
                        f"{result.title}\nin-domain mean ({result.reductions.in_domain.coverage})",
                    ),
                ),
            )
            for result in group.backbones
        ),
    )


def corpus_table(group: ComparisonGroup, side: Side) -> HeatTable:
    """Return the out-of-domain means by train corpus or by test corpus."""
    corpora = group.clusters[0]
    rows = []
    for result in group.backbones:
        means, intervals = result.means(side)
        cells = (
            _average(means[name], intervals, name) if name in means else None for name in corpora
        )
        rows.append(HeatRow(result.title, tuple(cells)))
    return HeatTable(
        title="Means by training corpus" if side == "rows" else "Means by test corpus",
        caption=f"Mean {group.setting.metric} over the other corpora.",
        corner="backbone",
        columns=corpora,
        rows=tuple(rows),
    )


def class_table(group: ComparisonGroup) -> HeatTable | None:
    """Return the mean F1 of every class, in and out of domain; None without any."""
    names = list(dict.fromkeys(name for result in group.backbones for name in result.class_f1))
    columns = [
        (name, inside)
        for name in names
        for inside in (True, False)
        if any(_class_value(result, name, inside=inside) is not None for result in group.backbones)
    ]
    if not columns:
        return None
    return HeatTable(
        title="F1 of each class",
        caption="in: in-domain cells; out: out-of-domain cells.",
        corner="backbone",
        columns=tuple(f"{name}, {'in' if inside else 'out'}" for name, inside in columns),
        rows=tuple(
            HeatRow(result.title, tuple(_class_cell(result, *column) for column in columns))
            for result in group.backbones
        ),
    )


def _matrix_table(
    result: BackboneResult,
    outside: OutOfDomain,
    by_train: Mapping[str, Interval],
    by_test: Mapping[str, Interval],
    index: CellIndex,
    caption: str,
) -> HeatTable:
    corpora = outside.corpora
    rows = [
        HeatRow(
            train,
            (
                *(_cell(result, (train, test), index) for test in corpora),
                _average(outside.rows[train], by_train, train),
            ),
        )
        for train in corpora
    ]
    means = (
        *(_average(outside.columns[test], by_test, test) for test in corpora),
        _value(outside.average.mean, f"mean of the rows ({outside.coverage})"),
    )
    return HeatTable(
        title=f"Matrix of {result.title}",
        caption=caption,
        corner="train ╲ test",
        columns=(*corpora, "mean, others"),
        total=True,
        rows=(*rows, HeatRow("mean, other rows", means)),
    )


def _class_value(result: BackboneResult, name: str, *, inside: bool) -> float | None:
    found = result.class_f1.get(name)
    if found is None:
        return None
    return found.in_domain if inside else found.out_of_domain


def _class_cell(result: BackboneResult, name: str, inside: bool) -> HeatCell | None:  # noqa: FBT001
    value = _class_value(result, name, inside=inside)
    where = "in" if inside else "out of"
    return _value(value, f"{result.title}\nmean F1 of {name} {where} domain: {number(value)}")


def _cell(result: BackboneResult, pair: Pair, index: CellIndex) -> HeatCell | None:
    if pair in result.matrix.missing:
        reason = result.matrix.missing[pair]
        return HeatCell(
            missing=True, tip=f"{result.title}\n{pair[0]} on {pair[1]} is missing: {reason}"
        )
    view = result.cells.get(pair)
    if view is None:
        return None
    tip = cell_tip(result, view)
    return HeatCell(
        id=index.add(result, view),
        own=view.cell.in_domain,
        level=level(view.skill),
        text=short(view.cell.value),
        unsure=is_unsure(view),
        tip=tip,
        label=f"{tip.replace(chr(10), ', ')}. Opens the confusion matrix.",
    )


def _unframed(cell: HeatCell | None) -> HeatCell | None:
    """Return a cell for a map that has only in-domain cells."""
    return cell if cell is None else replace(cell, own=False)


def _average(average: Average, intervals: Mapping[str, Interval], name: str) -> HeatCell | None:
    interval = intervals.get(name)
    tip = f"{name}: mean {number(average.mean)} ({average.coverage} cells)"
    if interval is not None:
        tip += f"\n{interval_text(interval)}"
    return _value(average.mean, tip)


def _value(value: float | None, tip: str) -> HeatCell | None:
    if value is None:
        return None
    return HeatCell(level=level(value), text=short(value), tip=tip)


def short(value: float) -> str:
    """Return a value with as few characters as a square has room for.

    >>> short(0.125), short(1.0)
    ('.12', '1.00')
    """
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text
