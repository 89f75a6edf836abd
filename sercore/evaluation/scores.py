"""Scores: one row per cell, adjustment, metric and class, in long form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.evaluation.adjustment import adjust
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.metrics import Evaluation

if TYPE_CHECKING:
    from sercore.evaluation.adjustment import Priors
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.predictions import Predictions
    from sercore.evaluation.protocols import Protocol

MAIN_METRIC = "macro-f1"

SCORE_SCHEMA = pa.schema(
    [
        # probe key
        ("backbone", pa.string()),  # with its variant: whisper-medium:exact
        ("checkpoint", pa.string()),
        ("revision", pa.string()),
        ("weights", pa.string()),  # digest
        ("layer", pa.string()),
        ("audio_path", pa.string()),
        ("dtype", pa.string()),
        ("train_corpus", pa.string()),
        ("train_manifest", pa.string()),  # digest
        ("reading", pa.string()),
        ("mapper", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int32()),
        ("split_seed", pa.int64()),
        ("probe", pa.string()),
        ("probe_settings", pa.string()),  # canonical JSON
        ("probe_seed", pa.int64()),
        ("probe_key", pa.string()),
        # prediction key
        ("test_corpus", pa.string()),
        ("test_manifest", pa.string()),
        ("prediction_key", pa.string()),
        # score key
        ("protocol", pa.string()),
        ("class_rule", pa.string()),  # in-domain cells: "in-domain"
        ("adjustment", pa.string()),
        ("averaging", pa.string()),
        ("metric", pa.string()),
        ("class", pa.string()),  # null: the metric of the whole cell
        # what came out
        ("value", pa.float64()),  # null unless status is done
        ("headline", pa.bool_()),  # the protocol's headline adjustment and metric
        ("in_domain", pa.bool_()),
        ("n_classes", pa.int32()),  # classes that the average runs over
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("n_dropped", pa.int64()),  # test utterances outside the class rule
        ("n_missing", pa.int64()),  # test utterances without features (undecodable)
        ("complete", pa.bool_()),  # both corpora whole, nothing missing
        ("shared_speakers", pa.int64()),  # in train and test; null where unknown
        ("shared_texts", pa.int64()),
        ("status", pa.string()),  # done, failed, unavailable, skipped
        ("reason", pa.string()),
        ("demo", pa.bool_()),
    ]
)
"""Columns of ``runs/<name>/scores.parquet``. Released columns never change their meaning."""

PREDICTION_COLUMNS = ("row", "utterance_id", "label", "logits")
"""Columns of a predictions file: int64 row of the test manifest, its id, int8 class index under
the mapper (-1: left out), and fixed_size_list<float32>[classes] of unadjusted mean logits."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Under which class rule a cell is scored."""

    name: str
    """``in-domain`` or a class rule."""
    allowed: frozenset[str]
    """The rule's classes; the whole class space in domain."""


def evaluate(
    predictions: Predictions, rule: Rule, adjustment: str, priors: Priors, averaging: str
) -> tuple[Evaluation, int]:
    """Return a cell ready to be measured, and how many test utterances the rule dropped.

    In domain nothing is masked, adjusted or dropped. Out of domain, utterances whose class lies
    outside the rule are dropped; see `sercore.evaluation.adjustment.adjust` for the rest.
    """
    logits = predictions.logits.astype(np.float64)
    labels = predictions.labels
    kept = np.ones(len(labels), dtype=bool)
    if rule.name != IN_DOMAIN:
        inside = np.array([name in rule.allowed for name in predictions.classes])
        kept = inside[labels]
        logits = adjust(
            logits[kept],
            predictions.classes,
            rule=rule.name,
            allowed=rule.allowed,
            adjustment=adjustment,
            priors=priors,
        )
    evaluation = Evaluation(
        labels=labels[kept], logits=logits, classes=predictions.classes, averaging=averaging
    )
    return evaluation, int(len(labels) - kept.sum())


def score(
    cell: Mapping[str, Any],
    predictions: Predictions,
    rule: Rule,
    priors: Priors,
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> list[dict[str, Any]]:
    """Return the score rows of one cell under one rule: every adjustment, metric and class.

    Args:
        cell: the columns of `SCORE_SCHEMA` that the cell fixes (keys, counts, status).
        predictions: what the probe said.
        rule: the class rule.
        priors: class counts for the adjustments.
        protocol: names adjustments, headline and averaging.
        metrics: what to measure.
    """
    adjustments = ("none",) if rule.name == IN_DOMAIN else protocol.adjustments
    headline = adjustments[0] if rule.name == IN_DOMAIN else protocol.headline
    rows: list[dict[str, Any]] = []
    for adjustment in adjustments:
        evaluation, n_dropped = evaluate(predictions, rule, adjustment, priors, protocol.averaging)
        shared = {
            **cell,
            "class_rule": rule.name,
            "adjustment": adjustment,
            "averaging": protocol.averaging,
            "n_classes": len(evaluation.averaged),
            "n_test": len(evaluation.labels),
            "n_dropped": n_dropped,
            "headline": adjustment == headline,
            "status": "done",
        }
        for metric in metrics:
            for name, value in metric.compute(evaluation).items():
                rows.append(
                    {
                        **shared,
                        "metric": metric.id,
                        "class": name,
                        "value": None if math.isnan(value) else float(value),
                        "headline": shared["headline"] and metric.id == MAIN_METRIC,
                    }
                )
    return rows


_ORDER = (
    *("backbone", "protocol", "train_corpus", "test_corpus", "class_rule", "split_seed", "fold"),
    *("probe_key", "adjustment", "metric", "class"),
)


def sort_scores(table: pa.Table) -> pa.Table:
    """Return score rows in the one order that their keys decide."""
    return table.sort_by([(name, "ascending") for name in _ORDER]).combine_chunks()
