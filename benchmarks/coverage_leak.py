"""Simulations with known truth for the leak gap: probes that learn speakers with their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.evaluation.units import unit_counts
from sercore.statistics.leak import leak_gap

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

_DIMENSIONS, _FEATURES, _FOLDS, _CLASSES = 12, 40, 5, 5


def leak(number: int, *, n_speakers: int, offset: float, by_class: float) -> Mapping[str, Any]:
    """Return the leak gap of a ridge probe that learns from speakers with offsets."""
    centres = np.random.default_rng(0).normal(0, 0.5, (_CLASSES, _DIMENSIONS))
    rng = np.random.default_rng(number)
    speakers = np.repeat(np.arange(n_speakers), 40)
    n = len(speakers)
    labels = rng.integers(0, _CLASSES, n)
    sound = centres[labels] + rng.normal(size=(n, _DIMENSIONS))
    sound += rng.normal(0, offset, (n_speakers, _DIMENSIONS))[speakers]
    sound += rng.normal(0, by_class, (n_speakers, _CLASSES, _DIMENSIONS))[speakers, labels]
    sides: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(3):
        first = rng.normal(size=(_DIMENSIONS, _FEATURES)) / np.sqrt(_DIMENSIONS)
        hidden = np.maximum(sound @ first + rng.normal(size=_FEATURES), 0)
        hidden = np.concatenate([hidden, np.ones((n, 1))], axis=1)
        random = _stratified_folds(rng, labels)
        disjoint = (rng.permutation(n_speakers) % _FOLDS)[speakers]
        for side, folds in zip(sides, (random, disjoint), strict=True):
            predictions = _out_of_fold(hidden, labels, folds)
            side.append(unit_counts(labels, predictions, speakers, n_speakers, _CLASSES))
    interval = leak_gap(*sides).interval
    return {
        "gap": interval.value,
        "low": interval.low,
        "high": interval.high,
        "found": float(interval.low > 0),
    }


def _stratified_folds(rng: np.random.Generator, labels: Codes) -> Codes:
    folds = np.empty(len(labels), dtype=np.int64)
    start = 0
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        folds[rows] = (np.arange(len(rows)) + start) % _FOLDS
        start += len(rows)
    return folds


def _out_of_fold(hidden: Values, labels: Codes, folds: Codes) -> Codes:
    targets = np.eye(_CLASSES)[labels]
    predictions = np.zeros(len(labels), dtype=np.int64)
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        inside = hidden[train]
        gram = inside.T @ inside + 3 * np.eye(inside.shape[1])
        weights = np.linalg.solve(gram, inside.T @ targets[train])
        predictions[test] = (hidden[test] @ weights).argmax(axis=1)
    return predictions
