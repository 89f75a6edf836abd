"""Statistics of cells: confusion counts, and jackknife intervals over speakers and seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import NamedTuple

import numpy as np

from sercore.errors import ProtocolError
from sercore.errors import WorkspaceError
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.confusion import Confusion
from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import SplitScheme
from sercore.evaluation.published_folds import published_name
from sercore.evaluation.scores import ScoreKey
from sercore.evaluation.units import units_of
from sercore.results.cell_answers import CellAnswers
from sercore.statistics.answers import FitAnswers
from sercore.statistics.answers import count_by_unit
from sercore.statistics.jackknife import estimate_cell
from sercore.statistics.jackknife import estimate_from_confusions
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    from sercore.evaluation.scores import ScoreRow
    from sercore.evaluation.units import Units
    from sercore.results.cell_answers import AdjustedPredictions
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.answers import UnitCounts
    from sercore.statistics.intervals import Interval
    from sercore.statistics.jackknife import CellEstimate
    from sercore.storage.workspace import Workspace

_THREADS = 2
"""Cells that are read and counted at a time; most of the time is spent outside Python."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The value of a cell without each of its speakers, and its interval."""

    cell: CellEstimate
    interval: Interval
    seeds: tuple[int, ...]
    """Split seeds, in the order of `CellEstimate.by_seed`."""
    manifest: str
    """Digest of the test manifest: the same digest means the same units."""

    @property
    def by_seed(self) -> dict[int, float]:
        """The value of each split seed."""
        return dict(zip(self.seeds, self.cell.by_seed.tolist(), strict=True))


class CellKey(NamedTuple):
    """What an estimate is computed from. Matrices of several class rules share in-domain cells."""

    keys: tuple[ScoreKey, ...]
    metric: str
    pooled: bool


class CellStatistics:
    """Statistics of the cells of a run, from its stored scores and predictions.

    Args:
        run: the run.
    """

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._answers = CellAnswers(run)
        self._units = lru_cache(maxsize=64)(self._read_units)

    @property
    def workspace(self) -> Workspace:
        """The workspace of the run."""
        return self._run.workspace

    def confusion(self, cell: Cell, setting: Setting) -> Confusion | None:
        """Return the counts of a cell over all its probes, or None if they are not stored."""
        found = [self._answers.confusion(key) for key in score_keys(cell, setting)]
        known = [confusion for confusion in found if confusion is not None]
        return Confusion.total(known) if known else None

    def estimates(self, matrices: Iterable[Matrix]) -> dict[tuple[Setting, Pair], Estimate]:
        """Return the estimate of every cell whose metric is one of confusion counts."""
        wanted: dict[CellKey, list[tuple[Setting, Cell]]] = defaultdict(list)
        for matrix in matrices:
            if matrix.setting.metric in MEASURES:
                for cell in matrix.cells.values():
                    wanted[_cell_key(cell, matrix.setting)].append((matrix.setting, cell))
        # Scores of the same predictions are computed one after the other, to read them once.
        together: dict[tuple[str | None, ...], dict[CellKey, tuple[Setting, Cell]]] = {}
        for key, members in wanted.items():
            predictions = tuple(one.prediction_key for one in key.keys)
            together.setdefault(predictions, {})[key] = members[0]
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(self._estimate_all, together.values())
            cells = {key: estimate for part in found for key, estimate in part.items()}
        intervals = dict(_intervals(cells, {key: wanted[key][0] for key in cells}))
        return {
            (setting, (cell.train, cell.test)): Estimate(
                estimate, intervals[key], _seeds_of(cell), self._manifest(key)
            )
            for key, estimate in cells.items()
            for setting, cell in wanted[key]
        }

    def unit_counts(self, cell: Cell, setting: Setting) -> UnitCounts | None:
        """Return the counts of a cell by speaker, or None if it cannot be rebuilt."""
        seeds = self._fits(cell, setting)
        if not seeds:
            return None
        answers: list[list[FitAnswers]] = []
        n_classes = 0
        for fits in seeds:
            answers.append([])
            for rows in fits:
                parts = [self._answers.predictions(_score_key(row)) for row in rows]
                whole = [part for part in parts if part is not None]
                if len(whole) < len(parts):
                    return None
                n_classes = len(whole[0].classes)
                answers[-1].append(_joined(whole))
        try:
            units = self._units(cell.test, seeds[0][0][0].cell.test_manifest or "")
        except WorkspaceError:
            return None  # without a manifest no speaker is known
        return count_by_unit(answers, units, n_classes)

    def _estimate_all(
        self, members: Mapping[CellKey, tuple[Setting, Cell]]
    ) -> dict[CellKey, CellEstimate]:
        found = {key: self._estimate(*member) for key, member in members.items()}
        return {key: estimate for key, estimate in found.items() if estimate is not None}

    def _estimate(self, setting: Setting, cell: Cell) -> CellEstimate | None:
        seeds = self._fits(cell, setting)
        if not seeds:
            return None
        averaging = seeds[0][0][0].averaging or SUPPORTED
        counted = self.unit_counts(cell, setting)
        try:
            if counted is None:
                return self._estimate_from_confusions(seeds, averaging, setting.metric)
            return estimate_cell(
                counted.seeds,
                averaging=averaging,
                measure=setting.metric,
                unit=counted.unit,
                unit_ids=counted.unit_ids,
                notes=counted.notes,
            )
        except ProtocolError:
            return None  # a test set without utterances has no interval

    def _estimate_from_confusions(
        self, seeds: Sequence[Sequence[Sequence[ScoreRow]]], averaging: str, metric: str
    ) -> CellEstimate | None:
        """Take utterances for units, where the predictions are missing."""
        counts = []
        for fits in seeds:
            totals = []
            for rows in fits:
                found = [self._answers.confusion(_score_key(row)) for row in rows]
                known = [confusion for confusion in found if confusion is not None]
                if len(known) < len(found):
                    return None
                totals.append(Confusion.total(known).square()[1])
            counts.append(totals)
        return estimate_from_confusions(counts, averaging=averaging, measure=metric)

    def _fits(self, cell: Cell, setting: Setting) -> list[list[list[ScoreRow]]]:
        """Return for each seed its fits, and for each fit the rows of its folds."""
        by_seed: dict[int | None, list[ScoreRow]] = {seed: [] for seed in cell.by_seed}
        for key in score_keys(cell, setting):
            row = self._answers.row(key)
            if row is not None and row.cell.split_seed in by_seed:
                by_seed[row.cell.split_seed].append(row)
        if not all(by_seed.values()):
            return []
        return [[rows] if cell.pooled else [[row] for row in rows] for rows in by_seed.values()]

    def _manifest(self, key: CellKey) -> str:
        row = self._answers.row(key.keys[0])
        return (row.cell.test_manifest if row is not None else None) or ""

    def _read_units(self, corpus: str, manifest: str) -> Units:
        return units_of(self._run.workspace.read_table(f"manifests/{corpus}/{manifest}.parquet"))


