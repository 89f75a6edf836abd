"""Chance levels of cells, and of the averages over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sercore.evaluation.metrics import MEASURES
from sercore.reports.views import ChanceRow
from sercore.statistics.chance import Chance
from sercore.statistics.chance import chance

if TYPE_CHECKING:
    from sercore.evaluation.confusion import Confusion
    from sercore.reports.views import BackboneResult
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting


def chance_of(confusion: Confusion, setting: Setting) -> Chance | None:
    """Return the chance level of a cell, or None if its metric has none.

    A class that the probe did not see in training is masked, so no guess can say it.
    """
    if setting.metric not in MEASURES:
        return None
    classes, counts = confusion.square()
    return chance(
        counts.sum(axis=1),
        setting.metric,
        sayable=np.isin(classes, confusion.predictions),
        answers=counts.sum(axis=0),
    )


def chance_row(results: Sequence[BackboneResult]) -> ChanceRow:
    """Return chance over the cells of the averages of the backbone that has most cells."""
    fullest = max(results, key=lambda result: len(result.reductions.cells))

    def over(pairs: Sequence[Pair]) -> Chance | None:
        found = [fullest.cells[pair].chance for pair in pairs if pair in fullest.cells]
        known = [level for level in found if level is not None]
        if not known or len(known) < len(found):
            return None
        return Chance(
            best_blind_guess=float(np.mean([level.best_blind_guess for level in known])),
            majority=float(np.mean([level.majority for level in known])),
        )

    pairs = sorted(fullest.reductions.cells)
    return ChanceRow(
        in_domain=over([pair for pair in pairs if pair[0] == pair[1]]),
        out_of_domain=over([pair for pair in pairs if pair[0] != pair[1]]),
    )
