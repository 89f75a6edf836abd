"""Signals for tests and benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.backbones.interface import Waveform


def speech_like(n_samples: int, rate: int, *, seed: int = 0) -> Waveform:
    """Return a voice-like signal: gliding harmonics in syllables, with some breath.

    Args:
        n_samples: its length.
        rate: hertz.
        seed: drives pitch, rhythm and noise.

    Returns:
        float32 of shape (n_samples,), within -1 and 1.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    pitch = random.uniform(90, 260) * (1 + 0.2 * np.sin(2 * np.pi * random.uniform(0.3, 2) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    harmonics = np.arange(1, 9)[:, None]
    strengths = random.uniform(0.3, 1.0, harmonics.shape) / harmonics
    voice = (strengths * np.sin(harmonics * phase)).sum(axis=0)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * random.uniform(2, 6) * time + random.uniform(0, 6))
    signal = 0.15 * voice * syllables + 0.01 * random.standard_normal(n_samples)
    clipped: Waveform = np.clip(signal, -1, 1).astype(np.float32)
    return clipped
