"""Bootstrap intervals and simulated chance against SciPy and confidence-intervals."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from sercore.errors import ProtocolError
from sercore.evaluation import confusion
from sercore.evaluation import metrics
from sercore.evaluation.statistics import Interval
from sercore.evaluation.statistics import bootstrap
from sercore.evaluation.statistics import bootstrap_utterances
from sercore.evaluation.statistics import chance
from sercore.evaluation.statistics import draw_weights
from sercore.evaluation.statistics import interval
from sercore.evaluation.statistics import units_for
from sercore.evaluation.units import Units
from sercore.evaluation.units import unit_counts


def simulated(seed, n=400, n_speakers=20, n_classes=5):
    """Labels and predictions whose quality differs between speakers."""
    rng = np.random.default_rng(seed)
    speakers = rng.integers(0, n_speakers, n)
    skill = rng.uniform(0.2, 0.95, n_speakers)
    labels = rng.integers(0, n_classes, n)
    right = rng.uniform(size=n) < skill[speakers]
    return labels, np.where(right, labels, rng.integers(0, n_classes, n)), speakers


def macro_f1(labels, predictions):
    return sk.f1_score(labels, predictions, average="macro", labels=np.unique(labels))


def quick_macro_f1(labels, predictions):
    one = [2 * ((labels == c) & (predictions == c)).sum() for c in np.unique(labels)]
    two = [(labels == c).sum() + (predictions == c).sum() for c in np.unique(labels)]
    return np.mean(np.divide(one, two))


def percentiles(draws):
    return np.quantile(draws, [0.025, 0.975])


def test_a_draw_is_the_test_set_of_its_speakers():
    labels, predictions, speakers = simulated(1)
    counts = unit_counts(labels, predictions, speakers, 20, 5)
    weights = draw_weights(20, 5, seed=3)

    draws = bootstrap(counts, "supported", "macro-f1", seed=3, n_draws=5)

    for weight, draw in zip(weights, draws, strict=True):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(speakers == s), int(times)) for s, times in enumerate(weight)]
        )
        assert draw == pytest.approx(macro_f1(labels[rows], predictions[rows]), abs=1e-6)


def test_the_speaker_bootstrap_agrees_with_scipy():
    labels, predictions, speakers = simulated(2)
    members = [np.flatnonzero(speakers == s) for s in range(20)]

    def statistic(chosen):
        rows = np.concatenate([members[int(s)] for s in chosen])
        return quick_macro_f1(labels[rows], predictions[rows])

    theirs = stats.bootstrap(
        (np.arange(20),), statistic, n_resamples=1500, vectorized=False, method="percentile", rng=1
    ).confidence_interval
    counts = unit_counts(labels, predictions, speakers, 20, 5)
    ours = percentiles(bootstrap(counts, "supported", "macro-f1", seed=5, n_draws=4000))

    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.012)


def test_the_library_confidence_intervals_agrees():
    """It draws utterances alike; with conditions it also redraws within each, which is wider."""
    library = pytest.importorskip("confidence_intervals")
    labels, predictions, speakers = simulated(3)

    def accuracy(labels, predictions):
        return (labels == predictions).mean()

    _, theirs = library.evaluate_with_conf_int(
        predictions, accuracy, labels, num_bootstraps=2000, alpha=5
    )
    joint = confusion.confusion_counts(labels, predictions, 5)
    ours = percentiles(bootstrap_utterances(joint, "supported", "accuracy", seed=5, n_draws=4000))
    assert ours == pytest.approx(list(theirs), abs=0.008)

    _, wider = library.evaluate_with_conf_int(
        predictions, accuracy, labels, conditions=speakers, num_bootstraps=300, alpha=5
    )
    counts = unit_counts(labels, predictions, speakers, 20, 5)
    low, high = percentiles(bootstrap(counts, "supported", "accuracy", seed=5, n_draws=4000))
    assert wider[0] - 0.01 < low < theirs[0]
    assert theirs[1] < high < wider[1] + 0.01


@pytest.mark.parametrize("measure", ["macro-f1", "uar", "accuracy", "weighted-f1"])
def test_drawing_utterances_and_drawing_their_counts_agree(measure):
    labels, predictions, _ = simulated(4, n=120)
    one_by_one = unit_counts(labels, predictions, np.arange(120), 120, 5)
    together = confusion.confusion_counts(labels, predictions, 5)

    first = bootstrap(one_by_one, "supported", measure, seed=1, n_draws=4000)
    second = bootstrap_utterances(together, "supported", measure, seed=2, n_draws=4000)

    assert percentiles(first) == pytest.approx(percentiles(second), abs=0.01)
    assert first.mean() == pytest.approx(second.mean(), abs=0.004)


def test_speakers_who_differ_make_wider_intervals_than_utterances():
    labels, predictions, speakers = simulated(5, n=2000)
    by_speaker = bootstrap(
        unit_counts(labels, predictions, speakers, 20, 5), "supported", "macro-f1", seed=1
    )
    by_utterance = bootstrap_utterances(
        confusion.confusion_counts(labels, predictions, 5), "supported", "macro-f1", seed=1
    )

    assert by_speaker.std() > 2 * by_utterance.std()


def test_a_speaker_interval_covers_the_truth_about_as_often_as_it_says():
    """Speakers drawn anew each time; the truth is the expected accuracy."""
    rng = np.random.default_rng(8)
    covered = 0
    for trial in range(200):
        skill = rng.beta(6, 4, 30)  # expected accuracy 0.6
        speakers = np.repeat(np.arange(30), 20)
        labels = rng.integers(0, 2, 600)
        predictions = np.where(rng.uniform(size=600) < skill[speakers], labels, 1 - labels)
        counts = unit_counts(labels, predictions, speakers, 30, 2)
        low, high = percentiles(bootstrap(counts, "supported", "accuracy", seed=trial, n_draws=400))
        covered += low <= 0.6 <= high

    assert 0.88 <= covered / 200 <= 0.99


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.sampled_from(["supported", "occurring"]),
    st.sampled_from(sorted(metrics.MEASURES)),
)
def test_intervals_contain_the_point_and_ignore_the_order(n, n_speakers, seed, averaging, measure):
    labels, predictions, speakers = simulated(seed, n=n, n_speakers=n_speakers)
    counts = unit_counts(labels, predictions, speakers, n_speakers, 5)
    point = float(metrics.MEASURES[measure](counts.sum(axis=0), averaging))
    draws = bootstrap(counts, averaging, measure, seed=seed, n_draws=50)

    found = interval(point, draws, unit="speaker", n_units=n_speakers)

    assert found is not None
    assert 0 <= found.low <= point <= found.high <= 1 + 1e-9
    order = np.random.default_rng(seed).permutation(n)
    again = unit_counts(labels[order], predictions[order], speakers[order], n_speakers, 5)
    np.testing.assert_array_equal(
        draws, bootstrap(again, averaging, measure, seed=seed, n_draws=50)
    )


def test_an_interval_of_nothing_is_none():
    assert interval(0.5, np.array([np.nan]), unit="speaker", n_units=0) is None
    draws = bootstrap_utterances(np.zeros((3, 3)), "supported", "macro-f1", seed=0)
    assert interval(np.nan, draws, unit="utterance", n_units=0) is None


def test_an_interval_that_misses_its_point_is_extended():
    found = interval(0.9, np.array([0.1, 0.2, 0.3]), unit="speaker", n_units=9)

    assert isinstance(found, Interval)
    assert found.high == 0.9


def test_under_eight_speakers_utterances_are_drawn_and_it_says_so():
    units = Units(kind="speaker", codes=np.arange(40) % 8)

    assert units_for(units, np.arange(40)).kind == "speaker"
    few = units_for(units, np.array([0, 1, 2, 8, 16]))
    assert few.kind == "utterance"
    assert few.codes.tolist() == [0, 1, 2, 8, 16]


def test_the_majority_row_is_a_constant_predictor():
    support = np.array([50, 30, 20, 0])
    labels = np.repeat(range(4), support)
    expected = sk.f1_score(
        labels, np.zeros(100), average="macro", labels=[0, 1, 2], zero_division=0
    )

    assert chance(support, "supported").majority == pytest.approx(expected)


def test_the_random_row_draws_from_the_test_frequencies():
    support = np.array([500, 300, 200])
    rng = np.random.default_rng(0)
    labels = np.repeat(range(3), support)
    plain = [quick_macro_f1(labels, rng.choice(3, 1000, p=support / 1000)) for _ in range(200)]

    found = chance(support, "supported")

    assert found.random == pytest.approx(np.mean(plain), abs=0.003)
    assert found.random_high == pytest.approx(np.quantile(plain, 0.975), abs=0.01)
    assert chance(np.zeros(3), "supported").majority != chance(support, "supported").majority


def test_a_measure_that_is_not_of_counts_is_refused():
    with pytest.raises(ProtocolError, match="not computed from confusion counts"):
        bootstrap(np.ones((9, 2, 2)), "supported", "negative-log-likelihood", seed=0)
