"""Tiny real recordings in the containers of the corpora, each with a sound of its own."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np

RATE = 8000

# Container by suffix: codec, hertz, channels.
_BY_FFMPEG = {
    ".avi": ("pcm_s16le", 44_100, "mono"),
    ".mp4": ("aac", 48_000, "5.1"),
    ".m4a": ("aac", 48_000, "mono"),
    ".aiff": ("pcm_s16be", 48_000, "mono"),
}


def noise(seed: int, n: int, channels: int = 1) -> np.ndarray:
    """Return int16 noise of shape (samples, channels), different for every seed."""
    return np.random.default_rng(seed).integers(-8000, 8000, (n, channels), dtype=np.int16)


def wav_bytes(sound: np.ndarray, rate: int = RATE) -> bytes:
    """Return the bytes of a 16-bit WAVE file; by hand, as thousands are wanted."""
    data, channels = sound.tobytes(), sound.shape[1]
    chunk = (16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    head = b"WAVEfmt " + struct.pack("<IHHIIHH", *chunk) + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data


def write_sound(path: Path, seed: int, seconds: float = 0.1, channels: int = 1) -> None:
    """Write noise in the container that the path's suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        path.write_bytes(wav_bytes(noise(seed, round(seconds * RATE), channels)))
        return
    codec, rate, layout = _BY_FFMPEG[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        sound = noise(seed, round(seconds * rate), stream.layout.nb_channels)
        for first in range(0, len(sound), 1024):
            block = sound[first : first + 1024]
            kind = stream.format.name
            if kind.startswith("flt"):
                block = (block / 32768).astype(np.float32)
            planar = block.T if kind.endswith("p") else block.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planar), kind, layout)
            frame.sample_rate, frame.pts = rate, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
