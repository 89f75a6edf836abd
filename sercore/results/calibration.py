"""How far the probabilities of a backbone can be trusted: ECE and NLL, in and out of domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.reductions import Average
    from sercore.results.reductions import Reductions
    from sercore.results.stored_run import StoredRun

ECE = "expected-calibration-error"
NLL = "negative-log-likelihood"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationMeasure:
    """One measure of a backbone's probabilities; lower is better."""

    cells: Mapping[Pair, float]
    reductions: Reductions

    @property
    def in_domain(self) -> Average:
        """The in-domain average."""
        return self.reductions.in_domain

    @property
    def out_of_domain(self) -> Average | None:
        """The out-of-domain average, if there are out-of-domain cells."""
        outside = self.reductions.out_of_domain
        return outside.average if outside is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Expected calibration error and negative log-likelihood of one backbone."""

    ece: CalibrationMeasure | None
    nll: CalibrationMeasure | None
    """In nats. A cell where a label is masked has none."""


class Calibrations:
    """The calibration of the matrices of a run.

    Args:
        run: the run.
        adjustment: which out-of-domain adjustment; that of the headline if None.
    """

    def __init__(self, run: StoredRun, adjustment: str | None = None) -> None:
        self._record = run.record
        self._matrices = {
            metric: {
                matrix.setting: matrix
                for matrix in matrices_of(
                    run.whole_cells, run.record, metric=metric, adjustment=adjustment
                )
            }
            for metric in (ECE, NLL)
        }

    def of(self, matrix: Matrix) -> Calibration | None:
        """Return the calibration over the cells of a matrix, or None if it was not computed."""
        ece, nll = self._measure(matrix, ECE), self._measure(matrix, NLL)
        return None if ece is None and nll is None else Calibration(ece=ece, nll=nll)

    def _measure(self, matrix: Matrix, metric: str) -> CalibrationMeasure | None:
        found = self._matrices[metric].get(replace(matrix.setting, metric=metric))
        if found is None:
            return None
        own = found.restricted({*matrix.cells, *matrix.missing})
        return CalibrationMeasure(
            cells={pair: cell.value for pair, cell in own.cells.items()},
            reductions=reduce_of(own, self._record),
        )
