"""Logit adjustment: correct logits for the class frequencies of the train and test corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.corpora.labels import Emotion
from sercore.errors import ProtocolError
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import ClassRule

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.class_rules import Rule

    Floats = npt.NDArray[np.float64]

_EPSILON = 1e-12  # the constant of the published code


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Utterances per class that an adjustment may use, each float64 (classes,)."""

    train_part: Floats
    """Of the utterances that trained the probe."""
    train_corpus: Floats
    """Of the whole training corpus."""
    test_corpus: Floats
    """Of the whole test corpus; in real use they are not known."""

    @classmethod
    def unknown(cls, n_classes: int) -> ClassCounts:
        """Return equal counts, for cells whose scores do not depend on the counts."""
        equal = np.ones(n_classes)
        return cls(equal, equal, equal)


def adjust(
    logits: Floats, classes: tuple[str, ...], *, rule: Rule, adjustment: str, counts: ClassCounts
) -> Floats:
    """Return out-of-domain logits after masking and adjustment.

    Args:
        logits: float64 (utterances, classes), unadjusted.
        classes: the class space.
        rule: the class rule.
        adjustment: ``uniform`` removes the training prior; ``oracle`` replaces it by the test
            prior; ``none`` only masks; ``published`` is the formula of the published code. That
            formula masks only `other` and what the rule excludes, so a class without training
            data gains 27.6 and always wins.
        counts: utterances per class.

    Returns:
        float64 (utterances, classes); minus infinity where a class is masked.

    Raises:
        ProtocolError: the adjustment is unknown, or every class is masked.
    """
    try:
        chosen = Adjustment(adjustment)
    except ValueError:
        raise ProtocolError(
            f"there is no adjustment named '{adjustment}'",
            hint=f"choose one of {', '.join(Adjustment)}",
        ) from None
    if chosen is Adjustment.PUBLISHED:
        mask, shift = _published(classes, rule, counts)
    else:
        mask, shift = _masked(classes, rule, chosen, counts)
    return np.where(mask, logits + shift, -np.inf)


def _published(
    classes: tuple[str, ...], rule: Rule, counts: ClassCounts
) -> tuple[npt.NDArray[np.bool_], Floats]:
    # In a published cluster every class but `other` can be predicted.
    allowed = set(classes) - {Emotion.OTHER} if rule.name == ClassRule.CLUSTER else rule.allowed
    mask = np.array([name in allowed for name in classes])
    train = counts.train_corpus / counts.train_corpus.sum()
    test = counts.test_corpus / counts.test_corpus.sum()
    return mask, np.log(test + _EPSILON) - np.log(train + _EPSILON)


def _masked(
    classes: tuple[str, ...], rule: Rule, adjustment: Adjustment, counts: ClassCounts
) -> tuple[npt.NDArray[np.bool_], Floats]:
    mask = np.array([name in rule.allowed for name in classes]) & (counts.train_part > 0)
    if not mask.any():
        raise ProtocolError(
            f"the class rule '{rule.name}' leaves no class with training data",
            hint="leave this pair out",
        )
    if adjustment is Adjustment.NONE:
        return mask, np.zeros(len(classes))
    log_train = np.log(np.where(mask, counts.train_part, 1.0) / counts.train_part[mask].sum())
    if adjustment is Adjustment.UNIFORM:
        return mask, np.where(mask, -log_train, 0.0)
    with np.errstate(divide="ignore"):
        log_test = np.log(counts.test_corpus / max(counts.test_corpus[mask].sum(), 1.0))
    return mask, np.where(mask, log_test - log_train, 0.0)
