"""Chance: what answers reach that do not depend on the sound, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.metrics import MEASURES

if TYPE_CHECKING:
    import numpy.typing as npt

    Counts = npt.NDArray[Any]
    Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """Expected scores of answers that ignore the sound, on one large test set."""

    best_blind_guess: float
    """The best that any fixed frequencies of answers reach."""
    majority: float
    """Always the most frequent of the classes that the probe can say."""
    own_answers: float | None = None
    """Blind answers with the frequencies of the probe's own answers."""


def chance(
    support: Counts,
    measure: str = "macro-f1",
    *,
    sayable: npt.NDArray[np.bool_] | None = None,
    answers: Counts | None = None,
) -> Chance:
    """Return the chance level of a test set.

    With p the frequencies of the K classes that have support and q those of blind answers, the
    expected macro-F1 is (1/K) sum 2 p q / (p + q), up to O(1/n). It is concave in q; with P the
    share of utterances whose class can be said, its maximum over q is at q = p / P on those
    classes (Lagrange):

        best blind guess = 2 P / (1 + P) / K,     1 / K where every class can be said

    A probe that did not see a class in training cannot say it, so P is below 1. For UAR the
    maximum is 1 / K, for accuracy the largest p, for weighted F1 see `_best_weighted_f1`.
    In a small test set macro-F1 is a little lower (.139 for .143 at 50 utterances).

    Args:
        support: (classes,), utterances per class.
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
        sayable: bool (classes,), which classes the probe can say; None means all.
        answers: (classes,), how often the probe said each class.

    Raises:
        ProtocolError: the measure is not one of confusion counts.
    """
    if measure not in MEASURES:
        raise ProtocolError(
            f"'{measure}' is not computed from confusion counts, so it has no chance level here",
            hint=f"choose one of {', '.join(MEASURES)}",
        )
    support = np.asarray(support, dtype=np.float64)
    if not support.sum():
        return Chance(best_blind_guess=np.nan, majority=np.nan)
    p = support / support.sum()
    said = np.where(np.ones(len(p), dtype=bool) if sayable is None else sayable, p, 0.0)
    if not said.any():
        return Chance(best_blind_guess=0.0, majority=0.0)
    constant = np.zeros(len(p))
    constant[said.argmax()] = 1.0
    return Chance(
        best_blind_guess=blind_score(p, _best_answers(p, said, measure), measure),
        majority=blind_score(p, constant, measure),
        own_answers=None
        if answers is None or not np.sum(answers)
        else blind_score(p, np.asarray(answers) / np.sum(answers), measure),
    )


def blind_score(labels: Values, answers: Values, measure: str) -> float:
    """Return the expected score of answers that are independent of the labels, for large n.

    Args:
        labels: float64 (classes,), their frequencies; the average runs over those above zero.
        answers: float64 (classes,), the frequencies of what is said.
        measure: a key of `sercore.evaluation.metrics.MEASURES`.
    """
    return float(MEASURES[measure](np.outer(labels, answers), "supported"))


def _best_answers(p: Values, said: Values, measure: str) -> Values:
    """Return the frequencies of answers with the best expected score."""
    if measure == "accuracy":
        return np.asarray(np.eye(len(p))[said.argmax()])
    if measure == "weighted-f1":
        return _best_weighted_f1(said)
    return np.asarray(
        said / said.sum()
    )  # macro-F1; any answers among these classes have the same UAR


def _best_weighted_f1(p: Values) -> Values:
    """Return the answers that maximise sum 2 p^2 q / (p + q) over frequencies q.

    Where the derivative 2 p^3 / (p + q)^2 equals one constant, q = c p^1.5 - p. Rare classes for
    which this is negative are not said; c makes the rest sum to one.
    """
    order = np.argsort(-p)
    ordered = p[order][p[order] > 0]
    n = np.arange(1, len(ordered) + 1)
    scale = (1 + np.cumsum(ordered)) / np.cumsum(ordered**1.5)
    kept = int(n[scale * np.sqrt(ordered) > 1].max())
    answers = np.zeros(len(p))
    best = ordered[:kept]
    answers[order[:kept]] = scale[kept - 1] * best**1.5 - best
    return answers
