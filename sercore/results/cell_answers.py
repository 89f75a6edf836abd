"""Labels and predictions of the probes of a run, rebuilt from its stored logits."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from functools import lru_cache
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import SercoreError
from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.class_rules import Rule
from sercore.evaluation.confusion import Confusion
from sercore.evaluation.confusion import confusion_counts
from sercore.evaluation.held_out import HeldOutParts
from sercore.evaluation.metrics import CONFUSION
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.scores import ClassValues
from sercore.evaluation.scores import ScoreKey
from sercore.evaluation.scores import of_metric
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.scoring import evaluate
from sercore.evaluation.scoring import kept_by
from sercore.results.class_counts import StoredClassCounts

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.scores import ScoreRow
    from sercore.results.stored_run import StoredRun

_PAIR_COLUMNS = ["prediction_key", "class_rule", "adjustment", "class", "value", "metric"]


_KEPT = 32
"""Sets of predictions that are kept: more than the folds and seeds of a cell."""


@dataclass(frozen=True, slots=True)
class AdjustedPredictions:
    """Labels and predictions of one probe after the class rule and the adjustment."""

    rows: npt.NDArray[np.int64]
    """int64 (utterances,), rows of the test manifest."""
    labels: npt.NDArray[np.int64]
    """int64 (utterances,), indices into `classes`."""
    predictions: npt.NDArray[np.int64]
    """int64 (utterances,), indices into `classes`."""
    classes: tuple[str, ...]


class CellAnswers:
    """What the probes of a run said, by the key of their score.

    Args:
        run: the run.
    """

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._counts = StoredClassCounts(run.workspace, run.record)
        self._confusions: dict[ScoreKey, Confusion | None] = {}
        # The scores of one set of predictions are asked for one after the other.
        self._read = lru_cache(maxsize=_KEPT)(partial(read_predictions, run.workspace, ids=False))

    def row(self, key: ScoreKey) -> ScoreRow | None:
        """Return one score row of a set of predictions, class rule and adjustment."""
        return self._rows.get(key)

    def confusion(self, key: ScoreKey) -> Confusion | None:
        """Return the stored confusion counts, or None if there are none."""
        if key not in self._confusions:
            pairs = self._pairs.get(key)
            self._confusions[key] = None if pairs is None else Confusion.from_pairs(pairs)
        return self._confusions[key]

    def predictions(self, key: ScoreKey) -> AdjustedPredictions | None:
        """Return the adjusted predictions of a probe, or None if they cannot be rebuilt.

        They must give the stored confusion counts, otherwise they are not used: the workspace may
        hold other predictions than those that were scored.
        """
        row, stored = self._rows.get(key), self.confusion(key)
        if row is None or stored is None:
            return None
        try:
            rebuilt = self._rebuild(row, stored)
        except SercoreError:
            return None
        return rebuilt if rebuilt is not None and _agree(rebuilt, stored) else None

    def _rebuild(self, row: ScoreRow, stored: Confusion) -> AdjustedPredictions | None:
        cell, in_domain = row.cell, row.class_rule == IN_DOMAIN
        predictions = self._read(cell.prediction_key or "")
        classes = predictions.classes
        counts = self._counts.of(cell.probe_key, cell.train_corpus, cell.test_corpus, classes)
        if counts is None:
            if not in_domain and row.adjustment != Adjustment.NONE:
                return None
            counts = ClassCounts.unknown(len(classes))
        if not in_domain and row.adjustment != Adjustment.PUBLISHED:
            # A class that is masked in the stored counts had no training data.
            unmasked = np.isin(classes, stored.predictions)
            trained = np.where(unmasked, np.maximum(counts.train_part, 1.0), 0.0)
            counts = replace(counts, train_part=trained)
        rule = Rule(row.class_rule or IN_DOMAIN, frozenset((*stored.labels, *stored.predictions)))
        evaluation = evaluate(
            predictions,
            rule,
            row.adjustment or "",
            counts,
            row.averaging or SUPPORTED,
            self._held_out.of(cell.probe_key),
        )
        return AdjustedPredictions(
            predictions.rows[kept_by(rule, predictions)],
            evaluation.labels,
            evaluation.predictions,
            classes,
        )

    @cached_property
    def _rows(self) -> dict[ScoreKey, ScoreRow]:
        # The rows of one set of predictions differ in metric and value; one of them is enough.
        done = with_predictions(of_metric(self._run.whole_cells, MAIN_METRIC))
        return {
            ScoreKey(row.cell.prediction_key, row.class_rule, row.adjustment): row
            for row in rows_of(done)
        }

    @cached_property
    def _held_out(self) -> HeldOutParts:
        in_domain = {
            row.cell.probe_key: row.cell.prediction_key
            for row in self._rows.values()
            if row.cell.in_domain and row.cell.probe_key and row.cell.prediction_key
        }
        return HeldOutParts(partial(read_predictions, self._run.workspace, ids=False), in_domain)

    @cached_property
    def _pairs(self) -> ClassValues:
        # A full run has forty columns: filtering them all costs more than the intervals.
        return ClassValues(of_metric(self._run.scores.select(_PAIR_COLUMNS), CONFUSION))


def _agree(rebuilt: AdjustedPredictions, stored: Confusion) -> bool:
    """Return whether predictions give the stored confusion counts."""
    classes = rebuilt.classes
    if not {*stored.labels, *stored.predictions} <= set(classes):
        return False
    counts = confusion_counts(rebuilt.labels, rebuilt.predictions, len(classes))
    return bool(np.array_equal(counts, stored.over(classes, classes)))
