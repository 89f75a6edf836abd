"""Compare a backbone's frames in reduced precision with float32, on this machine.

The comparison uses synthetic speech and the real weights. It takes a short time, so users can run
it before a long extraction on a new device.
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
"""Largest relative difference from float32 that counts as parity: about four times the difference
that Whisper tiny.en shows in bfloat16, and seven times the one in float16."""

_SECONDS = (0.7, 1.3, 2.1, 3.4, 5.0, 9.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionParity:
    """The result of a comparison. Differences are relative; the worst utterance counts."""

    backbone: str
    """The name that the user typed, with its variant."""
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
    """Between frames in reduced precision and in float32; None if frames are not finite."""
    limit: float
    least_cosine: float | None
    """Smallest cosine between a frame in reduced precision and in float32."""
    batch_difference: float
    """Between frames of an utterance alone and in a batch, both in float32."""
    batch_limit: float
    largest_value: float
    """Largest magnitude in float32; above 65504 a part of the store is written as float32."""
    real_time: dict[str, float]
    """Seconds of audio per second of computation, by precision."""

    @property
    def passed(self) -> bool:
        """True if both differences are within their limits."""
        close = self.difference is not None and self.difference <= self.limit
        return close and self.batch_difference <= self.batch_limit

    def as_dict(self) -> dict[str, Any]:
        """Return all values as JSON values."""
        return asdict(self) | {"passed": self.passed}


def measure_parity(
    name: str,
    backbone: Backbone,
    checkpoint: Checkpoint,
    options: EncoderOptions,
) -> PrecisionParity:
    """Compare frames in reduced precision with float32, and batches with single utterances.

    Args:
        name: the name that the user typed.
        backbone: the backbone to measure.
        checkpoint: its weights.
        options: variant, layer and device; `dtype` is the reduced precision.

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
    batched = [encoded.frames for encoded in exact.encode(exact.prepare(waveforms))]
    del exact  # a small device does not hold the weights of a large backbone twice
    reduced, reduced_seconds = _alone(backbone.load(checkpoint, options), waveforms)
    is_finite = all(np.isfinite(frames).all() for frames in reduced)
    return PrecisionParity(
        backbone=name,
        checkpoint=checkpoint.name,
        revision=checkpoint.revision,
        digest=checkpoint.digest,
        device=options.device,
        dtype=options.dtype,
        utterances=len(waveforms),
        frames=sum(map(len, expected)),
        difference=_largest_difference(reduced, expected) if is_finite else None,
        limit=LIMITS[options.dtype],
        least_cosine=min(map(_least_cosine, reduced, expected)) if is_finite else None,
        batch_difference=_largest_difference(batched, expected),
        batch_limit=backbone.card.tolerance,
        largest_value=max(float(np.abs(frames).max()) for frames in expected),
        real_time={"float32": audio / seconds, options.dtype: audio / reduced_seconds},
    )


def _alone(encoder: Encoder, waveforms: Sequence[Waveform]) -> tuple[list[Frames], float]:
    """Encode utterances one at a time; return their frames and the seconds that it took."""
    encoder.encode(encoder.prepare(waveforms[:1]))  # warm-up: the first call also builds kernels
    began = time.perf_counter()
    frames = [encoder.encode(encoder.prepare([waveform]))[0].frames for waveform in waveforms]
    return frames, time.perf_counter() - began


def _largest_difference(values: Sequence[Frames], expected: Sequence[Frames]) -> float:
    """Return the largest relative difference of an utterance."""
    return max(
        float(np.linalg.norm(frames - reference) / np.linalg.norm(reference))
        for frames, reference in zip(values, expected, strict=True)
    )


def _least_cosine(values: Frames, expected: Frames) -> float:
    """Return the smallest cosine between corresponding frames."""
    product = (values * expected).sum(axis=1)
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(expected, axis=1)
    return float((product / lengths).min())
