"""The frame-wise perceptron with its gradient written out, over packed frames.

    frame -> Linear(width, hidden) -> LayerNorm -> GELU -> Dropout -> mean over frames -> Linear

The published probe applies the output layer to every frame and averages the logits. The layer is
linear, so averaging first gives the same logits and the same gradient, and leaves exactly two
large matrix products: one forward, one for the gradient of the first layer (frames are frozen,
so no gradient flows back into them). Everything between them runs on a chunk of whole utterances
small enough to stay in the cache of the processor, in buffers that are allocated once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sercore.probes.recipe import Recipe

NAMES = (
    "hidden.weight",
    "hidden.bias",
    "norm.weight",
    "norm.bias",
    "output.weight",
    "output.bias",
)
"""The arrays that make up a trained perceptron, as they are stored."""

_aten = torch.ops.aten


class Perceptron:
    """Parameters of the perceptron and its forward pass over one utterance.

    Args:
        parameters: the six tensors by the names of `NAMES`, float32 on one device.
        norm_epsilon: what layer normalisation adds to the variance.
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], *, norm_epsilon: float) -> None:
        self.parameters = {name: parameters[name] for name in NAMES}
        self.norm_epsilon = norm_epsilon

    @classmethod
    def initialised(
        cls, width: int, n_classes: int, recipe: Recipe, *, seed: int, device: str
    ) -> Perceptron:
        """Draw the first weights.

        The hidden layer is Xavier uniform, the output layer normal with standard deviation
        1 / sqrt(hidden), all biases zero. They are drawn on the processor, so every device
        starts from the same numbers.
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
            {name: tensor.to(device) for name, tensor in zip(NAMES, tensors, strict=True)},
            norm_epsilon=recipe.norm_epsilon,
        )

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return self.parameters["hidden.weight"].shape[1]

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.parameters["hidden.weight"].device

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return a copy of the parameters as float32 arrays by name."""
        return {
            name: tensor.detach().cpu().numpy().copy() for name, tensor in self.parameters.items()
        }

    def logits(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the mean logits of one utterance.

        Every product has the shape of this utterance alone, so the result does not depend on
        what else is scored.

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


class PackedGradient:
    """Loss and gradient of a perceptron over chunks of whole utterances.

    Gradients add up in ``.grad`` of the parameters.

    Args:
        perceptron: the model.
        recipe: dropout and label smoothing.
        max_frames: most frames of a chunk.
        seed: drives dropout.
    """

    def __init__(
        self, perceptron: Perceptron, recipe: Recipe, *, max_frames: int, seed: int
    ) -> None:
        self._model = perceptron
        self._recipe = recipe
        parameters = perceptron.parameters
        self._grad = {name: torch.zeros_like(tensor) for name, tensor in parameters.items()}
        for name, tensor in parameters.items():
            tensor.grad = self._grad[name]
        self._device = parameters["hidden.weight"].device
        self._words = _RandomWords(self._device, seed)
        # 16 random bits decide over one activation, so the share that is dropped is a multiple
        # of 2**-16 (6554 / 65536 for 0.1) and the scale is the exact inverse of what is kept.
        self._threshold = round(recipe.dropout * 2**16) - 2**15
        self._keep = 1 - (self._threshold + 2**15) / 2**16
        shape = (max_frames, recipe.hidden)
        self._hidden, self._active, self._kept = (
            torch.empty(shape, device=self._device) for _ in range(3)
        )
        self._every = torch.arange(max_frames, device=self._device)

    def add(
        self, frames: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor, *, share: float
    ) -> torch.Tensor:
        """Add one chunk's part of the loss and its gradient.

        Args:
            frames: float32 (frames, width), whole utterances one after the other.
            lengths: int64 (utterances,), their numbers of frames.
            labels: int64 (utterances,), their classes.
            share: weight of one utterance in the loss, 1 / batch.

        Returns:
            The loss of the chunk, a scalar on the device.
        """
        model, grad, smoothing = self._model, self._grad, self._recipe.label_smoothing
        weight = model.parameters
        n, shape = len(frames), [self._recipe.hidden]
        hidden, active = self._hidden[:n], self._active[:n]

        torch.addmm(weight["hidden.bias"], frames, weight["hidden.weight"].t(), out=hidden)
        # Its variant that writes into given buffers computes elsewhere first and copies.
        normed, mean, inverse = torch.native_layer_norm(
            hidden, shape, weight["norm.weight"], weight["norm.bias"], model.norm_epsilon
        )
        _aten.gelu.out(normed, out=active)
        kept = self._drop(active)
        # Averages over frames, dropout undone. Sums in the order of frames on every device.
        scale = (1 / (lengths * self._keep)).to(active.dtype)[:, None]
        begins = lengths.cumsum(0) - lengths
        pooled = nn.functional.embedding_bag(self._every[:n], active, begins, mode="sum") * scale

        logits = torch.addmm(weight["output.bias"], pooled, weight["output.weight"].t())
        log_probability = logits.log_softmax(dim=1)
        target = torch.full_like(logits, smoothing / logits.shape[1])
        target.scatter_(1, labels[:, None], 1 - smoothing + smoothing / logits.shape[1])
        loss = -share * (target * log_probability).sum()

        d_logits = (log_probability.exp_() - target).mul_(share)
        grad["output.weight"].addmm_(d_logits.t(), pooled)
        grad["output.bias"].add_(d_logits.sum(dim=0))
        d_pooled = (d_logits @ weight["output.weight"]).mul_(scale)
        owner = torch.repeat_interleave(lengths, output_size=n)
        d_normed = torch.index_select(d_pooled, 0, owner, out=active)
        if kept is not None:
            d_normed.mul_(kept)
        _aten.gelu_backward.grad_input(d_normed, normed, grad_input=d_normed)
        d_hidden, d_scale, d_shift = _aten.native_layer_norm_backward(
            d_normed,
            hidden,
            shape,
            mean,
            inverse,
            weight["norm.weight"],
            weight["norm.bias"],
            [True, True, True],
        )
        grad["norm.weight"].add_(d_scale)
        grad["norm.bias"].add_(d_shift)
        grad["hidden.bias"].add_(d_hidden.sum(dim=0))
        grad["hidden.weight"].addmm_(d_hidden.t(), frames)
        return loss

    def _drop(self, active: torch.Tensor) -> torch.Tensor | None:
        """Drop activations in place and return what was kept, as zeros and ones."""
        if not self._recipe.dropout:
            return None
        # Raw generator words are several times faster than one Bernoulli draw per activation.
        words = self._words.draw(-(-active.numel() // 4))
        bits = words.view(torch.int16)[: active.numel()].view(active.shape)
        kept = torch.ge(bits, self._threshold, out=self._kept[: len(active)])
        active.mul_(kept)
        return kept


class _RandomWords:
    """Uniform 64-bit words by the fastest generator of a device.

    Args:
        device: where they are wanted.
        seed: drives them.
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
