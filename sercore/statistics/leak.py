"""The leak gap: what a score loses when no speaker is in both train and test part.

Both sides must differ in the split alone: ``random-kfold`` and ``speaker-disjoint`` with the same
number of folds, the same seeds, and the same utterances, each tested once per seed. Then speakers
and seeds are paired, and the gap's interval is two to three times narrower than the distance of
two intervals of separate runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.protocols import SUPPORTED
from sercore.statistics.averages import Stratum
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import Interval
from sercore.statistics.intervals import Note
from sercore.statistics.intervals import add
from sercore.statistics.intervals import jackknife_component
from sercore.statistics.intervals import t_interval
from sercore.statistics.jackknife import leave_one_out

if TYPE_CHECKING:
    import numpy.typing as npt

    Counts = npt.NDArray[Any]
    Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeakGap:
    """The gap of one backbone on one corpus."""

    interval: Interval
    """Of the gap: random folds minus speaker-disjoint folds."""
    random: float
    """Score with random folds, mean over seeds."""
    disjoint: float
    """Score with speaker-disjoint folds, mean over seeds."""
    by_seed: Values
    """float64 (seeds,): the gap of each seed."""
    without: Values
    """float64 (units, seeds): the gap of each seed without each speaker."""
    sizes: Values
    """float64 (units,): utterances of each speaker."""


def leak_gap(
    random: Sequence[Counts],
    disjoint: Sequence[Counts],
    *,
    averaging: str = SUPPORTED,
    measure: str = "macro-f1",
    unit: str = "speaker",
    level: float = LEVEL,
) -> LeakGap:
    """Return the paired leak gap of one corpus.

        V = max(V_speakers, s^2 / m, V_speakers + s^2 / m - V_interaction)
        p_is = S gap_s - (S - 1) gap_(i)s
        V_interaction = sum (p_is - p_i. - p_.s + p_..)^2 / ((S - 1) (m - 1) S m)

    Two-way clustering after Cameron, Gelbach, Miller (2011), doi:10.1198/jbes.2010.07136: both
    one-way variances hold the interaction, so it is taken off once. With one seed V = V_speakers,
    and the interval carries `Note.ONE_PROBE`.

    Args:
        random: for each seed (units, classes, classes): counts over all folds of random-kfold.
        disjoint: likewise of speaker-disjoint folds: same seeds, same units, same utterances.
        averaging: see `sercore.evaluation.metrics.Evaluation.averaging`.
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
        unit: what the units are.
        level: the nominal coverage.

    Raises:
        ProtocolError: the two sides do not hold the same utterances per seed, speaker and class.
    """
    _require_same_utterances(random, disjoint)
    one, other = (_scores(side, averaging, measure) for side in (random, disjoint))
    by_seed, without = one[0] - other[0], one[1] - other[1]
    sizes = np.asarray(np.sum(disjoint[0], axis=(1, 2)), dtype=np.float64)
    interval = t_interval(
        float(by_seed.mean()),
        _two_way(by_seed, without, sizes),
        bounds=(-1.0, 1.0),
        level=level,
        unit=unit,
        sizes=sizes,
        notes=(Note.ONE_PROBE,) if len(by_seed) < 2 else (),
    )
    return LeakGap(
        interval=interval,
        random=float(one[0].mean()),
        disjoint=float(other[0].mean()),
        by_seed=by_seed,
        without=without,
        sizes=sizes,
    )


def mean_leak_gap(gaps: Mapping[tuple[str, str], LeakGap], *, level: float = LEVEL) -> Interval:
    """Return the mean gap over backbones and corpora.

    Speakers and seeds of each corpus are strata; leaving one out changes the gaps of all
    backbones on that corpus. The mean of the single intervals would be something else.

    Args:
        gaps: by (backbone, corpus); gaps of one corpus have the same speakers in the same order.
        level: the nominal coverage.

    Raises:
        ProtocolError: there is no gap.
    """
    if not gaps:
        raise ProtocolError("there is no leak gap to average")
    values = np.array([gap.by_seed.mean() for gap in gaps.values()])
    corpora: dict[str, list[int]] = {}
    for place, (_, corpus) in enumerate(gaps):
        corpora.setdefault(corpus, []).append(place)
    listed = list(gaps.values())
    strata: list[Stratum] = []
    one_probe = False
    for corpus, places in corpora.items():
        members = [listed[place] for place in places]
        cells = np.array(places)
        speakers = np.stack([gap.without.mean(axis=1) for gap in members], axis=1)
        name = f"speakers of {corpus}"
        sizes = members[0].sizes
        strata.append(Stratum(name=name, cells=cells, without=speakers, sizes=sizes))
        n_seeds = min(len(gap.by_seed) for gap in members)
        if n_seeds < 2 or any(len(gap.by_seed) != n_seeds for gap in members):
            one_probe = True
            continue
        seeds = np.stack(
            [(gap.by_seed.sum() - gap.by_seed) / (n_seeds - 1) for gap in members], axis=1
        )
        ones = np.ones(n_seeds)
        strata.append(Stratum(name=f"seeds of {corpus}", cells=cells, without=seeds, sizes=ones))
    notes = (Note.ONE_PROBE,) if one_probe else ()
    return stratified_jackknife(_mean, values, strata, level=level, notes=notes)[0]


def _scores(side: Sequence[Counts], averaging: str, measure: str) -> tuple[Values, Values]:
    """Return (seeds,) and (units, seeds): scores, and scores without each unit."""
    found = [leave_one_out(counts, averaging, measure) for counts in side]
    return np.array([value for value, _ in found]), np.stack([rest for _, rest in found], axis=1)


def _mean(values: Values) -> Values:
    return np.asarray(values.mean(axis=-1, keepdims=True))


def _two_way(by_seed: Values, without: Values, sizes: Values) -> Component:
    speakers = jackknife_component(without.mean(axis=1), sizes)
    n_units, n_seeds = without.shape
    if n_seeds < 2:
        return speakers
    seeds = Component(variance=float(by_seed.var(ddof=1)) / n_seeds, df=n_seeds - 1.0)
    both = add([speakers, seeds])
    pseudo = n_units * by_seed - (n_units - 1) * without
    residual = pseudo - pseudo.mean(axis=0) - pseudo.mean(axis=1, keepdims=True) + pseudo.mean()
    freedom = (n_units - 1) * (n_seeds - 1)
    interaction = float((residual**2).sum()) / freedom / (n_units * n_seeds)
    variance = max(speakers.variance, seeds.variance, both.variance - interaction)
    return Component(variance=variance, df=both.df if math.isfinite(both.df) else speakers.df)


def _require_same_utterances(random: Sequence[Counts], disjoint: Sequence[Counts]) -> None:
    if not len(random) or len(random) != len(disjoint):
        raise ProtocolError(
            f"a leak gap needs the same seeds on both sides, not {len(random)} and {len(disjoint)}"
        )
    support = [np.sum(counts, axis=-1) for counts in (*random, *disjoint)]
    if any(
        side.shape != support[0].shape or not np.array_equal(side, support[0]) for side in support
    ):
        raise ProtocolError(
            "a leak gap needs the same utterances in random and in speaker-disjoint folds, in "
            "every seed",
            hint="compare random-kfold with speaker-disjoint, not a single 80/20 split",
        )
    if len(support[0]) < 2:
        raise ProtocolError("a leak gap needs two speakers or more")
