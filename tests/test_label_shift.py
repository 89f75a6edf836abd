"""Class frequencies from unlabelled logits: against other optimisers, and on simulated shift."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.special import softmax

from sercore.errors import ProtocolError
from sercore.evaluation.label_shift import Calibration
from sercore.evaluation.label_shift import bbse_from_logits
from sercore.evaluation.label_shift import bbse_prior
from sercore.evaluation.label_shift import em_from_logits
from sercore.evaluation.label_shift import em_prior
from sercore.evaluation.label_shift import fit_calibration
from sercore.evaluation.label_shift import held_out
from sercore.evaluation.label_shift import recovered_gain

K = 6
ALL = np.ones(K, dtype=bool)


def simulated(seed, n, prior, *, temperature=3.0, separation=2.0):
    """Utterances of Gaussian classes with logits that are too sure and lean to later classes."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(K, n, p=prior)
    sound = rng.normal(size=(n, K))
    sound[np.arange(n), labels] += separation
    return temperature * sound + np.linspace(-1, 1, K), labels


def uniform():
    return np.full(K, 1 / K)


SHIFTED = np.array([0.5, 0.25, 0.1, 0.08, 0.05, 0.02])


def test_calibration_maximises_the_likelihood():
    """The same objective, parametrised otherwise and given to another optimiser."""
    logits, labels = simulated(1, 800, uniform())

    found = fit_calibration(logits, labels, sayable=ALL)

    def loss(parameters):
        scaled = logits * parameters[0] + np.append(parameters[1:], 0.0)
        return -log_softmax(scaled, axis=1)[np.arange(800), labels].mean()

    theirs = minimize(loss, np.append(1.0, np.zeros(K - 1)), method="BFGS")
    ours = -found.log_probabilities(logits)[np.arange(800), labels].mean()
    assert ours == pytest.approx(theirs.fun, abs=1e-5)
    assert 1 / found.temperature == pytest.approx(theirs.x[0], rel=0.01)
    # At the optimum the mean probabilities are the frequencies of the labels.
    mean = np.exp(found.log_probabilities(logits)).mean(axis=0)
    assert mean == pytest.approx(np.bincount(labels, minlength=K) / 800, abs=1e-3)


def test_calibration_recovers_the_temperature_of_a_true_model():
    """Gaussian classes 2 apart with variance one have logits of twice the sound."""
    logits, labels = simulated(2, 40_000, uniform(), temperature=3.0, separation=2.0)

    found = fit_calibration(logits, labels, sayable=ALL)

    assert found.temperature == pytest.approx(3.0 / 2.0, rel=0.03)
    assert np.diff(found.bias) == pytest.approx(-2 / (K - 1) / found.temperature, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_em_finds_the_maximum_of_the_likelihood(seed):
    """Against constrained optimisation of the log-likelihood, and against plain EM steps."""
    logits, _ = simulated(seed, 500, np.random.default_rng(seed).dirichlet(np.ones(K)))
    logs = log_softmax(logits, axis=1)
    source = np.linspace(1, 2, K) / np.linspace(1, 2, K).sum()
    ratios = np.exp(logs) / source

    found = em_prior(logs, source)

    theirs = minimize(
        lambda q: -np.log(ratios @ q).mean(),
        uniform(),
        jac=lambda q: -(ratios / (ratios @ q)[:, None]).mean(axis=0),
        bounds=[(0, 1)] * K,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 500},
    ).x
    assert found.converged
    assert found.prior == pytest.approx(theirs, abs=2e-5)
    plain = source
    for _ in range(20_000):
        joint = ratios * plain
        plain = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    assert found.prior == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize(("estimate", "error"), [(em_from_logits, 0.02), (bbse_from_logits, 0.04)])
def test_a_shift_is_recovered_without_test_labels(estimate, error):
    source, labels = simulated(10, 2000, uniform())
    test, truth = simulated(11, 4000, SHIFTED)

    logs, found = estimate(test, held_out(source, labels, sayable=ALL))

    assert found.prior == pytest.approx(SHIFTED, abs=error)
    assert found.prior.sum() == pytest.approx(1)
    oracle = log_softmax(test, axis=1) + np.log(SHIFTED)
    right = [(each.argmax(axis=1) == truth).mean() for each in (test, logs, oracle)]
    assert right[1] > right[0] + 0.03
    assert recovered_gain(*right) > 0.7
    assert np.exp(logs).sum(axis=1) == pytest.approx(1)


def test_bbse_solves_the_confusion_equation():
    """Where the solution is positive, it is the inverse of the joint confusion matrix."""
    source, labels = simulated(12, 3000, uniform())
    test, _ = simulated(13, 3000, SHIFTED)
    joint = np.zeros((K, K))
    for said, label in zip(source.argmax(axis=1), labels, strict=True):
        joint[said, label] += 1 / 3000
    shares = np.bincount(test.argmax(axis=1), minlength=K) / 3000
    weights = np.linalg.solve(joint, shares)
    assert (weights > 0).all()
    expected = weights * np.bincount(labels, minlength=K) / 3000

    found = bbse_prior(test, held_out(source, labels, sayable=ALL))

    assert found.prior == pytest.approx(expected / expected.sum(), abs=1e-4)


