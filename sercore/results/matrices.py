"""Matrices: the cells of one backbone under one set of choices, done and missing."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from statistics import fmean
from statistics import stdev
from typing import TYPE_CHECKING

from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import shown_rows
from sercore.evaluation.scores import whole_cells

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.evaluation.scores import ScoreRow

Pair = tuple[str, str]
"""Train corpus and test corpus."""

Expected = Mapping[str, Collection[Pair]]
"""By class rule (``in-domain`` too), the cells of a complete matrix."""


BETWEEN_SETS = "between sets"
"""Value of `Setting.corpora` for cells whose two corpora are in no common set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that the cells of one matrix have in common."""

    backbone: str
    checkpoint: str | None
    revision: str | None
    weights: str | None
    layer: str | None
    audio_path: str | None
    dtype: str | None
    reading: str | None
    mapper: str | None
    split: str | None
    probe: str | None
    probe_settings: str | None
    protocol: str
    averaging: str | None
    metric: str
    demo: bool
    class_rule: str | None
    """Of the out-of-domain cells; None in a matrix without any."""
    adjustment: str | None
    """Of the out-of-domain cells."""
    corpora: str | None = None
    """The set of corpora that the matrix and its averages are over; `BETWEEN_SETS` for cells that
    no set has, which have no average; None if no record says which corpora are in which set."""

    @classmethod
    def of(cls, row: ScoreRow) -> Setting:
        """Return the setting of a score. In domain no class rule and adjustment apply."""
        cell = row.cell
        return cls(
            backbone=cell.backbone,
            checkpoint=cell.checkpoint,
            revision=cell.revision,
            weights=cell.weights,
            layer=cell.layer,
            audio_path=cell.audio_path,
            dtype=cell.dtype,
            reading=cell.reading,
            mapper=cell.mapper,
            split=cell.split,
            probe=cell.probe,
            probe_settings=cell.probe_settings,
            protocol=cell.protocol,
            averaging=row.averaging,
            metric=row.metric or MAIN_METRIC,
            demo=cell.demo,
            class_rule=None if cell.in_domain else row.class_rule,
            adjustment=None if cell.in_domain else row.adjustment,
        )

    @property
    def comparison_key(self) -> tuple[str | bool | None, ...]:
        """What the matrices of two backbones must share to be compared."""
        return (
            self.protocol, self.class_rule, self.adjustment, self.metric, self.averaging,
            self.reading, self.mapper, self.split, self.probe, self.probe_settings, self.demo,
            self.corpora,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A train corpus and a test corpus: the value over folds and seeds."""

    train: str
    test: str
    by_seed: Mapping[int | None, float]
    """Value by split seed: in domain that of all folds together, else the mean over the folds."""
    by_fold: tuple[float, ...] = ()
    """Values of the single probes, if there is more than one."""
    pooled: bool = False
    """Whether the value is that of the predictions of all folds together."""
    complete: bool = True
    """Whether both corpora were whole and nothing was missing."""
    n_train: int | None = None
    n_test: int | None = None
    n_dropped: int | None = None
    n_missing: int | None = None
    n_classes: int | None = None
    shared_speakers: int | None = None
    shared_texts: int | None = None
    prediction_keys: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return fmean(self.by_seed.values())

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds (n - 1), or over probes if there is one seed."""
        values = list(self.by_seed.values()) if len(self.by_seed) > 1 else list(self.by_fold)
        return stdev(values) if len(values) > 1 else None

    @property
    def in_domain(self) -> bool:
        """Whether the train corpus is the test corpus."""
        return self.train == self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The cells of one backbone under one setting."""

    setting: Setting
    cells: Mapping[Pair, Cell]
    missing: Mapping[Pair, str] = field(default_factory=dict)
    """Cells of a complete matrix that are not done, with the reason."""

    @property
    def in_domain(self) -> tuple[str, ...]:
        """Corpora with an in-domain cell, done or missing, sorted."""
        return tuple(sorted(train for train, test in self._pairs if train == test))

    @property
    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """Sets of corpora that out-of-domain cells connect, the largest first."""
        return _components(pair for pair in self._pairs if pair[0] != pair[1])

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The split seeds that every cell has."""
        if not self.cells:
            return ()
        shared = set.intersection(*(set(cell.by_seed) for cell in self.cells.values()))
        return tuple(sorted(shared, key=lambda seed: -1 if seed is None else seed))

    def at_seed(self, seed: int | None) -> Matrix:
        """Return the matrix of one split seed."""
        cells = {
            pair: replace(cell, by_seed={seed: cell.by_seed[seed]}, by_fold=())
            for pair, cell in self.cells.items()
            if seed in cell.by_seed
        }
        return replace(self, cells=cells)

    def restricted(self, pairs: Collection[Pair]) -> Matrix:
        """Return the matrix of these cells alone. The other cells do not count as missing."""
        return replace(
            self,
            cells={pair: cell for pair, cell in self.cells.items() if pair in pairs},
            missing={pair: reason for pair, reason in self.missing.items() if pair in pairs},
        )

    @property
    def _pairs(self) -> set[Pair]:
        return {*self.cells, *self.missing}


def matrices(
    scores: pa.Table,
    *,
    metric: str | None = None,
    adjustment: str | None = None,
    expected: Expected | None = None,
) -> tuple[Matrix, ...]:
    """Return every matrix of a table of scores.

    Demo and real corpora, class rules, and cells that differ in any part of their setting never
    share a matrix. A cell counts as missing if its row is not done, or if another backbone with
    the same setting has it.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        metric: which metric of whole cells; that of the headline if None.
        adjustment: which out-of-domain adjustment; that of the headline if None.
        expected: by class rule (``in-domain`` too), the pairs that a complete matrix of real
            corpora has.
    """
    shown = shown_rows(whole_cells(scores), metric or MAIN_METRIC)
    return MatrixSource(shown, expected).matrices(metric, adjustment)


class MatrixSource:
    """The matrices of a table of scores under any metric and adjustment. It reads the table once.

    Args:
        scores: rows of whole cells, as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        expected: as in `matrices`.
    """

    def __init__(self, scores: pa.Table, expected: Expected | None = None) -> None:
        self._expected = expected or {}
        self._headlines: set[tuple[str | None, ...]] = set()
        self._undone: list[ScoreRow] = []
        self._done: dict[str | None, list[ScoreRow]] = {}
        for row in rows_of(scores):
            if row.headline:
                self._headlines.add(_scored_as(row))
            if row.status == DONE:
                self._done.setdefault(row.metric, []).append(row)
            else:
                self._undone.append(row)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of whole cells that have a score."""
        return tuple(sorted(name for name in self._done if name is not None))

    def matrices(
        self, metric: str | None = None, adjustment: str | None = None
    ) -> tuple[Matrix, ...]:
        """Return the matrices of one metric and adjustment; None means those of the headline."""

        def wanted(row: ScoreRow) -> bool:
            if adjustment is None or row.cell.in_domain:
                return _scored_as(row) in self._headlines
            return row.adjustment == adjustment

        rows = [row for row in self._done.get(metric or MAIN_METRIC, ()) if wanted(row)]
        valued = [row for row in rows if row.value is not None]
        undone = [*self._undone, *(row for row in rows if row.value is None)]
        return tuple(
            sorted(
                _with_missing(_built(valued), undone, self._expected),
                key=lambda matrix: (
                    matrix.setting.demo,
                    matrix.setting.protocol,
                    str(matrix.setting.class_rule),
                    matrix.setting.backbone,
                    str(matrix.setting),
                ),
            )
        )


