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
    import numpy.typing as npt

    from sercore.backbones.interface import BackboneCard
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
    """Number of frames that are kept of each utterance."""


class TransformersEncoder:
    """The state that all encoders have: model, feature extractor and options.

    Args:
        model: the part of the checkpoint that encodes.
        extractor: turns waveforms into input of the model.
        card: the backbone's facts.
        options: layer, variant, precision, device.
    """

    def __init__(
        self, model: Any, extractor: Any, card: BackboneCard, options: EncoderOptions
    ) -> None:
        self._model = model
        self._extractor = extractor
        self._options = options
        self._rate = card.sample_rate

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return int(self._model.config.hidden_size)


class LayeredEncoder(TransformersEncoder):
    """An encoder whose layers all have the same width, so that any layer can be chosen.

    Args:
        model: the part of the checkpoint that encodes.
        layers: its layers in order.
        extractor: turns waveforms into input of the model.
        card: the backbone's facts.
        options: layer, variant, precision, device.

    Raises:
        BackboneError: the model has no such layer.
    """

    def __init__(
        self,
        model: Any,
        layers: Sequence[torch.nn.Module],
        extractor: Any,
        card: BackboneCard,
        options: EncoderOptions,
    ) -> None:
        super().__init__(model, extractor, card, options)
        self._tap = LayerTap(layers, options, card.id)

    @property
    def n_layers(self) -> int:
        """Layers whose means are returned; the input of the first layer is one of them."""
        return self._tap.n_layers

    def _run(self, batch: Prepared, device: torch.device) -> list[EncodedUtterance]:
        """Run the model on all inputs of a batch."""
        inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
        self._tap.begin(batch.n_frames)
        return self._tap.finish(self._model(**inputs).last_hidden_state)


class LayerTap:
    """Reads frames of one layer and mean frames of all layers while a model runs.

    Layer 0 is the input of the first layer. The last layer is the output of the model, after its
    final normalisation. This is the numbering of ``output_hidden_states`` in transformers, without
    keeping all layers in memory at once.

    Args:
        layers: the layers in order.
        options: gives the layer whose frames are kept.
        name: name of the backbone for error messages.

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
                hint=f"choose a layer from 0 (the input of the first layer) to {last}, or 'last'",
            )
        self._chosen = last if options.layer == "last" else options.layer
        self._n_frames: tuple[int, ...] = ()
        self._means: list[list[torch.Tensor]] = []
        self._kept: torch.Tensor | None = None
        layers[0].register_forward_pre_hook(self._before_first, with_kwargs=True)
        for layer in layers[:-1]:
            layer.register_forward_hook(self._after)
        self.n_layers = last + 1

    def begin(self, n_frames: Sequence[int]) -> None:
        """Start a batch.

        Args:
            n_frames: number of frames that are kept of each row.
        """
        self._n_frames = tuple(n_frames)
        self._means = []
        self._kept = None

    def finish(self, output: torch.Tensor) -> list[EncodedUtterance]:
        """Return the results of a batch.

        Args:
            output: last hidden state of the model, shape (batch, frames, width).
        """
        self._read(output)
        assert self._kept is not None
        frames = split_rows(self._kept, self._n_frames)
        by_row = [torch.stack(rows) for rows in zip(*self._means, strict=True)]
        means = torch.stack(by_row).cpu().numpy()
        self._kept = None
        return [EncodedUtterance(*pair) for pair in zip(frames, means, strict=True)]

    def _before_first(self, _: torch.nn.Module, args: Any, kwargs: Any) -> None:
        self._read(args[0] if args else kwargs["hidden_states"])

    def _after(self, _: torch.nn.Module, __: Any, output: Any) -> None:
        self._read(output[0] if isinstance(output, tuple) else output)

    def _read(self, hidden: torch.Tensor) -> None:
        if len(self._means) == self._chosen:
            self._kept = hidden
        rows = zip(hidden, self._n_frames, strict=True)
        self._means.append([row[:count].float().mean(dim=0) for row, count in rows])


def clean_waveforms(waveforms: Sequence[Waveform], rate: int, shortest: int) -> list[Waveform]:
    """Check waveforms, cut them to 30 s and pad short ones with zeros.

    Args:
        waveforms: mono, float32 of shape (samples,).
        rate: hertz.
        shortest: samples that a waveform needs for one frame.

    Returns:
        The first 30 s of each waveform, at least `shortest` samples long.

    Raises:
        AudioError: a waveform is empty, not one-dimensional, or holds values that are not finite.
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


def split_rows(hidden: torch.Tensor, n_frames: Sequence[int]) -> list[npt.NDArray[np.float32]]:
    """Return the kept frames of each row as float32 arrays, without the padding.

    Args:
        hidden: shape (batch, frames, width).
        n_frames: number of frames that are kept of each row.
    """
    kept = torch.cat([row[:count] for row, count in zip(hidden, n_frames, strict=True)])
    joined = kept.float().cpu().numpy()
    return np.split(joined, np.cumsum(n_frames)[:-1])


@contextmanager
def inference(options: EncoderOptions) -> Iterator[torch.device]:
    """Run a model without gradients, in the precision and on the device of the options."""
    device = torch.device(options.device)
    dtype = _DTYPES[options.dtype]
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32),
    ):
        yield device


def check_options(options: EncoderOptions) -> None:
    """Check that the device can be used and that the precision is known.

    Raises:
        BackboneError: the device cannot be used, or the precision is unknown.
    """
    if options.dtype not in _DTYPES:
        raise BackboneError(
            f"there is no precision '{options.dtype}'", hint=f"choose one of {', '.join(_DTYPES)}"
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
        dtype: type of the attention scores that the mask is added to.

    Returns:
        Shape (batch, 1, frames, frames): 0 for real keys, the lowest number for padded keys.
    """
    hidden = torch.zeros(real.shape, dtype=dtype, device=real.device)
    hidden.masked_fill_(~real, torch.finfo(dtype).min)
    return hidden[:, None, None, :].expand(-1, 1, real.shape[1], -1)


def cost_of_explicit_attention(n_frames: int) -> int:
    """Return the cost of an utterance where attention keeps all its scores.

    The memory of the scores grows with the square of the length: an utterance of 30 s at 50 Hz
    counts three times.
    """
    return n_frames + n_frames * n_frames // 750
