"""In-domain scores over k folds: those of the out-of-fold predictions, taken together.

Over k folds every utterance is tested exactly once. So the predictions of all folds are one test
set, the whole corpus. Its score is not the mean of the scores of the folds: that mean would average
macro-F1 over folds that lack classes. Out of domain the probe of every fold is tested on the whole
other corpus, so there the mean over the probes is the score.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.class_rules import in_domain_rule
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import cells_of
from sercore.evaluation.scores import in_domain
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import sort_scores
from sercore.evaluation.scores import table_of
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.scores import without_out_of_fold
from sercore.evaluation.scores import without_status
from sercore.evaluation.scoring import score

if TYPE_CHECKING:
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol


def join_folds(folds: Sequence[Predictions]) -> Predictions:
    """Return the predictions of several folds as one test set, in the order of the manifest.

    Raises:
        ValueError: an utterance is in two folds, or the classes of the folds differ.
    """
    if len({fold.classes for fold in folds}) > 1:
        raise ValueError("folds with different classes cannot be joined")
    rows = np.concatenate([fold.rows for fold in folds])
    if len(np.unique(rows)) != len(rows):
        raise ValueError("an utterance is tested in two folds")
    order = np.argsort(rows, kind="stable")
    ids = [name for fold in folds for name in fold.utterance_ids]
    return Predictions(
        rows=rows[order],
        utterance_ids=[ids[place] for place in order],
        labels=np.concatenate([fold.labels for fold in folds])[order],
        logits=np.concatenate([fold.logits for fold in folds])[order],
        classes=folds[0].classes,
    )


def add_out_of_fold(
    scores: pa.Table,
    read: Callable[[str], Predictions],
    protocol: Protocol,
    metrics: Sequence[Metric],
) -> pa.Table:
    """Return scores with added rows for every in-domain cell that has several folds.

    The added rows have no fold, probe key or prediction key (null). The rows of the folds stay.
    Rows that an earlier call added are replaced.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        read: returns the predictions of a prediction key.
        protocol: names the averaging.
        metrics: what to measure.
    """
    scores = without_out_of_fold(scores)
    added: list[ScoreRow] = []
    for folds in _finished(in_domain(scores)):
        predictions = join_folds([read(fold.prediction_key or "") for fold in folds])
        added += score(
            _whole_cell(folds),
            predictions,
            in_domain_rule(predictions.classes),
            ClassCounts.unknown(len(predictions.classes)),
            protocol,
            metrics,
        )
    if not added:
        return scores
    return sort_scores(pa.concat_tables([scores, table_of(added)]))


def _finished(scores: pa.Table) -> list[list[ScoredCell]]:
    """Return the folds of every cell and seed that has several of them, all done."""
    unfinished = {_place(row.cell) for row in rows_of(without_status(scores, DONE))}
    groups: dict[ScoredCell, list[ScoredCell]] = {}
    for fold in cells_of(with_predictions(scores)):
        groups.setdefault(_without_fold(fold), []).append(fold)
    return [
        sorted(folds, key=lambda fold: fold.fold or 0)
        for whole, folds in groups.items()
        # Without the missing folds a smaller test set would look like the whole corpus.
        if len(folds) > 1 and _place(whole) not in unfinished
    ]


def _place(cell: ScoredCell) -> tuple[str, str, int | None, str]:
    # The cell of a failed row has only a part of its keys.
    return cell.backbone, cell.train_corpus, cell.split_seed, cell.protocol


def _without_fold(cell: ScoredCell) -> ScoredCell:
    """Return what the folds of a cell have in common."""
    return replace(
        cell,
        fold=None,
        probe_seed=None,
        probe_key=None,
        prediction_key=None,
        n_train=None,
        n_missing=None,
        complete=None,
        shared_speakers=None,
        shared_texts=None,
    )


def _whole_cell(folds: Sequence[ScoredCell]) -> ScoredCell:
    return replace(
        _without_fold(folds[0]),
        n_missing=sum(fold.n_missing or 0 for fold in folds),
        complete=all(fold.complete for fold in folds),
        shared_speakers=_largest([fold.shared_speakers for fold in folds]),
        shared_texts=_largest([fold.shared_texts for fold in folds]),
    )


def _largest(counts: Sequence[int | None]) -> int | None:
    """Return the largest count, or None where one is unknown."""
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
