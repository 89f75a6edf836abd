"""Tables of the page that can be sorted: the leaderboard, paired tests, leak gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.results.text import MISSING
from sercore.results.text import interval_text
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from sercore.evaluation.statistics import Chance
    from sercore.evaluation.statistics import Interval
    from sercore.reports.views import Family
    from sercore.reports.views import LeakTable
    from sercore.reports.views import Row
    from sercore.results.reductions import Reductions

_ALPHA = 0.05


def leaderboard(family: Family) -> dict[str, Any]:
    """Return Table 3 of a family, with what the paper has beside it."""
    outside = any(row.reductions.out_of_domain for row in family.rows)
    groups: list[tuple[str, list[dict[str, str]]]] = [
        (
            "In-domain",
            [_column("id", "mean"), _column("id-sd", "deviation"), _column("id-n", "complete")],
        )
    ]
    if outside:
        columns = [("ood", "mean"), ("ood-sd", "deviation"), ("ood-n", "complete")]
        groups.append(("Out-of-domain", [_column(*each) for each in columns]))
        groups.append(("Both", [_column("weighted", "weighted")]))
    if any(row.by_seed for row in family.rows):
        columns = [("seed-id", "in-domain"), ("seed-ood", "out-of-domain")]
        shown = columns if outside else columns[:1]
        groups.append(("Deviation over seeds", [_column(*each) for each in shown]))
    if any(row.published is not None for row in family.rows):
        columns = [("paper-id", "in-domain"), ("paper-ood", "out-of-domain")]
        columns.append(("paper-weighted", "weighted"))
        groups.append(("Paper (measured minus paper)", [_column(*each) for each in columns]))
    order = [column["id"] for _, columns_ in groups for column in columns_]
    return {
        "caption": _caption(family),
        "groups": groups,
        "sorted": "weighted" if outside else "id",
        "lines": [
            {
                "name": row.backbone,
                "title": row.title,
                "complete": row.reductions.complete,
                "cells": [{"id": name, **_CELLS[name](row)} for name in order],
            }
            for row in family.rows
        ],
        "foot": list(_chance_lines(family, order)),
    }


def test_tables(family: Family) -> list[dict[str, Any]]:
    """Return the paired tests between backbones, in domain and out of domain."""
    titles = {row.backbone: row.title for row in family.rows}
    found = []
    for side, comparison in (
        ("in domain", family.in_domain_comparison),
        ("out of domain", family.out_of_domain_comparison),
    ):
        if comparison is None:
            continue
        real = sum(pair.wilcoxon < _ALPHA for pair in comparison.pairs)
        text = (
            f"Backbones paired over {comparison.n_corpora} corpora. "
            f"{real} of {plural(len(comparison.pairs), 'pair')} differ at 5 % by Wilcoxon's "
            "signed-rank test with Holm's correction."
        )
        if comparison.friedman is not None:
            text += (
                f" Friedman's test that all are equal: p {_equals(comparison.friedman)}; "
                "Nemenyi's test follows it."
            )
        found.append(
            {
                "title": f"Which differences are real, {side}",
                "text": text,
                "columns": ["better", "worse", "mean difference", "p (Wilcoxon, Holm)"]
                + (["p (Nemenyi)"] if comparison.friedman is not None else []),
                "lines": [
                    _test_line(pair, titles, nemenyi=comparison.friedman is not None)
                    for pair in sorted(comparison.pairs, key=lambda pair: -abs(pair.difference))
                ],
            }
        )
    return found


def leak_board(table: LeakTable) -> dict[str, Any]:
    """Return the leak gaps of two families."""
    text = (
        f"In-domain {table.leaky.setting.metric} on the split over files (protocol "
        f"{table.leaky.setting.protocol}) against folds that share no speaker (protocol "
        f"{table.clean.setting.protocol}). Mean gap {signed(table.mean)} over "
        f"{plural(len(table.gaps), 'cell')}."
    )
    if table.differs_in:
        text += f" The two differ in more than the split: {', '.join(table.differs_in)}."
    return {
        "title": f"{table.leaky.run} against {table.clean.run}",
        "text": text,
        "columns": [
            "corpus", "backbone", "over files", "no shared speaker", "gap", "intervals apart",
            "shared speakers", "shared texts",
        ],
        "lines": [
            [
                (each.corpus, each.corpus),
                (each.title, each.title),
                _scored(each.leaky.cell.value, each.leaky.interval),
                _scored(each.clean.cell.value, each.clean.interval),
                (signed(each.gap), f"{each.gap:.9f}"),
                _yes_no(each.separated),
                _count(each.leaky.cell.shared_speakers),
                _count(each.leaky.cell.shared_texts),
            ]
            for each in table.gaps
        ],
    }  # fmt: skip


def _column(name: str, title: str) -> dict[str, str]:
    return {"id": name, "title": title, "first": "descending"}


def _caption(family: Family) -> str:
    text = f"{family.setting.metric}. Deviations divide by n - 1."
    if any(row.reductions.out_of_domain for row in family.rows):
        text += (
            " Weighted average: half the sum of both means, less half the sum of both deviations."
        )
    return f"{text} Small numbers are 95 % intervals."


def _cell(
    value: float | None,
    *,
    interval: Interval | None = None,
    tip: str = "",
    partial: bool = False,
    bar: bool = False,
    start: bool = False,
) -> dict[str, Any]:
    lines = [tip] if tip else []
    if interval is not None:
        lines.append(interval_text(interval))
    return {
        "sort": "" if value is None else f"{value:.9f}",
        "text": number(value),
        "small": f"{number(interval.low)} to {number(interval.high)}" if interval else "",
        "tip": "\n".join(lines),
        "partial": partial,
        "bar": f"{min(max(value, 0.0), 1.0):.4f}" if bar and value is not None else None,
        "classes": " ".join(name for name, on in (("value", bar), ("start", start)) if on),
    }


def _coverage(text: str, n: int, *, complete: bool, small: str = "") -> dict[str, Any]:
    return {
        "sort": str(n),
        "text": text,
        "small": small,
        "tip": "",
        "partial": not complete,
        "bar": None,
        "classes": "",
    }


def _nothing() -> dict[str, Any]:
    return _cell(None)


def _in_domain(row: Row) -> dict[str, Any]:
    average = row.reductions.in_domain
    return _cell(
        average.mean,
        interval=row.in_domain,
        partial=not average.complete,
        bar=True,
        start=True,
        tip=_lacking(row, average.missing),
    )


def _out_of_domain(row: Row) -> dict[str, Any]:
    outside = row.reductions.out_of_domain
    if outside is None:
        return {**_nothing(), "classes": "start"}
    return _cell(
        outside.average.mean,
        interval=row.out_of_domain,
        partial=not outside.complete,
        bar=True,
        start=True,
        tip="" if outside.complete else f"{row.title}: {outside.coverage}",
    )


def _coverage_outside(row: Row) -> dict[str, Any]:
    outside = row.reductions.out_of_domain
    if outside is None:
        return _nothing()
    return _coverage(
        f"{outside.average.coverage} rows",
        outside.n_cells,
        complete=outside.complete,
        small=f"{outside.n_cells} of {outside.of_cells} cells",
    )


def _deviation_outside(row: Row) -> dict[str, Any]:
    outside = row.reductions.out_of_domain
    return _cell(outside.average.sd if outside else None)


def _weighted(row: Row) -> dict[str, Any]:
    return _cell(
        row.reductions.weighted,
        interval=row.weighted,
        partial=not row.reductions.complete,
        bar=True,
        start=True,
    )


def _over_seeds(value_of: Callable[[Reductions], float | None], *, start: bool) -> Any:
    def cell(row: Row) -> dict[str, Any]:
        values = [value for value in map(value_of, row.by_seed) if value is not None]
        if len(values) < 2:
            return {**_nothing(), "classes": "start" if start else ""}
        shown = _cell(float(np.std(values, ddof=1)), start=start)
        low, high = number(min(values)), number(max(values))
        return {**shown, "small": f"{low} to {high}", "tip": f"over {len(values)} seeds: "
                f"mean {number(float(np.mean(values)))}, range {low} to {high}"}  # fmt: skip

    return cell


def _mean_outside(reductions: Reductions) -> float | None:
    return reductions.out_of_domain.average.mean if reductions.out_of_domain else None


def _paper(
    measured: Callable[[Reductions], float | None], name: str, *, start: bool = False
) -> Any:
    def cell(row: Row) -> dict[str, Any]:
        if row.published is None:
            return {**_nothing(), "classes": "start" if start else ""}
        paper = float(getattr(row.published, name))
        value = measured(row.reductions)
        shown = _cell(paper, start=start)
        return {**shown, "small": signed(None if value is None else value - paper)}

    return cell


_CELLS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "id": _in_domain,
    "id-sd": lambda row: _cell(row.reductions.in_domain.sd),
    "id-n": lambda row: _coverage(
        row.reductions.in_domain.coverage,
        row.reductions.in_domain.n,
        complete=row.reductions.in_domain.complete,
    ),
    "ood": _out_of_domain,
    "ood-sd": _deviation_outside,
    "ood-n": _coverage_outside,
    "weighted": _weighted,
    "seed-id": _over_seeds(lambda each: each.in_domain.mean, start=True),
    "seed-ood": _over_seeds(_mean_outside, start=False),
    "paper-id": _paper(lambda each: each.in_domain.mean, "id_mean", start=True),
    "paper-ood": _paper(_mean_outside, "ood_mean"),
    "paper-weighted": _paper(lambda each: each.weighted, "weighted_average"),
}


def _lacking(row: Row, missing: Sequence[str]) -> str:
    return f"{row.title} lacks {', '.join(missing)}" if missing else ""


def _chance_lines(family: Family, order: Sequence[str]) -> list[dict[str, Any]]:
    inside, outside = family.chance.in_domain, family.chance.out_of_domain
    if inside is None and outside is None:
        return []

    def line(title: str, value_of: Callable[[Chance], float]) -> dict[str, Any]:
        values = {"id": inside, "ood": outside}
        texts = []
        for name in order:
            chance = values.get(name)
            texts.append(number(value_of(chance)) if chance is not None else "")
        return {"title": title, "texts": texts}

    return [
        line("chance: always the majority", lambda chance: chance.majority),
        line("chance: random with the test frequencies", lambda chance: chance.random),
    ]


def _test_line(pair: Any, titles: Any, *, nemenyi: bool) -> list[tuple[str, str]]:
    first, second = titles[pair.first], titles[pair.second]
    if pair.difference < 0:
        first, second = second, first
    gap = abs(pair.difference)
    line = [(first, first), (second, second), (number(gap), f"{gap:.9f}")]
    line.append((_p(pair.wilcoxon), f"{pair.wilcoxon:.12f}"))
    if nemenyi:
        line.append((_p(pair.nemenyi), f"{pair.nemenyi:.12f}"))
    return line


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)


def _equals(p: float) -> str:
    return _p(p) if p < 0.001 else f"= {_p(p)}"


def _scored(value: float, interval: Interval | None) -> tuple[str, str]:
    text = number(value)
    if interval is not None:
        text += f" [{number(interval.low)}, {number(interval.high)}]"
    return text, f"{value:.9f}"


def _count(value: int | None) -> tuple[str, str]:
    return (MISSING, "") if value is None else (str(value), str(value))


def _yes_no(value: bool | None) -> tuple[str, str]:  # noqa: FBT001
    return (MISSING, "") if value is None else ("yes" if value else "no", "10"[not value])
