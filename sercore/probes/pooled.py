"""The pooled counterpart of the published probe: mean frame first, then the same perceptron.

Both probes share recipe, code and number of parameters. They differ in one point: whether frames
are averaged before or after the hidden layer. The difference of their scores therefore shows
whether classifying every frame helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from sercore.probes.framewise import FramewiseProbe
from sercore.probes.training_recipe import TrainingRecipe

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
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)
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
    ) -> FittedPooled:
        """Train on some utterances of a corpus; see `sercore.probes.interface.Probe.fit`.

        Raises:
            ProtocolError: there is nothing to train on, or an utterance has no frames, no class
                or frames that are not finite.
        """
        import numpy as np

        from sercore.probes.checks import check_training_part
        from sercore.probes.mean_pooling import packed_mean_frames

        check_training_part(rows, labels, n_classes)
        by_row = np.argsort(rows, kind="stable")  # so that the order of rows changes nothing
        fitted = FramewiseProbe(recipe=self.recipe).fit(
            packed_mean_frames(frames, rows[by_row]),
            np.arange(len(rows)),
            labels[by_row],
            n_classes=n_classes,
            seed=seed,
            device=device,
            progress=progress,
        )
        return FittedPooled(fitted)

    def load(self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu") -> FittedPooled:
        """Return a trained probe from its stored weights.

        Raises:
            ProtocolError: an array is missing or has an unexpected shape.
        """
        return FittedPooled(FramewiseProbe(recipe=self.recipe).load(weights, device=device))


class FittedPooled:
    """A trained perceptron that is applied to mean frames.

    Args:
        perceptron: the trained perceptron.
    """

    def __init__(self, perceptron: FittedProbe) -> None:
        self._perceptron = perceptron

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """The trained arrays by name; `PooledProbe.load` takes them."""
        return self._perceptron.weights

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """One record per epoch; empty for a probe that was loaded."""
        return self._perceptron.log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the logits of the mean frame of each utterance, float32 (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        import numpy as np

        from sercore.probes.mean_pooling import packed_mean_frames

        return self._perceptron.logits(packed_mean_frames(frames, rows), np.arange(len(rows)))


POOLED = PooledProbe()
