"""What stands behind each cell: confusion counts, predictions, and the draws of its interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from sercore.errors import SercoreError
from sercore.evaluation.adjustment import Priors
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.confusion import MEASURES
from sercore.evaluation.metrics import CONFUSION_SEPARATOR
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.scores import Rule
from sercore.evaluation.scores import evaluate
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
from sercore.results.class_counts import StoredPriors

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.statistics import Interval
    from sercore.evaluation.statistics import Values
    from sercore.evaluation.units import Units
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.stored_run import StoredRun


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion counts of a cell, over all its fits."""

    labels: tuple[str, ...]
    """Classes with test support."""
    predictions: tuple[str, ...]
    """Classes that could be said."""
    counts: npt.NDArray[np.int64]
    """int64 (labels, predictions)."""

    def square(self) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """Return all classes and the counts over them on both axes."""
        classes = tuple(dict.fromkeys((*self.labels, *self.predictions)))
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        rows = [classes.index(name) for name in self.labels]
        columns = [classes.index(name) for name in self.predictions]
        counts[np.ix_(rows, columns)] = self.counts
        return classes, counts


@dataclass(frozen=True, slots=True)
class Estimate:
    """A cell's value on resampled test sets."""

    draws: Values
    """float64 (draws,)."""
    interval: Interval


