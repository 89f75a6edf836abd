"""Chance in closed form, against optimisers and simulated blind answers."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from sercore.errors import ProtocolError
from sercore.evaluation.metrics import MEASURES
from sercore.statistics.chance import blind_score
from sercore.statistics.chance import chance

IMBALANCED = np.array([470, 170, 120, 100, 70, 50, 20])


def best_by_search(p, sayable, measure):
    """The best expected score over frequencies of answers, by a general optimiser."""
    columns = np.flatnonzero(sayable)

    def loss(raw):
        answers = np.zeros(len(p))
        answers[columns] = np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
        return -blind_score(p, answers, measure)

    rng = np.random.default_rng(0)
    return -min(minimize(loss, rng.normal(size=len(columns))).fun for _ in range(3))


@pytest.mark.parametrize("measure", ["macro-f1", "weighted-f1"])
@pytest.mark.parametrize("lost", [(), (0,), (3, 6)])
def test_no_blind_answers_are_better(measure, lost):
    p = IMBALANCED / IMBALANCED.sum()
    sayable = ~np.isin(np.arange(7), lost)

    found = chance(IMBALANCED, measure, sayable=sayable)

    assert found.best_blind_guess == pytest.approx(best_by_search(p, sayable, measure), abs=1e-4)


def test_macro_f1_of_k_classes_has_chance_one_in_k():
    assert chance(IMBALANCED).best_blind_guess == pytest.approx(1 / 7)
    assert chance(np.array([5, 0, 5])).best_blind_guess == pytest.approx(1 / 2)


def test_a_class_that_cannot_be_said_lowers_chance():
    sayable = np.arange(7) > 0

    found = chance(np.full(7, 100), sayable=sayable)

    assert found.best_blind_guess == pytest.approx(2 * (6 / 7) / (1 + 6 / 7) / 7)
    assert found.best_blind_guess == pytest.approx(0.132, abs=5e-4)
    nothing = chance(np.array([10, 0]), sayable=np.array([False, True]))
    assert (nothing.best_blind_guess, nothing.majority) == (0, 0)


def test_other_measures_have_their_own_chance():
    p = IMBALANCED / IMBALANCED.sum()
    assert chance(IMBALANCED, "uar").best_blind_guess == pytest.approx(1 / 7)
    assert chance(IMBALANCED, "accuracy").best_blind_guess == pytest.approx(p.max())
    sayable = np.arange(7) > 0
    assert chance(IMBALANCED, "accuracy", sayable=sayable).best_blind_guess == pytest.approx(p[1])
    assert chance(IMBALANCED, "uar", sayable=sayable).best_blind_guess == pytest.approx(1 / 7)


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_the_majority_row_is_a_constant_predictor(measure):
    labels = np.repeat(np.arange(7), IMBALANCED)
    constant = np.zeros(1000, dtype=int)
    expected = {
        "macro-f1": sk.f1_score(labels, constant, average="macro", zero_division=0),
        "uar": sk.recall_score(labels, constant, average="macro", zero_division=0),
        "accuracy": sk.accuracy_score(labels, constant),
        "weighted-f1": sk.f1_score(labels, constant, average="weighted", zero_division=0),
    }

    assert chance(IMBALANCED, measure).majority == pytest.approx(expected[measure])


def test_the_closed_form_is_the_mean_of_blind_draws():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), IMBALANCED)
    answers = np.array([300, 300, 100, 100, 100, 50, 50])
    drawn = [
        sk.f1_score(labels, rng.choice(7, 1000, p=answers / 1000), average="macro")
        for _ in range(300)
    ]

    found = chance(IMBALANCED, answers=answers)

    assert found.own_answers == pytest.approx(np.mean(drawn), abs=0.002)
    assert found.own_answers < found.best_blind_guess


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any),
    st.integers(0, 10**6),
    st.sampled_from(sorted(MEASURES)),
)
def test_the_best_guess_is_the_best(support, seed, measure):
    rng = np.random.default_rng(seed)
    sayable = rng.uniform(size=len(support)) < 0.7
    answers = rng.dirichlet(np.ones(len(support))) * sayable

    found = chance(np.array(support), measure, sayable=sayable, answers=answers * 1000)

    assert 0 <= found.majority <= found.best_blind_guess + 1e-12
    assert found.best_blind_guess <= 1 + 1e-12
    if found.own_answers is not None:
        assert found.own_answers <= found.best_blind_guess + 1e-12


def test_what_has_no_chance_is_refused_or_undefined():
    with pytest.raises(ProtocolError, match="not computed from confusion counts"):
        chance(IMBALANCED, "negative-log-likelihood")
    assert np.isnan(chance(np.zeros(3)).best_blind_guess)
