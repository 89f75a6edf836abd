"""Statistics of cells: their confusion counts, and intervals from resampled test sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import SercoreError
from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.class_rules import Rule
from sercore.evaluation.confusion import Confusion
from sercore.evaluation.confusion import confusion_counts
from sercore.evaluation.metrics import CONFUSION
from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.scores import ScoreKey
from sercore.evaluation.scores import class_values
from sercore.evaluation.scores import of_metric
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import whole_cells
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.scoring import evaluate
from sercore.evaluation.scoring import kept_by
from sercore.evaluation.statistics import N_DRAWS
from sercore.evaluation.statistics import bootstrap
from sercore.evaluation.statistics import bootstrap_utterances
from sercore.evaluation.statistics import draw_weights
from sercore.evaluation.statistics import interval
from sercore.evaluation.statistics import seed_for
from sercore.evaluation.statistics import units_for
from sercore.evaluation.units import UTTERANCE
from sercore.evaluation.units import unit_counts
from sercore.evaluation.units import units_of
from sercore.results.class_counts import StoredClassCounts

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.scores import ScoreRow
    from sercore.evaluation.statistics import Interval
    from sercore.evaluation.statistics import Values
    from sercore.evaluation.units import Units
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value of a cell on resampled test sets."""

    draws: Values
    """float64 (draws,)."""
    interval: Interval


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


