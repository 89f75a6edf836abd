"""Uncertainty: bootstrap intervals, chance, and which differences between backbones are real.

Utterances of one speaker are not independent, so the bootstrap draws speakers, not utterances,
wherever a test set has enough of them (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x).
Every measure here is a function of confusion counts; a draw is a weighted sum of the counts of the
units, so that a thousand draws are one matrix product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.confusion import MEASURES

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Values = npt.NDArray[np.float64]
    Counts = npt.NDArray[Any]

N_DRAWS = 1000
LEVEL = 0.95
MIN_CLUSTERS = 8
"""With fewer speakers a test set is resampled by utterance, and says so."""

UTTERANCE = "utterance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What is drawn when a corpus is resampled."""

    kind: str
    """``speaker``, the corpus's weaker grouping, or ``utterance``."""
    codes: npt.NDArray[np.int64]
    """int64 (manifest rows,): the unit of each utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A percentile interval around a value."""

    low: float
    high: float
    unit: str
    """What was drawn: ``speaker``, a weaker grouping, or ``utterance``. The last takes utterances
    of one speaker for independent and is too narrow where they are not."""
    n_units: int
    level: float = LEVEL


def units_of(manifest: pa.Table) -> Units:
    """Return the units in which a corpus is resampled.

    Speakers who share an utterance (a conversation) form one unit.

    Args:
        manifest: rows as in `sercore.corpora.manifest.SCHEMA`.
    """
    speakers = manifest["speaker"].to_pylist()
    if speakers and all(speakers):
        return Units(kind="speaker", codes=_connected(speakers))
    groups = manifest["group"].to_pylist()
    if groups and all(group is not None for group in groups):
        kind = manifest["group_kind"][0].as_py() or "group"
        return Units(kind=kind, codes=np.unique(groups, return_inverse=True)[1])
    return Units(kind=UTTERANCE, codes=np.arange(manifest.num_rows))


def units_for(units: Units, rows: npt.NDArray[np.int64]) -> Units:
    """Return the units of some utterances: each its own where fewer than eight units remain.

    Args:
        units: of the whole manifest.
        rows: int64 (utterances,), manifest rows.
    """
    codes = units.codes[rows]
    if units.kind != UTTERANCE and len(np.unique(codes)) >= MIN_CLUSTERS:
        return Units(kind=units.kind, codes=codes)
    return Units(kind=UTTERANCE, codes=rows)


def unit_counts(
    labels: Counts, predictions: Counts, units: Counts, n_units: int, n_classes: int
) -> npt.NDArray[np.float32]:
    """Return float32 (units, classes, classes): the confusion counts of each unit.

    Args:
        labels: int (utterances,).
        predictions: int (utterances,).
        units: int (utterances,), positions below `n_units`.
        n_units: how many units there are.
        n_classes: the size of the class space.
    """
    pairs = (units.astype(np.int64) * n_classes + labels) * n_classes + predictions
    counts = np.bincount(pairs, minlength=n_units * n_classes**2)
    return counts.astype(np.float32).reshape(n_units, n_classes, n_classes)


@lru_cache(maxsize=2)
def draw_weights(n_units: int, n_draws: int, seed: int) -> npt.NDArray[np.float32]:
    """Return float32 (draws, units): how often each draw contains each unit; rows sum to `n_units`.

    The last ones are kept, since all cells of a column share them: so their draws are paired.
    """
    rng = np.random.default_rng(seed)
    weights = np.empty((n_draws, n_units), dtype=np.float32)
    for draw in weights:
        draw[:] = np.bincount(rng.integers(0, n_units, n_units), minlength=n_units)
    weights.flags.writeable = False
    return weights


