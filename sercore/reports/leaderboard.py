"""The leaderboard of the page: averages per backbone, beside those of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sercore.reports.views import NO_INTERVAL
from sercore.results.matched import MATCHED_NOTE
from sercore.results.text import bracketed
from sercore.results.text import interval_text
from sercore.results.text import number
from sercore.results.text import range_text
from sercore.results.text import signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from sercore.published import PublishedSummary
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.results.reductions import Reductions
    from sercore.statistics.chance import Chance
    from sercore.statistics.intervals import Interval

    Reduced = Callable[[Reductions], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCell:
    """A cell of the leaderboard."""

    text: str
    sort: str
    """What the column is sorted by; empty if there is no value."""
    small: str = ""
    """Second line, in small letters."""
    tip: str = ""
    partial: bool = False
    """Whether the average lacks values."""
    bar: str | None = None
    """Length of the bar, 0 to 1."""


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """A column of the leaderboard."""

    id: str
    title: str
    cell: Callable[[BackboneResult], BoardCell]


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Columns under one heading."""

    title: str
    columns: tuple[BoardColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardLine:
    """A backbone on the leaderboard."""

    name: str
    title: str
    complete: bool
    cells: tuple[BoardCell, ...]
    """One per column."""


@dataclass(frozen=True, slots=True)
class FootLine:
    """A line of chance levels, or of a shortcut."""

    title: str
    texts: tuple[str, ...]
    """One per column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A leaderboard."""

    caption: str
    groups: tuple[ColumnGroup, ...]
    sorted_by: str
    """Id of the column that sorts it at first."""
    lines: tuple[BoardLine, ...]
    foot: tuple[FootLine, ...]

    @property
    def columns(self) -> tuple[BoardColumn, ...]:
        """All columns, from left to right."""
        return tuple(column for group in self.groups for column in group.columns)

    @property
    def starts(self) -> frozenset[str]:
        """Ids of the columns that start a group."""
        return frozenset(group.columns[0].id for group in self.groups)


def leaderboard(group: ComparisonGroup) -> Board:
    """Return the averages of the backbones of a group."""
    groups = tuple(_column_groups(group))
    columns = [column for part in groups for column in part.columns]
    return Board(
        caption=_caption(group),
        groups=groups,
        sorted_by="weighted" if group.has_out_of_domain else "id",
        lines=tuple(
            BoardLine(
                name=result.backbone,
                title=result.title,
                complete=result.reductions.complete,
                cells=tuple(column.cell(result) for column in columns),
            )
            for result in group.backbones
        ),
        foot=tuple(_foot_lines(group, columns)),
    )


def _column_groups(group: ComparisonGroup) -> Iterator[ColumnGroup]:
    yield ColumnGroup(
        "In-domain",
        (
            BoardColumn("id", "mean", _in_domain),
            BoardColumn("id-sd", "deviation", lambda row: _cell(row.reductions.in_domain.sd)),
            BoardColumn("id-n", "complete", _coverage),
        ),
    )
    if group.has_out_of_domain:
        yield ColumnGroup(
            "Out-of-domain",
            (
                BoardColumn("ood", "mean", _out_of_domain),
                BoardColumn("ood-sd", "deviation", _deviation_outside),
                BoardColumn("ood-n", "complete", _coverage_outside),
            ),
        )
        both = [BoardColumn("weighted", "weighted", _weighted)]
        if group.has_matched:
            both.append(BoardColumn("matched", "weighted, matched", _matched))
        yield ColumnGroup("Both", tuple(both))
    if any(result.by_seed for result in group.backbones):
        inside = BoardColumn("seed-id", "in-domain", _over_seeds(_inside_mean))
        outside = BoardColumn("seed-ood", "out-of-domain", _over_seeds(_outside_mean))
        shown = (inside, outside) if group.has_out_of_domain else (inside,)
        yield ColumnGroup("Deviation over seeds", shown)
    if group.has_published:
        yield ColumnGroup(
            "Paper (measured minus paper)",
            (
                BoardColumn("paper-id", "in-domain", _paper(_inside_mean, lambda p: p.id_mean)),
                BoardColumn(
                    "paper-ood", "out-of-domain", _paper(_outside_mean, lambda p: p.ood_mean)
                ),
                BoardColumn(
                    "paper-weighted",
                    "weighted",
                    _paper(lambda found: found.weighted, lambda p: p.weighted_average),
                ),
            ),
        )


def _caption(group: ComparisonGroup) -> str:
    text = f"{group.setting.metric}. Deviations divide by n - 1."
    if group.has_out_of_domain:
        text += (
            " Weighted average: half the sum of both means minus half the sum of both deviations."
        )
    if group.has_matched:
        text += f" {MATCHED_NOTE}"
    return f"{text} {'Small numbers are 95 % intervals.' if group.has_intervals else NO_INTERVAL}"


def _cell(
    value: float | None,
    *,
    interval: Interval | None = None,
    tip: str = "",
    partial: bool = False,
    bar: bool = False,
) -> BoardCell:
    lines = [tip] if tip else []
    if interval is not None:
        lines.append(interval_text(interval))
    return BoardCell(
        sort="" if value is None else f"{value:.9f}",
        text=number(value),
        small=range_text(interval) if interval else "",
        tip="\n".join(lines),
        partial=partial,
        bar=f"{min(max(value, 0.0), 1.0):.4f}" if bar and value is not None else None,
    )


def _in_domain(result: BackboneResult) -> BoardCell:
    average = result.reductions.in_domain
    missing = f"{result.title} lacks {', '.join(average.missing)}" if average.missing else ""
    return _cell(
        average.mean,
        interval=result.intervals.in_domain,
        partial=not average.complete,
        bar=True,
        tip=missing,
    )


def _coverage(result: BackboneResult) -> BoardCell:
    average = result.reductions.in_domain
    return BoardCell(text=average.coverage, sort=str(average.n), partial=not average.complete)


def _out_of_domain(result: BackboneResult) -> BoardCell:
    outside = result.reductions.out_of_domain
    if outside is None:
        return _cell(None)
    return _cell(
        outside.average.mean,
        interval=result.intervals.out_of_domain,
        partial=not outside.complete,
        bar=True,
        tip="" if outside.complete else f"{result.title}: {outside.coverage}",
    )


def _deviation_outside(result: BackboneResult) -> BoardCell:
    average = result.out_of_domain
    return _cell(average.sd if average else None)


def _coverage_outside(result: BackboneResult) -> BoardCell:
    outside = result.reductions.out_of_domain
    if outside is None:
        return _cell(None)
    return BoardCell(
        text=f"{outside.average.coverage} rows",
        sort=str(outside.n_cells),
        small=f"{outside.n_cells} of {outside.of_cells} cells",
        partial=not outside.complete,
    )


def _weighted(result: BackboneResult) -> BoardCell:
    return _cell(
        result.reductions.weighted,
        interval=result.intervals.weighted,
        partial=not result.reductions.complete,
        bar=True,
    )


def _matched(result: BackboneResult) -> BoardCell:
    matched = result.matched
    if matched is None:
        return _cell(None)
    return _cell(
        matched.weighted,
        interval=matched.interval,
        partial=not result.reductions.complete,
    )


def _inside_mean(reductions: Reductions) -> float | None:
    return reductions.in_domain.mean


def _outside_mean(reductions: Reductions) -> float | None:
    return reductions.out_of_domain.average.mean if reductions.out_of_domain else None


def _over_seeds(value_of: Reduced) -> Callable[[BackboneResult], BoardCell]:
    def cell(result: BackboneResult) -> BoardCell:
        values = [value for value in map(value_of, result.by_seed) if value is not None]
        if len(values) < 2:
            return _cell(None)
        span = f"{number(min(values))} to {number(max(values))}"
        mean = number(float(np.mean(values)))
        return replace(
            _cell(float(np.std(values, ddof=1))),
            small=span,
            tip=f"over {len(values)} seeds: mean {mean}, range {span}",
        )

    return cell


def _paper(
    measured: Reduced, published: Callable[[PublishedSummary], float]
) -> Callable[[BackboneResult], BoardCell]:
    def cell(result: BackboneResult) -> BoardCell:
        if result.published is None:
            return _cell(None)
        paper = published(result.published)
        value = measured(result.reductions)
        return replace(_cell(paper), small=signed(None if value is None else value - paper))

    return cell


def _foot_lines(group: ComparisonGroup, columns: Sequence[BoardColumn]) -> Iterator[FootLine]:
    if group.chance.in_domain or group.chance.out_of_domain:
        yield from _chance_lines(group, columns)
    for shortcut in group.shortcuts:
        texts = {
            "id": bracketed(shortcut.mean, shortcut.interval),
            "id-n": f"{len(shortcut.cells)} of {len(group.in_domain_corpora)}",
        }
        title = f"without sound: {shortcut.title}"
        yield FootLine(title, tuple(texts.get(column.id, "") for column in columns))


def _chance_lines(group: ComparisonGroup, columns: Sequence[BoardColumn]) -> Iterator[FootLine]:
    levels = {"id": group.chance.in_domain, "ood": group.chance.out_of_domain}

    def line(title: str, value_of: Callable[[Chance], float]) -> FootLine:
        found = (levels.get(column.id) for column in columns)
        return FootLine(title, tuple(number(value_of(level)) if level else "" for level in found))

    yield line("chance: best blind guess", lambda level: level.best_blind_guess)
    yield line("chance: always the most frequent class", lambda level: level.majority)
