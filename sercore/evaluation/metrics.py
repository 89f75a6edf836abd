"""Metrics: what is computed from the labels and logits of a whole test set.

Most metrics are functions of confusion counts. Those accept any number of leading axes, so one
implementation serves the scores of a cell (no leading axis) and resampling (one axis of draws).
The first of the last two axes is the label, the second the prediction.

numpy and SciPy are imported when a metric is computed: the registry lists metrics without them.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import get_args

from sercore.errors import ProtocolError
from sercore.evaluation.protocols import SUPPORTED
from sercore.evaluation.protocols import Averaging

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[Any]
    Values = npt.NDArray[np.float64]

MAIN_METRIC = "macro-f1"
CONFUSION = "confusion"
"""The metric that stores the confusion counts of a cell."""

ECE_BINS = 15
"""Bins of equal width in which confidence and accuracy are compared (Guo et al. 2017)."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A test set after the class rule and the adjustment, ready to be measured."""

    labels: npt.NDArray[np.int64]
    """int64 (utterances,), indices into `classes`."""
    logits: npt.NDArray[np.float64]
    """float64 (utterances, classes), adjusted; minus infinity where a class is masked."""
    classes: tuple[str, ...]
    averaging: str
    """Which classes an average runs over, one of `sercore.evaluation.protocols.Averaging`."""

    @cached_property
    def predictions(self) -> npt.NDArray[np.int64]:
        """int64 (utterances,), the class with the highest logit; ties go to the first."""
        import numpy as np

        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """int64 (classes, classes), labels by predictions."""
        from sercore.evaluation.confusion import confusion_counts

        return confusion_counts(self.labels, self.predictions, len(self.classes))

    @property
    def averaged(self) -> tuple[str, ...]:
        """The classes that an average runs over; their number is a column of the scores."""
        mask = averaged(self.confusion, self.averaging)
        return tuple(name for name, counts in zip(self.classes, mask, strict=True) if counts)

    @cached_property
    def log_probabilities(self) -> npt.NDArray[np.float64]:
        """float64 (utterances, classes): the logarithm of the softmax of the logits."""
        import numpy as np
        from scipy.special import log_softmax

        return np.asarray(log_softmax(self.logits, axis=1), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named measure of an evaluation.

    Args:
        id: the name in the column ``metric``.
        summary: one sentence.
        compute: from an evaluation to named values: the key is None for the one value of the
            metric, or a class name for a per-class value; NaN where it is undefined.
        higher_is_better: None where neither is better.
    """

    id: str
    summary: str
    compute: Callable[[Evaluation], Mapping[str | None, float]]
    higher_is_better: bool | None = True


def averaged(counts: Counts, averaging: str) -> npt.NDArray[np.bool_]:
    """Return bool (..., classes): which classes an average runs over.

    Args:
        counts: (..., classes, classes).
        averaging: one of `sercore.evaluation.protocols.Averaging`.

    Raises:
        ProtocolError: the averaging does not exist.
    """
    import numpy as np

    if averaging not in get_args(Averaging):
        raise ProtocolError(
            f"there is no averaging '{averaging}'",
            hint=f"choose one of {', '.join(get_args(Averaging))}",
        )
    supported = np.asarray(counts.sum(axis=-1) > 0)
    if averaging == SUPPORTED:
        return supported
    return np.asarray(supported | (counts.sum(axis=-2) > 0))


def precision(counts: Counts) -> Values:
    """Return float64 (..., classes); NaN for a class that was never predicted."""
    return _ratio(_correct(counts), counts.sum(axis=-2))


def recall(counts: Counts) -> Values:
    """Return float64 (..., classes); NaN for a class without test support."""
    return _ratio(_correct(counts), counts.sum(axis=-1))


def f1(counts: Counts) -> Values:
    """Return float64 (..., classes): 2 TP / (2 TP + FP + FN).

    A class in labels or predictions that was never right has 0; a class in neither has NaN.
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
    import numpy as np

    del averaging
    support = counts.sum(axis=-1)
    return _ratio(np.nansum(f1(counts) * support, axis=-1), support.sum(axis=-1))


MEASURES: Mapping[str, Callable[[Counts, str], Values]] = {
    MAIN_METRIC: macro_f1,
    "uar": uar,
    "accuracy": accuracy,
    "weighted-f1": weighted_f1,
}
"""Metrics that are functions of the confusion counts alone, by metric id."""


def _correct(counts: Counts) -> Counts:
    return counts.diagonal(axis1=-2, axis2=-1)


def _ratio(numerator: Counts, denominator: Counts) -> Values:
    import numpy as np

    undefined = np.full(np.shape(denominator), np.nan)
    defined = np.asarray(denominator) > 0
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=defined))


