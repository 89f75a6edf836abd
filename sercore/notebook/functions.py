"""A function as a backbone: waveform and sample rate in, frames out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.backbones.interface import BackboneCard
from sercore.backbones.interface import Checkpoint
from sercore.backbones.interface import EncodedUtterance
from sercore.errors import BackboneError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Frames
    from sercore.backbones.interface import Waveform

Function = Callable[["Waveform", int], Any]
"""Takes a mono waveform, float32 of shape (samples,), and its rate in hertz; returns frames of
shape (frames, width), or one vector of shape (width,)."""

RATE = 16_000
"""Sample rate that a function gets unless it has an attribute ``sample_rate``."""


@dataclass(frozen=True)
class FunctionBackbone:
    """A backbone that calls a function of the user."""

    card: BackboneCard
    function: Function
    digest: str

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Return a checkpoint without weights, named by the version of the function."""
        del offline
        return Checkpoint(name=self.card.id, location=None, revision=None, digest=self.digest)

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> FunctionEncoder:
        """Return the encoder.

        Raises:
            BackboneError: the options name a layer or a variant.
        """
        del checkpoint
        if options.layer != "last" or options.variant is not None:
            raise BackboneError(
                f"the function '{self.card.id}' has no layers and variants",
                hint="leave out layer, and name it without a colon",
            )
        return FunctionEncoder(self.card, self.function)


@dataclass(frozen=True)
class FunctionEncoder:
    """Calls the function, one waveform at a time."""

    card: BackboneCard
    function: Function

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return self.card.width

    @property
    def n_layers(self) -> int:
        """A function has no layers."""
        return 0

    def n_frames(self, n_samples: int) -> int:
        """Return about how many frames the function makes of a waveform."""
        return max(1, round(n_samples / self.card.sample_rate * self.card.frame_rate))

    def cost(self, n_samples: int) -> int:
        """Return about how many frames are computed."""
        return self.n_frames(n_samples)

    def prepare(self, waveforms: Sequence[Waveform]) -> list[Waveform]:
        """Return the waveforms as they are."""
        return list(waveforms)

    def encode(self, batch: Sequence[Waveform]) -> list[EncodedUtterance]:
        """Return the frames of each waveform.

        Raises:
            BackboneError: the function fails, or its frames have another width than before.
        """
        found = []
        for waveform in batch:
            frames = _call(self.card.id, self.function, waveform, self.card.sample_rate)
            if frames.shape[1] != self.width:
                raise BackboneError(
                    f"the function '{self.card.id}' returned frames of {frames.shape[1]} numbers "
                    f"after frames of {self.width}",
                    hint="return frames of one width for all recordings",
                )
            found.append(EncodedUtterance(frames))
        return found


def function_backbone(function: Function, name: str | None = None) -> FunctionBackbone:
    """Return a function as a backbone.

    The function is called once on a second of noise to learn the width and rate of its frames.
    Its frames are stored for later calls only if it has an attribute ``version``, which stands for
    its code: change it when the code changes.

    Args:
        function: see `Function`. Its attribute ``sample_rate`` is the rate that it gets, 16 kHz
            without one.
        name: its name in results; by default the name of the function.

    Raises:
        BackboneError: it fails on noise, or returns something else than frames.
    """
    title: str = name or getattr(function, "__name__", None) or type(function).__name__
    rate = int(getattr(function, "sample_rate", RATE))
    identity = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "function"
    noise = np.random.default_rng(0).standard_normal(rate).astype(np.float32) * 0.1
    n_frames, width = _call(identity, function, noise, rate).shape
    version = getattr(function, "version", None)
    stands_for = uuid.uuid4().hex if version is None else str(version)
    return FunctionBackbone(
        card=BackboneCard(
            id=identity,
            title=title,
            family="none",
            checkpoint=None,
            licence=None,
            sample_rate=rate,
            width=width,
            layers=0,
            frame_rate=float(n_frames),
            parameters=None,
            notes="a function of this process"
            + (
                "; its frames are not stored for later calls, because it has no version"
                if version is None
                else f", version {version}"
            ),
        ),
        function=function,
        digest=digest_of({"function": identity, "version": stands_for, "rate": rate}),
    )


def _call(name: str, function: Function, waveform: Waveform, rate: int) -> Frames:
    try:
        returned = function(waveform, rate)
        if hasattr(returned, "detach"):  # a tensor of torch
            returned = returned.detach().cpu()
        frames = np.asarray(returned, dtype=np.float32)
    except Exception as error:
        text = " ".join(str(error).split())
        raise BackboneError(
            f"the function '{name}' failed: {type(error).__name__}: {text}",
            hint="it gets a float32 waveform of shape (samples,) and a rate in hertz",
        ) from error
    if frames.ndim == 1:
        frames = frames[np.newaxis]
    if frames.ndim != 2 or 0 in frames.shape:
        raise BackboneError(
            f"the function '{name}' returned an array of shape {frames.shape}",
            hint="return frames of shape (frames, width), or a vector of shape (width,)",
        )
    return frames
