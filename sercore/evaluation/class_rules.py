"""Class rules: on which classes a pair of corpora is scored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sercore.corpora.labels import Emotion
from sercore.errors import UnknownNameError
from sercore.evaluation.protocols import ClassRule

IN_DOMAIN = "in-domain"
"""Value of the column ``class_rule`` of in-domain scores, where no class rule applies."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The class rule under which a cell is scored."""

    name: str
    """`IN_DOMAIN`, or one of `ClassRule`."""
    allowed: frozenset[str]
    """The classes of the rule; in domain the whole class space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """What class rules ask about a corpus. A card and the record of a run both answer it."""

    classes: frozenset[str]
    """Classes with utterances, under the label mapper in use; may contain `other`."""
    cluster: str | None = None
    """The published cluster of the corpus."""
    ood_eligible: bool = False
    """Whether the paper's out-of-domain averages include the corpus."""
    demo: bool = False
    declared: bool = False
    """Whether the user declared the corpus, so that no cluster can include it."""

    @property
    def named(self) -> frozenset[str]:
        """The classes that out-of-domain cells can contain."""
        return self.classes - {Emotion.OTHER}


def in_domain_rule(classes: Iterable[str]) -> Rule:
    """Return the rule of in-domain cells.

    Args:
        classes: the class space.
    """
    return Rule(IN_DOMAIN, frozenset(classes))


def rules_between(
    train: LabelSet, test: LabelSet, names: Iterable[str], *, small_clusters: bool = False
) -> tuple[Rule, ...]:
    """Return the rules under which a pair of different corpora is scored.

    The result is empty if the pair is no cell. Demo corpora and real corpora never form a cell. A
    corpus that the user declared is in no cluster: for pairs with it the rule ``cluster`` stands
    for ``shared-classes``.

    Args:
        train: the training corpus.
        test: the test corpus.
        names: the rules of the protocol.
        small_clusters: whether to include the clusters that the paper's tables leave out.

    Raises:
        UnknownNameError: a rule does not exist.
    """
    if train.demo != test.demo:
        return ()
    applied = applied_rules(names, declared=train.declared or test.declared)
    found = (
        (name, class_rule(name, train, test, small_clusters=small_clusters)) for name in applied
    )
    return tuple(Rule(name, allowed) for name, allowed in found if allowed)


def applied_rules(names: Iterable[str], *, declared: bool) -> tuple[str, ...]:
    """Return the class rules of a protocol as they apply to a pair of corpora.

    Args:
        names: the rules of the protocol.
        declared: whether the user declared one of the two corpora.
    """
    if not declared:
        return tuple(names)
    instead = {str(ClassRule.CLUSTER): str(ClassRule.SHARED_CLASSES)}
    return tuple(dict.fromkeys(instead.get(name, name) for name in names))


def class_rule(
    name: str, train: LabelSet, test: LabelSet, *, small_clusters: bool = False
) -> frozenset[str] | None:
    """Return the classes on which a pair of corpora is scored, or None if it is no cell.

    Args:
        name: ``cluster`` (both are in one published cluster), ``exact-classes`` (both have the
            same classes, apart from `other`), ``shared-classes`` (they share two classes or more).
        train: the training corpus.
        test: the test corpus.
        small_clusters: whether to include the clusters that the paper's tables leave out.

    Raises:
        UnknownNameError: the rule does not exist.
    """
    try:
        rule = ClassRule(name)
    except ValueError:
        raise UnknownNameError(
            f"there is no class rule named '{name}'", hint=f"choose one of {', '.join(ClassRule)}"
        ) from None
    if rule is ClassRule.CLUSTER:
        same = train.cluster is not None and train.cluster == test.cluster
        included = small_clusters or (train.ood_eligible and test.ood_eligible)
        return train.named | test.named if same and included else None
    if rule is ClassRule.EXACT_CLASSES:
        return train.named if train.named == test.named else None
    shared = train.named & test.named
    return shared if len(shared) > 1 else None
