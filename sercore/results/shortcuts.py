"""What can be scored in domain without any sound: from the text alone, or from the speaker alone.

A shortcut says the class that the training part has most often for the same text, or for the same
speaker. It is computed from manifests and stored splits, with the splits, metric and intervals of
the real cells. Out of domain no text and no speaker of the training corpus occurs, so a shortcut
knows nothing there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING
from typing import Literal
from typing import NamedTuple
from typing import get_args

import numpy as np

from sercore.errors import ProtocolError
from sercore.errors import WorkspaceError
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import SplitScheme
from sercore.evaluation.scores import in_domain
from sercore.evaluation.scores import of_metric
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.units import units_of
from sercore.probes.store import read_split
from sercore.results.averages import CellVector
from sercore.results.cell_statistics import Estimate
from sercore.results.record import corpora_of
from sercore.statistics.answers import FitAnswers
from sercore.statistics.answers import count_by_unit
from sercore.statistics.jackknife import estimate_cell
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from sercore.evaluation.units import Units
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval
    from sercore.statistics.jackknife import CellEstimate

    Codes = npt.NDArray[np.int64]

Known = Literal["text", "speaker"]
"""What a shortcut knows about an utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """In-domain scores of answers that know one thing about an utterance, and not its sound."""

    known: Known
    cells: Mapping[str, Estimate]
    """By corpus; only corpora that name the text, or the speaker, of every utterance."""
    mean: float
    interval: Interval | None
    """Of the mean."""

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"{self.known} alone"


class _Place(NamedTuple):
    """What the in-domain cells of one corpus have in common over backbones and probes."""

    protocol: str
    split: str | None
    reading: str | None
    mapper: str | None
    corpus: str


class _Labelled(NamedTuple):
    """A manifest with its classes as codes."""

    table: pa.Table
    labels: Codes
    """-1 without a class."""
    n_classes: int
    units: Units