def by_set(found: Iterable[Matrix], sets: Mapping[str, Collection[str]]) -> tuple[Matrix, ...]:
    """Return a matrix for every set of corpora, and one for the cells between sets.

    Demo corpora are in no set: their matrices stay as they are.

    Args:
        found: matrices over any corpora.
        sets: the corpora of each set.
    """
    divided = []
    for matrix in found:
        if matrix.setting.demo or not sets:
            divided.append(matrix)
            continue
        pairs = {*matrix.cells, *matrix.missing}
        inside = {
            name: {pair for pair in pairs if corpora.issuperset(pair)}
            for name, corpora in ((name, frozenset(sets[name])) for name in sorted(sets))
        }
        inside[BETWEEN_SETS] = pairs.difference(*inside.values())
        divided += [
            replace(matrix.restricted(own), setting=replace(matrix.setting, corpora=name))
            for name, own in inside.items()
            if not own.isdisjoint(matrix.cells)
        ]
    return tuple(divided)


def common_cells(found: Sequence[Matrix]) -> tuple[Matrix, ...]:
    """Return the matrices with only the cells that all of them have."""
    if not found:
        return ()
    shared = set.intersection(*(set(matrix.cells) for matrix in found))
    return tuple(matrix.restricted(shared) for matrix in found)


