"""Simulations with known truth for cells, averages, seeds and chance.

Every trial is a function of its number alone: it simulates confusion counts, passes them through
sercore's own functions, and says what came out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sercore.evaluation.confusion import confusion_counts
from sercore.evaluation.metrics import accuracy
from sercore.evaluation.metrics import f1
from sercore.evaluation.metrics import macro_f1
from sercore.evaluation.metrics import recall
from sercore.evaluation.units import unit_counts
from sercore.published import published_corpora
from sercore.published import table1
from sercore.results.reductions import reduce_values
from sercore.statistics.averages import MatrixLayout
from sercore.statistics.averages import seed_strata
from sercore.statistics.averages import speaker_strata
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.chance import chance
from sercore.statistics.jackknife import CellEstimate
from sercore.statistics.jackknife import estimate_cell
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.statistics.intervals import Interval

    Values = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

CLASSES = 7
MOST_UTTERANCES = 1200  # of a corpus, so that a trial takes under a second
IMBALANCED = (0.47, 0.17, 0.12, 0.10, 0.07, 0.05, 0.02)
_LEAN = np.random.default_rng(0).normal(0, 0.4, CLASSES)


def holds(interval: Interval, truth: float) -> float:
    """Return 1 if an interval holds the truth, else 0."""
    return float(interval.low <= truth <= interval.high)


# Cells -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speakers:
    """A population of speakers whose skill and accents differ, and a sample of it."""

    sizes: tuple[int, ...]
    signal: float
    rare: bool = False
    """The last class is in the speech of a quarter of the speakers only."""
    prior: tuple[float, ...] | None = None

    def draw(self, rng: np.random.Generator, sizes: Sequence[int]) -> tuple[Codes, Codes, Codes]:
        """Return speakers, labels and predictions of utterances."""
        speakers = np.repeat(np.arange(len(sizes)), sizes)
        n = len(speakers)
        labels = rng.choice(CLASSES, n, p=self.prior)
        if self.rare:
            able = rng.random(len(sizes)) < 0.25
            unable = (labels == CLASSES - 1) & ~able[speakers]
            labels[unable] = rng.choice(CLASSES - 1, int(unable.sum()))
        accents = rng.normal(0, 0.5, (len(sizes), CLASSES))
        skill = rng.normal(0, 0.4, len(sizes))
        logits = rng.normal(0, 1, (n, CLASSES)) + _LEAN + accents[speakers]
        logits[np.arange(n), labels] += self.signal + skill[speakers]
        return speakers, labels, logits.argmax(axis=1)


@cache
def _population(signal: float, rare: bool, prior: tuple[float, ...] | None) -> Values:  # noqa: FBT001
    rng = np.random.default_rng(1)
    speakers = Speakers(sizes=(), signal=signal, rare=rare, prior=prior)
    total = np.zeros((CLASSES, CLASSES))
    for _ in range(4):
        _, labels, predictions = speakers.draw(rng, [8] * 25_000)
        total += confusion_counts(labels, predictions, CLASSES)
    return total


def cell(number: int, sample: Speakers) -> Mapping[str, float]:
    """Return whether the intervals of one cell hold the truth, and how wide they are."""
    truth = _population(sample.signal, sample.rare, sample.prior)
    rng = np.random.default_rng(number)
    speakers, labels, predictions = sample.draw(rng, sample.sizes)
    counts = unit_counts(labels, predictions, speakers, len(sample.sizes), CLASSES)
    there = counts.sum(axis=(0, 2)) > 0
    expected = {
        "macro-f1": float(f1(truth)[there].mean()),
        "uar": float(recall(truth)[there].mean()),
        "accuracy": float(accuracy(truth)),
    }
    found: dict[str, float] = {}
    for measure, value in expected.items():
        (interval,) = cell_intervals([estimate_cell([[counts]], measure=measure)])
        found[measure] = holds(interval, value)
        if measure == "macro-f1":
            found["width"] = interval.high - interval.low
    found["percentile width"] = _percentile_width(counts, rng)
    return found


def _percentile_width(counts: npt.NDArray[np.float32], rng: np.random.Generator) -> float:
    n = len(counts)
    weights = rng.multinomial(n, np.ones(n) / n, size=400).astype(np.float32)
    drawn = (weights @ counts.reshape(n, -1)).reshape(400, CLASSES, CLASSES)
    low, high = np.quantile(macro_f1(drawn, "supported"), [0.025, 0.975])
    return float(high - low)


# Averages --------------------------------------------------------------------------------------

AVERAGES = ("in-domain mean", "out-of-domain mean", "weighted average")
_SAMPLES = {row["id"]: (min(row["samples"], MOST_UTTERANCES), row["speakers"]) for row in table1()}
_OUTSIDE = tuple(row["id"] for row in table1() if row["ood_eligible"])
_LAYOUT = MatrixLayout(
    backbones=("first", "second"), in_domain=published_corpora(), out_of_domain=_OUTSIDE
)
_POPULATION = 40_000  # speakers behind the truth
_SECOND = -0.1  # how much weaker the second backbone is


@cache
def _cells() -> Mapping[tuple[str, str, str], tuple[float, Values]]:
    """Return the signal and the lean of each cell, as (backbone, train, test)."""
    rng = np.random.default_rng(0)
    found = {}
    for corpus in _LAYOUT.in_domain:
        signal, lean = rng.uniform(1, 3), rng.normal(0, 0.1, CLASSES)
        for backbone, weaker in zip(_LAYOUT.backbones, (0.0, _SECOND), strict=True):
            found[backbone, corpus, corpus] = (signal + weaker, lean)
    for train in _OUTSIDE:
        for test in _OUTSIDE:
            signal = rng.uniform(0.2, 0.7)
            for backbone, weaker in zip(_LAYOUT.backbones, (0.0, _SECOND), strict=True):
                lean = rng.normal(0, 0.5, CLASSES)
                if train != test:
                    found[backbone, train, test] = (signal + weaker, lean)
    return found


def _say(
    rng: np.random.Generator, labels: Codes, accents: Values, signal: float, lean: Values
) -> Codes:
    logits = rng.normal(0, 1, (len(labels), CLASSES)) + lean + accents
    logits[np.arange(len(labels)), labels] += signal
    return np.asarray(logits.argmax(axis=1))


@cache
def _true_cells() -> Values:
    """Return the macro-F1 of each cell over a population of speakers."""
    values = np.full(_LAYOUT.size, np.nan)
    for place, ((backbone, train, test), (signal, lean)) in enumerate(_cells().items()):
        rng = np.random.default_rng(1000 + place)
        speakers = np.repeat(np.arange(_POPULATION), 4)
        labels = rng.integers(0, CLASSES, len(speakers))
        # One speaker says nothing about others: their accent is no part of the truth.
        spread = 0.0 if _SAMPLES[test][1] == 1 else np.hypot(0.4, 0.3)
        accents = rng.normal(0, spread, (_POPULATION, CLASSES))[speakers]
        counts = confusion_counts(labels, _say(rng, labels, accents, signal, lean), CLASSES)
        values[_LAYOUT.position(backbone, train, test)] = float(macro_f1(counts, "supported"))
    return values


def _reduced(values: Values) -> Values:
    """Return (..., 2 x averages): averages of the first backbone, and differences."""
    found = reduce_values(*_LAYOUT.unpack(values))
    both = np.stack(
        [found.in_domain_mean, found.out_of_domain_mean, found.weighted], axis=-1
    )  # (..., backbones, averages)
    return np.concatenate([both[..., 0, :], both[..., 0, :] - both[..., 1, :]], axis=-1)


def averages(number: int, *, uneven: bool = False) -> Mapping[str, float]:
    """Return whether the intervals of averages and paired differences hold the truth.

    Args:
        number: of the trial.
        uneven: whether speakers of a corpus have sizes after Zipf, instead of about equal ones.
    """
    rng = np.random.default_rng(100 + number)
    values = np.full(_LAYOUT.size, np.nan)
    cells: dict[int, tuple[str, CellEstimate]] = {}
    for test in _LAYOUT.in_domain:
        n, n_speakers = _SAMPLES[test]
        shared = rng.normal(0, 0.4, (n_speakers, CLASSES))
        weights = 1 / np.arange(1, n_speakers + 1) if uneven else np.ones(n_speakers)
        for part, trains in (
            (n // 5, (test,)),
            (n, tuple(name for name in _OUTSIDE if name != test) if test in _OUTSIDE else ()),
        ):
            speakers = rng.choice(n_speakers, part, p=weights / weights.sum())
            labels = rng.integers(0, CLASSES, part)
            for train in trains:
                for backbone in _LAYOUT.backbones:
                    position = _LAYOUT.position(backbone, train, test)
                    estimate = _estimate(rng, (backbone, train, test), speakers, labels, shared)
                    values[position] = estimate.value
                    cells[position] = (test, estimate)
    intervals = stratified_jackknife(_reduced, values, speaker_strata(cells))
    names = [*AVERAGES, *(f"difference of {name}" for name in AVERAGES)]
    truth = _reduced(_true_cells())
    found = {
        name: holds(interval, value)
        for name, interval, value in zip(names, intervals, truth, strict=True)
    }
    found["out-of-domain width"] = intervals[1].high - intervals[1].low
    return found


def _estimate(
    rng: np.random.Generator,
    key: tuple[str, str, str],
    speakers: Codes,
    labels: Codes,
    shared: Values,
) -> CellEstimate:
    """Return one cell; with one speaker, utterances are the units."""
    own = rng.normal(0, 0.3, shared.shape)
    single = len(shared) == 1
    accents = np.zeros((1, CLASSES)) if single else (shared + own)[speakers]
    predictions = _say(rng, labels, accents, *_cells()[key])
    units = np.arange(len(labels)) if single else speakers
    n_units = len(labels) if single else len(shared)
    counts = unit_counts(labels, predictions, units, n_units, CLASSES)
    return estimate_cell([[counts]], unit="utterance" if single else "speaker")


# Seeds -----------------------------------------------------------------------------------------


def seeds(number: int, *, n_seeds: int, n_speakers: int, spread: float) -> Mapping[str, float]:
    """Return the share of 100 cells whose intervals hold the truth, by what is in them."""
    rng = np.random.default_rng(number)
    variances = spread**2 * 6 / rng.chisquare(6, 100)
    of_seed = rng.normal(size=(100, n_seeds)) * np.sqrt(variances)[:, np.newaxis]
    of_speaker = rng.normal(0, 0.10, (100, n_speakers))
    together = rng.normal(0, 0.06, (100, n_speakers, n_seeds))
    scores = 0.5 + of_seed[:, np.newaxis] + of_speaker[..., np.newaxis] + together
    estimates = [gaussian_cell(speakers) for speakers in scores]
    one_probe = [gaussian_cell(speakers[:, :1]) for speakers in scores]
    moderated = cell_intervals(estimates)
    single = cell_intervals(one_probe)
    return {
        "moderated": float(np.mean([holds(interval, 0.5) for interval in moderated])),
        "one probe": float(np.mean([holds(interval, 0.5) for interval in single])),
        "width": float(np.mean([interval.high - interval.low for interval in moderated])),
    }


def gaussian_cell(scores: Values) -> CellEstimate:
    """Return a cell whose value is the mean of scores (speakers, seeds)."""
    means = scores.mean(axis=1)
    n = len(means)
    return CellEstimate(
        value=float(means.mean()),
        by_seed=scores.mean(axis=0),
        without=(means.sum() - means) / (n - 1),
        sizes=np.ones(n),
        unit_ids=np.arange(n),
        unit="speaker",
    )


_NINE = MatrixLayout(backbones=("one",), in_domain=_OUTSIDE, out_of_domain=_OUTSIDE)


def average_seeds(number: int, *, n_seeds: int, spread: float) -> Mapping[str, float]:
    """Return whether intervals of averages hold the truth when training is a second source."""
    fixed = np.random.default_rng(0)
    n = len(_OUTSIDE)
    base = 0.19 + fixed.normal(0, 0.06, (n, 1)) + fixed.normal(0, 0.04, (1, n))
    base = np.clip(base + fixed.normal(0, 0.04, (n, n)), 0.05, 0.6)
    base[np.arange(n), np.arange(n)] = 0.75 + fixed.normal(0, 0.12, n)
    rng = np.random.default_rng(number)
    row = rng.normal(0, spread, (n, n_seeds))
    own = rng.normal(0, spread / 2, (n, n, n_seeds))
    cells: dict[int, tuple[str, CellEstimate]] = {}
    by_seed: dict[int, tuple[str, Mapping[int, float]]] = {}
    values, truth = np.full(_NINE.size, np.nan), np.full(_NINE.size, np.nan)
    for j, test in enumerate(_OUTSIDE):
        n_speakers = min(_SAMPLES[test][1], 68)
        shared = rng.normal(0, 0.06, n_speakers)
        for i, train in enumerate(_OUTSIDE):
            position = _NINE.position("one", train, test)
            effect = shared + rng.normal(0, 0.08, n_speakers)
            scores = base[i, j] + effect[:, np.newaxis] + (row[i] + own[i, j])
            estimate = gaussian_cell(scores)
            cells[position] = (test, estimate)
            by_seed[position] = (train, dict(enumerate(estimate.by_seed.tolist())))
            values[position], truth[position] = estimate.value, base[i, j]
    expected = _reduced_one(truth)
    found = {}
    for which, strata in (
        ("speakers and seeds", [*speaker_strata(cells), *seed_strata(by_seed)]),
        ("speakers only", speaker_strata(cells)),
    ):
        intervals = stratified_jackknife(_reduced_one, values, strata)
        for name, interval, value in zip(AVERAGES, intervals, expected, strict=True):
            found[f"{name}, {which}"] = holds(interval, value)
    return found


def _reduced_one(values: Values) -> Values:
    found = reduce_values(*_NINE.unpack(values))
    return np.stack([found.in_domain_mean, found.out_of_domain_mean, found.weighted], axis=-1)[
        ..., 0, :
    ]


# Chance and cost -------------------------------------------------------------------------------


def blind(number: int) -> Mapping[str, float]:
    """Return macro-F1 of blind answers with the test frequencies, and the closed form."""
    rng = np.random.default_rng(number)
    support = np.round(np.array(IMBALANCED) * 1000).astype(np.int64)
    labels = np.repeat(np.arange(CLASSES), support)
    answers = rng.choice(CLASSES, len(labels), p=support / support.sum())
    found = macro_f1(confusion_counts(labels, answers, CLASSES), "supported")
    return {"gap": float(found) - chance(support).best_blind_guess}


def unsayable(number: int) -> Mapping[str, float]:
    """Return chance where one of seven balanced classes cannot be said."""
    del number
    sayable = np.arange(CLASSES) > 0
    return {"chance": chance(np.full(CLASSES, 100), sayable=sayable).best_blind_guess}


def cost(number: int) -> Mapping[str, float]:
    """Return the seconds of the estimates and intervals of 819 cells."""
    rng = np.random.default_rng(number)
    cells = [*_LAYOUT.in_domain, *(test for test in _OUTSIDE for _ in range(8))]
    made = {}
    for test in dict.fromkeys(cells):
        n, n_speakers = _SAMPLES[test]
        n_units = n if n_speakers == 1 else n_speakers
        units = np.arange(n) if n_speakers == 1 else rng.integers(0, n_speakers, n)
        labels, predictions = rng.integers(0, CLASSES, (2, n))
        made[test] = unit_counts(labels, predictions, units, n_units, CLASSES)
    began = time.perf_counter()
    estimates = [estimate_cell([[made[test]]]) for _ in range(9) for test in cells]
    intervals = cell_intervals(estimates)
    return {"seconds": time.perf_counter() - began, "cells": float(len(intervals))}
