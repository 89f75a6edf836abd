"""Results on the scale of skill: 0 is the best blind guess of a cell, 1 is perfect.

    skill = (score - chance) / (1 - chance)

The chance of a cell is fixed by its test labels and the classes that its probe can say, so skill is
a linear function of the score. Averages, intervals and verdicts are computed from it as they are
from scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from sercore.results.averages import average_intervals
from sercore.results.stored_run import reduce_of
from sercore.statistics.chance import Chance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sercore.reports.views import BackboneResult
    from sercore.reports.views import CellView
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Cell
    from sercore.statistics.intervals import Interval


@dataclass(frozen=True, slots=True)
class _Scale:
    """Skill as a linear function of the score of one cell."""

    guess: float

    @property
    def factor(self) -> float:
        return 1 / (1 - self.guess)

    def at(self, score: Any) -> Any:
        """Return the skill of a score, or of an array of scores."""
        return (score - self.guess) * self.factor


def skill_result(result: BackboneResult, record: Mapping[str, Any]) -> BackboneResult | None:
    """Return a result on the scale of skill; None if the chance of a cell is not known.

    Args:
        result: on the scale of scores.
        record: of its run.
    """
    scales: dict[tuple[str, str], _Scale] = {}
    for pair, view in result.cells.items():
        if view.chance is None or not view.chance.best_blind_guess < 1:
            return None
        scales[pair] = _Scale(view.chance.best_blind_guess)
    cells = {pair: _skill_view(view, scales[pair]) for pair, view in result.cells.items()}
    matrix = replace(result.matrix, cells={pair: view.cell for pair, view in cells.items()})
    estimates = {
        pair: _skill_estimate(estimate, scales[pair])
        for pair, estimate in result.estimates.items()
        if pair in scales
    }
    reductions = reduce_of(matrix, record)
    seeds = matrix.seeds if result.by_seed else ()
    return replace(
        result,
        matrix=matrix,
        reductions=reductions,
        cells=cells,
        intervals=average_intervals(reductions, estimates),
        published=None,
        matched=None,
        calibration=None,
        estimates=estimates,
        by_seed=tuple(reduce_of(matrix.at_seed(seed), record) for seed in seeds),
    )


def _skill_view(view: CellView, scale: _Scale) -> CellView:
    level = view.chance
    assert level is not None
    return replace(
        view,
        cell=_skill_cell(view.cell, scale),
        interval=None if view.interval is None else _skill_interval(view.interval, scale),
        chance=Chance(best_blind_guess=0.0, majority=scale.at(level.majority)),
        published=None,
    )


def _skill_cell(cell: Cell, scale: _Scale) -> Cell:
    return replace(
        cell,
        by_seed={seed: scale.at(value) for seed, value in cell.by_seed.items()},
        by_fold=tuple(map(scale.at, cell.by_fold)),
    )


def _skill_estimate(estimate: Estimate, scale: _Scale) -> Estimate:
    cell = estimate.cell
    return replace(
        estimate,
        cell=replace(
            cell,
            value=scale.at(cell.value),
            by_seed=scale.at(cell.by_seed),
            without=scale.at(cell.without),
        ),
        interval=_skill_interval(estimate.interval, scale),
    )


def _skill_interval(interval: Interval, scale: _Scale) -> Interval:
    return replace(
        interval,
        value=scale.at(interval.value),
        low=scale.at(interval.low),
        high=scale.at(interval.high),
        standard_error=interval.standard_error * scale.factor,
        bias=interval.bias * scale.factor,
    )
