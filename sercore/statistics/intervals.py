"""Variance components, degrees of freedom, and intervals with quantiles of Student's t."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

LEVEL = 0.95
UNEVEN = 0.7
"""Below this ratio of effective to counted units an interval carries `Note.UNEVEN_UNITS`."""


class Note(StrEnum):
    """What a reader must know beside an interval."""

    ONE_PROBE = "one-probe"
    ONE_SPEAKER = "one-speaker"
    UNKNOWN_SPEAKERS = "unknown-speakers"
    FEW_UNITS = "few-units"
    UNEVEN_UNITS = "uneven-units"


NOTE_TEXTS = {
    Note.ONE_PROBE: "given this one probe: training with another seed is not in the interval",
    Note.ONE_SPEAKER: "one speaker: says nothing about other speakers",
    Note.UNKNOWN_SPEAKERS: "speakers unknown: takes utterances for independent, likely too narrow",
    Note.FEW_UNITS: "two or three speakers: very wide",
    Note.UNEVEN_UNITS: "a few speakers hold most of the utterances",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """An estimated variance and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A t interval around a value.

    It is centred on the value less its estimated bias, so it need not be symmetric around the
    value, and need not contain it.
    """

    value: float
    """The number that is printed; never corrected."""
    low: float
    high: float
    standard_error: float
    df: float
    level: float = LEVEL
    bias: float = 0.0
    """Estimated bias of the value."""
    unit: str = ""
    """What was left out one at a time: ``speaker``, a weaker grouping, ``utterance``."""
    n_units: int = 0
    effective_units: float = 0.0
    """(sum n)^2 / sum n^2 over the units' sizes n; equals `n_units` when the sizes are equal."""
    notes: tuple[Note, ...] = ()

    @property
    def centre(self) -> float:
        """The value less its estimated bias."""
        return self.value - self.bias

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside, which makes a difference significant at 1 - `level`."""
        return not self.low <= 0 <= self.high


def effective_number(sizes: Values) -> float:
    """Return (sum n)^2 / sum n^2: how many units of equal size carry the same weight.

    Source: Carter, Schnepel, Steigerwald (2017), doi:10.1162/REST_a_00639, simplified to sizes.

    Args:
        sizes: float64 (units,), utterances of each unit; units of size zero count for nothing.
    """
    squares = float((np.asarray(sizes, dtype=np.float64) ** 2).sum())
    return float(np.sum(sizes)) ** 2 / squares if squares > 0 else 0.0


def jackknife_component(without: Values, sizes: Values) -> Component:
    """Return the delete-one-unit jackknife variance of a statistic.

        V = (S - 1) / S * sum_i (theta_(i) - mean theta_(.))^2,  df = max(1, S_effective - 1)

    Source: Field and Welsh (2007), doi:10.1111/j.1467-9868.2007.00593.x, for clusters.

    Args:
        without: float64 (units,), the statistic without each unit.
        sizes: float64 (units,), utterances of each unit.
    """
    n_units = len(without)
    if n_units < 2:
        return Component(variance=math.nan, df=1.0)
    variance = (n_units - 1) / n_units * float(((without - without.mean()) ** 2).sum())
    return Component(variance=variance, df=max(1.0, effective_number(sizes) - 1))


def add(components: Iterable[Component]) -> Component:
    """Return the sum of independent components; df after Satterthwaite (1946).

        df = V^2 / sum_c (V_c^2 / df_c)

    Source: doi:10.2307/3002019. Components of variance zero change nothing.
    """
    kept = [component for component in components if component.variance != 0]
    variance = sum(component.variance for component in kept)
    weight = sum(component.variance**2 / component.df for component in kept)
    return Component(variance=variance, df=variance**2 / weight if weight else math.inf)


def t_quantile(probability: float, df: float | Values) -> Values:
    """Return float64 (...): quantiles of Student's t."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, probability), dtype=np.float64)


def t_below(value: float | Values, df: float | Values) -> Values:
    """Return float64 (...): the probability that Student's t lies below a value."""
    from scipy.special import stdtr

    return np.asarray(stdtr(df, value), dtype=np.float64)


def t_interval(
    value: float,
    component: Component,
    *,
    bias: float = 0.0,
    bounds: tuple[float, float] | None = None,
    level: float = LEVEL,
    unit: str = "",
    sizes: Values | None = None,
    notes: tuple[Note, ...] = (),
) -> Interval:
    """Return value - bias -+ t(1 - (1 - level) / 2, df) * sqrt(V).

    Args:
        value: the estimate.
        component: its variance and degrees of freedom.
        bias: its estimated bias.
        bounds: the smallest and the largest possible value; the ends are clipped to them.
        level: the nominal coverage.
        unit: what was left out, for the reader.
        sizes: float64 (units,), utterances of each unit.
        notes: carried into the interval; notes about few or uneven units are added.
    """
    error = math.sqrt(component.variance)
    half = float(t_quantile((1 + level) / 2, component.df)) * error
    low, high = value - bias - half, value - bias + half
    if bounds is not None:
        low, high = (min(max(end, bounds[0]), bounds[1]) for end in (low, high))
    counted = np.zeros(0) if sizes is None else sizes[sizes > 0]
    return Interval(
        value=value,
        low=low,
        high=high,
        standard_error=error,
        df=component.df,
        level=level,
        bias=bias,
        unit=unit,
        n_units=len(counted),
        effective_units=effective_number(counted),
        notes=(*notes, *_notes_about(counted)),
    )


def _notes_about(sizes: Values) -> list[Note]:
    found = []
    if 2 <= len(sizes) <= 3:
        found.append(Note.FEW_UNITS)
    if len(sizes) and effective_number(sizes) < UNEVEN * len(sizes):
        found.append(Note.UNEVEN_UNITS)
    return found
