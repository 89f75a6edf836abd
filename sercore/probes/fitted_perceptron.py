"""A trained perceptron: from training or from stored weights."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import torch

from sercore.probes.checks import check_stored_names
from sercore.probes.checks import check_stored_shapes
from sercore.probes.checks import check_width
from sercore.probes.frame_reader import FrameReader
from sercore.probes.perceptron import PARAMETER_NAMES
from sercore.probes.perceptron import Perceptron

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import EpochRecord
    from sercore.probes.training_recipe import TrainingRecipe


_AHEAD = 32
"""Utterances that are asked for in advance."""


class FittedPerceptron:
    """A trained perceptron that is applied to every frame.

    Args:
        model: the trained parameters.
        log: one record per epoch of training.
    """

    def __init__(self, model: Perceptron, *, log: tuple[EpochRecord, ...] = ()) -> None:
        self._model = model
        self._log = log

    @classmethod
    def from_weights(
        cls, weights: Mapping[str, npt.NDArray[Any]], recipe: TrainingRecipe, *, device: str
    ) -> FittedPerceptron:
        """Return a trained perceptron from its stored weights.

        Args:
            weights: the stored arrays by name.
            recipe: the recipe that they were trained with.
            device: where the probe will be used, ``cpu`` or ``cuda[:n]``.

        Raises:
            ProtocolError: an array is missing or has an unexpected shape.
        """
        check_stored_names(weights, PARAMETER_NAMES)
        hidden, n_classes = recipe.hidden, len(weights["output.bias"])
        check_stored_shapes(
            weights,
            {
                "hidden.weight": (hidden, weights["hidden.weight"].shape[-1]),
                "hidden.bias": (hidden,),
                "norm.weight": (hidden,),
                "norm.bias": (hidden,),
                "output.weight": (n_classes, hidden),
                "output.bias": (n_classes,),
            },
        )
        tensors = {
            name: torch.tensor(weights[name], dtype=torch.float32, device=device)
            for name in PARAMETER_NAMES
        }
        return cls(Perceptron(tensors, norm_epsilon=recipe.norm_epsilon))

    @property
    def weights(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """The trained arrays by name; `from_weights` takes them."""
        return self._model.weights()

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """One record per epoch; empty for a probe that was loaded."""
        return self._log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the mean logits of some utterances.

        Each utterance is computed alone, so its logits are the same to the last bit whichever
        other rows are given (on the same machine, with the same threads and versions).

        Returns:
            float32 of shape (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        model = self._model
        check_width(frames, model.width)
        logits = np.empty((len(rows), len(model.parameters["output.bias"])), np.float32)
        if not len(rows):
            return logits
        reader = FrameReader(
            frames,
            rows,
            device=str(model.device),
            max_frames=int(frames.length[rows].max()),
        )
        with torch.inference_mode():
            for place in range(len(rows)):
                if place % _AHEAD == 0:
                    reader.prefetch(np.arange(place, min(place + 2 * _AHEAD, len(rows))))
                utterance = np.array([place])
                logits[place] = model.logits(reader.read(utterance)).cpu().numpy()
        return logits
