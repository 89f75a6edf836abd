"""Heat maps of the page, as what its template draws."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.reports.cells import cell_tip
from sercore.reports.cells import is_unsure
from sercore.reports.colours import level
from sercore.results.text import interval_text
from sercore.results.text import number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence

    from sercore.evaluation.statistics import Interval
    from sercore.reports.cells import CellIndex
    from sercore.reports.views import Family
    from sercore.reports.views import Row
    from sercore.results.matrices import Pair
    from sercore.results.reductions import Average

HeatTable = dict[str, Any]


def matrix_tables(family: Family, row: Row, index: CellIndex) -> list[HeatTable]:
    """Return one map for each set of corpora that out-of-domain cells connect.

    Its last column is the mean of the row out of domain (Figure 2), its last row that of the
    column (Figure 3). Without any out-of-domain cell there is none.
    """
    found = []
    outsides = [row.reductions.out_of_domain, *row.reductions.small_clusters]
    for place, outside in enumerate(each for each in outsides if each is not None):
        corpora = outside.corpora
        rows = [
            {
                "title": train,
                "cells": [
                    *(_cell(row, (train, test), index) for test in corpora),
                    _average(outside.rows[train], row.trained_on if not place else {}, train),
                ],
            }
            for train in corpora
        ]
        rows.append(
            {
                "title": "mean, other rows",
                "cells": [
                    *(
                        _average(outside.columns[test], row.tested_on if not place else {}, test)
                        for test in corpora
                    ),
                    _value(outside.average.mean, f"mean of the rows ({outside.coverage})"),
                ],
            }
        )
        found.append(
            {
                "title": f"Matrix of {row.title}",
                "caption": f"{family.setting.metric}; {outside.coverage}"
                + ("" if not place else "; a small cluster, in no average above"),
                "corner": "train ╲ test",
                "columns": [*corpora, "mean, others"],
                "total": True,
                "rows": rows,
            }
        )
    return found


def in_domain_table(family: Family, index: CellIndex) -> HeatTable | None:
    """Return the in-domain cells of all backbones."""
    corpora = family.in_domain_corpora
    if not corpora:
        return None
    return {
        "title": "In-domain scores",
        "caption": f"{family.setting.metric}; a click shows the confusion matrix.",
        "corner": "backbone",
        "columns": [*corpora, "mean"],
        "total": True,
        "rows": [
            {
                "title": row.title,
                "cells": [
                    *(_unframed(_cell(row, (name, name), index)) for name in corpora),
                    _value(
                        row.reductions.in_domain.mean,
                        f"{row.title}\nin-domain mean ({row.reductions.in_domain.coverage})",
                    ),
                ],
            }
            for row in family.rows
        ],
    }


def figure_table(family: Family, which: str) -> HeatTable:
    """Return the numbers of Figure 2 (`which` is ``rows``) or Figure 3 (``columns``)."""
    corpora = family.clusters[0]
    rows = []
    for row in family.rows:
        outside = row.reductions.out_of_domain
        averages = {} if outside is None else getattr(outside, which)
        intervals = row.trained_on if which == "rows" else row.tested_on
        cells = [
            _average(averages[name], intervals, name) if name in averages else None
            for name in corpora
        ]
        rows.append({"title": row.title, "cells": cells})
    return {
        "title": "Means by training corpus" if which == "rows" else "Means by test corpus",
        "caption": f"Mean {family.setting.metric} over the other corpora.",
        "corner": "backbone",
        "columns": list(corpora),
        "total": False,
        "rows": rows,
    }


def class_table(family: Family) -> HeatTable | None:
    """Return the mean F1 of each class, in and out of domain."""
    names = list(dict.fromkeys(name for row in family.rows for name in row.class_f1))
    columns = [
        (name, side)
        for name in names
        for side in (0, 1)
        if any(row.class_f1.get(name, (None, None))[side] is not None for row in family.rows)
    ]
    if not columns:
        return None
    return {
        "title": "F1 of each class",
        "caption": "in: in-domain cells; out: out-of-domain cells.",
        "corner": "backbone",
        "columns": [f"{name}, {('in', 'out')[side]}" for name, side in columns],
        "total": False,
        "rows": [_class_row(row, columns) for row in family.rows],
    }


def _class_row(row: Row, columns: Sequence[tuple[str, int]]) -> dict[str, Any]:
    cells = []
    for name, side in columns:
        value = row.class_f1.get(name, (None, None))[side]
        where = ("in", "out of")[side]
        tip = f"{row.title}\nmean F1 of {name} {where} domain: {number(value)}"
        cells.append(_value(value, tip))
    return {"title": row.title, "cells": cells}


def _cell(row: Row, pair: Pair, index: CellIndex) -> dict[str, Any] | None:
    if pair in row.matrix.missing:
        reason = row.matrix.missing[pair]
        tip = f"{row.title}\n{pair[0]} on {pair[1]} is missing: {reason}"
        return {"missing": True, "tip": tip}
    view = row.cells.get(pair)
    if view is None:
        return None
    tip = cell_tip(row, view)
    return {
        "missing": False,
        "id": index.add(row, view),
        "own": view.cell.in_domain,
        "level": level(view.cell.value),
        "text": short(view.cell.value),
        "unsure": is_unsure(view),
        "tip": tip,
        "label": f"{tip.replace(chr(10), ', ')}. Opens the confusion matrix.",
    }


def _unframed(cell: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a cell among cells that are all in-domain."""
    return cell if cell is None else {**cell, "own": False}


def _average(
    average: Average, intervals: Mapping[str, Interval], name: str
) -> dict[str, Any] | None:
    interval = intervals.get(name)
    tip = f"{name}: mean {number(average.mean)} ({average.coverage} cells)"
    if interval is not None:
        tip += f"\n{interval_text(interval)}"
    return _value(average.mean, tip)


def _value(value: float | None, tip: str) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "missing": False,
        "id": None,
        "own": False,
        "level": level(value),
        "text": short(value),
        "unsure": False,
        "tip": tip,
        "label": "",
    }


def short(value: float) -> str:
    """Return a value in as few letters as a cell has room for.

    >>> short(0.125), short(1.0)
    ('.12', '1.00')
    """
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text
