"""Confusion counts: how often each label met each prediction.

`sercore.evaluation.metrics` computes measures from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_SEPARATOR = "→"
"""Between label and prediction in the class names of the metric `confusion`: ``anger→fear``."""


def confusion_counts(
    labels: npt.NDArray[Any], predictions: npt.NDArray[Any], n_classes: int
) -> npt.NDArray[np.int64]:
    """Return int64 (classes, classes): how often each label met each prediction.

    Args:
        labels: int (utterances,), indices below `n_classes`.
        predictions: int (utterances,), indices below `n_classes`.
        n_classes: the size of the class space.
    """
    pairs = labels.astype(np.intp) * n_classes + predictions
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def pair_name(label: str, prediction: str) -> str:
    """Return the class name of one confusion count in the scores.

    >>> pair_name("anger", "fear")
    'anger→fear'
    """
    return f"{label}{_SEPARATOR}{prediction}"


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion counts with the names of their classes."""

    labels: tuple[str, ...]
    """Classes with test support."""
    predictions: tuple[str, ...]
    """Classes that the class rule and the adjustment allow."""
    counts: npt.NDArray[np.int64]
    """int64 (labels, predictions)."""

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, float]]) -> Confusion:
        """Return the counts that the rows of the metric `confusion` hold.

        Args:
            pairs: names as `pair_name` writes them, and counts.
        """
        labels: dict[str, int] = {}
        predictions: dict[str, int] = {}
        places = []
        for name, value in pairs:
            label, _, prediction = name.partition(_SEPARATOR)
            row = labels.setdefault(label, len(labels))
            column = predictions.setdefault(prediction, len(predictions))
            places.append((row, column, int(value)))
        counts = np.zeros((len(labels), len(predictions)), dtype=np.int64)
        for row, column, count in places:
            counts[row, column] = count
        return cls(tuple(labels), tuple(predictions), counts)

    @classmethod
    def total(cls, parts: Sequence[Confusion]) -> Confusion:
        """Return the sum of the counts of several test sets, at least one."""
        if len(parts) == 1:
            return parts[0]
        labels = tuple(sorted({name for part in parts for name in part.labels}))
        predictions = tuple(sorted({name for part in parts for name in part.predictions}))
        counts = np.zeros((len(labels), len(predictions)), dtype=np.int64)
        for part in parts:
            counts += part.over(labels, predictions)
        return cls(labels, predictions, counts)

    def over(self, labels: Sequence[str], predictions: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return int64 (labels, predictions): the counts over larger sets of classes.

        Raises:
            ValueError: a class of the counts is not among those given.
        """
        counts = np.zeros((len(labels), len(predictions)), dtype=np.int64)
        rows = [labels.index(name) for name in self.labels]
        columns = [predictions.index(name) for name in self.predictions]
        counts[np.ix_(rows, columns)] = self.counts
        return counts

    def square(self) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
        """Return all classes, and the counts with all of them on both axes."""
        classes = tuple(dict.fromkeys((*self.labels, *self.predictions)))
        return classes, self.over(classes, classes)
