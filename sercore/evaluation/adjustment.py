"""Logit adjustment: correct logits for the class frequencies of the train and test corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.corpora.labels import Emotion
from sercore.errors import ProtocolError
from sercore.evaluation.label_shift import bbse_from_logits
from sercore.evaluation.label_shift import em_from_logits
from sercore.evaluation.protocols import LABEL_SHIFT
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import ClassRule

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.held_out import HeldOutOf

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
    logits: Floats,
    classes: tuple[str, ...],
    *,
    rule: Rule,
    adjustment: str,
    counts: ClassCounts,
    held_out: HeldOutOf | None = None,
) -> Floats:
    """Return out-of-domain logits after masking and adjustment.

    Args:
        logits: float64 (utterances, classes), unadjusted.
        classes: the class space.
        rule: the class rule.
        adjustment: ``uniform`` removes the training prior; ``oracle`` replaces it by the test
            prior; ``em`` and ``bbse`` estimate the test prior from these logits, see
            `sercore.evaluation.label_shift`; ``none`` only masks; ``published`` is the formula of
            the published code. That formula masks only `other` and what the rule excludes, so a
            class without training data gains 27.6 and always wins.
        counts: utterances per class.
        held_out: what is known about the probe from training-side utterances that did not train
            it; needed for ``em`` and ``bbse``.

    Returns:
        float64 (utterances, classes); minus infinity where a class is masked.

    Raises:
        ProtocolError: the adjustment is unknown, every class is masked, or the test prior cannot
            be estimated.
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
    elif chosen in LABEL_SHIFT:
        return _estimated(logits, _mask(classes, rule, counts), chosen, held_out)
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


def _mask(classes: tuple[str, ...], rule: Rule, counts: ClassCounts) -> npt.NDArray[np.bool_]:
    """Return which classes can be said: those of the rule with training data."""
    mask = np.array([name in rule.allowed for name in classes]) & (counts.train_part > 0)
    if not mask.any():
        raise ProtocolError(
            f"the class rule '{rule.name}' leaves no class with training data",
            hint="leave this pair out",
        )
    return mask


def _estimated(
    logits: Floats,
    mask: npt.NDArray[np.bool_],
    adjustment: Adjustment,
    held_out: HeldOutOf | None,
) -> Floats:
    """Return log-probabilities under the estimated class frequencies of the test corpus."""
    if held_out is None:
        raise ProtocolError(
            f"the adjustment {adjustment} needs training-side utterances that did not train the "
            "probe",
            hint="choose uniform, oracle, none or published",
        )
    estimate = em_from_logits if adjustment is Adjustment.EM else bbse_from_logits
    adjusted, _ = estimate(logits, held_out(mask))
    return adjusted


def _masked(
    classes: tuple[str, ...], rule: Rule, adjustment: Adjustment, counts: ClassCounts
) -> tuple[npt.NDArray[np.bool_], Floats]:
    mask = _mask(classes, rule, counts)
    if adjustment is Adjustment.NONE:
        return mask, np.zeros(len(classes))
    log_train = np.log(np.where(mask, counts.train_part, 1.0) / counts.train_part[mask].sum())
    if adjustment is Adjustment.UNIFORM:
        return mask, np.where(mask, -log_train, 0.0)
    with np.errstate(divide="ignore"):
        log_test = np.log(counts.test_corpus / max(counts.test_corpus[mask].sum(), 1.0))
    return mask, np.where(mask, log_test - log_train, 0.0)