@dataclass(frozen=True, slots=True)
class _Fit:
    """One set of predictions of a cell."""

    prediction_key: str
    probe_key: str
    train: str
    test: str
    test_manifest: str
    split_seed: int | None
    rule: str
    adjustment: str
    averaging: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Labels and predictions of one fit after the class rule and the adjustment."""

    rows: npt.NDArray[np.int64]
    """int64 (utterances,), rows of the test manifest."""
    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    classes: tuple[str, ...]


class Evidence:
    """Everything that a run stored about its cells.

    Args:
        run: the run.
        n_draws: draws per interval.
    """

    def __init__(self, run: StoredRun, n_draws: int = N_DRAWS) -> None:
        self._run = run
        self._n_draws = n_draws
        self._units = lru_cache(maxsize=64)(self._read_units)
        self._priors = StoredPriors(run.workspace, run.record)

    def confusion(self, cell: Cell, setting: Setting) -> Confusion | None:
        """Return the counts of a cell over all its fits, or None where they were not stored."""
        found = [
            self._confusions[key, *_scored_as(cell, setting)]
            for key in cell.prediction_keys
            if (key, *_scored_as(cell, setting)) in self._confusions
        ]
        return _summed(found) if found else None

    def estimates(self, matrices: Iterable[Matrix]) -> dict[tuple[Setting, Pair], Estimate]:
        """Return the interval and the draws of every cell whose metric has one.

        Draws of one test corpus are shared by all cells of its column, over backbones too, so
        that differences between cells can be drawn as well.
        """
        work = [
            (matrix.setting, cell)
            for matrix in matrices
            if matrix.setting.metric in MEASURES
            for cell in matrix.cells.values()
        ]
        # Column by column: the weights of a test corpus are drawn once.
        work.sort(key=lambda each: (each[1].test, each[1].in_domain))
        found = {}
        for setting, cell in work:
            estimate = self._estimate(setting, cell)
            if estimate is not None:
                found[setting, (cell.train, cell.test)] = estimate
        draw_weights.cache_clear()
        return found

    def answers(self, prediction_key: str, rule: str, adjustment: str) -> Answers | None:
        """Return what was said under a rule, or None where it cannot be rebuilt.

        The rebuilt answers must give the stored confusion counts, else they are not used: scores
        may have been computed from other predictions than those that lie here now.
        """
        fit = self._fits.get((prediction_key, rule, adjustment))
        stored = self._confusions.get((prediction_key, rule, adjustment))
        if fit is None or stored is None:
            return None
        try:
            answers = self._rebuild(fit, stored)
        except SercoreError:
            return None
        return answers if answers is not None and _agree(answers, stored) else None

    def _estimate(self, setting: Setting, cell: Cell) -> Estimate | None:
        rule, adjustment = _scored_as(cell, setting)
        keys = [key for key in cell.prediction_keys if (key, rule, adjustment) in self._fits]
        if not keys:
            return None
        fits = [self._fits[key, rule, adjustment] for key in keys]
        answers = [self.answers(key, rule, adjustment) for key in keys]
        rebuilt = [each for each in answers if each is not None]
        if len(rebuilt) == len(fits):
            draws, unit, n_units = self._draw(setting, cell, fits, rebuilt)
        else:
            draws, unit, n_units = self._draw_counts(setting, cell, fits)
        found = interval(cell.value, draws, unit=unit, n_units=n_units)
        return None if found is None else Estimate(draws, found)

    def _draw(
        self, setting: Setting, cell: Cell, fits: Sequence[_Fit], answers: Sequence[Answers]
    ) -> tuple[Values, str, int]:
        whole = self._units(fits[0].test, fits[0].test_manifest)
        n_classes = len(answers[0].classes)
        drawn = units_for(whole, np.concatenate([each.rows for each in answers]))
        names, codes = np.unique(drawn.codes, return_inverse=True)
        starts = np.cumsum([0, *(len(each.rows) for each in answers)])
        groups: dict[object, npt.NDArray[np.float32]] = {}
        for index, (fit, each) in enumerate(zip(fits, answers, strict=True)):
            own = codes[starts[index] : starts[index + 1]]
            counts = unit_counts(each.labels, each.predictions, own, len(names), n_classes)
            key = fit.split_seed if cell.pooled else fit.prediction_key
            groups[key] = groups[key] + counts if key in groups else counts
        seed = seed_for(fits[0].test, fits[0].test_manifest, cell.in_domain, drawn.kind)
        draws = [
            bootstrap(counts, fits[0].averaging, setting.metric, seed=seed, n_draws=self._n_draws)
            for counts in groups.values()
        ]
        return np.mean(draws, axis=0), drawn.kind, len(names)

    def _draw_counts(
        self, setting: Setting, cell: Cell, fits: Sequence[_Fit]
    ) -> tuple[Values, str, int]:
        """Draw single utterances from stored counts: all that is left without predictions."""
        groups: dict[object, list[Confusion]] = defaultdict(list)
        for fit in fits:
            key = fit.split_seed if cell.pooled else fit.prediction_key
            groups[key].append(self._confusions[fit.prediction_key, fit.rule, fit.adjustment])
        draws, n_units = [], 0
        for group, found in groups.items():
            _, counts = _summed(found).square()
            n_units = max(n_units, int(counts.sum()))
            draws.append(
                bootstrap_utterances(
                    counts,
                    fits[0].averaging,
                    setting.metric,
                    seed=seed_for(cell.test, group),
                    n_draws=self._n_draws,
                )
            )
        return np.mean(draws, axis=0), UTTERANCE, n_units

    def _rebuild(self, fit: _Fit, stored: Confusion) -> Answers | None:
        predictions = read_predictions(self._run.workspace, fit.prediction_key)
        allowed = frozenset((*stored.labels, *stored.predictions))
        priors = self._priors.of(fit.probe_key, fit.train, fit.test, predictions.classes)
        if priors is None:
            if fit.rule != IN_DOMAIN and fit.adjustment != "none":
                return None
            nothing = np.ones(len(predictions.classes))
            priors = Priors(nothing, nothing, nothing)
        if fit.rule != IN_DOMAIN and fit.adjustment != "published":
            # What could not be said had no training data, whatever the priors say.
            sayable = np.isin(predictions.classes, stored.predictions)
            priors = Priors(
                np.where(sayable, np.maximum(priors.train_part, 1.0), 0.0),
                priors.train_corpus,
                priors.test_corpus,
            )
        rule = Rule(fit.rule, allowed)
        evaluation, _ = evaluate(predictions, rule, fit.adjustment, priors, fit.averaging)
        kept = np.ones(len(predictions), dtype=bool)
        if fit.rule != IN_DOMAIN:
            kept = np.isin(np.array(predictions.classes)[predictions.labels], list(allowed))
        return Answers(
            predictions.rows[kept],
            evaluation.labels,
            evaluation.predictions,
            predictions.classes,
        )

    def _read_units(self, corpus: str, manifest: str) -> Units:
        return units_of(self._run.workspace.read_table(f"manifests/{corpus}/{manifest}.parquet"))

    @cached_property
    def _fits(self) -> dict[tuple[str, str, str], _Fit]:
        columns = (
            "prediction_key", "probe_key", "train_corpus", "test_corpus", "test_manifest",
            "split_seed", "class_rule", "adjustment", "averaging",
        )  # fmt: skip
        scores = self._run.scores
        whole = pc.and_(pc.equal(scores["status"], "done"), pc.is_null(scores["class"]))
        rows = scores.select(list(columns)).filter(whole).to_pylist()
        fits = [_Fit(*(row[name] for name in columns)) for row in rows if row["prediction_key"]]
        return {(fit.prediction_key, fit.rule, fit.adjustment): fit for fit in fits}

    @cached_property
    def _confusions(self) -> dict[tuple[str, str, str], Confusion]:
        scores = self._run.scores
        wanted = pc.and_(pc.equal(scores["metric"], "confusion"), pc.is_valid(scores["value"]))
        columns = ("prediction_key", "class_rule", "adjustment", "class", "value")
        narrow = scores.select(list(columns)).filter(wanted)
        cells: dict[tuple[str, str, str], list[tuple[str, float]]] = defaultdict(list)
        lists = (narrow[name].to_pylist() for name in columns)
        for key, rule, adjustment, pair, value in zip(*lists, strict=True):
            cells[key, rule, adjustment].append((pair, value))
        return {where: _confusion(pairs) for where, pairs in cells.items()}


def _scored_as(cell: Cell, setting: Setting) -> tuple[str, str]:
    """Return class rule and adjustment of a cell of a matrix."""
    if cell.in_domain:
        return IN_DOMAIN, "none"
    return str(setting.class_rule), str(setting.adjustment)


def _confusion(pairs: Sequence[tuple[str, float]]) -> Confusion:
    labels: dict[str, int] = {}
    predictions: dict[str, int] = {}
    places = []
    for pair, value in pairs:
        label, _, prediction = pair.partition(CONFUSION_SEPARATOR)
        row = labels.setdefault(label, len(labels))
        column = predictions.setdefault(prediction, len(predictions))
        places.append((row, column, int(value)))
    counts = np.zeros((len(labels), len(predictions)), dtype=np.int64)
    for row, column, count in places:
        counts[row, column] = count
    return Confusion(tuple(labels), tuple(predictions), counts)


def _summed(found: Sequence[Confusion]) -> Confusion:
    if len(found) == 1:
        return found[0]
    labels = tuple(sorted({name for each in found for name in each.labels}))
    predictions = tuple(sorted({name for each in found for name in each.predictions}))
    counts = np.zeros((len(labels), len(predictions)), dtype=np.int64)
    for each in found:
        rows = [labels.index(name) for name in each.labels]
        columns = [predictions.index(name) for name in each.predictions]
        counts[np.ix_(rows, columns)] += each.counts
    return Confusion(labels, predictions, counts)


def _agree(answers: Answers, stored: Confusion) -> bool:
    n = len(answers.classes)
    counts = unit_counts(answers.labels, answers.predictions, np.zeros_like(answers.labels), 1, n)
    expected = np.zeros((n, n))
    index = {name: position for position, name in enumerate(answers.classes)}
    if not set(stored.labels) | set(stored.predictions) <= set(index):
        return False
    rows = [index[name] for name in stored.labels]
    columns = [index[name] for name in stored.predictions]
    expected[np.ix_(rows, columns)] = stored.counts
    return bool(np.array_equal(counts[0], expected))
