"""Logit adjustment: what is known about the classes of train and test corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Priors:
    """Class frequencies that an adjustment may know, over the whole class space."""

    train_part: Floats
    """Of the utterances that trained, shape (classes,), counts."""
    train_corpus: Floats
    """Of the whole training corpus, counts."""
    test_corpus: Floats
    """Of the whole test corpus, counts; knowledge that real use does not have."""


_EPSILON = 1e-12  # the constant of the published code


def adjust(
    logits: Floats,
    classes: tuple[str, ...],
    *,
    rule: str,
    allowed: frozenset[str],
    adjustment: str,
    priors: Priors,
) -> Floats:
    """Return out-of-domain logits after masking and prior adjustment.

    Args:
        logits: (utterances, classes), unadjusted.
        classes: the class space.
        rule: the name of the class rule.
        allowed: the rule's classes.
        adjustment: ``uniform`` removes the training prior; ``oracle`` puts the test prior in its
            place; ``none`` only masks; ``published`` is the published code's formula, which masks
            nothing but `other` (and what the rule excludes), so that a class without training data
            gains 27.6 and always wins.
        priors: class counts.

    Returns:
        float64 (utterances, classes); minus infinity where a class may not be said.

    Raises:
        ProtocolError: the adjustment is unknown, or no class is left.
    """
    import numpy as np

    if adjustment == "published":
        # In a published cluster every class but `other` may be said.
        open_classes = set(classes) - {"other"} if rule == "cluster" else allowed
        mask = np.array([name in open_classes for name in classes])
        train = priors.train_corpus / priors.train_corpus.sum()
        test = priors.test_corpus / priors.test_corpus.sum()
        shift = np.log(test + _EPSILON) - np.log(train + _EPSILON)
        return np.where(mask, logits + shift, -np.inf)
    trained = priors.train_part > 0
    mask = np.array([name in allowed for name in classes]) & trained
    if not mask.any():
        raise ProtocolError(
            "none of the classes to be scored has training data", hint="leave this pair out"
        )
    with np.errstate(divide="ignore"):
        log_train = np.log(np.where(mask, priors.train_part, 1.0) / priors.train_part[mask].sum())
        log_test = np.log(priors.test_corpus / max(priors.test_corpus[mask].sum(), 1.0))
    if adjustment == "uniform":
        shift = -log_train
    elif adjustment == "oracle":
        shift = log_test - log_train
    elif adjustment == "none":
        shift = np.zeros(len(classes))
    else:
        raise ProtocolError(
            f"there is no adjustment named '{adjustment}'",
            hint="choose one of uniform, oracle, none, published",
        )
    return np.where(mask, logits + np.where(mask, shift, 0.0), -np.inf)