class CellStatistics:
    """Statistics of the cells of a run, from its stored scores and predictions.

    Args:
        run: the run.
        n_draws: draws per interval.
    """

    def __init__(self, run: StoredRun, n_draws: int = N_DRAWS) -> None:
        self._run = run
        self._n_draws = n_draws
        self._units = lru_cache(maxsize=64)(self._read_units)
        self._counts = StoredClassCounts(run.workspace, run.record)

    def confusion(self, cell: Cell, setting: Setting) -> Confusion | None:
        """Return the counts of a cell over all its probes, or None if they are not stored."""
        found = [self._confusions.get(key) for key in _score_keys(cell, setting)]
        known = [confusion for confusion in found if confusion is not None]
        return Confusion.total(known) if known else None

    def estimates(self, matrices: Iterable[Matrix]) -> dict[tuple[Setting, Pair], Estimate]:
        """Return the interval and the draws of every cell whose metric has an interval.

        All cells of a column share the draws of its test corpus, over backbones too. So
        differences between cells can be drawn as well.
        """
        work = [
            (matrix.setting, cell)
            for matrix in matrices
            if matrix.setting.metric in MEASURES
            for cell in matrix.cells.values()
        ]
        # Column by column: the weights of a test corpus are drawn once.
        work.sort(key=lambda item: (item[1].test, item[1].in_domain))
        found = {}
        for setting, cell in work:
            estimate = self._estimate(setting, cell)
            if estimate is not None:
                found[setting, (cell.train, cell.test)] = estimate
        draw_weights.cache_clear()
        return found

    def predictions(self, key: ScoreKey) -> AdjustedPredictions | None:
        """Return the adjusted predictions of a probe, or None if they cannot be rebuilt.

        They must give the stored confusion counts, otherwise they are not used: the workspace may
        hold other predictions than those that were scored.
        """
        row, stored = self._rows.get(key), self._confusions.get(key)
        if row is None or stored is None:
            return None
        try:
            rebuilt = self._rebuild(row, stored)
        except SercoreError:
            return None
        return rebuilt if rebuilt is not None and _agree(rebuilt, stored) else None

    def _estimate(self, setting: Setting, cell: Cell) -> Estimate | None:
        keys = [key for key in _score_keys(cell, setting) if key in self._rows]
        if not keys:
            return None
        rows = [self._rows[key] for key in keys]
        found = [self.predictions(key) for key in keys]
        rebuilt = [predictions for predictions in found if predictions is not None]
        if len(rebuilt) == len(rows):
            draws, unit, n_units = self._draw(setting, cell, rows, rebuilt)
        else:
            draws, unit, n_units = self._draw_counts(setting, cell, rows)
        around = interval(cell.value, draws, unit=unit, n_units=n_units)
        return None if around is None else Estimate(draws, around)

    def _draw(
        self,
        setting: Setting,
        cell: Cell,
        rows: Sequence[ScoreRow],
        predictions: Sequence[AdjustedPredictions],
    ) -> tuple[Values, str, int]:
        """Return draws over resampled speakers, what was drawn, and how many there are."""
        manifest = rows[0].cell.test_manifest or ""
        whole = self._units(cell.test, manifest)
        n_classes = len(predictions[0].classes)
        drawn = units_for(whole, np.concatenate([part.rows for part in predictions]))
        names, codes = np.unique(drawn.codes, return_inverse=True)
        starts = np.cumsum([0, *(len(part.rows) for part in predictions)])
        groups: dict[object, npt.NDArray[np.float32]] = {}
        for row, part, start in zip(rows, predictions, starts, strict=False):
            own = codes[start : start + len(part.rows)]
            counts = unit_counts(part.labels, part.predictions, own, len(names), n_classes)
            test_set = _test_set(row, cell)
            groups[test_set] = groups[test_set] + counts if test_set in groups else counts
        seed = seed_for(cell.test, manifest, cell.in_domain, drawn.kind)
        averaging = rows[0].averaging or SUPPORTED
        draws = [
            bootstrap(counts, averaging, setting.metric, seed=seed, n_draws=self._n_draws)
            for counts in groups.values()
        ]
        return np.mean(draws, axis=0), drawn.kind, len(names)

    def _draw_counts(
        self, setting: Setting, cell: Cell, rows: Sequence[ScoreRow]
    ) -> tuple[Values, str, int]:
        """Draw single utterances from stored counts, where the predictions are missing."""
        groups: dict[object, list[Confusion]] = defaultdict(list)
        for row in rows:
            groups[_test_set(row, cell)].append(self._confusions[_score_key(row)])
        averaging = rows[0].averaging or SUPPORTED
        draws, n_units = [], 0
        for test_set, found in groups.items():
            _, counts = Confusion.total(found).square()
            n_units = max(n_units, int(counts.sum()))
            seed = seed_for(cell.test, test_set)
            draws.append(
                bootstrap_utterances(
                    counts, averaging, setting.metric, seed=seed, n_draws=self._n_draws
                )
            )
        return np.mean(draws, axis=0), UTTERANCE, n_units

    def _rebuild(self, row: ScoreRow, stored: Confusion) -> AdjustedPredictions | None:
        cell, in_domain = row.cell, row.class_rule == IN_DOMAIN
        predictions = read_predictions(self._run.workspace, cell.prediction_key or "")
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
            predictions, rule, row.adjustment or "", counts, row.averaging or SUPPORTED
        )
        return AdjustedPredictions(
            predictions.rows[kept_by(rule, predictions)],
            evaluation.labels,
            evaluation.predictions,
            classes,
        )

    def _read_units(self, corpus: str, manifest: str) -> Units:
        return units_of(self._run.workspace.read_table(f"manifests/{corpus}/{manifest}.parquet"))

    @cached_property
    def _rows(self) -> dict[ScoreKey, ScoreRow]:
        """One row of every set of predictions, class rule and adjustment."""
        done = with_predictions(whole_cells(self._run.scores))
        return {_score_key(row): row for row in rows_of(done)}

    @cached_property
    def _confusions(self) -> dict[ScoreKey, Confusion]:
        counts = class_values(of_metric(self._run.scores, CONFUSION))
        return {key: Confusion.from_pairs(pairs) for key, pairs in counts.items()}


def _score_key(row: ScoreRow) -> ScoreKey:
    return ScoreKey(row.cell.prediction_key, row.class_rule, row.adjustment)


def _score_keys(cell: Cell, setting: Setting) -> list[ScoreKey]:
    """Return the keys of the scores behind a cell of a matrix."""
    rule, adjustment = setting.class_rule, setting.adjustment
    if cell.in_domain:
        rule, adjustment = IN_DOMAIN, Adjustment.NONE
    return [ScoreKey(key, rule, adjustment) for key in cell.prediction_keys]


def _test_set(row: ScoreRow, cell: Cell) -> object:
    """Return what the rows of one test set share: the folds of one seed, or one probe."""
    return row.cell.split_seed if cell.pooled else row.cell.prediction_key


def _agree(rebuilt: AdjustedPredictions, stored: Confusion) -> bool:
    """Return whether predictions give the stored confusion counts."""
    classes = rebuilt.classes
    if not {*stored.labels, *stored.predictions} <= set(classes):
        return False
    counts = confusion_counts(rebuilt.labels, rebuilt.predictions, len(classes))
    return bool(np.array_equal(counts, stored.over(classes, classes)))
