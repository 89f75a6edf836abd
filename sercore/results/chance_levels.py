"""Chance levels of cells, and of the averages over them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.evaluation.metrics import MEASURES
from sercore.statistics.chance import Chance
from sercore.statistics.chance import chance

if TYPE_CHECKING:
    from sercore.evaluation.confusion import Confusion
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceRow:
    """Chance, averaged over the same cells as the scores of a backbone."""

    in_domain: Chance | None
    out_of_domain: Chance | None

    def levels(self) -> list[tuple[str, float | None, float | None]]:
        """Return the name of each level with its mean in domain and out of domain; none if neither.

        None where there is no cell of that kind.
        """
        inside, outside = self.in_domain, self.out_of_domain
        if not (inside or outside):
            return []
        return [
            (
                "best blind guess",
                inside.best_blind_guess if inside else None,
                outside.best_blind_guess if outside else None,
            ),
            (
                "most frequent class",
                inside.majority if inside else None,
                outside.majority if outside else None,
            ),
        ]


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


def chance_row(levels: Mapping[Pair, Chance | None], cells: Iterable[Pair]) -> ChanceRow:
    """Return chance over the cells of the averages of a backbone.

    Args:
        levels: of the backbone's cells.
        cells: those that its averages cover.
    """
    pairs = sorted(cells)

    def over(pairs: Sequence[Pair]) -> Chance | None:
        found = [levels[pair] for pair in pairs if pair in levels]
        known = [level for level in found if level is not None]
        if not known or len(known) < len(found):
            return None
        return Chance(
            best_blind_guess=float(np.mean([level.best_blind_guess for level in known])),
            majority=float(np.mean([level.majority for level in known])),
        )

    return ChanceRow(
        in_domain=over([pair for pair in pairs if pair[0] == pair[1]]),
        out_of_domain=over([pair for pair in pairs if pair[0] != pair[1]]),
    )
