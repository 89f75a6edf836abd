"""Intervals of one cell: against recomputation by hand, scikit-learn, SciPy and known formulas."""

import math
import time

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
from sercore.evaluation.units import unit_counts
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import Note
from sercore.statistics.intervals import add
from sercore.statistics.intervals import effective_number
from sercore.statistics.intervals import jackknife_component
from sercore.statistics.intervals import t_interval
from sercore.statistics.jackknife import estimate_cell
from sercore.statistics.jackknife import estimate_from_confusions
from sercore.statistics.jackknife import leave_one_out
from sercore.statistics.jackknife import leave_one_utterance_out
from sercore.statistics.seeds import cell_intervals

MEASURES = sorted(metrics.MEASURES)


def simulated(seed, n=400, n_speakers=20, n_classes=5):
    """Labels and predictions whose quality differs between speakers."""
    rng = np.random.default_rng(seed)
    speakers = rng.integers(0, n_speakers, n)
    skill = rng.uniform(0.2, 0.95, n_speakers)
    labels = rng.integers(0, n_classes, n)
    right = rng.uniform(size=n) < skill[speakers]
    return labels, np.where(right, labels, rng.integers(0, n_classes, n)), speakers


def counts_of(seed, **options):
    labels, predictions, speakers = simulated(seed, **options)
    n = options.get("n_speakers", 20)
    return unit_counts(labels, predictions, speakers, n, options.get("n_classes", 5))


@pytest.mark.parametrize("seed", [1, 2])
def test_without_a_speaker_is_the_score_of_the_other_speakers(seed):
    labels, predictions, speakers = simulated(seed)
    classes = np.unique(labels)
    expected = {
        "macro-f1": lambda y, p: sk.f1_score(y, p, labels=classes, average="macro"),
        "uar": lambda y, p: sk.recall_score(y, p, labels=classes, average="macro"),
        "accuracy": sk.accuracy_score,
        "weighted-f1": lambda y, p: sk.f1_score(y, p, average="weighted"),
    }
    counts = unit_counts(labels, predictions, speakers, 20, 5)

    for measure, compute in expected.items():
        value, without = leave_one_out(counts, "supported", measure)

        assert value == pytest.approx(compute(labels, predictions))
        for speaker in range(20):
            rest = speakers != speaker
            assert without[speaker] == pytest.approx(compute(labels[rest], predictions[rest]))


def test_a_class_that_one_speaker_alone_says_keeps_its_score_without_that_speaker():
    labels = np.array([0, 0, 1, 1, 2, 2])
    predictions = np.array([0, 0, 1, 0, 2, 1])
    speakers = np.array([0, 1, 0, 1, 1, 1])
    counts = unit_counts(labels, predictions, speakers, 2, 3)
    of_class = sk.f1_score(labels, predictions, average=None)

    _, without = leave_one_out(counts, "supported", "macro-f1")

    assert without[1] == pytest.approx((1.0 + 1.0 + of_class[2]) / 3)


def test_a_class_that_is_only_said_counts_where_the_averaging_says_so():
    counts = unit_counts(
        np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]), np.array([0, 0, 1, 1]), 2, 3
    )

    assert leave_one_out(counts, "supported", "macro-f1")[0] == pytest.approx((2 / 3 + 1) / 2)
    value, without = leave_one_out(counts, "occurring", "macro-f1")
    assert value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert without[0] == pytest.approx((2 / 3 + 1 + 0) / 3)  # class 0 keeps its F1, class 2 has 0


@pytest.mark.parametrize("measure", MEASURES)
def test_utterances_from_their_sums_equal_utterances_one_by_one(measure):
    labels, predictions, _ = simulated(3, n=90)
    one_by_one = unit_counts(labels, predictions, np.arange(90), 90, 5)
    summed = confusion.confusion_counts(labels, predictions, 5)

    value, without = leave_one_utterance_out(summed, "supported", measure)
    other_value, other = leave_one_out(one_by_one, "supported", measure)

    assert value == pytest.approx(other_value)
    np.testing.assert_allclose(np.sort(without), np.sort(other), atol=1e-12)


def test_the_interval_of_accuracy_over_equal_speakers_is_the_t_interval_of_their_accuracies():
    """For a mean of equal groups the jackknife is the textbook t interval."""
    rng = np.random.default_rng(4)
    speakers = np.repeat(np.arange(9), 20)
    labels = rng.integers(0, 2, 180)
    right = rng.uniform(size=180) < rng.uniform(0.4, 0.9, 9)[speakers]
    counts = unit_counts(labels, np.where(right, labels, 1 - labels), speakers, 9, 2)
    own = right.reshape(9, 20).mean(axis=1)
    theirs = stats.ttest_1samp(own, 0).confidence_interval(0.95)

    (found,) = cell_intervals([estimate_cell([[counts]], measure="accuracy")])

    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert (found.df, found.n_units, found.effective_units) == (8, 9, 9)
    assert found.notes == (Note.ONE_PROBE,)


def test_few_speakers_make_wide_intervals_and_never_become_utterances():
    labels, predictions, speakers = simulated(5, n=400, n_speakers=4)
    counts = unit_counts(labels, predictions, speakers, 4, 5)
    single = unit_counts(labels, predictions, np.arange(400), 400, 5)

    by_speaker, by_utterance = cell_intervals(
        [estimate_cell([[counts]]), estimate_cell([[single]], unit="utterance")]
    )

    assert by_speaker.unit == "speaker"
    assert by_speaker.n_units == 4
    assert by_speaker.high - by_speaker.low > 2 * (by_utterance.high - by_utterance.low)


