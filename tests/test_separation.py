"""The area under the ROC curve against two other libraries, and the coverage of its interval."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sercore.diagnostics.separation import separation


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_area_that_scikit_learn_computes(seed):
    random = np.random.default_rng(seed)
    first, second = (
        random.integers(0, 9, 40).astype(float),
        random.integers(2, 11, 25).astype(float),
    )

    found = separation(first, second, 0.95)

    truth = [1] * len(first) + [0] * len(second)
    assert found.auc == pytest.approx(roc_auc_score(truth, np.concatenate([first, second])))
    assert 0 <= found.low <= found.auc <= found.high <= 1


def test_the_interval_holds_the_true_value_as_often_as_it_says():
    random, inside = np.random.default_rng(0), 0
    truth = 0.8413447  # P(X > Y) for normal variables sqrt(2) apart

    for _ in range(1000):
        found = separation(random.normal(np.sqrt(2), 1, 60), random.normal(0, 1, 40), 0.95)
        inside += found.low <= truth <= found.high

    assert 925 <= inside <= 975


def test_perfect_separation_of_few_values_is_not_certain():
    found = separation(np.arange(10.0) + 100, np.arange(10.0), 0.95)

    assert found.auc == 1.0
    assert 0.7 < found.low < 0.99
