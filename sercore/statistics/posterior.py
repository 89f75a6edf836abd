"""Probabilities that one backbone is better than another, shrunk towards no difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.statistics.intervals import t_below

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

ROPE = 0.01
"""Region of practical equivalence: a difference up to this has no consequence."""

_SPREADS = np.linspace(0.0, 0.15, 61)  # of true backbone effects: the grid of the flat prior
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probabilities:
    """Posterior probabilities of pairwise differences, each float64 (pairs,)."""

    better: Values
    """The first is better."""
    better_by_rope: Values
    """The first is better by more than the region of practical equivalence."""
    worse_by_rope: Values
    """The second is."""
    within_rope: Values
    """The difference lies inside the region."""


def probabilities(
    effects: Values,
    differences: Values,
    variances: Values,
    df: Values,
    *,
    noise: float,
    rope: float = ROPE,
) -> Probabilities:
    """Return the probabilities of each pairwise difference.

    True effects of backbones are N(mu, tau^2) with a flat prior for tau on 0 to 0.15. Given tau, a
    difference shrinks by tau^2 / (tau^2 + v / 2), v the variance of an average pair; the weights
    of tau come from the spread of the observed effects. Without the shrinkage, probabilities of
    the best of many backbones are too high (Gelman, Hill, Yajima 2012,
    doi:10.1080/19345747.2011.618213).

    Args:
        effects: float64 (backbones,), their averages.
        differences: float64 (pairs,), first minus second.
        variances: float64 (pairs,), of the differences.
        df: float64 (pairs,), of the variances.
        noise: v, the mean variance of a difference over all pairs.
        rope: half the width of the region of practical equivalence.
    """
    own = max(noise / 2, _TINY)
    total = own + _SPREADS**2
    squares = float(((effects - effects.mean()) ** 2).sum())
    logs = -(len(effects) - 1) / 2 * np.log(total) - squares / 2 / total
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    shrink = (_SPREADS**2 / total)[:, np.newaxis] + 1e-9
    centre = shrink * differences
    error = np.sqrt(shrink * np.maximum(variances, _TINY))

    def above(limit: float) -> Values:
        return np.asarray(weights @ t_below((centre - limit) / error, df))

    higher, lower = above(rope), 1 - above(-rope)
    return Probabilities(
        better=above(0.0),
        better_by_rope=higher,
        worse_by_rope=lower,
        within_rope=np.clip(1 - higher - lower, 0.0, 1.0),
    )
