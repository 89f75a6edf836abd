"""Matrices: the done cells of one backbone under one set of choices, and what is missing."""

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
from typing import Any

import pyarrow.compute as pc

from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.metrics import METRICS

if TYPE_CHECKING:
    import pyarrow as pa

Pair = tuple[str, str]
"""Train corpus and test corpus."""

Expected = Mapping[str, Collection[Pair]]
"""By class rule (``in-domain`` too), the cells of a complete matrix."""

DONE = "done"

_SETTING = (
    "backbone", "checkpoint", "revision", "weights", "layer", "audio_path", "dtype", "reading",
    "mapper", "split", "probe", "probe_settings", "protocol", "averaging", "metric", "demo",
)  # fmt: skip
_NEEDED = (
    *_SETTING, "train_corpus", "test_corpus", "class_rule", "adjustment", "class", "fold",
    "split_seed", "value", "headline", "in_domain", "complete", "n_test", "n_classes", "n_dropped",
    "n_missing", "n_train", "shared_speakers", "shared_texts", "status", "reason", "prediction_key",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that must be equal among the cells of one matrix."""

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

    @property
    def family(self) -> tuple[Any, ...]:
        """What backbones must share for their matrices to stand side by side."""
        return (
            self.protocol, self.class_rule, self.adjustment, self.metric, self.averaging,
            self.reading, self.mapper, self.split, self.probe, self.probe_settings, self.demo,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One train corpus on one test corpus: its value over folds and seeds."""

    train: str
    test: str
    by_seed: Mapping[int | None, float]
    """Value by split seed. In domain that of the pooled folds, else the mean over the folds."""
    by_fold: tuple[float, ...] = ()
    """Values of the single fits behind it, where there is more than one."""
    pooled: bool = False
    """Whether the value is that of the pooled predictions of all folds."""
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
        """The standard deviation over seeds (n - 1), or over fits where there is one seed."""
        values = list(self.by_seed.values()) if len(self.by_seed) > 1 else list(self.by_fold)
        return stdev(values) if len(values) > 1 else None

    @property
    def in_domain(self) -> bool:
        """Whether it was trained and tested on parts of one corpus."""
        return self.train == self.test


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The cells of one backbone under one setting."""

    setting: Setting
    cells: Mapping[Pair, Cell]
    missing: Mapping[Pair, str] = field(default_factory=dict)
    """Cells that belong here and are not done, with the reason."""

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
        """Return the matrix of these cells alone; the others do not count as missing."""
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
    """Return every matrix that a table of scores holds.

    Demo and real corpora, class rules, and cells that differ in any part of their setting never
    share a matrix. A cell that one backbone has and another of the same family lacks counts as
    missing there; so do rows whose status is not ``done``.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        metric: which metric of whole cells; the headline's when None.
        adjustment: which out-of-domain adjustment; the headline's when None.
        expected: by class rule (``in-domain`` too), the pairs that a complete matrix of real
            corpora has.
    """
    rows = _rows(scores, metric, adjustment)
    done = [row for row in rows if row["status"] == DONE and row["value"] is not None]
    undone = [row for row in rows if row["status"] != DONE or row["value"] is None]
    found = _merged(_families(done))
    return tuple(
        sorted(
            _with_missing(found, undone, expected or {}),
            key=lambda matrix: (
                matrix.setting.demo,
                matrix.setting.protocol,
                str(matrix.setting.class_rule),
                matrix.setting.backbone,
                str(matrix.setting),
            ),
        )
    )


def common_cells(found: Sequence[Matrix]) -> tuple[Matrix, ...]:
    """Return the matrices restricted to the cells that all of them have."""
    if not found:
        return ()
    shared = set.intersection(*(set(matrix.cells) for matrix in found))
    return tuple(matrix.restricted(shared) for matrix in found)


def _rows(scores: pa.Table, metric: str | None, adjustment: str | None) -> list[dict[str, Any]]:
    """Return the rows of whole cells that are asked for, and all that are not done."""
    narrow = scores.select(list(_NEEDED)).filter(pc.is_null(scores["class"]))
    rows: list[dict[str, Any]] = narrow.to_pylist()
    main = metric or METRICS[0].id
    headlines = {_scored_as(row) for row in rows if row["headline"]}

    def wanted(row: Mapping[str, Any]) -> bool:
        if row["status"] != DONE:
            return True
        if row["metric"] != main:
            return False
        if adjustment is None or _is_in_domain(row):
            return _scored_as(row) in headlines
        return bool(row["adjustment"] == adjustment)

    return [row for row in rows if wanted(row)]


def _scored_as(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["protocol"], row["class_rule"], row["adjustment"]


def _families(
    done: Iterable[Mapping[str, Any]],
) -> dict[
    tuple[Any, ...], dict[tuple[str | None, str | None], dict[Pair, list[Mapping[str, Any]]]]
]:
    """Group rows by what must be equal, then by class rule and adjustment, then by cell."""
    families: dict[Any, dict[Any, dict[Pair, list[Mapping[str, Any]]]]] = {}
    for row in done:
        key = tuple(row[name] for name in _SETTING)
        rule = (None, None) if _is_in_domain(row) else (row["class_rule"], row["adjustment"])
        cells = families.setdefault(key, {}).setdefault(rule, {})
        cells.setdefault((row["train_corpus"], row["test_corpus"]), []).append(row)
    return families


def _merged(
    families: Mapping[tuple[Any, ...], Mapping[Any, Mapping[Pair, list[Mapping[str, Any]]]]],
) -> list[Matrix]:
    """Join the in-domain cells of a family with each of its class rules."""
    found = []
    for key, rules in families.items():
        diagonal = rules.get((None, None), {})
        outside = {rule: cells for rule, cells in rules.items() if rule != (None, None)}
        for (rule, adjustment), cells in (outside or {(None, None): {}}).items():
            setting = Setting(
                **dict(zip(_SETTING, key, strict=True)), class_rule=rule, adjustment=adjustment
            )
            everything = {pair: _cell(pair, rows) for pair, rows in {**diagonal, **cells}.items()}
            found.append(Matrix(setting=setting, cells=dict(sorted(everything.items()))))
    return found


def _with_missing(
    found: Sequence[Matrix], undone: Sequence[Mapping[str, Any]], expected: Expected
) -> list[Matrix]:
    families: dict[tuple[Any, ...], set[Pair]] = {}
    for matrix in found:
        families.setdefault(matrix.setting.family, set()).update(matrix.cells)
    completed = []
    for matrix in found:
        setting = matrix.setting
        wanted = set(families[setting.family])
        reasons: dict[Pair, str] = {}
        for row in undone:
            pair = (row["train_corpus"], row["test_corpus"])
            if None in pair or bool(row["demo"]) != setting.demo:
                continue
            if row["protocol"] not in (None, setting.protocol):
                continue
            if not _is_in_domain(row) and row["class_rule"] not in (None, setting.class_rule):
                continue
            wanted.add(pair)
            if row["backbone"] in (None, setting.backbone):
                reasons[pair] = row["reason"] or row["status"]
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


def _is_in_domain(row: Mapping[str, Any]) -> bool:
    return bool(row["in_domain"]) or row["train_corpus"] == row["test_corpus"]


def _cell(pair: Pair, rows: list[Mapping[str, Any]]) -> Cell:
    pooled = [row for row in rows if row["fold"] is None]
    fits = [row for row in rows if row["fold"] is not None]
    by_seed: dict[int | None, list[float]] = {}
    for row in pooled or fits:
        by_seed.setdefault(row["split_seed"], []).append(row["value"])
    first = (pooled or fits)[0]
    return Cell(
        train=pair[0],
        test=pair[1],
        by_seed={seed: fmean(values) for seed, values in sorted(by_seed.items(), key=_by_seed)},
        by_fold=tuple(row["value"] for row in fits) if len(fits) > 1 else (),
        pooled=bool(pooled),
        complete=all(row["complete"] is not False for row in rows),
        prediction_keys=tuple(
            sorted({row["prediction_key"] or "" for row in fits or pooled} - {""})
        ),
        **{
            name: first[name]
            for name in (
                "n_train", "n_test", "n_dropped", "n_missing", "n_classes", "shared_speakers",
                "shared_texts",
            )
        },
    )  # fmt: skip


def _by_seed(item: tuple[int | None, Any]) -> int:
    return -1 if item[0] is None else item[0]


def _components(pairs: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    clusters: list[set[str]] = []
    for pair in pairs:
        touched = [cluster for cluster in clusters if cluster & set(pair)]
        clusters = [cluster for cluster in clusters if cluster not in touched]
        clusters.append(set(pair).union(*touched))
    return tuple(sorted((tuple(sorted(each)) for each in clusters), key=lambda c: (-len(c), c)))
