"""From labels and predictions of a cell's fits to confusion counts over shared units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.units import UTTERANCE
from sercore.evaluation.units import unit_counts
from sercore.evaluation.units import units_in
from sercore.statistics.intervals import Note

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.units import Units

    Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitAnswers:
    """What one fit said; folds that are scored together are one fit.

    Args:
        rows: int64 (utterances,), rows of the test manifest.
        labels: int64 (utterances,), class indices.
        predictions: int64 (utterances,), class indices.
    """

    rows: Codes
    labels: Codes
    predictions: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitCounts:
    """Confusion counts of all fits of a cell, over the same units."""

    seeds: tuple[tuple[npt.NDArray[np.float32], ...], ...]
    """For each seed its fits, each float32 (units, classes, classes)."""
    unit: str
    unit_ids: Codes
    """int64 (units,): codes of the manifest's units, or manifest rows for utterances."""
    notes: tuple[Note, ...]


def count_by_unit(
    seeds: Sequence[Sequence[FitAnswers]], units: Units, n_classes: int
) -> UnitCounts:
    """Return the counts of all fits over their common units.

    Units are speakers (or the corpus's weaker groups) where the test utterances have two or more,
    however few they are; else utterances, with a note why.

    Args:
        seeds: for each seed its fits.
        units: of the whole test manifest.
        n_classes: the size of the class space.

    Raises:
        ProtocolError: there is no answer at all.
    """
    fits = [answers for seed in seeds for answers in seed]
    if not any(len(answers.rows) for answers in fits):
        raise ProtocolError("a cell without test utterances has no score")
    tested = np.zeros(len(units.codes), dtype=bool)
    for answers in fits:
        tested[answers.rows] = True
    rows = np.flatnonzero(tested)
    found = units_in(units, rows)
    codes = np.arange(len(units.codes)) if found.kind == UTTERANCE else units.codes
    ids = np.flatnonzero(np.bincount(codes[rows]))
    position = np.zeros(ids[-1] + 1, dtype=np.int64)
    position[ids] = np.arange(len(ids))

    def counted(answers: FitAnswers) -> npt.NDArray[np.float32]:
        places = position[codes[answers.rows]]
        return unit_counts(answers.labels, answers.predictions, places, len(ids), n_classes)

    return UnitCounts(
        seeds=tuple(tuple(counted(answers) for answers in seed) for seed in seeds),
        unit=found.kind,
        unit_ids=ids,
        notes=_notes(units, found),
    )


def _notes(corpus: Units, cell: Units) -> tuple[Note, ...]:
    if cell.kind != UTTERANCE:
        return ()
    return (Note.UNKNOWN_SPEAKERS if corpus.kind == UTTERANCE else Note.ONE_SPEAKER,)
