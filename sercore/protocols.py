"""Evaluation protocols, class rules and logit adjustments.

Everything here is a pure function of stored logits and label sets, so that one trained probe can be
scored under every rule. Definitions: the benchmark's paper and published code (SER Evals, Osman,
Kaplan, Nadeem 2024) for what is called `paper` or `published`; the corrected rules are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

from sercore.errors import ProtocolError
from sercore.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.backbones import AudioPath
    from sercore.corpora import CorpusCard

    Floats = npt.NDArray[np.float64]

IN_DOMAIN = "in-domain"
"""What stands in the column ``class_rule`` of in-domain scores: no rule applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named bundle of everything that decides how a matrix is computed."""

    id: str
    summary: str
    reading: str
    """Which utterances (`sercore.corpora.READINGS`)."""
    mapper: str
    """Which label mapper."""
    split: str
    """Which division for in-domain cells (`sercore.splits.SPLITS`)."""
    n_folds: int = 1
    class_rules: tuple[str, ...] = ("cluster",)
    adjustments: tuple[str, ...]
    headline: str
    """The adjustment that stands in tables."""
    averaging: Literal["supported", "occurring"]
    """See `sercore.metrics.Evaluation.averaging`."""
    audio_path: AudioPath


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        id="standard",
        summary="the benchmark with its defects corrected: 80/20 over files, masked classes, "
        "no knowledge about the test corpus",
        reading="corrected",
        mapper="corrected",
        split="random",
        adjustments=("uniform", "oracle", "none", "published"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
    Protocol(
        id="paper",
        summary="the benchmark as published, defects included",
        reading="paper",
        mapper="paper",
        split="random",
        adjustments=("published", "uniform", "oracle", "none"),
        headline="published",
        averaging="occurring",
        audio_path="paper",
    ),
    Protocol(
        id="speaker-disjoint",
        summary="as standard, with no speaker on both sides of a split (k folds)",
        reading="corrected",
        mapper="corrected",
        split="speaker-disjoint",
        n_folds=5,
        adjustments=("uniform", "oracle", "none"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
    Protocol(
        id="official",
        summary="as standard, on the split that the corpus's authors published",
        reading="corrected",
        mapper="corrected",
        split="official",
        adjustments=("uniform", "oracle", "none"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
)


@dataclass(frozen=True, slots=True)
class LabelSet:
    """One side of an out-of-domain pair: the corpus's card and the classes it holds."""

    card: CorpusCard
    classes: frozenset[str]
    """Under the mapper in use; `other` may be among them."""

    @property
    def named(self) -> frozenset[str]:
        """The classes that can be said out of domain."""
        return self.classes - {"other"}


def _cluster(train: LabelSet, test: LabelSet, *, small: bool) -> frozenset[str] | None:
    both = (train.card, test.card)
    if train.card.cluster is None or train.card.cluster != test.card.cluster:
        return None
    if not small and not all(card.ood_eligible for card in both):
        return None
    return train.named | test.named


def _exact_classes(train: LabelSet, test: LabelSet, *, small: bool) -> frozenset[str] | None:
    del small
    return train.named if train.named == test.named else None


def _shared_classes(train: LabelSet, test: LabelSet, *, small: bool) -> frozenset[str] | None:
    del small
    shared = train.named & test.named
    return shared if len(shared) > 1 else None


CLASS_RULES: Mapping[str, Callable[..., frozenset[str] | None]] = {
    "cluster": _cluster,
    "exact-classes": _exact_classes,
    "shared-classes": _shared_classes,
}


def class_rule(
    name: str, train: LabelSet, test: LabelSet, *, small_clusters: bool = False
) -> frozenset[str] | None:
    """Return the classes on which a pair of corpora is scored, or None if it is no cell.

    Args:
        name: ``cluster`` (both in one published cluster), ``exact-classes`` (the same classes,
            `other` aside), ``shared-classes`` (any pair that shares at least two).
        train: the training corpus.
        test: the test corpus.
        small_clusters: whether the clusters that the paper leaves out of its tables count.

    Raises:
        UnknownNameError: there is no such rule.
    """
    try:
        rule = CLASS_RULES[name]
    except KeyError:
        raise UnknownNameError(
            f"there is no class rule named '{name}'", hint=f"choose one of {', '.join(CLASS_RULES)}"
        ) from None
    return rule(train, test, small=small_clusters)


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