def _scored_as(row: ScoreRow) -> tuple[str | None, ...]:
    return row.cell.protocol, row.class_rule, row.adjustment


def _built(done: Iterable[ScoreRow]) -> list[Matrix]:
    """Group rows into matrices. In-domain cells belong to the matrix of every class rule."""
    by_setting: dict[Setting, dict[Pair, list[ScoreRow]]] = {}
    for row in done:
        cells = by_setting.setdefault(Setting.of(row), {})
        cells.setdefault((row.cell.train_corpus, row.cell.test_corpus), []).append(row)
    diagonals = {
        setting: cells for setting, cells in by_setting.items() if setting.class_rule is None
    }
    found, used = [], set()
    for setting, cells in by_setting.items():
        inside = replace(setting, class_rule=None, adjustment=None)
        if setting != inside:
            used.add(inside)
            found.append(_matrix(setting, {**diagonals.get(inside, {}), **cells}))
    found += [
        _matrix(setting, cells) for setting, cells in diagonals.items() if setting not in used
    ]
    return found


def _matrix(setting: Setting, cells: Mapping[Pair, list[ScoreRow]]) -> Matrix:
    return Matrix(
        setting=setting, cells={pair: _cell(pair, rows) for pair, rows in sorted(cells.items())}
    )


def _with_missing(
    found: Sequence[Matrix], undone: Sequence[ScoreRow], expected: Expected
) -> list[Matrix]:
    """Return matrices that name their missing cells."""
    together: dict[tuple[str | bool | None, ...], set[Pair]] = {}
    for matrix in found:
        together.setdefault(matrix.setting.comparison_key, set()).update(matrix.cells)
    completed = []
    for matrix in found:
        setting = matrix.setting
        wanted = set(together[setting.comparison_key])
        reasons: dict[Pair, str] = {}
        for row in undone:
            if not _belongs(row, setting):
                continue
            pair = (row.cell.train_corpus, row.cell.test_corpus)
            wanted.add(pair)
            if row.cell.backbone == setting.backbone:
                reasons[pair] = row.reason or row.status
        if not setting.demo:
            wanted.update(expected.get(IN_DOMAIN, ()))
            wanted.update(expected.get(setting.class_rule or IN_DOMAIN, ()))
        missing = {
            pair: reasons.get(pair, "not in this run")
            for pair in sorted(wanted)
            if pair not in matrix.cells
        }
        completed.append(replace(matrix, missing=missing))
    return completed


def _belongs(row: ScoreRow, setting: Setting) -> bool:
    """Return whether the cell of a row that is not done would be in a matrix."""
    if row.cell.demo != setting.demo or row.cell.protocol != setting.protocol:
        return False
    return row.cell.in_domain or row.class_rule in (None, setting.class_rule)


def _cell(pair: Pair, rows: Sequence[ScoreRow]) -> Cell:
    over_folds = [row for row in rows if row.cell.fold is None]
    single = [row for row in rows if row.cell.fold is not None]
    by_seed: dict[int | None, list[float]] = {}
    for row in over_folds or single:
        by_seed.setdefault(row.cell.split_seed, []).append(_value(row))
    first = (over_folds or single)[0]
    keys = {row.cell.prediction_key for row in single or over_folds}
    return Cell(
        train=pair[0],
        test=pair[1],
        by_seed={seed: fmean(values) for seed, values in sorted(by_seed.items(), key=_seed_order)},
        by_fold=tuple(map(_value, single)) if len(single) > 1 else (),
        pooled=bool(over_folds),
        complete=all(row.cell.complete is not False for row in rows),
        prediction_keys=tuple(sorted(key for key in keys if key)),
        n_train=first.cell.n_train,
        n_test=first.n_test,
        n_dropped=first.n_dropped,
        n_missing=first.cell.n_missing,
        n_classes=first.n_classes,
        shared_speakers=first.cell.shared_speakers,
        shared_texts=first.cell.shared_texts,
    )


def _value(row: ScoreRow) -> float:
    assert row.value is not None
    return row.value


def _seed_order(item: tuple[int | None, object]) -> int:
    return -1 if item[0] is None else item[0]


def _components(pairs: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    clusters: list[set[str]] = []
    for pair in pairs:
        touched = [cluster for cluster in clusters if cluster & set(pair)]
        clusters = [cluster for cluster in clusters if cluster not in touched]
        clusters.append(set(pair).union(*touched))
    found = (tuple(sorted(cluster)) for cluster in clusters)
    return tuple(sorted(found, key=lambda corpora: (-len(corpora), corpora)))
