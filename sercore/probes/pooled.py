"""The pooled twin of the published probe: the mean of the frames, then the same perceptron.

Both probes share recipe, code and number of parameters; what differs is only whether frames are
averaged before the hidden layer or after it. So the difference of their scores answers whether
classifying frame by frame helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from sercore.probes.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import EpochRecord
    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Progress


@dataclass(frozen=True, slots=True)
class PooledProbe:
    """A perceptron on the mean frame of an utterance."""

    id: str = "pooled"
    summary: str = "The mean of the frames, then the perceptron of the published probe."
    recipe: Recipe = field(default_factory=Recipe)
    pools: ClassVar[bool] = True

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every hyperparameter; part of the probe key."""
        return self.recipe.as_settings()

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
    ) -> FittedProbe:
        """Train on some utterances of a corpus; see `sercore.probes.interface.Probe.fit`.

        Raises:
            ProtocolError: there is nothing to train on, or an utterance has no frames, no class
                or frames that are not finite.
        """
        import numpy as np

        from sercore.probes.checks import check_training_part
        from sercore.probes.fitted import FittedPerceptron
        from sercore.probes.training import train

        by_row = np.argsort(rows, kind="stable")  # the order of rows must mean nothing
        check_training_part(rows, labels, n_classes)
        model, log = train(
            _as_frames(frames, rows[by_row]),
            np.arange(len(rows)),
            labels[by_row],
            self.recipe,
            n_classes=n_classes,
            seed=seed,
            device=device,
            progress=progress,
        )
        return FittedPooled(FittedPerceptron(model, log=log))

    def load(self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu") -> FittedProbe:
        """Return a probe trained earlier from its weights.

        Raises:
            ProtocolError: an array is missing or has another shape than the rest implies.
        """
        from sercore.probes.fitted import FittedPerceptron

        return FittedPooled(FittedPerceptron.from_weights(weights, self.recipe, device=device))


class FittedPooled:
    """A trained perceptron that is applied to mean frames.

    Args:
        perceptron: what it was trained to.
    """

    def __init__(self, perceptron: FittedProbe) -> None:
        self._perceptron = perceptron

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Every array needed to use it again, by name."""
        return self._perceptron.weights

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """What each epoch did; empty for a probe that was loaded."""
        return self._perceptron.log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits of the mean frame of some utterances, float32 (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        import numpy as np

        return self._perceptron.logits(_as_frames(frames, rows), np.arange(len(rows)))


def _as_frames(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> PackedFrames:
    """Return a corpus of the chosen utterances, each with its mean as the only frame."""
    import numpy as np

    from sercore.features.packed import PackedFrames
    from sercore.probes.mean_pooling import pooled_frames

    n = len(rows)
    return PackedFrames(
        blocks=[pooled_frames(frames, rows)],
        block=np.zeros(n, np.int32),
        start=np.arange(n, dtype=np.int64),
        length=np.ones(n, np.int64),
        width=frames.width,
    )


POOLED = PooledProbe()