def score_keys(cell: Cell, setting: Setting) -> tuple[ScoreKey, ...]:
    """Return the keys of the scores behind a cell of a matrix."""
    rule, adjustment = setting.class_rule, setting.adjustment
    if cell.in_domain:
        rule, adjustment = IN_DOMAIN, Adjustment.NONE
    return tuple(ScoreKey(key, rule, adjustment) for key in cell.prediction_keys)


def _cell_key(cell: Cell, setting: Setting) -> CellKey:
    return CellKey(score_keys(cell, setting), setting.metric, cell.pooled)


def _score_key(row: ScoreRow) -> ScoreKey:
    return ScoreKey(row.cell.prediction_key, row.class_rule, row.adjustment)


def _seeds_of(cell: Cell) -> tuple[int, ...]:
    return tuple(-1 if seed is None else seed for seed in cell.by_seed)


def _joined(parts: Sequence[AdjustedPredictions]) -> FitAnswers:
    """Return the predictions of the folds of one fit as one test set."""
    return FitAnswers(
        rows=np.concatenate([part.rows for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        predictions=np.concatenate([part.predictions for part in parts]),
    )


def _intervals(
    cells: Mapping[CellKey, CellEstimate], origins: Mapping[CellKey, tuple[Setting, Cell]]
) -> Iterator[tuple[CellKey, Interval]]:
    """Yield the intervals of cells; variances over seeds are moderated over cells of one kind."""
    kinds: dict[object, list[CellKey]] = defaultdict(list)
    for key in cells:
        setting, cell = origins[key]
        shared = (setting.protocol, setting.split, setting.probe, setting.probe_settings)
        outside = None if cell.in_domain else (setting.class_rule, setting.adjustment)
        kinds[shared, outside, setting.metric, setting.demo].append(key)
    for keys in kinds.values():
        folds = [_disjoint_folds(*origins[key]) for key in keys]
        yield from zip(keys, cell_intervals([cells[key] for key in keys], folds=folds), strict=True)


def _disjoint_folds(setting: Setting, cell: Cell) -> int | None:
    """Return the folds of an in-domain cell whose folds share no speaker, or None."""
    published = published_name(setting.split or "") is not None and cell.shared_speakers == 0
    if not cell.pooled or not (published or setting.split == SplitScheme.SPEAKER_DISJOINT):
        return None
    folds = len(cell.by_fold) // len(cell.by_seed)
    return folds if folds > 1 else None
