"""Bootstrap intervals and simulated chance: superseded by `sercore.statistics`.

Utterances of one speaker are not independent, so the bootstrap draws speakers, not utterances,
wherever a test set has enough of them (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x).
Every measure here is a function of confusion counts; a draw is a weighted sum of the counts of the
units, so that a thousand draws are one matrix product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.units import UTTERANCE
from sercore.evaluation.units import Units

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Counts = npt.NDArray[Any]

N_DRAWS = 1000
LEVEL = 0.95
MIN_CLUSTERS = 8
"""With fewer speakers a test set is resampled by utterance, and says so."""


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
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
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
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
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
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
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


def _measure(name: str) -> Callable[[Counts, str], Values]:
    try:
        return MEASURES[name]
    except KeyError:
        raise ProtocolError(
            f"'{name}' is not computed from confusion counts, so it has no interval here",
            hint=f"those that are: {', '.join(MEASURES)}",
        ) from None
