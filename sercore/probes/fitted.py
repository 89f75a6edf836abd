"""A trained perceptron, in memory or from its stored weights."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import torch

from sercore.errors import ProtocolError
from sercore.probes.frame_reader import FrameReader
from sercore.probes.mlp import NAMES
from sercore.probes.mlp import Perceptron

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import EpochRecord
    from sercore.probes.recipe import Recipe


class FittedPerceptron:
    """A trained perceptron that is applied frame by frame.

    Args:
        model: its parameters.
        log: what each epoch of its training did.
    """

    def __init__(self, model: Perceptron, *, log: tuple[EpochRecord, ...] = ()) -> None:
        self._model = model
        self._log = log

    @classmethod
    def from_weights(
        cls, weights: Mapping[str, npt.NDArray[Any]], recipe: Recipe, *, device: str
    ) -> FittedPerceptron:
        """Build it from stored arrays.

        Raises:
            ProtocolError: an array is missing or has another shape than the rest implies.
        """
        if missing := sorted(set(NAMES) - set(weights)):
            raise ProtocolError(
                f"the stored probe lacks {', '.join(missing)}",
                hint="it was written by another kind of probe; train it again",
            )
        tensors = {
            name: torch.tensor(weights[name], dtype=torch.float32, device=device) for name in NAMES
        }
        hidden, n_classes = recipe.hidden, len(tensors["output.bias"])
        for name, shape in {
            "hidden.weight": (hidden, tensors["hidden.weight"].shape[-1]),
            "hidden.bias": (hidden,),
            "norm.weight": (hidden,),
            "norm.bias": (hidden,),
            "output.weight": (n_classes, hidden),
            "output.bias": (n_classes,),
        }.items():
            if tensors[name].shape != shape:
                raise ProtocolError(
                    f"{name} of the stored probe has shape {tuple(tensors[name].shape)},"
                    f" expected {shape}",
                    hint="it was written by another kind of probe; train it again",
                )
        return cls(Perceptron(tensors, norm_epsilon=recipe.norm_epsilon))

    @property
    def weights(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Every array needed to use it again, by name."""
        return self._model.weights()

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """What each epoch did; empty for a probe that was loaded."""
        return self._log

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the mean logits of some utterances.

        Each utterance is computed by itself, so its numbers are the same to the last bit
        whatever else is asked for (same machine, number of threads and versions).

        Returns:
            float32 of shape (rows, classes).

        Raises:
            ProtocolError: the frames have another width than the probe, or an utterance has none.
        """
        model = self._model
        n_classes, width = len(model.parameters["output.bias"]), model.width
        if frames.width != width:
            raise ProtocolError(
                f"the probe was trained on frames {width} wide, these are {frames.width} wide",
                hint="use the backbone, layer and variant that the probe was trained on",
            )
        logits = np.empty((len(rows), n_classes), np.float32)
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
                one = np.array([place])
                logits[place] = model.logits(reader.take(one)).cpu().numpy()
        return logits
