"""Small corpora of real wav files under the names that real corpora have."""

from __future__ import annotations

import numpy as np


def write_wav(path, *, seconds=0.5, rate=16000, pitch=200.0, level=0.3, seed=0):
    """Write a real PCM16 wav: a tone with harmonics and a little noise, distinct by seed."""
    import soundfile

    generator = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in (1, 2, 3))
    wave = level * wave + 0.01 * generator.standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave.astype(np.float32), rate, subtype="PCM_16")


def write_urdu(root, n_per_class=12):
    """Write a small corpus with the names of URDU-Dataset; pitch tells the class."""
    for number, (folder, letter, pitch) in enumerate(
        [("Angry", "A", 320), ("Happy", "H", 240), ("Neutral", "N", 170), ("Sad", "S", 110)]
    ):
        for i in range(1, n_per_class + 1):
            name = f"SM{1 + (i - 1) % 3}_F{i}_{letter}{i:02d}.wav"
            seed = 100 * number + i
            write_wav(root / folder / name, pitch=pitch * (1 + 0.02 * (i % 5)), seed=seed)
    return root


def write_emodb(root, n_per_class=12):
    """Write a small corpus with the names of EmoDB."""
    for number, (letter, pitch) in enumerate(
        [("W", 330), ("F", 250), ("N", 180), ("T", 115), ("A", 280), ("E", 150)]
    ):
        for i in range(n_per_class):
            speaker = ("03", "08", "09", "10")[i % 4]
            name = f"{speaker}a{i % 10:02d}{letter}{'abcdef'[i // 10]}.wav"
            write_wav(
                root / "wav" / name, pitch=pitch * (1 + 0.02 * (i % 5)), seed=1000 * number + i
            )
    return root
