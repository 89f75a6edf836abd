"""What the page says about one cell: its tooltip, and the details that a click opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.results.text import interval_text
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import signed

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import CellView
    from sercore.results.matrices import Cell

Fact = tuple[str, str]
"""A name and a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDetails:
    """What a click on a cell opens."""

    title: str
    facts: tuple[Fact, ...]
    labels: tuple[str, ...]
    """Rows of the confusion matrix; empty without one."""
    predictions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def cell_tip(result: BackboneResult, view: CellView) -> str:
    """Return the few lines of the tooltip of a cell."""
    cell = view.cell
    where = f"{cell.train} in domain" if cell.in_domain else f"{cell.train} on {cell.test}"
    lines = [result.title, f"{where}: {number(cell.value)}"]
    if view.interval is not None:
        lines.append(interval_text(view.interval))
    if view.chance is not None:
        guess = number(view.chance.best_blind_guess)
        lines.append(f"best blind guess: {guess} (skill {number(view.skill)})")
    if view.published is not None:
        gap = signed(cell.value - view.published)
        lines.append(f"paper: {number(view.published)} (difference {gap})")
    if not cell.complete:
        lines.append("not complete: a corpus is not whole, or audio is missing")
    return "\n".join(lines)


def is_unsure(view: CellView) -> bool:
    """Return whether the interval of a cell reaches down to the best blind guess."""
    if view.chance is None:
        return False
    low = view.interval.low if view.interval is not None else view.cell.value
    return low <= view.chance.best_blind_guess


class CellIndex:
    """The details of all cells of a page, by a short id. Each cell is stored once."""

    def __init__(self) -> None:
        self.cells: dict[str, CellDetails] = {}
        self._ids: dict[int, str] = {}

    def add(self, result: BackboneResult, view: CellView) -> str:
        """Return the id of a cell."""
        known = self._ids.get(id(view))
        if known is not None:
            return known
        name = f"c{len(self.cells)}"
        self._ids[id(view)] = name
        self.cells[name] = _details(result, view)
        return name


def _details(result: BackboneResult, view: CellView) -> CellDetails:
    cell, confusion = view.cell, view.confusion
    where = f"{cell.train}, in domain" if cell.in_domain else f"{cell.train} on {cell.test}"
    return CellDetails(
        title=f"{result.title}: {where}",
        facts=(
            (result.matrix.setting.metric, number(cell.value, 4)),
            *_uncertainty(view),
            *_repetitions(cell),
            *_references(view),
            *_counts(cell),
        ),
        labels=confusion.labels if confusion else (),
        predictions=confusion.predictions if confusion else (),
        counts=tuple(map(tuple, confusion.counts.tolist())) if confusion else (),
    )


def _uncertainty(view: CellView) -> Iterator[Fact]:
    if view.interval is not None:
        yield "uncertainty", interval_text(view.interval)


def _repetitions(cell: Cell) -> Iterator[Fact]:
    if len(cell.by_seed) > 1:
        values = list(cell.by_seed.values())
        low, high = number(min(values), 4), number(max(values), 4)
        text = f"deviation {number(cell.spread, 4)}, range {low} to {high}"
        yield f"over {len(values)} seeds", text
    elif cell.by_fold:
        text = ", ".join(number(value) for value in cell.by_fold)
        if cell.pooled:
            text += "; the score is that of the predictions of all folds together"
        else:
            text += f"; deviation {number(cell.spread, 4)}"
        yield f"over {len(cell.by_fold)} folds", text


def _references(view: CellView) -> Iterator[Fact]:
    if view.chance is not None:
        level = view.chance
        text = (
            f"best blind guess {number(level.best_blind_guess)}, majority {number(level.majority)}"
        )
        text += f", skill {number(view.skill)}"
        if level.own_answers is not None:
            text += f", blind with the probe's own answers {number(level.own_answers)}"
        yield "chance", text
    if view.published is not None:
        gap = signed(view.cell.value - view.published, 4)
        yield "paper", f"{number(view.published, 4)} (difference {gap})"


def _counts(cell: Cell) -> Iterator[Fact]:
    for count, name in ((cell.n_train, "trained on"), (cell.n_test, "tested on")):
        if count is not None:
            yield name, plural(count, "utterance")
    if cell.n_dropped:
        yield "outside the class rule", plural(cell.n_dropped, "utterance")
    if cell.n_missing:
        yield "without audio", plural(cell.n_missing, "utterance")
    if cell.n_classes is not None:
        yield "averaged over", f"{cell.n_classes} classes"
    if cell.in_domain:
        for count, name in ((cell.shared_speakers, "speaker"), (cell.shared_texts, "text")):
            yield f"{name}s on both sides", "not known" if count is None else str(count)
    yield "complete", "yes" if cell.complete else "no"
