"""What the encoders of all families share: checked input, precision, and reading layers."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import torch

from sercore.backbones.interface import MAX_SECONDS
from sercore.backbones.interface import EncodedUtterance
from sercore.errors import AudioError
from sercore.errors import BackboneError

if TYPE_CHECKING:
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Waveform

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Model input on the host."""

    inputs: dict[str, torch.Tensor]
    """Keyword arguments of the model, one row per utterance."""
    n_frames: tuple[int, ...]
    """Frames kept of each utterance."""


def clean(waveforms: Sequence[Waveform], rate: int, shortest: int) -> list[Waveform]:
    """Return waveforms that a model can take.

    Args:
        waveforms: mono, float32 of shape (samples,).
        rate: hertz.
        shortest: samples below which a waveform is filled up with zeros, so that it gives a frame.

    Returns:
        The same waveforms, cut to their first 30 s and at least `shortest` long.

    Raises:
        AudioError: one is empty, not one-dimensional, or holds samples that are not numbers.
    """
    longest = round(MAX_SECONDS * rate)
    cleaned = []
    for waveform in waveforms:
        if waveform.ndim != 1 or not len(waveform):
            raise AudioError(f"a waveform of shape {waveform.shape} is not mono sound")
        if not np.isfinite(waveform).all():
            raise AudioError("a waveform holds samples that are not numbers (NaN or infinite)")
        kept = np.asarray(waveform[:longest], dtype=np.float32)
        if len(kept) < shortest:
            kept = np.pad(kept, (0, shortest - len(kept)))
        cleaned.append(kept)
    return cleaned


class LayerTap:
    """Frames of one layer and pooled means of all, taken while a model runs.

    Layer 0 is what enters the first layer; the last is the model's own output, after its final
    normalisation. This is the numbering of ``output_hidden_states`` in transformers, without
    keeping all layers in memory at once.

    Args:
        layers: the layers in order.
        options: says which layer is wanted.
        name: what the backbone is called in messages.

    Raises:
        BackboneError: there is no such layer.
    """

    def __init__(
        self, layers: Sequence[torch.nn.Module], options: EncoderOptions, name: str
    ) -> None:
        last = len(layers)
        if options.layer != "last" and not 0 <= options.layer <= last:
            raise BackboneError(
                f"{name} has no layer {options.layer}",
                hint=f"its layers are 0 (the input of the first) to {last}, or 'last'",
            )
        self._wanted = last if options.layer == "last" else options.layer
        self._n_frames: tuple[int, ...] = ()
        self._means: list[list[torch.Tensor]] = []
        self._kept: torch.Tensor | None = None
        layers[0].register_forward_pre_hook(self._before_first, with_kwargs=True)
        for layer in layers[:-1]:
            layer.register_forward_hook(self._after)
        self.n_layers = last + 1

    def begin(self, n_frames: Sequence[int]) -> None:
        """Get ready for one batch.

        Args:
            n_frames: frames kept of each row.
        """
        self._n_frames = tuple(n_frames)
        self._means = []
        self._kept = None

    def finish(self, output: torch.Tensor) -> list[EncodedUtterance]:
        """Take the model's output and return the batch's results.

        Args:
            output: last hidden state, shape (batch, frames, width).
        """
        self._take(output)
        assert self._kept is not None
        frames = split_rows(self._kept, self._n_frames)
        by_row = [torch.stack(rows) for rows in zip(*self._means, strict=True)]
        means = torch.stack(by_row).cpu().numpy()
        self._kept = None
        return [EncodedUtterance(*pair) for pair in zip(frames, means, strict=True)]

    def _before_first(self, _: torch.nn.Module, args: Any, kwargs: Any) -> None:
        self._take(args[0] if args else kwargs["hidden_states"])

    def _after(self, _: torch.nn.Module, __: Any, output: Any) -> None:
        self._take(output[0] if isinstance(output, tuple) else output)

    def _take(self, hidden: torch.Tensor) -> None:
        if len(self._means) == self._wanted:
            self._kept = hidden
        rows = zip(hidden, self._n_frames, strict=True)
        self._means.append([row[:count].float().mean(dim=0) for row, count in rows])


def split_rows(hidden: torch.Tensor, n_frames: Sequence[int]) -> list[np.ndarray[Any, Any]]:
    """Return the kept frames of each row as float32 arrays that share no memory with padding."""
    kept = torch.cat([row[:count] for row, count in zip(hidden, n_frames, strict=True)])
    joined = kept.float().cpu().numpy()
    return np.split(joined, np.cumsum(n_frames)[:-1])


@contextmanager
def running(options: EncoderOptions) -> Iterator[torch.device]:
    """Run a model without gradients, in the precision that was asked for."""
    device = torch.device(options.device)
    dtype = _DTYPES[options.dtype]
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32),
    ):
        yield device


def check_options(options: EncoderOptions) -> None:
    """Check that the device is there and the precision is one that is known.

    Raises:
        BackboneError: it is not.
    """
    if options.dtype not in _DTYPES:
        raise BackboneError(
            f"there is no precision '{options.dtype}'", hint=f"there are {', '.join(_DTYPES)}"
        )
    try:
        torch.empty(0, device=options.device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise BackboneError(
            f"the device '{options.device}' cannot be used: {reason}", hint="choose --device cpu"
        ) from error


def additive_mask(real: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return an attention mask that hides padded keys.

    Args:
        real: bool (batch, frames), true for real frames.
        dtype: of the scores it is added to.

    Returns:
        Shape (batch, 1, frames, frames): 0 for keys that are heard, the lowest number else.
    """
    hidden = torch.zeros(real.shape, dtype=dtype, device=real.device)
    hidden.masked_fill_(~real, torch.finfo(dtype).min)
    return hidden[:, None, None, :].expand(-1, 1, real.shape[1], -1)


def cost_of_explicit_attention(n_frames: int) -> int:
    """Return what an utterance adds to a frame budget where attention keeps all its scores.

    Their memory grows with the square of the length: 30 s at 50 Hz count three times.
    """
    return n_frames + n_frames * n_frames // 750
