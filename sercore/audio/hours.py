"""How many hours of audio a corpus has, from a few of its recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sercore.backbones.interface import MAX_SECONDS
from sercore.errors import AudioError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.manifest import Manifest

_SAMPLE = 32
"""Recordings of a corpus that are opened to estimate its hours."""


def estimate_hours(files: CorpusFiles, manifest: Manifest) -> float | None:
    """Return about how many hours an encoder will process, or None where no file can be decoded.

    Decodes a few recordings of all sizes and assumes as many seconds per byte for the rest.
    """
    from sercore.audio.decode import read_utterance

    sizes = np.array(manifest.column("size"), dtype=np.float64)
    order = np.argsort(sizes)
    chosen = order[np.linspace(0, len(order) - 1, min(_SAMPLE, len(order))).astype(int)]
    seconds, size = 0.0, 0.0
    for row in chosen:
        try:
            recording = read_utterance(files, manifest.utterance(int(row)), 16000)
        except AudioError:
            continue
        seconds += min(recording.duration_s, MAX_SECONDS)
        size += sizes[row]
    return float(seconds / size * sizes.sum() / 3600) if size else None
