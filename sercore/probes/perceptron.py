"""The perceptron of the published probe, and its gradient over packed frames.

    frame -> Linear(width, hidden) -> LayerNorm -> GELU -> Dropout -> mean over frames -> Linear

The published probe applies the output layer to every frame and averages the logits. The output
layer is linear, so averaging first gives the same logits and the same gradient. Two large matrix
products remain: one forward, and one for the gradient of the first layer (frames are frozen and
need no gradient). Everything between these products runs on chunks of whole utterances that fit
into the processor's cache, in buffers that are allocated once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sercore.probes.training_recipe import TrainingRecipe

PARAMETER_NAMES = (
    "hidden.weight",
    "hidden.bias",
    "norm.weight",
    "norm.bias",
    "output.weight",
    "output.bias",
)
"""Names of the stored arrays of a trained perceptron."""

_aten = torch.ops.aten


class Perceptron:
    """The parameters of the perceptron, and its forward pass over one utterance.

    Args:
        parameters: the six tensors by the names in `PARAMETER_NAMES`, float32 on one device.
        norm_epsilon: added to the variance by layer normalisation.
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], *, norm_epsilon: float) -> None:
        self.parameters = {name: parameters[name] for name in PARAMETER_NAMES}
        self.norm_epsilon = norm_epsilon

    @classmethod
    def initialised(
        cls, width: int, n_classes: int, recipe: TrainingRecipe, *, seed: int, device: str
    ) -> Perceptron:
        """Return a perceptron with random weights.

        The hidden layer is Xavier uniform, the output layer is normal with standard deviation
        1 / sqrt(hidden), and all biases are zero. The numbers are drawn on the CPU, so every
        device starts from the same weights.
        """
        generator = torch.Generator().manual_seed(seed)
        hidden = torch.empty(recipe.hidden, width)
        nn.init.xavier_uniform_(hidden, generator=generator)
        output = torch.empty(n_classes, recipe.hidden)
        nn.init.normal_(output, std=recipe.hidden**-0.5, generator=generator)
        tensors = (
            hidden,
            torch.zeros(recipe.hidden),
            torch.ones(recipe.hidden),
            torch.zeros(recipe.hidden),
            output,
            torch.zeros(n_classes),
        )
        return cls(
            {
                name: tensor.to(device)
                for name, tensor in zip(PARAMETER_NAMES, tensors, strict=True)
            },
            norm_epsilon=recipe.norm_epsilon,
        )

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return self.parameters["hidden.weight"].shape[1]

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.parameters["hidden.weight"].device

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return a copy of the parameters as float32 arrays by name."""
        return {
            name: tensor.detach().cpu().numpy().copy() for name, tensor in self.parameters.items()
        }

    def logits(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the mean logits of one utterance.

        The shapes of all products come from this utterance, so the result does not depend on
        other utterances.

        Args:
            frames: float32 (frames, width).

        Returns:
            float32 (classes,).
        """
        weight = self.parameters
        hidden = torch.addmm(weight["hidden.bias"], frames, weight["hidden.weight"].t())
        normed = nn.functional.layer_norm(
            hidden,
            hidden.shape[1:],
            weight["norm.weight"],
            weight["norm.bias"],
            self.norm_epsilon,
        )
        pooled = nn.functional.gelu(normed).mean(dim=0)
        return torch.addmv(weight["output.bias"], weight["output.weight"], pooled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ForwardPass:
    """Values of a forward pass that the backward pass needs."""

    hidden: torch.Tensor
    """Output of the hidden layer, (frames, hidden)."""
    normed: torch.Tensor
    """Output of layer normalisation, (frames, hidden)."""
    mean: torch.Tensor
    inverse: torch.Tensor
    """Inverse standard deviation of each frame."""
    kept: torch.Tensor | None
    """Zeros and ones of dropout, (frames, hidden); None without dropout."""
    scale: torch.Tensor
    """1 / (frames x share that dropout keeps), (utterances, 1)."""
    pooled: torch.Tensor
    """Mean activations, (utterances, hidden)."""
    logits: torch.Tensor
    """(utterances, classes)."""


class PackedGradient:
    """Loss and gradient of a perceptron over chunks of whole utterances.

    Gradients are added to ``.grad`` of the parameters.

    Args:
        perceptron: the model.
        recipe: gives dropout and label smoothing.
        max_frames: upper bound of the frames in a chunk.
        seed: seeds dropout.
    """

    def __init__(
        self, perceptron: Perceptron, recipe: TrainingRecipe, *, max_frames: int, seed: int
    ) -> None:
        self._model = perceptron
        self._recipe = recipe
        parameters = perceptron.parameters
        self._grad = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
        for name, tensor in parameters.items():
            tensor.grad = self._grad[name]
        self._device = parameters["hidden.weight"].device
        self._words = _RandomWords(self._device, seed)
        # Dropout compares 16 random bits per activation with a threshold. The dropped share is a
        # multiple of 2**-16 (6554 / 65536 for 0.1), and the scale is the exact inverse of the rest.
        self._threshold = round(recipe.dropout * 2**16) - 2**15
        self._keep = 1 - (self._threshold + 2**15) / 2**16
        shape = (max_frames, recipe.hidden)
        self._hidden, self._active, self._kept = (
            torch.empty(shape, device=self._device) for _ in range(3)
        )
        self._positions = torch.arange(max_frames, device=self._device)

    def add(
        self, frames: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor, *, share: float
    ) -> torch.Tensor:
        """Add the loss and the gradient of one chunk.

        Args:
            frames: float32 (frames, width), whole utterances one after the other.
            lengths: int64 (utterances,), frames of each utterance.
            labels: int64 (utterances,), their classes.
            share: weight of one utterance in the loss, 1 / batch.

        Returns:
            The loss of the chunk, a scalar on the device.
        """
        passed = self._forward(frames, lengths)
        loss, d_logits = self._loss(passed.logits, labels, share)
        self._backward(frames, lengths, passed, d_logits)
        return loss

    def _forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> _ForwardPass:
        """Compute the logits of each utterance of a chunk."""
        weight, n = self._model.parameters, len(frames)
        hidden, active = self._hidden[:n], self._active[:n]
        torch.addmm(weight["hidden.bias"], frames, weight["hidden.weight"].t(), out=hidden)
        # The variant with output buffers computes into temporaries first and copies them.
        normed, mean, inverse = torch.native_layer_norm(
            hidden,
            [self._recipe.hidden],
            weight["norm.weight"],
            weight["norm.bias"],
            self._model.norm_epsilon,
        )
        _aten.gelu.out(normed, out=active)
        kept = self._drop(active)
        # Mean over frames, rescaled for dropout. Sums run in frame order on every device.
        scale = (1 / (lengths * self._keep)).to(active.dtype)[:, None]
        begins = lengths.cumsum(0) - lengths
        sums = nn.functional.embedding_bag(self._positions[:n], active, begins, mode="sum")
        pooled = sums * scale
        logits = torch.addmm(weight["output.bias"], pooled, weight["output.weight"].t())
        return _ForwardPass(
            hidden=hidden,
            normed=normed,
            mean=mean,
            inverse=inverse,
            kept=kept,
            scale=scale,
            pooled=pooled,
            logits=logits,
        )

    def _loss(
        self, logits: torch.Tensor, labels: torch.Tensor, share: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the cross-entropy with label smoothing, and its gradient by the logits."""
        smoothing = self._recipe.label_smoothing
        log_probability = logits.log_softmax(dim=1)
        target = torch.full_like(logits, smoothing / logits.shape[1])
        target.scatter_(1, labels[:, None], 1 - smoothing + smoothing / logits.shape[1])
        loss = -share * (target * log_probability).sum()
        return loss, (log_probability.exp_() - target).mul_(share)

    def _backward(
        self,
        frames: torch.Tensor,
        lengths: torch.Tensor,
        passed: _ForwardPass,
        d_logits: torch.Tensor,
    ) -> None:
        """Add the gradient of every parameter; overwrites the buffer of activations."""
        weight, grad, n = self._model.parameters, self._grad, len(frames)
        grad["output.weight"].addmm_(d_logits.t(), passed.pooled)
        grad["output.bias"].add_(d_logits.sum(dim=0))
        d_pooled = (d_logits @ weight["output.weight"]).mul_(passed.scale)
        owner = torch.repeat_interleave(lengths, output_size=n)
        d_normed = torch.index_select(d_pooled, 0, owner, out=self._active[:n])
        if passed.kept is not None:
            d_normed.mul_(passed.kept)
        _aten.gelu_backward.grad_input(d_normed, passed.normed, grad_input=d_normed)
        d_hidden, d_scale, d_shift = _aten.native_layer_norm_backward(
            d_normed,
            passed.hidden,
            [self._recipe.hidden],
            passed.mean,
            passed.inverse,
            weight["norm.weight"],
            weight["norm.bias"],
            [True, True, True],
        )
        grad["norm.weight"].add_(d_scale)
        grad["norm.bias"].add_(d_shift)
        grad["hidden.bias"].add_(d_hidden.sum(dim=0))
        grad["hidden.weight"].addmm_(d_hidden.t(), frames)

    def _drop(self, active: torch.Tensor) -> torch.Tensor | None:
        """Drop activations in place; return the mask of zeros and ones, or None."""
        if not self._recipe.dropout:
            return None
        # Raw generator words are several times faster than a Bernoulli draw per activation.
        words = self._words.draw(-(-active.numel() // 4))
        bits = words.view(torch.int16)[: active.numel()].view(active.shape)
        kept = torch.ge(bits, self._threshold, out=self._kept[: len(active)])
        active.mul_(kept)
        return kept


class _RandomWords:
    """Uniform 64-bit words from the fastest generator of a device.

    Args:
        device: where the words are needed.
        seed: seeds the generator.
    """

    def __init__(self, device: torch.device, seed: int) -> None:
        self._device = device
        if device.type == "cpu":
            self._bits = np.random.SFC64(seed)
        else:
            self._generator = torch.Generator(device).manual_seed(seed)

    def draw(self, n: int) -> torch.Tensor:
        """Return the next words, int64 (n,)."""
        if self._device.type == "cpu":
            return torch.from_numpy(self._bits.random_raw(n).view(np.int64))
        words = torch.empty(n, dtype=torch.int64, device=self._device)
        return words.random_(-(2**63), None, generator=self._generator)
