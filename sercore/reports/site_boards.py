"""Which rows of a leaderboard are ranked together, and what a reader must know about each row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

from sercore.evaluation.metrics import METRICS
from sercore.reports.site_rows import disagreements
from sercore.reports.site_rows import rows_of_entry
from sercore.reports.site_rows import usual_contents
from sercore.results.text import number
from sercore.results.text import plural

if TYPE_CHECKING:
    from sercore.reports.site_rows import SiteCell
    from sercore.reports.site_rows import SiteEntry
    from sercore.reports.site_rows import SiteRow

_LOWER_IS_BETTER = frozenset(metric.id for metric in METRICS if metric.higher_is_better is False)

MarkKind = Literal["conflict", "confirmed", "contents", "incomplete"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reader must know about a row."""

    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A row with its place."""

    rank: int
    row: SiteRow
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows over the same cells of the same data: only these are ranked together."""

    title: str
    text: str
    is_common: bool
    """Whether it holds the cells that all rows of the board have."""
    is_known: bool
    """Whether the contents of its corpora are known."""
    rows: tuple[RankedRow, ...]
    n_cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBoard:
    """The rows of one comparison: one protocol, class rule, adjustment, metric and probe."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    note: str | None
    """Why no row of one block can be ranked with a row of another."""

    @property
    def n_conflicts(self) -> int:
        """Rows whose scores another entry contradicts."""
        return len(
            {
                (ranked.row.entry.id, ranked.row.title)
                for block in self.blocks
                for ranked in block.rows
                if any(mark.kind == "conflict" for mark in ranked.marks)
            }
        )


def boards_of(entries: Sequence[SiteEntry]) -> tuple[SiteBoard, ...]:
    """Return the boards of a site: real data of known contents first, then by number of rows.

    Rows share a board if they answer the same question. They share a block, and so a ranking, only
    if they also cover the same cells of corpora with the same contents.
    """
    together: dict[object, list[SiteRow]] = {}
    titles: dict[object, str] = {}
    for entry in entries:
        for group, row in rows_of_entry(entry):
            key = row.setting.comparison_key
            together.setdefault(key, []).append(row)
            titles.setdefault(key, _title(group.title, row))
    keys = sorted(
        together,
        key=lambda key: (
            together[key][0].setting.demo,
            not any(row.is_known for row in together[key]),
            -len(together[key]),
            titles[key],
        ),
    )
    return tuple(
        _board(f"board-{place}", titles[key], together[key]) for place, key in enumerate(keys, 1)
    )


def _title(title: str, row: SiteRow) -> str:
    """Return the title of a board; the probe is part of every one."""
    probe = row.setting.probe
    return title if probe is None or "probe " in title else f"{title} · probe {probe}"


def _board(board_id: str, title: str, rows: Sequence[SiteRow]) -> SiteBoard:
    known = [row for row in rows if row.is_known]
    usual = usual_contents(known)
    bases: dict[tuple[str, frozenset[SiteCell]], list[SiteRow]] = {}
    for row in rows:
        # Rows of unknown contents are known to share them only within their entry.
        place = "" if row.is_known else row.entry.id
        bases.setdefault((place, row.cells), []).append(row)
    marks = {id(row): tuple(_marks(row, rows, usual)) for row in rows}
    blocks = [
        Block(
            title=_block_title(members[0]),
            text=_block_text(members[0]),
            is_common=False,
            is_known=members[0].is_known,
            rows=_ranked([(row, marks[id(row)]) for row in members]),
            n_cells=len(cells),
        )
        for (_, cells), members in bases.items()
    ]
    blocks.sort(key=lambda block: (-len(block.rows), -block.n_cells, block.rows[0].row.entry.title))
    usual_rows = [row for row in known if not row.contents.items() - usual.items()]
    several = len({row.cells for row in usual_rows}) > 1
    common = _common(usual_rows, marks) if several else None
    return SiteBoard(
        id=board_id,
        title=title,
        blocks=((common, *blocks) if common else tuple(blocks)),
        note=_note(several=several, common=common, blocks=len(blocks)),
    )


def _note(*, several: bool, common: Block | None, blocks: int) -> str | None:
    if blocks < 2:
        return None
    if several and common is None:
        return (
            "The groups have no cell in common, because they have other corpora. So their rows "
            "are not ranked together."
        )
    return (
        "Rows with other corpora, or with other contents of the same corpora, are in tables of "
        "their own and are not ranked together."
    )


def _common(rows: Sequence[SiteRow], marks: dict[int, tuple[Mark, ...]]) -> Block | None:
    """Return the ranking of rows over the cells that all of them have, if there are any.

    Args:
        rows: of several groups, with the same contents of the corpora that they share.
        marks: of the rows.
    """
    shared = frozenset.intersection(*(row.cells for row in rows))
    members = [(row.over(shared), marks[id(row)]) for row in rows]
    if not shared or any(not row.cells for row, _ in members):
        return None
    return Block(
        title=f"Common cells: {plural(len(shared), 'cell')} that all rows below have",
        text=_corpora_text(members[0][0]),
        is_common=True,
        is_known=True,
        rows=_ranked(members),
        n_cells=len(shared),
    )


def _ranked(members: Sequence[tuple[SiteRow, tuple[Mark, ...]]]) -> tuple[RankedRow, ...]:
    """Return rows by value, best first; equal values share a rank."""
    ordered = sorted(
        members,
        key=lambda member: (-_rank_value(member[0]), member[0].title, member[0].entry.title),
    )
    values = [_rank_value(row) for row, _ in ordered]
    return tuple(
        RankedRow(values.index(value) + 1, row, marks)
        for value, (row, marks) in zip(values, ordered, strict=True)
    )


def _rank_value(row: SiteRow) -> float:
    value = row.reductions.weighted
    if value is None:
        value = row.reductions.in_domain.mean
    if value is None and row.reductions.out_of_domain is not None:
        value = row.reductions.out_of_domain.average.mean
    if value is None:
        return -math.inf
    return -value if row.setting.metric in _LOWER_IS_BETTER else value


def _block_title(row: SiteRow) -> str:
    corpora = len(row.contents)
    return f"{plural(corpora, 'corpus')}, {plural(len(row.cells), 'cell')}"


def _block_text(row: SiteRow) -> str:
    text = _corpora_text(row)
    if row.is_known:
        return text
    return f"{text}. The contents of these corpora are not known, so no other group is ranked here."


def _corpora_text(row: SiteRow) -> str:
    return ", ".join(row.contents)


def _marks(row: SiteRow, rows: Sequence[SiteRow], usual: dict[str, str]) -> Iterator[Mark]:
    for found in disagreements(row, rows):
        who = found.other.group or found.other.title
        if found.agrees:
            yield Mark("confirmed", f"same scores as {who}")
        else:
            train, test = found.where
            yield Mark(
                "conflict",
                f"conflict with {who}: up to {number(found.largest)} ({train} on {test})",
            )
    other = [
        corpus
        for corpus, digest in row.contents.items()
        if digest is not None and digest != usual.get(corpus, digest)
    ]
    if other:
        yield Mark("contents", f"other contents than most rows: {', '.join(other)}")
    if not row.reductions.complete:
        yield Mark("incomplete", "cells of its averages are missing")
