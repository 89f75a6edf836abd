"""What can be measured of one recording: level, silence, clipping, and a coarse envelope.

All levels are in decibels relative to full scale. The first 30 s are measured, because encoders
hear no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.audio.decode import Source
    from sercore.backbones.interface import Waveform

_BLOCK_S = 0.01
_ACTIVE_DB = 30.0
"""A block of 10 ms counts as sound if it is at most this much below the loudest one."""
_LOWEST_DB = -120.0

_FULL_SCALE = 0.999
_SHORTEST_PLATEAU = 3
"""Successive samples at full scale that count as clipped; one or two also occur in sound."""

SEGMENTS = 16
"""Segments of equal length in an envelope."""
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 3400.0
"""The band of an envelope: a telephone keeps it, and an offset is outside."""
_ENVELOPE_DB = 30.0
_STEPS_PER_DB = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was measured of one recording."""

    level_db: float
    """Mean power of the blocks of 10 ms that count as sound, of the mean of the channels."""
    peak: float
    """The largest absolute sample of any channel; 1 is full scale."""
    clipped: float
    """Share of samples in runs of three or more at full scale, of the worst channel."""
    offset: float
    """Mean of all samples; full scale is 1."""
    leading_s: float
    trailing_s: float
    """Seconds before the first and after the last block that counts as sound."""
    padding_s: float
    """Seconds of exact zeros at both ends together."""
    envelope: bytes
    """See `envelope_of`."""


def measure(source: Source) -> Measures:
    """Measure one recording."""
    import numpy as np

    power = _block_powers(source.mono, source.rate)
    levels = 10 * np.log10(np.maximum(power, 10 ** (_LOWEST_DB / 10)))
    active = np.flatnonzero(levels >= levels.max() - _ACTIVE_DB)
    sounding = np.flatnonzero(source.samples.any(axis=1))
    magnitudes = np.abs(source.samples)
    return Measures(
        level_db=float(10 * np.log10(max(power[active].mean(), 10 ** (_LOWEST_DB / 10)))),
        peak=float(magnitudes.max()),
        clipped=max(map(_clipped_share, magnitudes.T)),
        offset=float(source.mono.mean(dtype=np.float64)),
        leading_s=float(active[0] * _BLOCK_S),
        trailing_s=float((len(power) - 1 - active[-1]) * _BLOCK_S),
        padding_s=float((len(source.mono) - 1 - sounding[-1] + sounding[0]) / source.rate),
        envelope=envelope_of(source.mono, source.rate),
    )


def envelope_of(mono: Waveform, rate: int) -> bytes:
    """Return the course of a recording's level in 16 bytes, to recognize it at any rate.

    The recording is cut into 16 segments of equal length. Each byte is the power of a segment
    between 100 and 3400 Hz, relative to the strongest one, in eighths of a decibel below it, at
    most 30 dB. Gain, offset, resampling and lossy coding hardly change it.

    Args:
        mono: float32 of shape (samples,), not only zeros.
        rate: hertz.
    """
    import numpy as np

    edges = np.round(np.linspace(0, len(mono), SEGMENTS + 1)).astype(int)
    power = np.array([_band_power(mono[start:stop], rate) for start, stop in pairwise(edges)])
    relative = power / max(power.max(), np.finfo(float).tiny)
    below = np.minimum(-10 * np.log10(np.maximum(relative, 1e-6)), _ENVELOPE_DB)
    return bytes(np.round(below * _STEPS_PER_DB).astype(np.uint8).tolist())


def envelope_distance(first: bytes, second: bytes) -> float:
    """Return the mean difference of two envelopes in decibels."""
    pairs = zip(first, second, strict=True)
    return sum(abs(one - other) for one, other in pairs) / SEGMENTS / _STEPS_PER_DB


def _block_powers(mono: Waveform, rate: int) -> npt.NDArray[np.float64]:
    """Return the mean power of each block of 10 ms; the last block may be shorter."""
    import numpy as np

    length = max(1, round(_BLOCK_S * rate))
    starts = np.arange(0, len(mono), length)
    sums = np.add.reduceat(np.square(mono, dtype=np.float64), starts)
    powers: npt.NDArray[np.float64] = sums / np.minimum(length, len(mono) - starts)
    return powers


def _band_power(samples: Waveform, rate: int) -> float:
    import numpy as np

    if not len(samples):
        return 0.0
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    inside = (frequencies >= _LOWEST_HZ) & (frequencies < _HIGHEST_HZ)
    return float(np.square(np.abs(np.fft.rfft(samples)[inside])).sum()) / len(samples) ** 2


def _clipped_share(magnitudes: npt.NDArray[np.float32]) -> float:
    """Return the share of the samples of one channel that are in plateaus at full scale."""
    import numpy as np

    full = magnitudes >= _FULL_SCALE
    if not full.any():
        return 0.0
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], full.view(np.int8), [0]))))
    lengths = bounds[1::2] - bounds[::2]
    return float(lengths[lengths >= _SHORTEST_PLATEAU].sum() / len(full))
