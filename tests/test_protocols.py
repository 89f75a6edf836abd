"""Class rules and adjustments, against the published numbers and hand-worked cases."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.errors import UnknownNameError
from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.adjustment import adjust
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.class_rules import Rule
from sercore.evaluation.class_rules import class_rule
from sercore.evaluation.class_rules import rules_between
from sercore.evaluation.protocols import PROTOCOLS
from sercore.runs.selection import Selection

SEVEN = frozenset(CLASSES) - {"other"}
CLUSTER = Rule("cluster", SEVEN)


def corpus(classes, cluster=None, **facts):
    return LabelSet(classes=frozenset(classes), cluster=cluster, **facts)


def class_counts(train, test=None, whole=None):
    train = np.asarray(train, dtype=float)
    return ClassCounts(
        train_part=train,
        train_corpus=np.asarray(whole if whole is not None else train, dtype=float),
        test_corpus=np.asarray(test if test is not None else train, dtype=float),
    )


def test_cluster_pairs_corpora_of_one_published_cluster():
    seven = corpus(CLASSES, "seven-class", ood_eligible=True)
    no_surprise = corpus(SEVEN - {"surprise"}, "seven-class", ood_eligible=True)
    small = corpus({"anger", "neutral"}, "four-class")
    alone = corpus(SEVEN)

    assert class_rule("cluster", seven, no_surprise) == SEVEN
    assert class_rule("cluster", no_surprise, seven) == SEVEN
    assert class_rule("cluster", small, small) is None
    assert class_rule("cluster", small, small, small_clusters=True) == {"anger", "neutral"}
    assert class_rule("cluster", seven, alone) is None
    assert class_rule("cluster", alone, alone) is None


def test_the_computed_rules_look_at_label_sets_alone():
    urdu = corpus({"anger", "happiness", "neutral", "sadness"}, "four-class")
    emodb = corpus(SEVEN - {"surprise"}, "six-class")
    with_other = corpus(urdu.classes | {"other"})

    assert class_rule("shared-classes", urdu, emodb) == urdu.classes
    assert class_rule("exact-classes", urdu, emodb) is None
    assert class_rule("exact-classes", urdu, with_other) == urdu.classes
    one = corpus({"anger", "disgust"})
    assert class_rule("shared-classes", urdu, one) is None
    with pytest.raises(UnknownNameError, match="no class rule named 'all'"):
        class_rule("all", urdu, emodb)


def test_a_pair_is_scored_under_every_rule_that_includes_it():
    urdu = corpus({"anger", "happiness", "neutral", "sadness"}, "four-class")
    demo = corpus(urdu.classes, demo=True)
    names = ["cluster", "shared-classes", "exact-classes"]

    found = rules_between(urdu, corpus(SEVEN), names)

    assert found == (Rule("shared-classes", urdu.classes),)
    assert [rule.name for rule in rules_between(urdu, urdu, names, small_clusters=True)] == names
    assert rules_between(urdu, demo, names) == ()
    assert rules_between(demo, demo, ["exact-classes"]) == (Rule("exact-classes", urdu.classes),)


def published_constant_scores(shared, train):
    """Return the published row of a train corpus, one value per test corpus (all must agree)."""
    found = {}
    with (shared / "reference/published/macro_f1.csv").open() as file:
        for row in csv.DictReader(file):
            if row["train"] == train and row["test"] != train:
                found.setdefault(row["test"], set()).add(row["macro_f1"])
    return found


def test_the_published_rule_reproduces_the_defect_of_mesd(shared):
    """Every probe trained on mesd says surprise always, whatever its logits."""
    import json

    readings = json.loads((shared / "reference/readings.json").read_text())
    mesd = [readings["mesd"]["paper"]["classes"][name] for name in CLASSES]
    assert mesd[CLASSES.index("surprise")] == 0
    row = published_constant_scores(shared, "mesd")
    assert len(row) == 8
    generator = np.random.default_rng(0)
    for test, values in row.items():
        (value,) = values
        counts = [readings[test]["paper"]["classes"][name] for name in CLASSES]
        labels = np.repeat(np.arange(8), counts)
        labels = labels[labels != CLASSES.index("other")]
        logits = generator.normal(0, 2, (len(labels), 8))

        adjusted = adjust(
            logits,
            CLASSES,
            rule=CLUSTER,
            adjustment="published",
            counts=class_counts(mesd, test=counts),
        )

        said = adjusted.argmax(axis=1)
        assert set(said) == {CLASSES.index("surprise")}
        assert f1_score(labels, said, average="macro") == pytest.approx(float(value), abs=6e-6)


def test_the_masked_rules_never_say_a_class_without_training_data():
    train = [10, 10, 10, 10, 0, 10, 0, 10]
    logits = np.random.default_rng(1).normal(0, 1, (200, 8))

    for adjustment in ("uniform", "oracle", "none"):
        adjusted = adjust(
            logits,
            CLASSES,
            rule=CLUSTER,
            adjustment=adjustment,
            counts=class_counts(train, test=[5] * 8),
        )

        said = {CLASSES[i] for i in adjusted.argmax(axis=1)}
        assert said == SEVEN - {"surprise"}
        assert np.isneginf(adjusted[:, CLASSES.index("other")]).all()


def test_uniform_removes_the_training_prior_and_nothing_else():
    train = np.array([30.0, 10, 0, 0, 0, 60, 40, 20])
    logits = np.log(np.where(train > 0, train, 1.0))[None, :].repeat(3, axis=0)

    adjusted = adjust(
        logits, CLASSES, rule=CLUSTER, adjustment="uniform", counts=class_counts(train)
    )

    finite = adjusted[0][np.isfinite(adjusted[0])]
    assert len(finite) == 4
    assert finite == pytest.approx(finite[0])


def test_oracle_with_the_training_prior_changes_no_decision():
    train = np.array([30.0, 10, 5, 5, 5, 60, 0, 20])
    logits = np.random.default_rng(2).normal(0, 1, (50, 8))
    settings = {"rule": CLUSTER, "counts": class_counts(train)}

    oracle = adjust(logits, CLASSES, adjustment="oracle", **settings)
    none = adjust(logits, CLASSES, adjustment="none", **settings)

    assert (oracle.argmax(axis=1) == none.argmax(axis=1)).all()


@given(st.lists(st.integers(0, 50), min_size=8, max_size=8), st.integers(0, 2**32 - 1))
def test_adjusted_probabilities_sum_to_one(counts, seed):
    counts = np.array(counts, dtype=float)
    counts[CLASSES.index("anger")] += 1
    logits = np.random.default_rng(seed).normal(0, 3, (5, 8))

    adjusted = adjust(
        logits, CLASSES, rule=CLUSTER, adjustment="uniform", counts=class_counts(counts)
    )
    shares = np.exp(adjusted - adjusted.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)

    assert shares.sum(axis=1) == pytest.approx(1)
    assert np.isfinite(shares).all()


def test_nothing_to_say_and_unknown_rules_are_refused():
    with pytest.raises(ProtocolError, match="leaves no class with training data"):
        adjust(
            np.zeros((1, 8)),
            CLASSES,
            rule=Rule("shared-classes", frozenset({"fear"})),
            adjustment="uniform",
            counts=class_counts([1, 1, 0, 0, 0, 0, 0, 0]),
        )
    with pytest.raises(ProtocolError, match="no adjustment named 'magic'"):
        adjust(
            np.zeros((1, 8)),
            CLASSES,
            rule=CLUSTER,
            adjustment="magic",
            counts=class_counts([1] * 8),
        )


def test_every_protocol_names_its_headline_among_its_adjustments():
    for protocol in PROTOCOLS:
        assert protocol.headline in protocol.adjustments


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.id)
def test_a_selection_has_as_many_seeds_as_its_protocol_says(protocol):
    selection = Selection(protocol=protocol)

    assert selection.seeds == range(34, 34 + protocol.n_seeds)
    assert replace(selection, n_seeds=2, seed=7).seeds == range(7, 9)
