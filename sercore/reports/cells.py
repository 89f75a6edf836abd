"""What the page says about one cell, as JSON for its script."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.reports.numbers import quantised
from sercore.results.text import interval_text
from sercore.results.text import range_text

if TYPE_CHECKING:
    from sercore.reports.numbers import Names
    from sercore.reports.views import CellView
    from sercore.results.matrices import Cell
    from sercore.results.speakers import SpeakerScore
    from sercore.statistics.intervals import Interval

_KEY_LENGTH = 12
COUNTS = {
    "n_train": "utterances trained on",
    "n_test": "utterances tested on",
    "n_dropped": "outside the class rule",
    "n_missing": "without audio",
    "n_classes": "classes averaged over",
    "shared_speakers": "speakers on both sides",
    "shared_texts": "texts on both sides",
}
"""Attributes of a cell that the page shows, in the order of `counts_of`, and their titles."""


def is_unsure(view: CellView) -> bool:
    """Return whether the interval of a cell reaches down to the best blind guess."""
    if view.chance is None:
        return False
    low = view.interval.low if view.interval is not None else view.cell.value
    return low <= view.chance.best_blind_guess


def counts_of(cell: Cell) -> list[int | None]:
    """Return what was counted in a cell, as `COUNTS`, and whether it is complete (1 or 0)."""
    return [*(getattr(cell, name) for name in COUNTS), int(cell.complete)]


def confusion_of(view: CellView, classes: Names) -> list[Any] | None:
    """Return labels, predictions and rows of counts of a cell; None if they are not stored."""
    confusion = view.confusion
    if confusion is None:
        return None
    return [
        [classes.place(name) for name in confusion.labels],
        [classes.place(name) for name in confusion.predictions],
        [int(count) for row in confusion.counts.tolist() for count in row],
    ]


def repetitions_of(cell: Cell) -> list[list[int | None]]:
    """Return the values of the seeds, and those of the single folds where there are several."""
    folds = cell.by_fold if len(cell.by_fold) > len(cell.by_seed) else ()
    return [[quantised(value) for value in values] for values in (cell.by_seed.values(), folds)]


def interval_note(interval: Interval) -> str:
    """Return what stands behind the ends of an interval: its units, and what to know about it."""
    return interval_text(interval).partition(range_text(interval))[2].strip()


def speakers_of(scores: tuple[SpeakerScore, ...], texts: Names) -> list[Any] | None:
    """Return names, utterances and shares (in thousandths) of the speakers of a cell.

    Cells of one test corpus have the same speakers, so names and utterances are stored once.
    """
    if not scores:
        return None
    names = "\n".join(score.name for score in scores)
    utterances = "\n".join(str(score.utterances) for score in scores)
    shares = [round(1000 * score.right) for score in scores]
    return [texts.place(names), texts.place(utterances), shares]


def keys_of(cell: Cell) -> list[str]:
    """Return the first letters of the keys of the predictions of a cell."""
    return [key[:_KEY_LENGTH] for key in cell.prediction_keys]
