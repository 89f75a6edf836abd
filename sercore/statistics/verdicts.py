"""Which backbone is better on other corpora like these: all pairs, judged together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

import numpy as np

from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import t_quantile
from sercore.statistics.posterior import ROPE
from sercore.statistics.posterior import probabilities
from sercore.statistics.seeds import moderate
from sercore.statistics.ties import tie_letters
from sercore.statistics.ties import tukey_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.statistics.posterior import Probabilities

    Values = npt.NDArray[np.float64]

MIN_MODERATED = 4
"""With fewer backbones each pair keeps its own variance."""
MAX_PRIOR_DF = 40.0
"""Cap for the df of the common prior, so that no pair's own variance is ignored."""

Method = Literal["crossed", "node-jackknife", "one-score-per-corpus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdict:
    """Two backbones over corpora that are a sample of others like them."""

    first: str
    second: str
    difference: float
    """Average of first minus average of second."""
    low: float
    """The interval of this one difference."""
    high: float
    standard_error: float
    df: float
    joint_low: float
    """The simultaneous interval of all pairs (Tukey)."""
    joint_high: float
    separable: bool
    """Whether the simultaneous interval excludes zero."""
    better: float
    """Probability that first is better than second."""
    better_by_rope: float
    """Probability that it is better by more than the region of practical equivalence."""
    worse_by_rope: float
    within_rope: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBackbone:
    """A backbone's average, and the letters of its groups of ties."""

    name: str
    mean: float
    letters: str
    """Two backbones that share a letter are not separable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporaComparison:
    """All pairs of backbones; the scope is other corpora like these."""

    backbones: tuple[RankedBackbone, ...]
    """Best first."""
    pairs: tuple[PairVerdict, ...]
    """In the order of the names that were passed."""
    n_corpora: int
    n_cells: int
    method: Method
    rope: float
    level: float
    smallest_difference: float
    """The difference that the median pair needs to be separable."""
    train_test_correlation: float | None = None
    """Correlation of a corpus's effect as train and as test corpus, as estimated; None where it
    does not exist."""

    @property
    def separable(self) -> int:
        """How many pairs are separable."""
        return sum(pair.separable for pair in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Differences:
    """Estimated differences of all pairs, each float64 (pairs,)."""

    mean: Values
    variance: Values
    df: Values


def pairs_of(n_backbones: int) -> npt.NDArray[np.int64]:
    """Return int64 (pairs, 2): all pairs of backbones, in order."""
    return np.stack(np.triu_indices(n_backbones, 1), axis=1)


def moderated(differences: Differences, n_backbones: int) -> Differences:
    """Return differences whose variances are shrunk towards each other.

    Source: Smyth (2004), doi:10.2202/1544-6115.1027, over pairs; df are not larger than
    mean df * (B - 1) / 2, about those of a pooled variance, since pairs share backbones.
    """
    if n_backbones < MIN_MODERATED:
        return differences
    variance, df = moderate(
        differences.variance,
        differences.df,
        max_prior_df=MAX_PRIOR_DF,
        max_df=float(differences.df.mean()) * (n_backbones - 1) / 2,
    )
    return Differences(mean=differences.mean, variance=variance, df=df)


def judge(
    names: Sequence[str],
    means: Values,
    differences: Differences,
    *,
    n_corpora: int,
    n_cells: int,
    method: Method,
    correlation: float | None = None,
    rope: float = ROPE,
    level: float = LEVEL,
) -> CorporaComparison:
    """Return intervals, ties and probabilities of all pairs.

    Pairs are separable where |difference| sqrt(2) / SE exceeds the studentised range's quantile.

    Args:
        names: backbones.
        means: float64 (backbones,).
        differences: of `pairs_of`, with their own variances; they are moderated here.
        n_corpora: for the reader.
        n_cells: for the reader.
        method: how the variances were estimated.
        correlation: see `CorporaComparison.train_test_correlation`.
        rope: half the width of the region of practical equivalence.
        level: of intervals, and one less the family-wise error.
    """
    pairs = pairs_of(len(names))
    shrunk = moderated(differences, len(names))
    error = np.sqrt(shrunk.variance)
    joint = tukey_quantile(len(names), shrunk.df, level) * error
    separable = np.abs(shrunk.mean) > joint
    posterior = probabilities(
        means,
        shrunk.mean,
        shrunk.variance,
        shrunk.df,
        noise=float(differences.variance.mean()),
        rope=rope,
    )
    return CorporaComparison(
        backbones=_ranked(names, means, _square(separable, pairs, len(names))),
        pairs=_verdicts(names, shrunk, posterior, joint, level),
        n_corpora=n_corpora,
        n_cells=n_cells,
        method=method,
        rope=rope,
        level=level,
        smallest_difference=float(np.median(joint)),
        train_test_correlation=correlation,
    )


def _ranked(
    names: Sequence[str], means: Values, differs: npt.NDArray[np.bool_]
) -> tuple[RankedBackbone, ...]:
    """Return the backbones best first, with the letters of their ties."""
    order = np.argsort(-means, kind="stable")
    letters = tie_letters(differs[np.ix_(order, order)])
    return tuple(
        RankedBackbone(name=names[place], mean=float(means[place]), letters=letter)
        for place, letter in zip(order, letters, strict=True)
    )


def _verdicts(
    names: Sequence[str],
    differences: Differences,
    posterior: Probabilities,
    joint: Values,
    level: float,
) -> tuple[PairVerdict, ...]:
    error = np.sqrt(differences.variance)
    half = t_quantile((1 + level) / 2, differences.df) * error
    return tuple(
        PairVerdict(
            first=names[first],
            second=names[second],
            difference=float(differences.mean[place]),
            low=float(differences.mean[place] - half[place]),
            high=float(differences.mean[place] + half[place]),
            standard_error=float(error[place]),
            df=float(differences.df[place]),
            joint_low=float(differences.mean[place] - joint[place]),
            joint_high=float(differences.mean[place] + joint[place]),
            separable=bool(abs(differences.mean[place]) > joint[place]),
            better=float(posterior.better[place]),
            better_by_rope=float(posterior.better_by_rope[place]),
            worse_by_rope=float(posterior.worse_by_rope[place]),
            within_rope=float(posterior.within_rope[place]),
        )
        for place, (first, second) in enumerate(pairs_of(len(names)))
    )


def _square(
    values: npt.NDArray[np.bool_], pairs: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.bool_]:
    square = np.zeros((size, size), dtype=bool)
    square[pairs[:, 0], pairs[:, 1]] = square[pairs[:, 1], pairs[:, 0]] = values
    return square
