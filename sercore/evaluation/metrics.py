"""Metrics: what is computed from labels and scores of a whole test set.

numpy and SciPy are imported when a metric is computed: the registry lists metrics without them.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ECE_BINS = 15
"""Bins of equal width in which confidence and accuracy are compared (Guo et al. 2017)."""

CONFUSION_SEPARATOR = "→"
"""Between label and prediction in the class names of the metric `confusion`: ``anger→fear``."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One cell after the class rule and the adjustment, ready to be measured."""

    labels: npt.NDArray[np.int64]
    """int64 (utterances,), indices into `classes`."""
    logits: npt.NDArray[np.float64]
    """float64 (utterances, classes), adjusted; minus infinity where a class may not be said."""
    classes: tuple[str, ...]
    averaging: str
    """Which classes an average runs over: ``supported`` (with test support; protocol `standard`)
    or ``occurring`` (in labels or predictions; protocol `paper`)."""

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
        from sercore.evaluation import confusion

        mask = confusion.averaged(self.confusion, self.averaging)
        return tuple(name for name, counts in zip(self.classes, mask, strict=True) if counts)

    @cached_property
    def log_probabilities(self) -> npt.NDArray[np.float64]:
        """float64 (utterances, classes): the logarithm of the softmax of the logits."""
        import numpy as np
        from scipy.special import log_softmax

        return np.asarray(log_softmax(self.logits, axis=1), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named measure of one evaluation.

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


def _of_confusion(name: str) -> Callable[[Evaluation], Mapping[str | None, float]]:
    def compute(evaluation: Evaluation) -> Mapping[str | None, float]:
        from sercore.evaluation.confusion import MEASURES

        return {None: float(MEASURES[name](evaluation.confusion, evaluation.averaging))}

    return compute


def _per_class(name: str) -> Callable[[Evaluation], Mapping[str | None, float]]:
    def compute(evaluation: Evaluation) -> Mapping[str | None, float]:
        from sercore.evaluation import confusion

        measure = {"precision": confusion.precision, "recall": confusion.recall, "f1": confusion.f1}
        values = measure[name](evaluation.confusion)
        return dict(zip(evaluation.classes, map(float, values), strict=True))

    return compute


def _confusion(evaluation: Evaluation) -> Mapping[str | None, float]:
    """Return the count of every pair of a label with support and a class that could be said."""
    import numpy as np

    sayable = np.asarray(np.isfinite(evaluation.logits).any(axis=0))
    supported = np.asarray(evaluation.confusion.sum(axis=1) > 0)
    return {
        f"{label}{CONFUSION_SEPARATOR}{prediction}": float(evaluation.confusion[i, j])
        for i, label in enumerate(evaluation.classes)
        for j, prediction in enumerate(evaluation.classes)
        if supported[i] and sayable[j]
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
    said = evaluation.log_probabilities[np.arange(len(evaluation.labels)), evaluation.labels]
    return {None: float(-said.mean()) if np.isfinite(said).all() else np.nan}


METRICS: tuple[Metric, ...] = (
    Metric(
        id="macro-f1",
        summary="mean F1 over the classes that the protocol's averaging names",
        compute=_of_confusion("macro-f1"),
    ),
    Metric(
        id="uar",
        summary="unweighted average recall: mean recall over the classes with test support",
        compute=_of_confusion("uar"),
    ),
    Metric(
        id="accuracy",
        summary="share of utterances that are right",
        compute=_of_confusion("accuracy"),
    ),
    Metric(
        id="weighted-f1",
        summary="mean F1 weighted by test support",
        compute=_of_confusion("weighted-f1"),
    ),
    Metric(
        id="precision",
        summary="per class: share of its predictions that are right",
        compute=_per_class("precision"),
    ),
    Metric(
        id="recall",
        summary="per class: share of its utterances that are found",
        compute=_per_class("recall"),
    ),
    Metric(
        id="f1",
        summary="per class: harmonic mean of precision and recall",
        compute=_per_class("f1"),
    ),
    Metric(
        id="confusion",
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
        summary="mean of -log p(label), in nats; undefined where a label may not be said",
        compute=_negative_log_likelihood,
        higher_is_better=False,
    ),
)
"""The built-in metrics; the first is the main one."""
