"""Sortable tables of the page and of Markdown: paired tests between backbones, and leak gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.results.text import MISSING
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import LeakGap
    from sercore.reports.views import LeakTable
    from sercore.statistics.intervals import Interval
    from sercore.statistics.ranks import Comparison
    from sercore.statistics.ranks import PairedTest

_ALPHA = 0.05


class SortableText(NamedTuple):
    """A text of a table, and what it is sorted by."""

    text: str
    sort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A table of texts; its first two columns are names."""

    title: str
    text: str
    """What the table shows, in sentences."""
    columns: tuple[str, ...]
    lines: tuple[tuple[SortableText, ...], ...]


def test_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield the paired tests between backbones, in domain and out of domain."""
    titles = {result.backbone: result.title for result in group.backbones}
    if group.in_domain_comparison is not None:
        yield _test_table("in domain", group.in_domain_comparison, titles)
    if group.out_of_domain_comparison is not None:
        yield _test_table("out of domain", group.out_of_domain_comparison, titles)


def leak_board(table: LeakTable) -> PlainTable:
    """Return the leak gaps of two groups."""
    text = (
        f"In-domain {table.leaky.setting.metric} on the split over files (protocol "
        f"{table.leaky.setting.protocol}) and on folds that share no speaker (protocol "
        f"{table.clean.setting.protocol}). Mean gap {signed(table.mean)} over "
        f"{plural(len(table.gaps), 'cell')}."
    )
    if table.differs_in:
        text += f" The two also differ in {', '.join(table.differs_in)}."
    return PlainTable(
        title=f"{table.leaky.run} against {table.clean.run}",
        text=text,
        columns=(
            *("corpus", "backbone", "over files", "no shared speaker", "gap", "intervals apart"),
            *("shared speakers", "shared texts"),
        ),
        lines=tuple(map(_leak_line, table.gaps)),
    )


def _test_table(side: str, comparison: Comparison, titles: Mapping[str, str]) -> PlainTable:
    real = sum(pair.wilcoxon < _ALPHA for pair in comparison.pairs)
    text = (
        f"Backbones paired over {comparison.n_corpora} corpora. "
        f"{real} of {plural(len(comparison.pairs), 'pair')} differ at 5 % by Wilcoxon's "
        "signed-rank test with Holm's correction."
    )
    columns = ["better", "worse", "mean difference", "p (Wilcoxon, Holm)"]
    if comparison.friedman is not None:
        columns.append("p (Nemenyi)")
        text += (
            f" Friedman's test that all are equal: p {_equals(comparison.friedman)}; "
            "Nemenyi's test follows it."
        )
    return PlainTable(
        title=f"Which differences are real, {side}",
        text=text,
        columns=tuple(columns),
        lines=tuple(
            _test_line(pair, titles)
            for pair in sorted(comparison.pairs, key=lambda pair: -abs(pair.difference))
        ),
    )


def _test_line(pair: PairedTest, titles: Mapping[str, str]) -> tuple[SortableText, ...]:
    names = [titles[pair.first], titles[pair.second]]
    if pair.difference < 0:
        names.reverse()
    gap = abs(pair.difference)
    line = [SortableText(name, name) for name in names]
    line.append(SortableText(number(gap), f"{gap:.9f}"))
    p_values = [pair.wilcoxon, *([] if pair.nemenyi is None else [pair.nemenyi])]
    return (*line, *(SortableText(_p(p), f"{p:.12f}") for p in p_values))


def _leak_line(gap: LeakGap) -> tuple[SortableText, ...]:
    return (
        SortableText(gap.corpus, gap.corpus),
        SortableText(gap.title, gap.title),
        _scored(gap.leaky.cell.value, gap.leaky.interval),
        _scored(gap.clean.cell.value, gap.clean.interval),
        SortableText(signed(gap.gap), f"{gap.gap:.9f}"),
        _yes_no(gap.separated),
        _count(gap.leaky.cell.shared_speakers),
        _count(gap.leaky.cell.shared_texts),
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)


def _equals(p: float) -> str:
    return _p(p) if p < 0.001 else f"= {_p(p)}"


def _scored(value: float, interval: Interval | None) -> SortableText:
    text = number(value)
    if interval is not None:
        text += f" [{number(interval.low)}, {number(interval.high)}]"
    return SortableText(text, f"{value:.9f}")


def _count(value: int | None) -> SortableText:
    return SortableText(MISSING, "") if value is None else SortableText(str(value), str(value))


def _yes_no(value: bool | None) -> SortableText:  # noqa: FBT001
    if value is None:
        return SortableText(MISSING, "")
    return SortableText("yes", "1") if value else SortableText("no", "0")
