"""Resample mono samples, by the two methods of `sercore.backbones.interface.AudioPath`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Waveform

PAPER_RATE = 16_000
"""Hertz to which the audio path ``paper`` resamples first (paper, section 3)."""


def resample(samples: Waveform, source_rate: int, rate: int, audio_path: AudioPath) -> Waveform:
    """Return samples at another rate.

    Args:
        samples: float32 of shape (samples,), mono.
        source_rate: their rate in hertz.
        rate: the new rate in hertz.
        audio_path: ``direct`` resamples once with soxr, ``paper`` to 16 kHz first with torchaudio.
    """
    if audio_path == "paper":
        samples = _resample_by_sinc(samples, source_rate, PAPER_RATE)
        return _resample_by_sinc(samples, PAPER_RATE, rate)
    if source_rate == rate:
        return samples
    import soxr

    resampled: Waveform = soxr.resample(samples, source_rate, rate, quality="HQ")
    return resampled


def _resample_by_sinc(samples: Waveform, source_rate: int, rate: int) -> Waveform:
    if source_rate == rate:
        return samples
    import torch

    with torch.inference_mode():
        resampled: Waveform = _sinc_kernel(source_rate, rate)(torch.from_numpy(samples)).numpy()
    return resampled


@lru_cache(maxsize=32)
def _sinc_kernel(source_rate: int, rate: int) -> Any:
    from torchaudio.transforms import Resample

    return Resample(source_rate, rate)
