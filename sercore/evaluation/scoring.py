"""Compute the scores of a cell from its predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sercore.evaluation.adjustment import adjust
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.metrics import Evaluation
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import ScoreRow

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.adjustment import ClassCounts
    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.predictions import Predictions
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.scores import ScoredCell


def kept_by(rule: Rule, predictions: Predictions) -> npt.NDArray[np.bool_]:
    """Return bool (utterances,): which utterances have a class of the rule.

    In domain no utterance is dropped.
    """
    if rule.name == IN_DOMAIN:
        return np.ones(len(predictions), dtype=bool)
    inside = np.array([name in rule.allowed for name in predictions.classes])
    return np.asarray(inside[predictions.labels])


def evaluate(
    predictions: Predictions, rule: Rule, adjustment: str, counts: ClassCounts, averaging: str
) -> Evaluation:
    """Return the test set of a cell, ready to be measured.

    In domain nothing is masked, adjusted or dropped. Out of domain, utterances whose class is
    outside the rule are dropped; see `sercore.evaluation.adjustment.adjust` for the rest.
    """
    kept = kept_by(rule, predictions)
    logits = predictions.logits.astype(np.float64)
    if rule.name != IN_DOMAIN:
        logits = adjust(
            logits[kept], predictions.classes, rule=rule, adjustment=adjustment, counts=counts
        )
    return Evaluation(
        labels=predictions.labels[kept],
        logits=logits,
        classes=predictions.classes,
        averaging=averaging,
    )


def score(
    cell: ScoredCell,
    predictions: Predictions,
    rule: Rule,
    counts: ClassCounts,
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> list[ScoreRow]:
    """Return the scores of one cell under one rule: every adjustment, metric and class.

    Args:
        cell: its keys and counts.
        predictions: of the probe on the test corpus.
        rule: the class rule.
        counts: utterances per class, for the adjustments.
        protocol: names adjustments, headline and averaging.
        metrics: what to measure.
    """
    inside = rule.name == IN_DOMAIN
    adjustments = (str(Adjustment.NONE),) if inside else protocol.adjustments
    headline = Adjustment.NONE if inside else protocol.headline
    rows: list[ScoreRow] = []
    for adjustment in adjustments:
        evaluation = evaluate(predictions, rule, adjustment, counts, protocol.averaging)
        n_classes, n_test = len(evaluation.averaged), len(evaluation.labels)
        rows += [
            ScoreRow(
                cell=cell,
                class_rule=rule.name,
                adjustment=adjustment,
                averaging=protocol.averaging,
                metric=metric.id,
                class_name=class_name,
                value=None if math.isnan(value) else float(value),
                headline=adjustment == headline and metric.id == MAIN_METRIC,
                n_classes=n_classes,
                n_test=n_test,
                n_dropped=len(predictions) - n_test,
                status=DONE,
            )
            for metric in metrics
            for class_name, value in metric.compute(evaluation).items()
        ]
    return rows
