"""Class frequencies of a test corpus, estimated from unlabelled logits.

A probe learns the class frequencies of its training corpus; a test corpus has others. The
adjustment `oracle` reads them from the test labels, which real use does not have. The two
estimates here read no test label: they compare what the probe says about the test corpus with
what it says about held-out utterances of its own training corpus, whose labels are known. Both
assume label shift: within a class, the sound is the same in both corpora. Between corpora this is
not true, so the estimate can be wrong; how much of the oracle's gain it recovers is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Labels = npt.NDArray[np.int64]

TOLERANCE = 1e-8
MAX_ITERATIONS = 5000
_LOWEST = 1e-6
_TINY = 1e-300
_RIDGE = 1e-3  # on biases, in total log-likelihood: keeps classes without examples finite

MIN_GAIN = 0.01
"""The smallest gain of the oracle of which a share is shown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Bias-corrected temperature scaling: log p(k | x) = z_k / T + b_k, normalised."""

    temperature: float
    bias: Floats
    """float64 (classes,); zero where a class cannot be said."""
    sayable: Mask
    """bool (classes,)."""

    def log_probabilities(self, logits: npt.NDArray[np.floating]) -> Floats:
        """Return float64 (utterances, classes); minus infinity where a class cannot be said.

        Args:
            logits: (utterances, classes), unadjusted.
        """
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature + self.bias
        return _log_softmax(np.where(self.sayable, scaled, -np.inf))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PriorEstimate:
    """Estimated class frequencies of a test corpus."""

    prior: Floats
    """float64 (classes,), sums to one; zero where a class cannot be said."""
    source: Floats
    """float64 (classes,): the frequencies that the probe's probabilities rest on."""
    iterations: int
    converged: bool

    @property
    def shift(self) -> Floats:
        """float64 (classes,): what to add to log-probabilities; zero where a class cannot be said.

        Frequencies are taken to be one in a million at least, so that no label is impossible.
        """
        can = self.source > 0
        raised = np.maximum(self.prior, _LOWEST)
        return np.where(can, np.log(raised) - np.log(np.where(can, self.source, 1.0)), 0.0)


def fit_calibration(
    logits: npt.NDArray[np.floating], labels: Labels, *, sayable: Mask
) -> Calibration:
    """Return the bias-corrected temperature that maximises the likelihood of held-out labels.

    Source: Alexandari, Kundaje, Shrikumar (2020), "Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation", section 3. A weak ridge on the biases
    keeps a class without held-out examples finite.

    Args:
        logits: (utterances, classes): unadjusted, of training-side utterances that did not train.
        labels: int64 (utterances,); those outside `sayable` are left out.
        sayable: bool (classes,), the classes that can be said.

    Raises:
        ProtocolError: no held-out utterance has a class that can be said.
    """
    from scipy.optimize import minimize

    kept = sayable[labels]
    if not kept.any():
        raise ProtocolError(
            "no held-out training utterance has one of the classes that can be said",
            hint="leave out the adjustments em and bbse for this cell",
        )
    columns = np.flatnonzero(sayable)
    inside = np.asarray(logits, dtype=np.float64)[kept][:, columns]
    inside = inside - inside.max(axis=1, keepdims=True)
    targets = np.searchsorted(columns, labels[kept])
    one_hot = np.eye(len(columns))[targets]

    def objective(parameters: Floats) -> tuple[float, Floats]:
        inverse, bias = np.exp(parameters[0]), parameters[1:]
        logs = _log_softmax(inside * inverse + bias)
        gap = np.exp(logs) - one_hot
        loss = float(_RIDGE * (bias**2).sum() / 2 - logs[np.arange(len(targets)), targets].sum())
        gradient = np.concatenate([[inverse * (gap * inside).sum()], gap.sum(0) + _RIDGE * bias])
        return loss / len(targets), gradient / len(targets)

    bounds = [(np.log(1e-3), np.log(1e3)), *[(-30.0, 30.0)] * len(columns)]
    start = np.zeros(1 + len(columns))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    bias = np.zeros(len(sayable))
    bias[columns] = found[1:] - found[1:].mean()
    return Calibration(temperature=float(np.exp(-found[0])), bias=bias, sayable=sayable)


