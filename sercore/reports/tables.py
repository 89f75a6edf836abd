"""Sortable tables of the page and of Markdown: leak gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.results.text import MISSING
from sercore.results.text import interval_ends
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed
from sercore.statistics.intervals import NOTE_TEXTS
from sercore.statistics.intervals import Note

if TYPE_CHECKING:
    from sercore.reports.views import LeakGap
    from sercore.reports.views import LeakTable


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
        f"In-domain {table.random.setting.metric} with folds over utterances and with folds that "
        "share no speaker: the same probe, seeds, number of folds and utterances. Speakers and "
        "seeds are paired."
    )
    if table.mean is not None:
        text += (
            f" Mean gap {signed(table.mean.value)} "
            f"{interval_ends(table.mean.low, table.mean.high)} over "
            f"{plural(len(table.gaps), 'cell')}."
        )
    if any(Note.ONE_PROBE in gap.paired.interval.notes for gap in table.gaps):
        text += f" One seed: {NOTE_TEXTS[Note.ONE_PROBE]}."
    return PlainTable(
        title=f"{table.random.run} against {table.disjoint.run}",
        text=text,
        columns=(
            *("corpus", "backbone", "random folds", "no shared speaker", "gap", "95 % interval"),
            *("shared speakers", "shared texts"),
        ),
        lines=tuple(map(_leak_line, table.gaps)),
        noun="gap",
        sentences=tuple(
            f"No gap for {refused.title} on {refused.corpus}: {refused.reason}."
            for refused in table.refused
        ),
    )


def _leak_line(gap: LeakGap) -> tuple[SortableText, ...]:
    paired, around = gap.paired, gap.paired.interval
    return (
        *names(gap.corpus, gap.title),
        SortableText(number(paired.random), f"{paired.random:.9f}"),
        SortableText(number(paired.disjoint), f"{paired.disjoint:.9f}"),
        SortableText(signed(around.value), f"{around.value:.9f}"),
        SortableText(interval_ends(around.low, around.high), f"{around.low:.9f}"),
        _count(gap.random.cell.shared_speakers),
        _count(gap.random.cell.shared_texts),
    )


def _count(value: int | None) -> SortableText:
    return SortableText(MISSING, "") if value is None else SortableText(str(value), str(value))
