"""In-domain scores over k folds: those of the pooled out-of-fold predictions.

Over k folds every utterance is tested exactly once, so the folds' predictions together are one test
set: the whole corpus. Its score is not the mean of the folds' scores, which would average macro-F1
over folds that lack classes. Out of domain every fold's probe is tested on the whole other corpus,
so there the mean over probes stands, with its spread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sercore.evaluation.adjustment import Priors
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import Rule
from sercore.evaluation.scores import score
from sercore.evaluation.scores import sort_scores

if TYPE_CHECKING:
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol

_SAME = (
    "backbone", "checkpoint", "revision", "weights", "layer", "audio_path", "dtype",
    "train_corpus", "train_manifest", "reading", "mapper", "split", "split_seed", "probe",
    "probe_settings", "test_corpus", "test_manifest", "protocol", "in_domain", "demo",
)  # fmt: skip
_NEEDED = (
    *_SAME, "fold", "prediction_key", "class", "status", "n_missing", "complete",
    "shared_speakers", "shared_texts",
)  # fmt: skip


def pool(parts: Sequence[Predictions]) -> Predictions:
    """Return the predictions of several folds as one test set, in manifest order.

    Raises:
        ValueError: an utterance is in two folds, or their classes differ.
    """
    if len({each.classes for each in parts}) > 1:
        raise ValueError("folds with different classes cannot be pooled")
    rows = np.concatenate([each.rows for each in parts])
    if len(np.unique(rows)) != len(rows):
        raise ValueError("an utterance is tested in two folds")
    order = np.argsort(rows, kind="stable")
    ids = [name for each in parts for name in each.utterance_ids]
    return Predictions(
        rows=rows[order],
        utterance_ids=[ids[place] for place in order],
        labels=np.concatenate([each.labels for each in parts])[order],
        logits=np.concatenate([each.logits for each in parts])[order],
        classes=parts[0].classes,
    )


def with_pooled(
    scores: pa.Table,
    read: Callable[[str], Predictions],
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> pa.Table:
    """Return scores with a row for every in-domain cell that has several folds.

    Those rows have no fold, probe key or prediction key of their own (null): the rows of the folds
    stay beside them. Pooled rows that were there before are replaced.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        read: returns the predictions of a prediction key.
        protocol: names the averaging.
        metrics: what to measure.
    """
    pooled = pc.and_(
        pc.and_(pc.is_null(scores["fold"]), scores["in_domain"]), pc.equal(scores["status"], "done")
    )
    scores = scores.filter(pc.invert(pc.fill_null(pooled, False)))
    inside = scores.select(list(_NEEDED)).filter(pc.fill_null(scores["in_domain"], False))
    rows: list[dict[str, Any]] = []
    for folds in _groups(inside.to_pylist()):
        rows += _score(folds, read, protocol, metrics)
    if not rows:
        return scores
    return sort_scores(pa.concat_tables([scores, pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)]))


def _groups(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return one row a fold for every cell and seed that has more than one."""
    groups: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    unfinished = set()
    for row in rows:
        if row["status"] != "done":
            unfinished.add(_place(row))
        elif row["prediction_key"]:
            groups[tuple(row[name] for name in _SAME)][row["prediction_key"]] = row
    return [
        sorted(folds.values(), key=lambda row: row["fold"])
        for folds in groups.values()
        # Folds that are missing would make a smaller test set look like the whole corpus.
        if len(folds) > 1 and _place(next(iter(folds.values()))) not in unfinished
    ]


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    # A failed row does not know its whole setting.
    return tuple(row[name] for name in ("backbone", "train_corpus", "split_seed", "protocol"))


def _score(
    folds: Sequence[Mapping[str, Any]],
    read: Callable[[str], Predictions],
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> list[dict[str, Any]]:
    predictions = pool([read(row["prediction_key"]) for row in folds])
    cell = {
        **{name: folds[0][name] for name in _SAME},
        "n_missing": sum(row["n_missing"] or 0 for row in folds),
        "complete": all(row["complete"] for row in folds),
        **{
            name: None if any(row[name] is None for row in folds) else max(
                row[name] for row in folds
            )
            for name in ("shared_speakers", "shared_texts")
        },
    }  # fmt: skip
    nothing = np.ones(len(predictions.classes))  # in domain no adjustment looks at it
    rule = Rule(IN_DOMAIN, frozenset(predictions.classes))
    return score(cell, predictions, rule, Priors(nothing, nothing, nothing), protocol, metrics)
