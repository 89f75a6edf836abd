"""Logistic regression on the mean of the frames: the simplest probe that is in common use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from sercore.errors import ProtocolError
from sercore.probes.interface import EpochRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Progress

NAMES = ("centre", "scale", "weight", "bias")
"""The arrays that make up a trained regression, as they are stored."""

_IMPOSSIBLE = -27.631  # log(1e-12): what the published adjustment takes an absent class to be


@dataclass(frozen=True, slots=True)
class LogisticProbe:
    """Scikit-learn's multinomial logistic regression on standardised mean frames."""

    id: str = "logistic"
    summary: str = "Logistic regression (scikit-learn) on the mean of the frames."
    pools: ClassVar[bool] = True
    inverse_penalty: float = 1.0
    """Scikit-learn's ``C`` of the squared penalty."""
    max_iterations: int = 1000
    """Where the solver stops if it has not converged before."""

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
        """Solve on some utterances of a corpus; see `sercore.probes.interface.Probe.fit`.

        The problem is convex, so the seed changes nothing; it is always solved on the processor.
        The order of `rows` changes nothing either. A class without utterances keeps a logit of
        log(1e-12), which no utterance can overcome in practice.

        Raises:
            ProtocolError: there is nothing to train on, or an utterance has no frames, no class
                or frames that are not finite.
        """
        del seed, device
        import numpy as np

        from sercore.probes.checks import check_training_part
        from sercore.probes.mean_pooling import pooled_frames

        check_training_part(rows, labels, n_classes)
        began = time.perf_counter()
        by_row = np.argsort(rows, kind="stable")
        pooled = pooled_frames(frames, rows[by_row]).astype(np.float64)
        labels = labels[by_row]
        centre, spread = pooled.mean(axis=0), pooled.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        weight = np.zeros((n_classes, frames.width))
        bias = np.full(n_classes, _IMPOSSIBLE)
        present = np.unique(labels)
        iterations = 0
        if len(present) == 1:  # nothing to tell apart
            bias[present] = 0.0
        else:
            standardised = (pooled - centre) / scale
            weight[present], bias[present], iterations = self._solve(standardised, labels)
        fitted = FittedLogistic(
            {
                name: value.astype(np.float32)
                for name, value in zip(NAMES, (centre, scale, weight, bias), strict=True)
            },
            log=(),
        )
        if progress is not None:
            progress(1, 1)
        loss = _loss(fitted.of_means(pooled.astype(np.float32)), labels)
        record = EpochRecord(epoch=iterations, loss=loss, seconds=time.perf_counter() - began)
        return FittedLogistic(fitted.weights, log=(record,))

    def load(self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu") -> FittedProbe:
        """Return a regression solved earlier from its weights.

        Raises:
            ProtocolError: an array is missing or has another shape than the rest implies.
        """
        del device
        if missing := sorted(set(NAMES) - set(weights)):
            raise ProtocolError(
                f"the stored probe lacks {', '.join(missing)}",
                hint="it was written by another kind of probe; train it again",
            )
        n_classes, width = len(weights["bias"]), weights["weight"].shape[-1]
        for name, shape in {
            "centre": (width,),
            "scale": (width,),
            "weight": (n_classes, width),
        }.items():
            if weights[name].shape != shape:
                raise ProtocolError(
                    f"{name} of the stored probe has shape {weights[name].shape}, expected {shape}",
                    hint="it was written by another kind of probe; train it again",
                )
        return FittedLogistic({name: weights[name] for name in NAMES}, log=())

    def _solve(
        self, standardised: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
        """Return weights and biases of the classes that occur, and the iterations it took."""
        import warnings

        import numpy as np
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.inverse_penalty, max_iter=self.max_iterations)
        with warnings.catch_warnings():
            # The stored log tells the iterations, so a solution cut short shows there.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(standardised, labels)
        weight, bias = model.coef_, model.intercept_
        if len(weight) == 1:  # two classes: one row says how much likelier the second is
            weight, bias = (np.concatenate([-each / 2, each / 2]) for each in (weight, bias))
        return weight, bias, int(model.n_iter_.max())


class FittedLogistic:
    """A solved regression.

    Args:
        weights: its arrays by the names of `NAMES`.
        log: one record: iterations, training loss, seconds.
    """

    def __init__(
        self, weights: Mapping[str, npt.NDArray[Any]], *, log: tuple[EpochRecord, ...]
    ) -> None:
        self._weights = dict(weights)
        self._log = log

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Every array needed to use it again, by name."""
        return self._weights

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """One record whose epoch is the number of iterations; empty if it was loaded."""
        return self._log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits of some utterances, float32 (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        from sercore.probes.mean_pooling import pooled_frames

        width = len(self._weights["centre"])
        if frames.width != width:
            raise ProtocolError(
                f"the probe was trained on frames {width} wide, these are {frames.width} wide",
                hint="use the backbone, layer and variant that the probe was trained on",
            )
        return self.of_means(pooled_frames(frames, rows))

    def of_means(self, means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the logits of mean frames, float32 (utterances, classes)."""
        import numpy as np

        w = self._weights
        standardised = (means - w["centre"]) / w["scale"]
        logits = np.empty((len(means), len(w["bias"])), np.float32)
        # One by one: a product over all rows would round differently with their number.
        for place, one in enumerate(standardised):
            logits[place] = w["weight"] @ one + w["bias"]
        return logits


def _loss(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    import numpy as np
    from scipy.special import log_softmax

    chosen = log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return -float(chosen.mean())


LOGISTIC = LogisticProbe()
