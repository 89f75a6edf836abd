"""Class rules: on which classes a pair of corpora is scored."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.corpora.interface import CorpusCard

    Floats = npt.NDArray[np.float64]


IN_DOMAIN = "in-domain"
"""What stands in the column ``class_rule`` of in-domain scores: no rule applies."""


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
