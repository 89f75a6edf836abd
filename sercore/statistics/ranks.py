"""The classical tests over corpora, with ranks: kept for comparison, not for verdicts.

They take train corpora for independent, though all rows share the same test corpora: over the rows
of a matrix Nemenyi's test finds a difference between equal backbones in 15 to 22 % of simulations
at a nominal 5 %. Wilcoxon's test with Holm's correction errs the other way: with nine corpora and
nine backbones it can find nothing. Use `sercore.statistics.crossed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.statistics.intervals import LEVEL
from sercore.statistics.paired import holm

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

N_DRAWS = 1000
WARNING = (
    "Rows share their test corpora, so these tests are not valid over rows of a matrix: Nemenyi's "
    "finds differences between equal backbones in 15 to 22 % of simulations."
)
"""What stands beside every table of these tests over rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Whether two backbones differ over corpora."""

    first: str
    second: str
    difference: float
    """Mean of first minus second."""
    nemenyi: float | None
    """p after Friedman's test; None where that cannot be computed."""
    wilcoxon: float
    """p of the signed-rank test, corrected by Holm over all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankInterval:
    """The mean rank of a backbone over corpora; 1 is best."""

    name: str
    rank: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several backbones over the same corpora."""

    n_corpora: int
    friedman: float | None
    """p of Friedman's test that all are equal; None under three backbones."""
    ranks: tuple[RankInterval, ...]
    """Best first."""
    pairs: tuple[PairedTest, ...]


def compare_over_corpora(names: Sequence[str], values: Values, *, seed: int = 0) -> Comparison:
    """Compare backbones over corpora, the corpora being the sample.

    Friedman's test with Nemenyi's, and Wilcoxon's signed-rank test with Holm's correction, as
    Demšar (2006) recommends for comparisons over data sets; rank intervals are percentiles over
    resampled corpora.

    Args:
        names: backbones.
        values: float64 (corpora, backbones), higher is better, no NaN.
        seed: drives the resampling of corpora.

    Raises:
        ProtocolError: there are fewer than two backbones or two corpora, or a value is missing.
    """
    from scipy import stats

    n_corpora, n_names = values.shape
    if n_names < 2 or n_corpora < 2:
        raise ProtocolError(
            f"a comparison needs two backbones and two corpora, not {n_names} and {n_corpora}"
        )
    if not np.isfinite(values).all():
        raise ProtocolError(
            "a comparison needs every backbone on every corpus",
            hint="restrict it to the cells that all of them have",
        )
    ranks = stats.rankdata(-values, axis=1)
    mean_ranks = ranks.mean(axis=0)
    friedman = None
    if n_names > 2 and np.ptp(ranks, axis=1).any():
        friedman = float(stats.friedmanchisquare(*values.T).pvalue)
    pairs = [(i, j) for i in range(n_names) for j in range(i + 1, n_names)]
    corrected = holm([_signed_rank(values[:, i] - values[:, j]) for i, j in pairs])
    return Comparison(
        n_corpora=n_corpora,
        friedman=friedman,
        ranks=_rank_intervals(names, ranks, seed),
        pairs=tuple(
            PairedTest(
                first=names[i],
                second=names[j],
                difference=float((values[:, i] - values[:, j]).mean()),
                nemenyi=None
                if friedman is None
                else nemenyi(mean_ranks[i] - mean_ranks[j], n_names, n_corpora),
                wilcoxon=p,
            )
            for (i, j), p in zip(pairs, corrected, strict=True)
        ),
    )


def _rank_intervals(names: Sequence[str], ranks: Values, seed: int) -> tuple[RankInterval, ...]:
    """Return mean ranks, best first, with percentiles over resampled corpora."""
    mean_ranks = ranks.mean(axis=0)
    rng = np.random.default_rng(seed)
    drawn = ranks[rng.integers(0, len(ranks), (N_DRAWS, len(ranks)))].mean(axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return tuple(
        RankInterval(
            name=names[place],
            rank=float(mean_ranks[place]),
            low=float(min(low[place], mean_ranks[place])),
            high=float(max(high[place], mean_ranks[place])),
        )
        for place in np.argsort(mean_ranks, kind="stable")
    )


def corpora_needed(n_names: int, level: float = LEVEL) -> int:
    """Return with how many corpora Wilcoxon's test with Holm's correction can find a difference.

    The smallest p of n corpora is 2^-(n - 1), and Holm multiplies it by the number of pairs.
    """
    n_pairs = n_names * (n_names - 1) // 2
    n_corpora = 1
    while 2.0 ** -(n_corpora - 1) * n_pairs > 1 - level:
        n_corpora += 1
    return n_corpora


def wilcoxon_warning(n_names: int, n_corpora: int) -> str | None:
    """Return the sentence that belongs beside Wilcoxon-Holm, or None with enough corpora."""
    needed = corpora_needed(n_names)
    if n_corpora >= needed:
        return None
    return (
        f"Wilcoxon-Holm needs {needed} corpora to find any difference between {n_names} backbones;"
        f" there are {n_corpora}."
    )


def nemenyi(rank_difference: float, n_names: int, n_corpora: int) -> float:
    """Return p of Nemenyi's test for a difference of mean ranks after Friedman's test.

    Source: Demšar (2006), section 3.2.2.
    """
    from scipy.stats import studentized_range

    error = np.sqrt(n_names * (n_names + 1) / (6 * n_corpora))
    statistic = abs(rank_difference) / error * np.sqrt(2)
    return float(np.clip(studentized_range.sf(statistic, n_names, np.inf), 0, 1))


def _signed_rank(differences: Values) -> float:
    from scipy.stats import wilcoxon

    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    return float(wilcoxon(differences).pvalue)