def test_em_is_better_than_bbse_on_average():
    """Alexandari and others (2020) find it; with small sets the difference is plain."""
    errors = {"em": [], "bbse": []}
    for seed in range(20):
        source, labels = simulated(100 + seed, 200, uniform())
        test, _ = simulated(200 + seed, 200, SHIFTED)
        for name, estimate in (("em", em_from_logits), ("bbse", bbse_from_logits)):
            prior = estimate(test, held_out(source, labels, sayable=ALL))[1].prior
            errors[name].append(np.abs(prior - SHIFTED).mean())
    assert np.mean(errors["em"]) < np.mean(errors["bbse"])


@pytest.mark.parametrize("estimate", [em_from_logits, bbse_from_logits])
def test_classes_that_cannot_be_said_stay_out(estimate):
    sayable = np.array([True, True, False, True, True, False])
    source, labels = simulated(14, 1000, uniform())
    test, _ = simulated(15, 500, SHIFTED)

    logs, found = estimate(test, held_out(source, labels, sayable=sayable))

    assert np.isneginf(logs[:, ~sayable]).all()
    assert np.isfinite(logs[:, sayable]).all()
    assert not found.prior[~sayable].any()
    other = test.copy()
    other[:, ~sayable] += 1000
    np.testing.assert_allclose(estimate(other, held_out(source, labels, sayable=sayable))[0], logs)


@pytest.mark.parametrize("estimate", [em_from_logits, bbse_from_logits])
def test_large_logits_are_safe(estimate):
    source, labels = simulated(16, 600, uniform())
    test, _ = simulated(17, 600, SHIFTED)

    logs, found = estimate(1e4 * test + 1e6, held_out(1e4 * source, labels, sayable=ALL))

    assert np.isfinite(found.prior).all()
    assert np.isfinite(logs).any(axis=1).all()
    assert not np.isnan(logs).any()


def test_a_class_that_is_not_in_the_test_corpus_gets_no_frequency_and_stays_possible():
    source, labels = simulated(18, 2000, uniform())
    prior = np.array([0.4, 0.3, 0.3, 0, 0, 0])
    test, _ = simulated(19, 2000, prior)

    logs, found = em_from_logits(test, held_out(source, labels, sayable=ALL))

    assert found.prior[3:].max() < 0.02
    assert np.isfinite(logs).all()


def test_one_utterance_and_one_class_are_enough():
    source, labels = simulated(20, 100, uniform())
    only = np.arange(K) == 2

    logs, found = em_from_logits(source[:1], held_out(source, labels, sayable=only))

    assert found.prior[2] == 1
    assert logs[0, 2] == 0
    assert em_prior(np.log(softmax(source[:1], axis=1)), uniform()).prior.argmax() == (
        source[0].argmax()
    )


def test_a_held_out_class_without_examples_keeps_em_finite_and_stops_bbse():
    source, labels = simulated(21, 400, uniform())
    kept = labels != 3
    test, _ = simulated(22, 400, SHIFTED)

    logs, found = em_from_logits(test, held_out(source[kept], labels[kept], sayable=ALL))

    assert np.isfinite(logs).all()
    assert np.isfinite(found.prior).all()
    with pytest.raises(ProtocolError, match="every class that can be said"):
        bbse_from_logits(test, held_out(source[kept], labels[kept], sayable=ALL))


def test_what_cannot_be_estimated_is_refused():
    source, labels = simulated(23, 50, uniform())
    none = np.zeros(K, dtype=bool)
    with pytest.raises(ProtocolError, match="no held-out training utterance"):
        fit_calibration(source, labels, sayable=none)
    with pytest.raises(ProtocolError, match="an utterance and a class"):
        em_prior(np.zeros((0, K)), uniform())
    with pytest.raises(ProtocolError, match="test utterances"):
        bbse_prior(source[:0], held_out(source, labels, sayable=ALL))


def test_the_share_of_the_oracle_needs_a_gain():
    assert recovered_gain(0.2, 0.25, 0.3) == pytest.approx(0.5)
    assert recovered_gain(0.3, 0.31, 0.3) is None
    assert recovered_gain(0.3, 0.31, 0.309) is None


def test_a_calibration_normalises_over_the_classes_that_can_be_said():
    sayable = np.array([True, False, True])
    calibration = Calibration(temperature=2.0, bias=np.array([0.5, 0, -0.5]), sayable=sayable)

    found = calibration.log_probabilities(np.array([[2.0, 9.0, 4.0]], dtype=np.float32))

    expected = softmax([1.5, 1.5])
    assert np.exp(found[0]) == pytest.approx([expected[0], 0, expected[1]])
