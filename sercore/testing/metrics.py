"""Tests that every metric must pass; authors inherit `MetricContract`.

The expected values of a metric are its author's to test. These tests check what the toolkit relies
on: names, finite values, the stated direction, and that the order of utterances means nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sercore.evaluation.metrics import Evaluation
from sercore.evaluation.metrics import Metric
from sercore.evaluation.protocols import OCCURRING
from sercore.evaluation.protocols import SUPPORTED
from sercore.plugins.registry import NAME

if TYPE_CHECKING:
    import numpy.typing as npt

_CLASSES = ("anger", "happiness", "neutral", "sadness")
_AVERAGINGS = (SUPPORTED, OCCURRING)


class MetricContract:
    """The tests. Subclass it and override the fixture `metric`."""

    @pytest.fixture(scope="class")
    @classmethod
    def metric(cls) -> Metric:
        """Return the metric under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'metric'")

    def test_it_is_described(self, metric: Metric) -> None:
        """It has a valid name and a summary."""
        assert NAME.fullmatch(metric.id)
        assert metric.summary

    @pytest.mark.parametrize("averaging", _AVERAGINGS)
    def test_values_are_numbers_with_names(self, metric: Metric, averaging: str) -> None:
        """Values are floats; their names are None for the whole metric, or texts."""
        values = metric.compute(_noisy(0.5, averaging=averaging))

        assert values
        assert all(isinstance(value, float) for value in values.values())
        assert all(name is None or isinstance(name, str) for name in values)

    def test_the_order_of_utterances_means_nothing(self, metric: Metric) -> None:
        """The same utterances in another order have the same values."""
        evaluation = _noisy(0.5)
        order = np.random.default_rng(1).permutation(len(evaluation.labels))
        shuffled = Evaluation(
            labels=evaluation.labels[order],
            logits=evaluation.logits[order],
            classes=evaluation.classes,
            averaging=evaluation.averaging,
        )

        _same(metric.compute(shuffled), metric.compute(evaluation))

    def test_twice_the_utterances_have_the_same_value(self, metric: Metric) -> None:
        """A test set repeated twice has the same value, unless the metric counts."""
        if metric.higher_is_better is None:
            pytest.skip("neither direction is better, so it may count")
        evaluation = _noisy(0.5)
        twice = Evaluation(
            labels=np.tile(evaluation.labels, 2),
            logits=np.tile(evaluation.logits, (2, 1)),
            classes=evaluation.classes,
            averaging=evaluation.averaging,
        )

        _same(metric.compute(twice), metric.compute(evaluation))

    def test_better_answers_have_better_values(self, metric: Metric) -> None:
        """Right answers are better than noisy ones, and those better than wrong ones."""
        if metric.higher_is_better is None:
            pytest.skip("neither direction is better")
        sign = 1 if metric.higher_is_better else -1
        right, noisy, wrong = (
            sign * _typical(metric.compute(_noisy(share))) for share in (0.0, 0.4, 1.0)
        )

        assert right > noisy > wrong

    def test_masked_classes_leave_no_infinity(self, metric: Metric) -> None:
        """A class that no answer can have leaves no infinite value."""
        evaluation = _noisy(0.3)
        logits = evaluation.logits.copy()
        logits[:, 0] = -np.inf
        keep = evaluation.labels != 0
        masked = Evaluation(
            labels=evaluation.labels[keep],
            logits=logits[keep],
            classes=evaluation.classes,
            averaging=SUPPORTED,
        )

        assert not any(math.isinf(value) for value in metric.compute(masked).values())

    def test_one_class_and_no_utterance_raise_nothing(self, metric: Metric) -> None:
        """A test set of one class, or without utterances, has values or NaN."""
        for labels in (np.zeros(3, dtype=np.int64), np.zeros(0, dtype=np.int64)):
            evaluation = Evaluation(
                labels=labels,
                logits=np.zeros((len(labels), len(_CLASSES))),
                classes=_CLASSES,
                averaging=SUPPORTED,
            )
            metric.compute(evaluation)

    def test_it_changes_nothing(self, metric: Metric) -> None:
        """Computing it leaves labels and logits as they were."""
        evaluation = _noisy(0.5)
        labels, logits = evaluation.labels.copy(), evaluation.logits.copy()
        metric.compute(evaluation)

        np.testing.assert_array_equal(evaluation.labels, labels)
        np.testing.assert_array_equal(evaluation.logits, logits)


def _noisy(share: float, averaging: str = SUPPORTED) -> Evaluation:
    """Return an evaluation in which a share of the answers is wrong."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(_CLASSES)), (30, 12, 25, 13))
    answers = labels.copy()
    wrong = generator.permutation(len(labels))[: round(share * len(labels))]
    answers[wrong] = (labels[wrong] + 1 + generator.integers(0, 3, len(wrong))) % len(_CLASSES)
    logits: npt.NDArray[np.float64] = np.zeros((len(labels), len(_CLASSES)))
    logits[np.arange(len(labels)), answers] = 3 + 0.1 * generator.random(len(labels))
    return Evaluation(labels=labels, logits=logits, classes=_CLASSES, averaging=averaging)


def _typical(values: object) -> float:
    """Return the value of a metric, or the mean over its classes."""
    assert isinstance(values, dict)
    return float(values[None]) if None in values else float(np.nanmean(list(values.values())))


def _same(values: object, expected: object) -> None:
    assert isinstance(values, dict)
    assert isinstance(expected, dict)
    assert values.keys() == expected.keys()
    for name, value in values.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-12, equal_nan=True)
