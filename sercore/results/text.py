"""Numbers, counts and tables as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.statistics.intervals import Interval

MISSING = "—"
"""Shown in place of a missing value."""

_PLURALS = {"corpus": "corpora"}

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#])")


def number(value: float | None, digits: int = 3) -> str:
    """Return a value with a fixed number of decimals, or `MISSING`.

    >>> number(0.12345), number(None)
    ('0.123', '—')
    """
    return MISSING if value is None or value != value else f"{value:.{digits}f}"  # noqa: PLR0124 - NaN


def markdown_cell(text: object) -> str:
    """Return text that Markdown (and HTML inside it) shows as it is, on one line."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def markdown_table(
    header: Sequence[object], rows: Iterable[Sequence[object]], left: int = 1
) -> list[str]:
    """Return the lines of a Markdown table; cells are escaped.

    Args:
        header: column names.
        rows: cells.
        left: how many columns are aligned to the left; the others are numbers.
    """
    rules = [":--" if index < left else "--:" for index in range(len(header))]
    lines = [[markdown_cell(cell) for cell in line] for line in (header, *rows)]
    return [f"| {' | '.join(cells)} |" for cells in (lines[0], rules, *lines[1:])]


def date_text(written: object) -> str:
    """Return a stored point in time for readers, in UTC; other texts stay what they are.

    >>> date_text("2026-03-01T10:20:30+00:00")
    '2026-03-01 10:20 UTC'
    """
    try:
        when = datetime.fromisoformat(str(written))
    except ValueError:
        return str(written)
    if when.tzinfo is None:
        return f"{when:%Y-%m-%d %H:%M}"
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "cell"), plural(2, "cell"), plural(2, "corpus")
    ('1 cell', '2 cells', '2 corpora')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {_PLURALS.get(noun, noun + 's')}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, or `MISSING`.

    >>> signed(0.1), signed(-0.0001), signed(None)
    ('+0.100', '0.000', '—')
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return MISSING
    text = f"{value:+.{digits}f}"
    return text[1:] if not float(text) else text


def interval_ends(low: float, high: float) -> str:
    """Return the ends of the interval of a difference.

    >>> interval_ends(-0.01, 0.025)
    '[-0.010, +0.025]'
    """
    return f"[{low:+.3f}, {high:+.3f}]"


def range_text(interval: Interval | None) -> str:
    """Return the ends of an interval, or `MISSING`."""
    if interval is None:
        return MISSING
    return f"{number(interval.low)} to {number(interval.high)}"


def bracketed(value: float | None, interval: Interval | None) -> str:
    """Return a value with its interval: ``0.512 [0.450, 0.574]``; without one, the value alone."""
    if value is None or interval is None:
        return number(value)
    return f"{number(value)} [{number(interval.low)}, {number(interval.high)}]"


def interval_text(interval: Interval) -> str:
    """Return an interval, what it was computed over, and what a reader must know about it."""
    from sercore.statistics.intervals import NOTE_TEXTS
    from sercore.statistics.intervals import Note

    percent = f"{interval.level:.0%}".replace("%", " %")
    over = plural(interval.n_units, interval.unit or "unit")
    if Note.UNEVEN_UNITS in interval.notes:
        over += f", effective number {interval.effective_units:.1f}"
    notes = "".join(f"; {NOTE_TEXTS[note]}" for note in interval.notes)
    return f"{percent} interval {range_text(interval)} (over {over}){notes}"
