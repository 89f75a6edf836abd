"""Sortable tables of the page and of Markdown: leak gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.results.text import MISSING
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed

if TYPE_CHECKING:
    from sercore.reports.views import LeakGap
    from sercore.reports.views import LeakTable
    from sercore.statistics.intervals import Interval


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
    noun: str = "pair"
    """What a line is."""
    sentences: tuple[str, ...] = ()
    """Stand under the table."""


def names(*texts: str) -> tuple[SortableText, ...]:
    """Return names as texts of a table."""
    return tuple(SortableText(text, text) for text in texts)


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
