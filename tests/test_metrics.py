"""Every built-in metric against an independent implementation, and properties of all."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.special import softmax

from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.metrics import Evaluation

BY_ID = {metric.id: metric for metric in METRICS}


def evaluation(labels, logits, averaging="supported", classes=CLASSES):
    return Evaluation(
        labels=np.asarray(labels, dtype=np.int64),
        logits=np.asarray(logits, dtype=np.float64),
        classes=tuple(classes),
        averaging=averaging,
    )


def simulated(seed, n=300, sayable=range(8), labelled=range(8)):
    """Logits that lean towards the label, with some classes unsayable or unlabelled."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(labelled), size=n)
    logits = rng.normal(size=(n, 8))
    logits[np.arange(n), labels] += 1.0
    logits[:, [i for i in range(8) if i not in sayable]] = -np.inf
    return labels, logits


def value(metric, cell):
    return BY_ID[metric].compute(cell)[None]


GRID = [
    {"seed": 1},
    {"seed": 2, "n": 40, "labelled": (0, 1, 5, 7)},
    {"seed": 3, "n": 25, "labelled": (0, 1, 5, 7), "sayable": (0, 1, 5, 7)},
    {"seed": 4, "sayable": (0, 1, 2, 3, 5, 7), "labelled": (0, 1, 2, 3, 4, 5, 7)},
    {"seed": 5, "n": 3},
]


@pytest.mark.parametrize("case", GRID)
class TestAgainstScikitLearn:
    def test_macro_f1_supported_runs_over_labels_only(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)

        expected = sk.f1_score(
            labels, cell.predictions, labels=np.unique(labels), average="macro", zero_division=0
        )

        assert value("macro-f1", cell) == pytest.approx(expected, abs=1e-12)
        assert cell.averaged == tuple(CLASSES[i] for i in np.unique(labels))

    def test_macro_f1_occurring_is_the_default_of_scikit_learn(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits, "occurring")

        expected = sk.f1_score(labels, cell.predictions, average="macro", zero_division=0)

        assert value("macro-f1", cell) == pytest.approx(expected, abs=1e-12)
        occurring = np.union1d(labels, cell.predictions)
        assert cell.averaged == tuple(CLASSES[i] for i in occurring)

    def test_uar_is_balanced_accuracy(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # predictions outside the labels
            expected = sk.balanced_accuracy_score(labels, cell.predictions)

        assert value("uar", cell) == pytest.approx(expected, abs=1e-12)

    def test_accuracy(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)

        assert value("accuracy", cell) == pytest.approx(
            sk.accuracy_score(labels, cell.predictions), abs=1e-12
        )

    def test_weighted_f1(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)
        expected = sk.f1_score(labels, cell.predictions, average="weighted", zero_division=0)

        assert value("weighted-f1", cell) == pytest.approx(expected, abs=1e-12)

    def test_precision_recall_and_f1_per_class(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)
        expected = sk.precision_recall_fscore_support(
            labels, cell.predictions, labels=range(8), zero_division=np.nan
        )
        for name, column in zip(("precision", "recall", "f1"), expected, strict=False):
            ours = BY_ID[name].compute(cell)
            assert list(ours) == list(CLASSES)
            wanted = column
            if name == "f1":  # undefined only where a class is in neither, as documented
                occurring = np.isin(range(8), np.union1d(labels, cell.predictions))
                wanted = np.where(occurring, np.nan_to_num(column), np.nan)
            np.testing.assert_allclose(list(ours.values()), wanted, atol=1e-12)

    def test_confusion(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)
        expected = sk.confusion_matrix(labels, cell.predictions, labels=range(8))

        ours = BY_ID["confusion"].compute(cell)

        for i, label in enumerate(CLASSES):
            for j, prediction in enumerate(CLASSES):
                key = f"{label}→{prediction}"
                assert ours.get(key, 0) == expected[i, j]
                assert (key in ours) == (i in labels and np.isfinite(logits[:, j]).any())

    def test_negative_log_likelihood(self, case):
        labels, logits = simulated(**case)
        cell = evaluation(labels, logits)
        probabilities = softmax(logits, axis=1)

        if (probabilities[np.arange(len(labels)), labels] == 0).any():
            assert np.isnan(value("negative-log-likelihood", cell))
        else:
            expected = sk.log_loss(labels, probabilities, labels=range(8))
            assert value("negative-log-likelihood", cell) == pytest.approx(expected, rel=1e-9)


def test_expected_calibration_error_against_a_plain_loop():
    labels, logits = simulated(6, n=500)
    probabilities = softmax(logits, axis=1)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += gap * inside.mean()

    assert value("expected-calibration-error", evaluation(labels, logits)) == pytest.approx(
        expected, abs=1e-12
    )


def test_a_hand_worked_case():
    logits = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    cell = evaluation([0, 0, 0, 1], logits, classes=("a", "b", "c"))

    # a: TP 2, FN 1 -> 4/5; b: TP 0, FP 1, FN 1 -> 0; c: predicted once, no support
    assert value("macro-f1", cell) == pytest.approx(0.4)
    assert value("uar", cell) == pytest.approx((2 / 3 + 0) / 2)
    occurring = evaluation([0, 0, 0, 1], logits, "occurring", ("a", "b", "c"))
    assert value("macro-f1", occurring) == pytest.approx(0.8 / 3)


def test_a_stray_prediction_changes_the_denominator_of_occurring_only():
    labels, logits = simulated(7, labelled=(0, 1, 5), sayable=(0, 1, 5))
    stray = logits.copy()
    wrong = np.flatnonzero(stray.argmax(axis=1) != labels)[0]
    stray[wrong] = -np.inf
    stray[wrong, 3] = 0.0

    assert len(evaluation(labels, stray).averaged) == 3
    assert len(evaluation(labels, stray, "occurring").averaged) == 4


def test_an_empty_test_set_is_undefined_not_zero():
    empty = evaluation(np.zeros(0), np.zeros((0, 8)))
    for metric in METRICS:
        assert all(np.isnan(each) for each in metric.compute(empty).values()), metric.id


def test_an_unknown_averaging_is_refused():
    with pytest.raises(ProtocolError, match="no averaging 'micro'"):
        value("macro-f1", evaluation([0], np.zeros((1, 8)), "micro"))


cells = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 7), min_size=n, max_size=n),
        st.lists(
            st.lists(st.floats(-20, 20), min_size=8, max_size=8, unique=True),
            min_size=n,
            max_size=n,
        ),
        st.randoms(use_true_random=False),
    )
)


