"""The weighted average with the same adjustment in and out of domain.

In domain, logits are not adjusted. Out of domain they are adjusted to the headline of the protocol,
and the weighted average adds both. The matched average takes out-of-domain scores without
adjustment, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.evaluation.protocols import Adjustment
from sercore.results.averages import average_intervals
from sercore.results.stored_run import computed_adjustments
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval

MATCHED_TITLE = "weighted, matched"
"""The name of the matched average in tables."""
MATCHED_NOTE = (
    "In-domain scores are not adjusted for class frequencies. The weighted average adds them to "
    "adjusted out-of-domain scores; 'weighted, matched' adjusts neither side."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedAverage:
    """The weighted average of a backbone with one adjustment on both sides."""

    adjustment: str
    out_of_domain: float | None
    """The mean with this adjustment."""
    weighted: float
    interval: Interval | None
    """Of the weighted average."""


class MatchedMatrices:
    """The matrices of a run whose out-of-domain cells are not adjusted.

    Args:
        run: the run.
        matrices: those that a report shows; only cells of theirs are used.
        metric: of whole cells; that of the headline if None.
    """

    def __init__(
        self, run: StoredRun, matrices: Iterable[Matrix], metric: str | None = None
    ) -> None:
        self._record = run.record
        self._matched: dict[Setting, Matrix] = {}
        shown = [matrix for matrix in matrices if _can_be_matched(matrix.setting)]
        if not shown or Adjustment.NONE not in computed_adjustments(run):
            return
        unadjusted = {
            matrix.setting: matrix
            for matrix in matrices_of(
                run.whole_cells, run.record, metric=metric, adjustment=Adjustment.NONE
            )
        }
        for matrix in shown:
            found = unadjusted.get(_matched(matrix.setting))
            if found is not None:
                self._matched[matrix.setting] = found.restricted({*matrix.cells, *matrix.missing})

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The matrices without adjustment; their estimates give `average` its interval."""
        return tuple(self._matched.values())

    def average(
        self, setting: Setting, estimates: Mapping[tuple[Setting, Pair], Estimate]
    ) -> MatchedAverage | None:
        """Return the matched average beside that of a matrix, or None if there is none.

        Args:
            setting: of a matrix that is shown.
            estimates: of the cells of `matrices`.
        """
        matrix = self._matched.get(setting)
        if matrix is None:
            return None
        reductions = reduce_of(matrix, self._record)
        if reductions.weighted is None:
            return None
        own = {
            pair: estimates[matrix.setting, pair]
            for pair in matrix.cells
            if (matrix.setting, pair) in estimates
        }
        outside = reductions.out_of_domain
        return MatchedAverage(
            adjustment=Adjustment.NONE,
            out_of_domain=outside.average.mean if outside else None,
            weighted=reductions.weighted,
            interval=average_intervals(reductions, own).weighted,
        )


def _can_be_matched(setting: Setting) -> bool:
    return setting.adjustment not in (None, Adjustment.NONE)


def _matched(setting: Setting) -> Setting:
    return replace(setting, adjustment=str(Adjustment.NONE))
