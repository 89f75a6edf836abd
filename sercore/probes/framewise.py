"""The published probe: a perceptron on every frame, logits averaged over the utterance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from sercore.probes.training_recipe import TrainingRecipe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.fitted_perceptron import FittedPerceptron
    from sercore.probes.interface import Progress


@dataclass(frozen=True, slots=True)
class FramewiseProbe:
    """A perceptron that is trained on, and applied to, every frame."""

    id: str = "framewise"
    summary: str = "The published probe: one hidden layer on every frame, logits averaged."
    recipe: TrainingRecipe = field(default_factory=TrainingRecipe)

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
    ) -> FittedPerceptron:
        """Train on some utterances of a corpus; see `sercore.probes.interface.Probe.fit`.

        Raises:
            ProtocolError: there is nothing to train on, or an utterance has no frames, no class
                or frames that are not finite.
        """
        from sercore.probes.fitted_perceptron import FittedPerceptron
        from sercore.probes.training import train

        model, log = train(
            frames,
            rows,
            labels,
            self.recipe,
            n_classes=n_classes,
            seed=seed,
            device=device,
            progress=progress,
        )
        return FittedPerceptron(model, log=log)

    def load(
        self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu"
    ) -> FittedPerceptron:
        """Return a trained probe from its stored weights.

        Raises:
            ProtocolError: an array is missing or has an unexpected shape.
        """
        from sercore.probes.fitted_perceptron import FittedPerceptron

        return FittedPerceptron.from_weights(weights, self.recipe, device=device)


FRAMEWISE = FramewiseProbe()

FAST = FramewiseProbe(
    id="fast",
    summary="The published probe on every fourth frame, with half the epochs.",
    recipe=TrainingRecipe(epochs=50, frame_stride=4, learning_rate=2e-4),
)
