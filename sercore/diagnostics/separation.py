"""How well one number separates two classes, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm
from scipy.stats import rankdata

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How well a number separates two groups of recordings."""

    auc: float
    """Probability that a random recording of the first group has the larger value; ties count
    half. 0.5 is chance."""
    low: float
    high: float
    """Ends of the interval."""


def separation(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], level: float
) -> Separation:
    """Return the area under the ROC curve, with an interval of DeLong that stays within 0 and 1.

    The interval takes recordings for independent, so it is too narrow where few speakers differ.

    Args:
        first: values of one group, at least two.
        second: values of the other group, at least two.
        level: coverage of the interval.

    Source: DeLong, DeLong, Clarke-Pearson 1988, doi:10.2307/2531595; logit interval after Pepe
    2003, section 5.2.

    >>> separation(np.arange(5.0), np.arange(5.0), 0.95).auc
    0.5
    """
    m, n = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    above = (ranks[:m] - rankdata(first)) / n
    below = 1 - (ranks[m:] - rankdata(second)) / m
    auc = float(above.mean())
    # Perfect separation has no variance: half a recording may always be on the other side.
    inside = min(max(auc, 0.5 / (m * n)), 1 - 0.5 / (m * n))
    variance = max(above.var(ddof=1) / m + below.var(ddof=1) / n, 0.25 / (m * n) ** 2)
    reach = norm.ppf(0.5 + level / 2) * np.sqrt(variance) / (inside * (1 - inside))
    logit = np.log(inside / (1 - inside))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-reach, reach]))))
    return Separation(auc=auc, low=float(low), high=float(high))
