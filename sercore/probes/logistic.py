"""Logistic regression on mean frames: the simplest probe in common use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from sercore.probes.interface import EpochRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import Progress

ARRAY_NAMES = ("centre", "scale", "weight", "bias")
"""Names of the stored arrays of a trained regression."""

_ABSENT_CLASS_LOGIT = -27.631
"""log(1e-12), the value that the published adjustment uses for an absent class."""


@dataclass(frozen=True, slots=True)
class LogisticProbe:
    """Scikit-learn's multinomial logistic regression on standardised mean frames."""

    id: str = "logistic"
    summary: str = "Logistic regression (scikit-learn) on the mean of the frames."
    pools: ClassVar[bool] = True
    inverse_penalty: float = 1.0
    """Scikit-learn's ``C`` of the squared penalty."""
    max_iterations: int = 1000
    """The solver stops here if it has not converged."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every hyperparameter; part of the probe key."""
        return {
            "inverse_penalty": self.inverse_penalty,
            "max_iterations": self.max_iterations,
            "solver": "lbfgs",
            "standardised": True,
        }

    def fit(
        self,
        frames: PackedFrames,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        *,
        n_classes: int,
        seed: int,
        device: str,
        progress: Progress | None = None,
    ) -> FittedLogistic:
        """Train on some utterances of a corpus; see `sercore.probes.interface.Probe.fit`.

        The problem is convex and is always solved on the CPU, so `seed`, `device` and the order of
        `rows` do not change the result. A class without utterances gets a logit of log(1e-12), so
        that it is never predicted in practice.

        Raises:
            ProtocolError: there is nothing to train on, or an utterance has no frames, no class
                or frames that are not finite.
        """
        del seed, device
        import numpy as np

        from sercore.probes.checks import check_training_part
        from sercore.probes.mean_pooling import mean_frames

        check_training_part(rows, labels, n_classes)
        began = time.perf_counter()
        by_row = np.argsort(rows, kind="stable")
        means, labels = mean_frames(frames, rows[by_row]), labels[by_row]
        weights, iterations = self._solve(means.astype(np.float64), labels, n_classes)
        if progress is not None:
            progress(1, 1)
        loss = _loss(FittedLogistic(weights, log=()).logits_of_means(means), labels)
        record = EpochRecord(epoch=iterations, loss=loss, seconds=time.perf_counter() - began)
        return FittedLogistic(weights, log=(record,))

    def load(
        self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu"
    ) -> FittedLogistic:
        """Return a trained regression from its stored weights.

        Raises:
            ProtocolError: an array is missing or has an unexpected shape.
        """
        from sercore.probes.checks import check_stored_names
        from sercore.probes.checks import check_stored_shapes

        del device
        check_stored_names(weights, ARRAY_NAMES)
        n_classes, width = len(weights["bias"]), weights["weight"].shape[-1]
        check_stored_shapes(
            weights, {"centre": (width,), "scale": (width,), "weight": (n_classes, width)}
        )
        return FittedLogistic({name: weights[name] for name in ARRAY_NAMES}, log=())

    def _solve(
        self, means: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], n_classes: int
    ) -> tuple[dict[str, npt.NDArray[np.float32]], int]:
        """Return the trained arrays by name, and the number of iterations."""
        import numpy as np

        centre, spread = means.mean(axis=0), means.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        weight = np.zeros((n_classes, means.shape[1]))
        bias = np.full(n_classes, _ABSENT_CLASS_LOGIT)
        present = np.unique(labels)
        iterations = 0
        if len(present) == 1:  # there is no boundary to learn
            bias[present] = 0.0
        else:
            standardised = (means - centre) / scale
            weight[present], bias[present], iterations = self._regress(standardised, labels)
        arrays = zip(ARRAY_NAMES, (centre, scale, weight, bias), strict=True)
        return {name: array.astype(np.float32) for name, array in arrays}, iterations

    def _regress(
        self, standardised: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
        """Return weights and biases of the classes present, and the number of iterations."""
        import warnings

        import numpy as np
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.inverse_penalty, max_iter=self.max_iterations)
        with warnings.catch_warnings():
            # The stored log holds the iterations, so a solution that was cut short is visible.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(standardised, labels)
        weight, bias = model.coef_, model.intercept_
        if len(weight) == 1:  # two classes: scikit-learn gives the log odds of the second alone
            weight = np.concatenate([-weight / 2, weight / 2])
            bias = np.concatenate([-bias / 2, bias / 2])
        return weight, bias, int(model.n_iter_.max())


class FittedLogistic:
    """A trained regression.

    Args:
        weights: the arrays by the names in `ARRAY_NAMES`.
        log: one record with iterations, training loss and seconds.
    """

    def __init__(
        self, weights: Mapping[str, npt.NDArray[Any]], *, log: tuple[EpochRecord, ...]
    ) -> None:
        self._weights = dict(weights)
        self._log = log

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """The trained arrays by name; `LogisticProbe.load` takes them."""
        return self._weights

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """One record whose epoch is the number of iterations; empty for a probe that was loaded."""
        return self._log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits of some utterances, float32 (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        from sercore.probes.checks import check_width
        from sercore.probes.mean_pooling import mean_frames

        check_width(frames, len(self._weights["centre"]))
        return self.logits_of_means(mean_frames(frames, rows))

    def logits_of_means(self, means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the logits of mean frames, float32 (utterances, classes)."""
        import numpy as np

        weights = self._weights
        standardised = (means - weights["centre"]) / weights["scale"]
        logits = np.empty((len(means), len(weights["bias"])), np.float32)
        # One row at a time: the rounding of a product over all rows depends on their number.
        for place, mean in enumerate(standardised):
            logits[place] = weights["weight"] @ mean + weights["bias"]
        return logits


def _loss(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Return the mean cross-entropy."""
    import numpy as np
    from scipy.special import log_softmax

    chosen = log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return -float(chosen.mean())


LOGISTIC = LogisticProbe()
