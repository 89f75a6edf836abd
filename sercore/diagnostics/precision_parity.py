"""How far a backbone's frames move in reduced precision, and in a batch, on this machine.

Measured on synthetic speech with the weights that are here, so that it can be asked before a long
extraction on a new device.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.audio.signals import speech_like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import Encoder
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import Frames
    from sercore.backbones.interface import Waveform

LIMITS = {"bfloat16": 5e-2, "float16": 1e-2}
"""Largest relative difference from float32 that counts as parity: about four times what real
Whisper tiny.en shows with bfloat16, and seven times with float16."""

_SECONDS = (0.7, 1.3, 2.1, 3.4, 5.0, 9.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What a check measured. Differences are relative, of the worst utterance."""

    backbone: str
    """As the user named it, variant included."""
    checkpoint: str
    revision: str | None
    digest: str
    """SHA-256 of the weights and their configuration."""
    device: str
    dtype: str
    """The reduced precision."""
    utterances: int
    frames: int
    difference: float | None
    """Of frames in reduced precision from those in float32; None if they are not finite."""
    limit: float
    least_cosine: float | None
    """Of one frame with itself in float32."""
    batch_difference: float
    """Of frames in float32 alone from those in a batch."""
    batch_limit: float
    largest_value: float
    """Largest magnitude in float32; beyond 65504 a part is stored as float32."""
    real_time: dict[str, float]
    """Seconds of audio per second of computing, by precision."""

    @property
    def is_well(self) -> bool:
        """Whether both differences are within their limits."""
        close = self.difference is not None and self.difference <= self.limit
        return close and self.batch_difference <= self.batch_limit

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"is_well": self.is_well}


def check_parity(
    name: str,
    backbone: Backbone,
    checkpoint: Checkpoint,
    options: EncoderOptions,
) -> Parity:
    """Compare frames in reduced precision, and in a batch, with float32 and alone.

    Args:
        name: what the user calls it.
        backbone: what encodes.
        checkpoint: its weights.
        options: variant, layer and device; its `dtype` is the reduced precision.

    Raises:
        BackboneError: the weights cannot be loaded, or an option does not apply.
    """
    rate = backbone.card.sample_rate
    waveforms = [
        speech_like(round(seconds * rate) + 11 * seed, rate, seed=seed)
        for seed, seconds in enumerate(_SECONDS)
    ]
    audio = sum(map(len, waveforms)) / rate
    exact = backbone.load(checkpoint, replace(options, dtype="float32"))
    expected, seconds = _alone(exact, waveforms)
    batched = [each.frames for each in exact.encode(exact.prepare(waveforms))]
    del exact  # two sets of weights of a large backbone would not fit everywhere
    reduced, reduced_seconds = _alone(backbone.load(checkpoint, options), waveforms)
    is_finite = all(np.isfinite(each).all() for each in reduced)
    return Parity(
        backbone=name,
        checkpoint=checkpoint.name,
        revision=checkpoint.revision,
        digest=checkpoint.digest,
        device=options.device,
        dtype=options.dtype,
        utterances=len(waveforms),
        frames=sum(map(len, expected)),
        difference=_worst(reduced, expected) if is_finite else None,
        limit=LIMITS[options.dtype],
        least_cosine=min(map(_cosine, reduced, expected)) if is_finite else None,
        batch_difference=_worst(batched, expected),
        batch_limit=backbone.card.tolerance,
        largest_value=max(float(np.abs(each).max()) for each in expected),
        real_time={"float32": audio / seconds, options.dtype: audio / reduced_seconds},
    )


def _alone(encoder: Encoder, waveforms: Sequence[Waveform]) -> tuple[list[Frames], float]:
    """Return the frames of each utterance by itself, and the seconds that took."""
    encoder.encode(encoder.prepare(waveforms[:1]))  # the first call also builds kernels
    begin = time.perf_counter()
    frames = [encoder.encode(encoder.prepare([each]))[0].frames for each in waveforms]
    return frames, time.perf_counter() - begin


def _worst(values: Sequence[Frames], expected: Sequence[Frames]) -> float:
    return max(
        float(np.linalg.norm(each - other) / np.linalg.norm(other))
        for each, other in zip(values, expected, strict=True)
    )


def _cosine(values: Frames, expected: Frames) -> float:
    """Return the least cosine of a frame with its counterpart."""
    product = (values * expected).sum(axis=1)
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(expected, axis=1)
    return float((product / lengths).min())