@settings(max_examples=60, deadline=None)
@given(cells, st.sampled_from(["supported", "occurring"]))
def test_the_order_of_utterances_and_of_classes_changes_nothing(cell, averaging):
    labels, logits, random = np.array(cell[0]), np.array(cell[1]), cell[2]
    rows = random.sample(range(len(labels)), len(labels))
    columns = random.sample(range(8), 8)
    shuffled = evaluation(
        np.argsort(columns)[labels[rows]],
        logits[np.ix_(rows, columns)],
        averaging,
        [CLASSES[i] for i in columns],
    )
    for metric in METRICS:
        ours = metric.compute(evaluation(labels, logits, averaging))
        theirs = metric.compute(shuffled)
        assert ours.keys() == theirs.keys()
        for key, expected in ours.items():
            assert theirs[key] == pytest.approx(expected, abs=1e-9, nan_ok=True), (metric.id, key)


@settings(max_examples=60, deadline=None)
@given(cells)
def test_scores_lie_between_zero_and_one_and_probabilities_sum_to_one(cell):
    one = evaluation(cell[0], cell[1])
    for name in ("macro-f1", "uar", "accuracy", "weighted-f1", "expected-calibration-error"):
        assert 0 <= value(name, one) <= 1 + 1e-12, name
    assert value("negative-log-likelihood", one) >= 0
    np.testing.assert_allclose(np.exp(one.log_probabilities).sum(axis=1), 1, atol=1e-12)
    assert sum(BY_ID["confusion"].compute(one).values()) == len(cell[0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=40))
def test_a_perfect_predictor_scores_one(labels):
    perfect = evaluation(labels, 50.0 * np.eye(8)[labels])
    for name in ("macro-f1", "uar", "accuracy", "weighted-f1"):
        assert value(name, perfect) == pytest.approx(1.0)