def _mean(values: Values, mask: npt.NDArray[np.bool_]) -> Values:
    import numpy as np

    return _ratio(np.where(mask, values, 0.0).sum(axis=-1), mask.sum(axis=-1))


def _whole(
    measure: Callable[[Counts, str], Values],
) -> Callable[[Evaluation], Mapping[str | None, float]]:
    def compute(evaluation: Evaluation) -> Mapping[str | None, float]:
        return {None: float(measure(evaluation.confusion, evaluation.averaging))}

    return compute


def _per_class(
    measure: Callable[[Counts], Values],
) -> Callable[[Evaluation], Mapping[str | None, float]]:
    def compute(evaluation: Evaluation) -> Mapping[str | None, float]:
        values = measure(evaluation.confusion)
        return dict(zip(evaluation.classes, map(float, values), strict=True))

    return compute


def _confusion(evaluation: Evaluation) -> Mapping[str | None, float]:
    """Return the count of every pair of a label with support and a class that is not masked."""
    import numpy as np

    from sercore.evaluation.confusion import pair_name

    open_classes = np.asarray(np.isfinite(evaluation.logits).any(axis=0))
    supported = np.asarray(evaluation.confusion.sum(axis=1) > 0)
    return {
        pair_name(label, prediction): float(evaluation.confusion[i, j])
        for i, label in enumerate(evaluation.classes)
        for j, prediction in enumerate(evaluation.classes)
        if supported[i] and open_classes[j]
    }


def _expected_calibration_error(evaluation: Evaluation) -> Mapping[str | None, float]:
    import numpy as np

    total = len(evaluation.labels)
    if total == 0:
        return {None: np.nan}
    confidence = np.exp(evaluation.log_probabilities.max(axis=1))
    right = np.equal(evaluation.predictions, evaluation.labels)
    # Bins are open on the left: a confidence of exactly 1/15 belongs to the first.
    bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.intp) - 1, 0, ECE_BINS - 1)
    gap = np.bincount(bins, weights=right - confidence, minlength=ECE_BINS)
    return {None: float(np.abs(gap).sum() / total)}


def _negative_log_likelihood(evaluation: Evaluation) -> Mapping[str | None, float]:
    import numpy as np

    if len(evaluation.labels) == 0:
        return {None: np.nan}
    of_label = evaluation.log_probabilities[np.arange(len(evaluation.labels)), evaluation.labels]
    return {None: float(-of_label.mean()) if np.isfinite(of_label).all() else np.nan}


METRICS: tuple[Metric, ...] = (
    Metric(
        id=MAIN_METRIC,
        summary="mean F1 over the classes that the protocol's averaging names",
        compute=_whole(macro_f1),
    ),
    Metric(
        id="uar",
        summary="unweighted average recall: mean recall over the classes with test support",
        compute=_whole(uar),
    ),
    Metric(
        id="accuracy",
        summary="share of utterances that are right",
        compute=_whole(accuracy),
    ),
    Metric(
        id="weighted-f1",
        summary="mean F1 weighted by test support",
        compute=_whole(weighted_f1),
    ),
    Metric(
        id="precision",
        summary="per class: share of its predictions that are right",
        compute=_per_class(precision),
    ),
    Metric(
        id="recall",
        summary="per class: share of its utterances that are found",
        compute=_per_class(recall),
    ),
    Metric(
        id="f1",
        summary="per class: harmonic mean of precision and recall",
        compute=_per_class(f1),
    ),
    Metric(
        id=CONFUSION,
        summary="per pair 'label→prediction': how many utterances",
        compute=_confusion,
        higher_is_better=None,
    ),
    Metric(
        id="expected-calibration-error",
        summary=f"mean gap between confidence and accuracy in {ECE_BINS} bins of equal width",
        compute=_expected_calibration_error,
        higher_is_better=False,
    ),
    Metric(
        id="negative-log-likelihood",
        summary="mean of -log p(label), in nats; undefined where a label is masked",
        compute=_negative_log_likelihood,
        higher_is_better=False,
    ),
)
"""The built-in metrics; the first is the main one."""
