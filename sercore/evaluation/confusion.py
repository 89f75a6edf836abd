"""Measures of confusion counts, over any number of leading axes at once.

The first of the last two axes is the label, the second the prediction. One implementation serves
the metrics of a cell (no leading axis) and the bootstrap (one leading axis of draws).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    import numpy.typing as npt

    Counts = npt.NDArray[Any]
    Values = npt.NDArray[np.float64]

SUPPORTED = "supported"
OCCURRING = "occurring"


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


def averaged(counts: Counts, averaging: str) -> npt.NDArray[np.bool_]:
    """Return bool (..., classes): which classes an average runs over.

    Args:
        counts: (..., classes, classes).
        averaging: ``supported`` (with test support) or ``occurring`` (in labels or predictions).

    Raises:
        ProtocolError: another averaging was asked for.
    """
    supported = counts.sum(axis=-1) > 0
    if averaging == SUPPORTED:
        return np.asarray(supported)
    if averaging == OCCURRING:
        return np.asarray(supported | (counts.sum(axis=-2) > 0))
    raise ProtocolError(
        f"there is no averaging '{averaging}'", hint=f"it is '{SUPPORTED}' or '{OCCURRING}'"
    )


def precision(counts: Counts) -> Values:
    """Return float64 (..., classes); NaN for a class that was never predicted."""
    return _ratio(_correct(counts), counts.sum(axis=-2))


def recall(counts: Counts) -> Values:
    """Return float64 (..., classes); NaN for a class without test support."""
    return _ratio(_correct(counts), counts.sum(axis=-1))


def f1(counts: Counts) -> Values:
    """Return float64 (..., classes): 2 TP / (2 TP + FP + FN).

    A class in labels or predictions that was never right has 0; one in neither has NaN.
    """
    return _ratio(2 * _correct(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def macro_f1(counts: Counts, averaging: str) -> Values:
    """Return float64 (...): the mean F1 over the classes of `averaging`; NaN without any."""
    return _mean(f1(counts), averaged(counts, averaging))


def uar(counts: Counts, averaging: str = SUPPORTED) -> Values:
    """Return float64 (...): the mean recall over the classes with test support.

    Recall without support is undefined, so the averaging makes no difference.
    """
    del averaging
    return _mean(recall(counts), averaged(counts, SUPPORTED))


def accuracy(counts: Counts, averaging: str = SUPPORTED) -> Values:
    """Return float64 (...): the share of utterances that are right."""
    del averaging
    return _ratio(_correct(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def weighted_f1(counts: Counts, averaging: str = SUPPORTED) -> Values:
    """Return float64 (...): the mean F1 weighted by test support.

    Classes without support weigh nothing, so the averaging makes no difference.
    """
    del averaging
    support = counts.sum(axis=-1)
    return _ratio(np.nansum(f1(counts) * support, axis=-1), support.sum(axis=-1))


MEASURES: Mapping[str, Callable[[Counts, str], Values]] = {
    "macro-f1": macro_f1,
    "uar": uar,
    "accuracy": accuracy,
    "weighted-f1": weighted_f1,
}
"""Metrics that are functions of the confusion counts alone, by metric id."""


def _correct(counts: Counts) -> Counts:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _ratio(numerator: Counts, denominator: Counts) -> Values:
    undefined = np.full(np.shape(denominator), np.nan)
    defined = np.asarray(denominator) > 0
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=defined))


def _mean(values: Values, mask: npt.NDArray[np.bool_]) -> Values:
    return _ratio(np.where(mask, values, 0.0).sum(axis=-1), mask.sum(axis=-1))