def em_prior(log_probabilities: Floats, source: Floats) -> PriorEstimate:
    """Return the maximum-likelihood class frequencies of unlabelled utterances.

        q_k <- mean_n [ p(k | x_n) q_k / p_k / sum_j p(j | x_n) q_j / p_j ]

    Source: Saerens, Latinne, Decaestecker (2002), "Adjusting the outputs of a classifier to new a
    priori probabilities", equation 9. The likelihood is concave in q, so the start does not matter.
    Steps are extrapolated where that raises the likelihood (SQUAREM, Varadhan and Roland 2008).

    Args:
        log_probabilities: float64 (utterances, classes), normalised and calibrated; minus infinity
            where a class cannot be said.
        source: float64 (classes,), the frequencies p under which they hold, above zero where a
            class can be said: the mean probabilities of held-out training utterances.

    Raises:
        ProtocolError: there is no utterance, or no class that can be said.
    """
    can = np.isfinite(log_probabilities).any(axis=0) & (source > 0)
    if not len(log_probabilities) or not can.any():
        raise ProtocolError("test frequencies need an utterance and a class that can be said")
    ratios = log_probabilities[:, can] - np.log(source[can])
    weights = np.exp(ratios - ratios.max(axis=1, keepdims=True))
    found = source[can] / source[can].sum()
    converged, iterations = False, 0
    while not converged and iterations < MAX_ITERATIONS:
        step = _squarem(weights, found)
        converged = float(np.abs(step - found).max()) < TOLERANCE
        found = step
        iterations += 1
    prior = np.zeros(len(source))
    prior[can] = found
    return PriorEstimate(prior=prior, source=source, iterations=iterations, converged=converged)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """What is known about a probe from training-side utterances that did not train it.

    It depends on the probe and on the classes that can be said, not on the test corpus: compute
    it once for all test corpora of a row.
    """

    calibration: Calibration
    probable: Floats
    """float64 (classes,): mean calibrated probabilities, the frequencies that `em` starts from."""
    joint: Floats
    """float64 (classes, classes): share of utterances that are said to be i and are j."""

    @property
    def sayable(self) -> Mask:
        """Which classes can be said: bool (classes,)."""
        return self.calibration.sayable


def held_out(logits: npt.NDArray[np.floating], labels: Labels, *, sayable: Mask) -> HeldOut:
    """Return what `em_prior` and `bbse_prior` need to know about a probe.

    Args:
        logits: (utterances, classes): unadjusted, of training-side utterances that did not train.
        labels: int64 (utterances,); those outside `sayable` are left out.
        sayable: bool (classes,), the classes that can be said.

    Raises:
        ProtocolError: no held-out utterance has a class that can be said.
    """
    calibration = fit_calibration(logits, labels, sayable=sayable)
    kept = sayable[labels]
    inside = np.where(sayable, np.asarray(logits, dtype=np.float64)[kept], -np.inf)
    joint = np.zeros((len(sayable), len(sayable)))
    np.add.at(joint, (inside.argmax(axis=1), labels[kept]), 1 / len(inside))
    probable = np.exp(calibration.log_probabilities(inside)).mean(axis=0)
    return HeldOut(calibration=calibration, probable=probable, joint=joint)