def seed_for(*parts: object) -> int:
    """Return a seed that depends on these parts alone."""
    text = "\0".join(map(str, ("bootstrap", *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def bootstrap(
    counts: Counts, averaging: str, measure: str, *, seed: int, n_draws: int = N_DRAWS
) -> Values:
    """Return float64 (draws,): a measure on resampled test sets.

    A draw is measured as a test set of its own would be: classes that it lost leave its average.

    Args:
        counts: (units, classes, classes), as from `unit_counts`.
        averaging: see `sercore.evaluation.metrics.Evaluation.averaging`.
        measure: a key of `sercore.evaluation.confusion.MEASURES`.
        seed: equal for test sets whose draws shall be paired.
        n_draws: how many.

    Raises:
        ProtocolError: the measure is not one of confusion counts.
    """
    n_units, n_classes, _ = counts.shape
    weights = draw_weights(n_units, n_draws, seed)
    # float32 holds whole numbers below 2^24 exactly, far more than any test set has utterances.
    drawn = weights @ counts.reshape(n_units, -1).astype(np.float32, copy=False)
    whole = drawn.astype(np.float64).reshape(n_draws, n_classes, n_classes)
    return _measure(measure)(whole, averaging)


def bootstrap_utterances(
    confusion: Counts, averaging: str, measure: str, *, seed: int, n_draws: int = N_DRAWS
) -> Values:
    """Return float64 (draws,) as `bootstrap` over single utterances, from their counts alone.

    Drawing n utterances is drawing n pairs of label and prediction from their joint frequencies.

    Args:
        confusion: (classes, classes).
        averaging: see `sercore.evaluation.metrics.Evaluation.averaging`.
        measure: a key of `sercore.evaluation.confusion.MEASURES`.
        seed: drives the draws.
        n_draws: how many.
    """
    total = int(confusion.sum())
    if not total:
        return np.full(n_draws, np.nan)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(total, confusion.reshape(-1) / total, size=n_draws)
    return _measure(measure)(drawn.reshape(n_draws, *confusion.shape), averaging)


def interval(
    point: float, draws: Values, *, unit: str, n_units: int, level: float = LEVEL
) -> Interval | None:
    """Return the percentile interval of draws around a value, or None without a defined draw.

    Resampling loses variety, so that all draws of a macro-average can lie on one side of the
    value; the interval is then extended to contain it.
    """
    defined = draws[np.isfinite(draws)]
    if not len(defined) or not np.isfinite(point):
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(
        low=float(min(low, point)),
        high=float(max(high, point)),
        unit=unit,
        n_units=n_units,
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What a predictor without ears reaches on a test set."""

    majority: float
    """Always the most frequent class of the test set."""
    random: float
    """Classes drawn with the test set's own frequencies: mean over draws."""
    random_high: float
    """97.5 % of such draws stay below."""


def chance(support: Counts, averaging: str, measure: str = "macro-f1", *, seed: int = 0) -> Chance:
    """Return the chance level of a test set.

    Args:
        support: (classes,), utterances per class.
        averaging: see `sercore.evaluation.metrics.Evaluation.averaging`.
        measure: a key of `sercore.evaluation.confusion.MEASURES`.
        seed: drives the draws.
    """
    support = np.asarray(support, dtype=np.int64)
    compute = _measure(measure)
    n_classes, total = len(support), int(support.sum())
    if not total:
        return Chance(majority=np.nan, random=np.nan, random_high=np.nan)
    constant = np.zeros((n_classes, n_classes), dtype=np.int64)
    constant[:, support.argmax()] = support
    rng = np.random.default_rng(seed)
    drawn = np.stack(
        [rng.multinomial(count, support / total, size=N_DRAWS) for count in support], axis=1
    )
    scores = compute(drawn, averaging)
    return Chance(
        majority=float(compute(constant, averaging)),
        random=float(scores.mean()),
        random_high=float(np.quantile(scores, 0.975)),
    )


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
    rng = np.random.default_rng(seed)
    drawn = ranks[rng.integers(0, n_corpora, (N_DRAWS, n_corpora))].mean(axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    order = np.argsort(mean_ranks, kind="stable")
    pairs = [(i, j) for i in range(n_names) for j in range(i + 1, n_names)]
    corrected = holm([_signed_rank(values[:, i] - values[:, j]) for i, j in pairs])
    return Comparison(
        n_corpora=n_corpora,
        friedman=friedman,
        ranks=tuple(
            RankInterval(
                name=names[i],
                rank=float(mean_ranks[i]),
                low=float(min(low[i], mean_ranks[i])),
                high=float(max(high[i], mean_ranks[i])),
            )
            for i in order
        ),
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


def nemenyi(rank_difference: float, n_names: int, n_corpora: int) -> float:
    """Return p of Nemenyi's test for a difference of mean ranks after Friedman's test.

    Source: Demšar (2006), section 3.2.2.
    """
    from scipy.stats import studentized_range

    error = np.sqrt(n_names * (n_names + 1) / (6 * n_corpora))
    statistic = abs(rank_difference) / error * np.sqrt(2)
    return float(np.clip(studentized_range.sf(statistic, n_names, np.inf), 0, 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's step-down method, in the given order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(each) for each in corrected]


def _signed_rank(differences: Values) -> float:
    from scipy.stats import wilcoxon

    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    return float(wilcoxon(differences).pvalue)


def _measure(name: str) -> Callable[[Counts, str], Values]:
    try:
        return MEASURES[name]
    except KeyError:
        raise ProtocolError(
            f"'{name}' is not computed from confusion counts, so it has no interval here",
            hint=f"those that are: {', '.join(MEASURES)}",
        ) from None


def _connected(names: Sequence[Sequence[str]]) -> npt.NDArray[np.int64]:
    """Return the connected component of each list of names."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    flat = [name for each in names for name in each]
    index = {name: position for position, name in enumerate(dict.fromkeys(flat))}
    first = [index[each[0]] for each in names]
    edges = [(index[each[0]], index[name]) for each in names for name in each[1:]]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(index),) * 2)
    components = connected_components(graph, directed=False)[1]
    return np.asarray(components[first], dtype=np.int64)
