"""Chance levels of cells, and of the averages over them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.statistics import Chance
from sercore.evaluation.statistics import chance
from sercore.reports.views import ChanceRow

if TYPE_CHECKING:
    from sercore.evaluation.confusion import Confusion
    from sercore.reports.views import BackboneResult
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting


def chance_of(confusion: Confusion, cell: Cell, setting: Setting) -> Chance | None:
    """Return the chance level of a cell, or None if its metric has none."""
    if setting.metric not in MEASURES:
        return None
    # The counts are the sum over several test sets of the same classes; chance is that of one.
    times = len(cell.by_seed) if cell.pooled else max(len(cell.prediction_keys), 1)
    support = tuple(round(count / times) for count in confusion.counts.sum(axis=1))
    return _chance(support, setting.averaging or SUPPORTED, setting.metric)


def chance_row(results: Sequence[BackboneResult]) -> ChanceRow:
    """Return chance over the cells of the averages of the backbone that has most cells."""
    fullest = max(results, key=lambda result: len(result.reductions.cells))

    def over(pairs: Sequence[Pair]) -> Chance | None:
        found = [fullest.cells[pair].chance for pair in pairs if pair in fullest.cells]
        known = [level for level in found if level is not None]
        if not known or len(known) < len(found):
            return None
        return Chance(
            majority=float(np.mean([level.majority for level in known])),
            random=float(np.mean([level.random for level in known])),
            random_high=float(np.mean([level.random_high for level in known])),
        )

    pairs = sorted(fullest.reductions.cells)
    return ChanceRow(
        in_domain=over([pair for pair in pairs if pair[0] == pair[1]]),
        out_of_domain=over([pair for pair in pairs if pair[0] != pair[1]]),
    )


@lru_cache(maxsize=2048)
def _chance(support: tuple[int, ...], averaging: str, metric: str) -> Chance:
    return chance(np.array(support), averaging, metric)
