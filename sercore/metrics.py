"""Metrics: what is computed from labels and scores of a whole test set."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """int64 (utterances,), the class with the highest logit; ties go to the first."""
        import numpy as np

        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)


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