class Shortcuts:
    """The shortcuts of a run.

    Args:
        run: the run. Records of older runs do not say which class a native label has: no shortcut
            is known for them.
    """

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._corpora = corpora_of(run.record)
        self._labelled = lru_cache(maxsize=64)(self._read)

    def of(self, setting: Setting, corpora: Collection[str]) -> tuple[Shortcut, ...]:
        """Return the shortcuts under the splits, labels and metric of a matrix.

        Args:
            setting: of the matrix.
            corpora: those with an in-domain cell.
        """
        if setting.metric not in MEASURES:
            return ()
        found = [self._shortcut(known, setting, corpora) for known in get_args(Known)]
        return tuple(shortcut for shortcut in found if shortcut is not None)

    def _shortcut(
        self, known: Known, setting: Setting, corpora: Collection[str]
    ) -> Shortcut | None:
        own = (setting.protocol, setting.split, setting.reading, setting.mapper)
        estimates: dict[str, CellEstimate] = {}
        seeds: dict[str, tuple[int, ...]] = {}
        folds: dict[str, int | None] = {}
        for place, probes in self._probes.items():
            if place[:-1] != own or place.corpus not in corpora:
                continue
            estimate = self._estimate(place.corpus, probes, known, setting)
            if estimate is not None:
                estimates[place.corpus] = estimate
                seeds[place.corpus] = tuple(probes)
                k = max(map(len, probes.values()))
                disjoint = setting.split == SplitScheme.SPEAKER_DISJOINT and k > 1
                folds[place.corpus] = k if disjoint else None
        if not estimates:
            return None
        intervals = cell_intervals(list(estimates.values()), folds=list(folds.values()))
        cells = {
            corpus: Estimate(
                estimate, interval, seeds[corpus], self._corpora[corpus].manifest or ""
            )
            for (corpus, estimate), interval in zip(estimates.items(), intervals, strict=True)
        }
        return Shortcut(
            known=known,
            cells=cells,
            mean=fmean(estimate.value for estimate in estimates.values()),
            interval=_mean_interval(cells),
        )

    def _estimate(
        self, corpus: str, probes: Mapping[int, Mapping[int, str]], known: Known, setting: Setting
    ) -> CellEstimate | None:
        """Return the estimate of one corpus; None where its manifest or a split is not stored."""
        try:
            labelled = self._labelled(corpus) if corpus in self._corpora else None
            codes = None if labelled is None else _codes(labelled.table, known)
            if labelled is None or codes is None:
                return None
            answers = [
                [_joined([self._answer(labelled, codes, key) for key in by_fold.values()])]
                for by_fold in probes.values()
            ]
            counted = count_by_unit(answers, labelled.units, labelled.n_classes)
        except (WorkspaceError, ProtocolError):
            return None
        return estimate_cell(
            counted.seeds,
            averaging=setting.averaging or SUPPORTED,
            measure=setting.metric,
            unit=counted.unit,
            unit_ids=counted.unit_ids,
            notes=counted.notes,
        )

    def _answer(self, labelled: _Labelled, codes: Codes, probe_key: str) -> FitAnswers:
        split = read_split(self._run.workspace, probe_key)
        train, test = (rows[labelled.labels[rows] >= 0] for rows in (split.train, split.test))
        said = most_frequent(codes[train], labelled.labels[train], codes[test], labelled.n_classes)
        return FitAnswers(rows=test, labels=labelled.labels[test], predictions=said)

    def _read(self, corpus: str) -> _Labelled | None:
        record = self._corpora[corpus]
        if not record.labels or record.manifest is None:
            return None
        table = self._run.workspace.read_table(f"manifests/{corpus}/{record.manifest}.parquet")
        names = sorted({name for name in record.labels.values() if name is not None})
        index = {name: place for place, name in enumerate(names)}
        code = {native: index.get(name or "", -1) for native, name in record.labels.items()}
        natives = table["native_label"].to_pylist()
        labels = np.array([code.get(native, -1) for native in natives], dtype=np.int64)
        return _Labelled(table, labels, len(names), units_of(table))

    @cached_property
    def _probes(self) -> dict[_Place, dict[int, dict[int, str]]]:
        """For each corpus and seed, one probe of every fold; backbones share their splits."""
        found: dict[_Place, dict[int, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
        scored = of_metric(in_domain(self._run.whole_cells), MAIN_METRIC)
        for row in rows_of(with_predictions(scored)):
            cell = row.cell
            place = _Place(cell.protocol, cell.split, cell.reading, cell.mapper, cell.train_corpus)
            if cell.probe_key is not None and cell.split_seed is not None:
                found[place][cell.split_seed].setdefault(cell.fold or 0, cell.probe_key)
        return {place: _whole_seeds(by_seed) for place, by_seed in found.items()}


def most_frequent(train: Codes, labels: Codes, test: Codes, n_classes: int) -> Codes:
    """Return for each test value the class that training has most often for the same value.

    The class that is more frequent in all of training decides between equally frequent ones, and
    for a value that does not occur in training.

    Args:
        train: int64 (n,), a value for each training utterance.
        labels: int64 (n,), their classes.
        test: int64 (m,), a value for each test utterance.
        n_classes: the size of the class space.
    """
    n_values = int(max(train.max(initial=-1), test.max(initial=-1))) + 1
    counts = np.bincount(train * n_classes + labels, minlength=n_values * n_classes)
    shares = np.bincount(labels, minlength=n_classes) / (len(labels) + 1)
    best = (counts.reshape(n_values, n_classes) + shares).argmax(axis=1)
    return np.asarray(best[test], dtype=np.int64)


def _whole_seeds(by_seed: Mapping[int, Mapping[int, str]]) -> dict[int, dict[int, str]]:
    """Return the seeds that have every fold: others test only a part of the corpus."""
    most = max(map(len, by_seed.values()))
    return {
        seed: dict(sorted(folds.items()))
        for seed, folds in sorted(by_seed.items())
        if len(folds) == most
    }


def _codes(manifest: pa.Table, known: Known) -> Codes | None:
    """Return what is known about each utterance as codes; None where the corpus does not say it."""
    values = manifest["text_id" if known == "text" else "speaker"].to_pylist()
    if not values or not all(values):
        return None
    names = values if known == "text" else [" ".join(sorted(speakers)) for speakers in values]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _joined(folds: list[FitAnswers]) -> FitAnswers:
    return FitAnswers(
        rows=np.concatenate([fold.rows for fold in folds]),
        labels=np.concatenate([fold.labels for fold in folds]),
        predictions=np.concatenate([fold.predictions for fold in folds]),
    )


def _mean_interval(cells: Mapping[str, Estimate]) -> Interval | None:
    """Return the interval of the mean over corpora."""
    placed = {(corpus, corpus): estimate for corpus, estimate in cells.items()}
    vector = CellVector({"": placed}, list(cells), ())
    (interval,) = vector.intervals(lambda values: vector.reduced(values).in_domain_mean)
    return interval
