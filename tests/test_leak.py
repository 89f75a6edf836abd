"""The leak gap, paired over speakers and seeds."""

import numpy as np
import pytest
from scipy import stats

from sercore.errors import ProtocolError
from sercore.evaluation.units import unit_counts
from sercore.statistics.averages import Stratum
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.intervals import Note
from sercore.statistics.leak import leak_gap
from sercore.statistics.leak import mean_leak_gap


def side(rng, labels, speakers, skill, n_speakers):
    right = rng.uniform(size=len(labels)) < skill[speakers]
    said = np.where(right, labels, rng.integers(0, 4, len(labels)))
    return unit_counts(labels, said, speakers, n_speakers, 4)


def simulated(seed, *, gap=0.15, n_speakers=10, n_seeds=3):
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(n_speakers), 30)
    labels = rng.integers(0, 4, len(speakers))
    skill = rng.uniform(0.3, 0.7, n_speakers)
    random = [side(rng, labels, speakers, skill + gap, n_speakers) for _ in range(n_seeds)]
    disjoint = [side(rng, labels, speakers, skill, n_speakers) for _ in range(n_seeds)]
    return random, disjoint


def accuracies(sides):
    """(speakers, seeds): the accuracy of each."""
    return np.stack([np.trace(c, axis1=1, axis2=2) / c.sum(axis=(1, 2)) for c in sides], axis=1)


def test_the_variance_is_two_way():
    """For accuracy with speakers of equal size the pseudo-values are the speakers' own gaps."""
    random, disjoint = simulated(1)
    gaps = accuracies(random) - accuracies(disjoint)
    n, m = gaps.shape
    speakers = gaps.mean(axis=1).var(ddof=1) / n
    seeds = gaps.mean(axis=0).var(ddof=1) / m
    residual = gaps - gaps.mean(0) - gaps.mean(1, keepdims=True) + gaps.mean()
    interaction = (residual**2).sum() / ((n - 1) * (m - 1) * n * m)

    found = leak_gap(random, disjoint, measure="accuracy")

    assert found.interval.value == pytest.approx(gaps.mean())
    variance = max(speakers, seeds, speakers + seeds - interaction)
    assert found.interval.standard_error**2 == pytest.approx(variance)
    df = (speakers + seeds) ** 2 / (speakers**2 / (n - 1) + seeds**2 / (m - 1))
    assert found.interval.df == pytest.approx(df)
    assert found.random - found.disjoint == pytest.approx(found.interval.value)


def test_one_seed_is_the_paired_t_test_and_says_so():
    random, disjoint = simulated(2, n_seeds=1)

    found = leak_gap(random, disjoint, measure="accuracy").interval

    pair = accuracies(random)[:, 0], accuracies(disjoint)[:, 0]
    theirs = stats.ttest_rel(*pair).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.notes == (Note.ONE_PROBE,)


def test_the_same_answers_have_no_gap():
    random, _ = simulated(3)

    found = leak_gap(random, random).interval

    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert not found.excludes_zero


def test_a_strong_effect_is_found():
    found = leak_gap(*simulated(4, gap=0.2)).interval

    assert found.low > 0
    assert found.n_units == 10


def test_the_mean_gap_is_paired_over_backbones_and_independent_over_corpora():
    gaps = {
        (backbone, corpus): leak_gap(*simulated(seed))
        for seed, (backbone, corpus) in enumerate((b, c) for c in "xy" for b in "ab")
    }

    found = mean_leak_gap(gaps)

    assert found.value == pytest.approx(np.mean([gap.interval.value for gap in gaps.values()]))
    strata = []
    for places in ([0, 1], [2, 3]):
        members = [list(gaps.values())[place] for place in places]
        cells = np.array(places)
        for without in (
            np.stack([gap.without.mean(axis=1) for gap in members], axis=1),
            np.stack([(gap.by_seed.sum() - gap.by_seed) / 2 for gap in members], axis=1),
        ):
            ones = np.ones(len(without))
            strata.append(Stratum(name="", cells=cells, without=without, sizes=ones))
    values = np.array([gap.by_seed.mean() for gap in gaps.values()])
    (expected,) = stratified_jackknife(lambda v: v.mean(axis=-1, keepdims=True), values, strata)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    single = mean_leak_gap({("a", "x"): leak_gap(*simulated(5, n_seeds=1))})
    assert single.notes == (Note.ONE_PROBE,)


def test_other_utterances_or_seeds_are_refused():
    random, disjoint = simulated(6)
    with pytest.raises(ProtocolError, match="same seeds on both sides, not 3 and 2"):
        leak_gap(random, disjoint[:2])
    fewer = [counts.copy() for counts in random]
    fewer[1][0] = 0
    with pytest.raises(ProtocolError, match="not a single 80/20 split"):
        leak_gap(fewer, disjoint)
    with pytest.raises(ProtocolError, match="two speakers"):
        leak_gap([random[0][:1]], [random[0][:1]])
    with pytest.raises(ProtocolError, match="no leak gap"):
        mean_leak_gap({})