def bbse_prior(test: npt.NDArray[np.floating], known: HeldOut) -> PriorEstimate:
    """Return class frequencies by black-box shift estimation.

    With C_ij the share of held-out utterances that are said to be i and are j, and mu_i the share
    of test utterances that are said to be i, label shift gives C w = mu, w_j = q_j / p_j. It is
    solved by least squares with w >= 0. Source: Lipton, Wang, Smola (2018), "Detecting and
    correcting for label shift with black box predictors", section 4, arXiv:1802.03916.

    Args:
        test: (utterances, classes), unadjusted logits of the test corpus.
        known: as from `held_out`.

    Raises:
        ProtocolError: a class that can be said has no held-out utterance, or there is no test
            utterance.
    """
    from scipy.optimize import nnls

    columns = np.flatnonzero(known.sayable)
    source = known.joint.sum(axis=0)
    if not len(test) or not source[columns].all():
        raise ProtocolError(
            "black-box shift estimation needs test utterances, and held-out training utterances of "
            "every class that can be said",
            hint="leave out the adjustment bbse for this cell",
        )
    size = len(columns)
    said = np.bincount(np.asarray(test)[:, columns].argmax(axis=1), minlength=size) / len(test)
    # Where classes are confused completely C is singular: a tiny ridge then keeps w near one.
    ridge = 1e-6 * np.eye(size)
    system = np.concatenate([known.joint[np.ix_(columns, columns)], ridge])
    ratio, _ = nnls(system, np.concatenate([said, np.diag(ridge)]))
    prior = np.zeros(len(source))
    prior[columns] = ratio * source[columns]
    return PriorEstimate(prior=prior / prior.sum(), source=source, iterations=1, converged=True)


def em_from_logits(test: npt.NDArray[np.floating], known: HeldOut) -> tuple[Floats, PriorEstimate]:
    """Return adjusted log-probabilities of a test corpus by calibration and EM, and the estimate.

    Args:
        test: (utterances, classes), unadjusted logits of the test corpus.
        known: as from `held_out`.

    Returns:
        float64 (utterances, classes), normalised, minus infinity where a class cannot be said; and
        the estimated frequencies.

    Raises:
        ProtocolError: as `em_prior`.
    """
    logs = known.calibration.log_probabilities(test)
    estimate = em_prior(logs, known.probable)
    return _log_softmax(logs + estimate.shift), estimate


def bbse_from_logits(
    test: npt.NDArray[np.floating], known: HeldOut
) -> tuple[Floats, PriorEstimate]:
    """Return adjusted log-probabilities of a test corpus by black-box shift estimation.

    Arguments and results are those of `em_from_logits`; nothing is calibrated.

    Raises:
        ProtocolError: as `bbse_prior`.
    """
    estimate = bbse_prior(test, known)
    logits = np.where(known.sayable, np.asarray(test, dtype=np.float64), -np.inf)
    return _log_softmax(logits + estimate.shift), estimate


def recovered_gain(unadjusted: float, estimated: float, oracle: float) -> float | None:
    """Return which share of the oracle's gain an estimate recovers.

    None where the gain is smaller than `MIN_GAIN`: shares of next to nothing are noise.

    Args:
        unadjusted: the score with uniform test frequencies.
        estimated: the score with estimated ones.
        oracle: the score with the true ones.
    """
    gain = oracle - unadjusted
    return (estimated - unadjusted) / gain if gain >= MIN_GAIN else None


def _squarem(weights: Floats, prior: Floats) -> Floats:
    """Return the next frequencies: two EM steps, extrapolated if that raises the likelihood."""
    first = _em_step(weights, prior)
    second = _em_step(weights, first)
    change, bend = first - prior, second - 2 * first + prior
    curvature = float(np.linalg.norm(bend))
    if curvature < 1e-14:
        return second
    length = max(float(np.linalg.norm(change)) / curvature, 1.0)
    jump = prior + 2 * length * change + length**2 * bend
    if (jump <= 0).any():
        return second
    jump = _em_step(weights, jump / jump.sum())
    return jump if _log_likelihood(weights, jump) >= _log_likelihood(weights, second) else second


def _em_step(weights: Floats, prior: Floats) -> Floats:
    evidence = np.maximum(weights @ prior, _TINY)
    stepped = prior * (weights.T @ (1 / evidence)) / len(weights)
    return np.asarray(stepped / stepped.sum())


def _log_likelihood(weights: Floats, prior: Floats) -> float:
    return float(np.log(np.maximum(weights @ prior, _TINY)).sum())


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
