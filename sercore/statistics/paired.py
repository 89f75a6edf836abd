"""Which backbone is better on these corpora: exactly these cells, new speakers and new seeds.

This is the narrow scope. It says nothing about other corpora; for those see
`sercore.statistics.crossed`. Never put verdicts of both scopes into one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import Interval
from sercore.statistics.intervals import t_below
from sercore.statistics.intervals import t_quantile
from sercore.statistics.posterior import ROPE

MIN_SEEDS = 3
"""With fewer seeds there is no verdict: the noise of training is not known well enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedVerdict:
    """Two backbones over exactly the same cells."""

    first: str
    second: str
    interval: Interval
    """Of the average of first minus the average of second."""
    p: float
    """Of the t test that the difference is zero."""
    p_holm: float
    """Corrected by Holm over all pairs."""
    differs: bool | None
    """Whether `p_holm` is at most 1 - level; None with fewer than three seeds."""
    equivalent: bool | None
    """Whether the 90 % interval lies inside the region of practical equivalence (two one-sided
    tests at 5 %); None with fewer than three seeds."""


def judge_on_these_corpora(
    differences: Mapping[tuple[str, str], Interval],
    *,
    n_seeds: int,
    rope: float = ROPE,
    level: float = LEVEL,
) -> list[PairedVerdict]:
    """Return a verdict for each pair from the interval of its difference.

    Args:
        differences: by (first, second), as from
            `sercore.statistics.averages.stratified_jackknife` with strata of speakers and seeds.
        n_seeds: how many seeds the cells have; the smallest number if they differ.
        rope: half the width of the region of practical equivalence.
        level: one less the family-wise error.
    """
    p_values = [p_of(interval) for interval in differences.values()]
    found = []
    enough = n_seeds >= MIN_SEEDS
    for (pair, interval), p, corrected in zip(
        differences.items(), p_values, holm(p_values), strict=True
    ):
        half = float(t_quantile(0.95, interval.df)) * interval.standard_error
        inside = abs(interval.centre) + half <= rope
        found.append(
            PairedVerdict(
                first=pair[0],
                second=pair[1],
                interval=interval,
                p=p,
                p_holm=corrected,
                differs=corrected <= 1 - level if enough else None,
                equivalent=inside if enough else None,
            )
        )
    return found


def p_of(interval: Interval) -> float:
    """Return p of the two-sided t test that the bias-corrected value is zero."""
    if interval.standard_error == 0:
        return 1.0 if interval.centre == 0 else 0.0
    return float(2 * t_below(-abs(interval.centre) / interval.standard_error, interval.df))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's step-down method, in the given order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]