def test_two_speakers_and_uneven_speakers_are_noted():
    (two,) = cell_intervals([estimate_cell([[counts_of(6, n_speakers=2)]])])
    assert Note.FEW_UNITS in two.notes
    assert two.df == 1

    labels, predictions, _ = simulated(7, n=400)
    speakers = np.repeat(np.arange(5), [340, 20, 20, 10, 10])
    counts = unit_counts(labels, predictions, speakers, 5, 5)
    (uneven,) = cell_intervals([estimate_cell([[counts]])])
    assert Note.UNEVEN_UNITS in uneven.notes
    assert uneven.n_units == 5
    assert uneven.effective_units == pytest.approx(400**2 / (340**2 + 2 * 400 + 2 * 100))
    assert uneven.df == 1


def test_a_mean_over_probes_is_deleted_jointly():
    first, second = counts_of(8), counts_of(9)

    found = estimate_cell([[first, second]])

    one, other = (leave_one_out(each, "supported", "macro-f1") for each in (first, second))
    assert found.value == pytest.approx((one[0] + other[0]) / 2)
    np.testing.assert_allclose(found.without, (one[1] + other[1]) / 2)
    assert len(found.by_seed) == 1
    assert found.sizes.sum() == 800


def test_the_level_and_the_bounds_are_kept():
    component = Component(variance=0.04, df=4)
    narrow, wide = (t_interval(0.9, component, level=level) for level in (0.9, 0.99))
    assert wide.low < narrow.low < 0.9 < narrow.high < wide.high
    assert narrow.high - narrow.low == pytest.approx(2 * stats.t.ppf(0.95, 4) * 0.2)
    clipped = t_interval(0.9, component, bounds=(0, 1))
    assert clipped.high == 1.0


def test_components_add_up_after_satterthwaite():
    total = add([Component(variance=2.0, df=4), Component(variance=1.0, df=2)])

    assert total.variance == 3.0
    assert total.df == pytest.approx(9 / (4 / 4 + 1 / 2))
    assert add([Component(variance=0.0, df=3)]).variance == 0.0


def test_the_effective_number_is_the_number_of_equal_units():
    assert effective_number(np.array([7.0, 7.0, 7.0])) == pytest.approx(3)
    assert effective_number(np.array([1000.0, 1.0])) == pytest.approx(1.002, abs=1e-3)
    assert effective_number(np.zeros(3)) == 0
    assert math.isnan(jackknife_component(np.array([0.5]), np.ones(1)).variance)


def test_counts_without_predictions_give_the_widest_possible_interval():
    """Which utterance of one fit is which of another is unknown."""
    labels, first, _ = simulated(10, n=200)
    second = simulated(11, n=200)[1]
    fits = [confusion.confusion_counts(labels, each, 5) for each in (first, second)]
    matched = [unit_counts(labels, each, np.arange(200), 200, 5) for each in (first, second)]

    unknown = estimate_from_confusions([fits])
    known = estimate_cell([matched], unit="utterance")

    assert unknown.value == pytest.approx(known.value)
    assert unknown.component.variance >= known.component.variance
    assert unknown.notes == (Note.UNKNOWN_SPEAKERS,)
    alone = estimate_from_confusions([[fits[0]]])
    single = estimate_cell([[matched[0]]])
    assert alone.component.variance == pytest.approx(single.component.variance)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(12, 60),
    st.integers(2, 12),
    st.integers(0, 10**6),
    st.sampled_from(["supported", "occurring"]),
    st.sampled_from(MEASURES),
)
def test_order_and_names_do_not_matter(n, n_speakers, seed, averaging, measure):
    labels, predictions, speakers = simulated(seed, n=n, n_speakers=n_speakers)
    counts = unit_counts(labels, predictions, speakers, n_speakers, 5)
    rng = np.random.default_rng(seed)
    classes, order = rng.permutation(5), rng.permutation(n_speakers)
    renamed = counts[order][:, classes][:, :, classes]

    first, second = cell_intervals(
        [
            estimate_cell([[each]], averaging=averaging, measure=measure)
            for each in (counts, renamed)
        ]
    )

    assert (first.value, first.low, first.high) == pytest.approx(
        (second.value, second.low, second.high), abs=1e-9
    )
    assert 0 <= first.low <= first.high <= 1


def test_what_has_no_interval_is_refused():
    with pytest.raises(ProtocolError, match="not computed from confusion counts"):
        leave_one_out(np.ones((3, 2, 2)), "supported", "negative-log-likelihood")
    with pytest.raises(ProtocolError, match="at least one fit"):
        estimate_cell([])
    with pytest.raises(ProtocolError, match="at least one fit"):
        estimate_from_confusions([[]])
    with pytest.raises(ProtocolError, match="same units"):
        estimate_cell([[np.ones((3, 2, 2)), np.ones((4, 2, 2))]])
    with pytest.raises(ProtocolError, match="without test utterances"):
        estimate_from_confusions([[np.zeros((2, 2))]])


def test_a_test_set_without_an_utterance_has_no_value():
    value, without = leave_one_out(np.zeros((2, 3, 3)), "supported", "macro-f1")

    assert math.isnan(value)
    assert np.isnan(without).all()


def test_all_intervals_of_a_whole_run_take_under_three_seconds():
    cells = [counts_of(seed, n=1200, n_speakers=60, n_classes=7) for seed in range(9)]
    began = time.perf_counter()

    found = cell_intervals([estimate_cell([[cells[place % 9]]]) for place in range(819)])

    assert time.perf_counter() - began < 3
    assert len(found) == 819
