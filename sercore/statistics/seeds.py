"""Training with other seeds as a second variance component, with moderated variances.

A score of a backbone is a property of a procedure: other seeds split and initialise differently and
give other scores. With three seeds the variance over seeds of one cell has two degrees of freedom;
moderation (empirical Bayes, Smyth 2004, doi:10.2202/1544-6115.1027) borrows from all cells of the
same kind, so that the interval is no wider than it must be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import Interval
from sercore.statistics.intervals import Note
from sercore.statistics.intervals import add
from sercore.statistics.intervals import t_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.statistics.jackknife import CellEstimate

    Values = npt.NDArray[np.float64]

MIN_CELLS = 20
"""With fewer cells of one kind each cell uses its own variance over seeds."""
_FLOOR = 1e-6  # of the median variance: what lies below is zero but for rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The scaled inverse chi-square distribution that variances come from."""

    df: float
    """Infinite where the variances differ no more than chance makes them."""
    variance: float


def fit_prior(variances: Values, df: float | Values) -> Prior | None:
    """Return the distribution of true variances, fitted by moments of their logarithms.

    With e = log s^2 - digamma(d/2) + log(d/2), trigamma(d0/2) = var(e) - mean trigamma(d/2) gives
    d0, and log s0^2 = mean(e) + digamma(d0/2) - log(d0/2). Source: Smyth (2004), section 6.2.
    Variances of zero (a score at the ceiling with every seed) have no logarithm and are left out.

    Args:
        variances: float64 (n,), estimated; at least two.
        df: their degrees of freedom.

    Returns:
        None where half of the variances or more are zero: there is nothing to fit.
    """
    from scipy.special import digamma
    from scipy.special import polygamma

    middle = float(np.median(variances))
    kept = variances > _FLOOR * middle
    if not middle > 0 or kept.sum() < 2:
        return None
    half = np.broadcast_to(np.asarray(df, dtype=np.float64) / 2, variances.shape)[kept]
    logs = np.log(variances[kept]) - digamma(half) + np.log(half)
    spread = float(logs.var(ddof=1)) - float(np.mean(polygamma(1, half)))
    if spread <= 1e-6:
        return Prior(df=math.inf, variance=float(np.exp(logs.mean())))
    half0 = _inverse_trigamma(spread)
    shift = float(digamma(half0)) - math.log(half0)
    return Prior(df=2 * half0, variance=float(np.exp(logs.mean() + shift)))


def moderate(
    variances: Values, df: Values, *, max_prior_df: float = math.inf, max_df: float = math.inf
) -> tuple[Values, Values]:
    """Return variances shrunk towards their common prior, and their degrees of freedom.

        s~^2 = (d0 s0^2 + d s^2) / (d0 + d),  df = d0 + d

    Args:
        variances: float64 (n,).
        df: float64 (n,).
        max_prior_df: d0 is not larger than this.
        max_df: the result's df are not larger than this; pass what pooling all would give.
    """
    prior = fit_prior(variances, float(np.mean(df)))
    if prior is None:
        return variances, df
    prior_df = min(prior.df, max_prior_df, 1e6)
    shrunk = (prior_df * prior.variance + df * variances) / (prior_df + df)
    return shrunk, np.minimum(prior_df + df, max_df)


def seed_components(by_seed: Sequence[Values]) -> list[Component | None]:
    """Return the variance over seeds of the mean of each cell; None for a cell with one seed.

    Pass all cells of one kind: in domain or out of domain, one protocol and probe. Variances are
    moderated over cells with the same number of seeds where those are at least twenty.

    Args:
        by_seed: for each cell float64 (seeds,).
    """
    found: list[Component | None] = [None] * len(by_seed)
    for n_seeds in sorted({len(values) for values in by_seed} - {0, 1}):
        cells = [place for place, values in enumerate(by_seed) if len(values) == n_seeds]
        variances = np.array([by_seed[place].var(ddof=1) for place in cells])
        df = np.full(len(cells), n_seeds - 1.0)
        if len(cells) >= MIN_CELLS:
            variances, df = moderate(variances, df, max_df=len(cells) * (n_seeds - 1.0))
        for place, variance, own in zip(cells, variances, df, strict=True):
            found[place] = Component(variance=float(variance) / n_seeds, df=float(own))
    return found


def cell_intervals(
    estimates: Sequence[CellEstimate],
    *,
    folds: Sequence[int | None] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = LEVEL,
) -> list[Interval]:
    """Return intervals of cells of one kind over speakers and, with several seeds, over training.

        V = V_speakers * k / (k - 1) + s~^2 / m

    With one seed the interval carries `Note.ONE_PROBE` and says nothing about the backbone.

    Args:
        estimates: all cells of one kind: in domain or out of domain, one protocol and probe.
        folds: for each cell k, where it is an in-domain cell of several seeds whose folds hold
            disjoint speakers, so that the training speakers are a sample as well (factor
            k / (k - 1)); None elsewhere.
        bounds: the smallest and the largest possible value.
        level: the nominal coverage.
    """
    seeds = seed_components([estimate.by_seed for estimate in estimates])
    return [
        _interval(estimate, seed, k, bounds, level)
        for estimate, seed, k in zip(estimates, seeds, folds or repeat(None), strict=False)
    ]


def _interval(
    estimate: CellEstimate,
    seed: Component | None,
    folds: int | None,
    bounds: tuple[float, float],
    level: float,
) -> Interval:
    speakers = estimate.component
    if seed is None:
        total, notes = speakers, (Note.ONE_PROBE, *estimate.notes)
    else:
        factor = 1.0 if folds is None else folds / (folds - 1)
        wider = Component(variance=speakers.variance * factor, df=speakers.df)
        total, notes = add([wider, seed]), estimate.notes
    return t_interval(
        estimate.value,
        total,
        bounds=bounds,
        level=level,
        unit=estimate.unit,
        sizes=estimate.sizes,
        notes=notes,
    )


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method on 1 / trigamma (convex, monotone)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
