"""Compute the scores of a cell from its predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.adjustment import adjust
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.metrics import Evaluation
from sercore.evaluation.protocols import LABEL_SHIFT
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import UNAVAILABLE
from sercore.evaluation.scores import ScoreRow

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.adjustment import ClassCounts
    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.held_out import HeldOutOf
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
    predictions: Predictions,
    rule: Rule,
    adjustment: str,
    counts: ClassCounts,
    averaging: str,
    held_out: HeldOutOf | None = None,
) -> Evaluation:
    """Return the test set of a cell, ready to be measured.

    In domain nothing is masked, adjusted or dropped. Out of domain, utterances whose class is
    outside the rule are dropped; see `sercore.evaluation.adjustment.adjust` for the rest.
    """
    kept = kept_by(rule, predictions)
    logits = predictions.logits[kept].astype(np.float64)
    if rule.name != IN_DOMAIN:
        logits = adjust(
            logits,
            predictions.classes,
            rule=rule,
            adjustment=adjustment,
            counts=counts,
            held_out=held_out,
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
    *,
    held_out: HeldOutOf | None = None,
) -> list[ScoreRow]:
    """Return the scores of one cell under one rule: every adjustment, metric and class.

    Where the class frequencies of a test corpus cannot be estimated, a row says why.

    Args:
        cell: its keys and counts.
        predictions: of the probe on the test corpus.
        rule: the class rule.
        counts: utterances per class, for the adjustments.
        protocol: names adjustments, headline and averaging.
        metrics: what to measure.
        held_out: what is known about the probe from training-side utterances that did not train
            it, for the adjustments ``em`` and ``bbse``.
    """
    inside = rule.name == IN_DOMAIN
    adjustments = (str(Adjustment.NONE),) if inside else protocol.adjustments
    headline = Adjustment.NONE if inside else protocol.headline
    rows: list[ScoreRow] = []
    for adjustment in adjustments:
        try:
            evaluation = evaluate(
                predictions, rule, adjustment, counts, protocol.averaging, held_out
            )
        except ProtocolError as error:
            if adjustment not in LABEL_SHIFT:
                raise
            rows.append(_not_estimated(cell, rule, adjustment, protocol, str(error)))
            continue
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


def _not_estimated(
    cell: ScoredCell, rule: Rule, adjustment: str, protocol: Protocol, reason: str
) -> ScoreRow:
    return ScoreRow(
        cell=cell,
        class_rule=rule.name,
        adjustment=adjustment,
        averaging=protocol.averaging,
        metric=MAIN_METRIC,
        headline=adjustment == protocol.headline,
        status=UNAVAILABLE,
        reason=reason,
    )
