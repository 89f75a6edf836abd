"""Compute the logits of several probes on one test corpus while its frames are read once."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Progress

_SLAB_BYTES = 64 << 20
"""Bytes of frames that are read at a time; small enough to stay in the page cache."""


def batched_logits(
    frames: PackedFrames,
    requests: Mapping[str, tuple[FittedProbe, npt.NDArray[np.int64]]],
    progress: Progress | None = None,
    *,
    slab_bytes: int = _SLAB_BYTES,
) -> dict[str, npt.NDArray[np.float32] | Exception]:
    """Return the logits of several probes on parts of one corpus.

    Frames are read in the order in which they are stored, one slab at a time. All probes score a
    slab before the next slab is read, so a corpus that does not fit in memory is read from disk
    once for all probes. The logits of an utterance do not depend on its slab
    (`sercore.probes.interface.FittedProbe.logits`).

    Args:
        frames: the frames of the corpus.
        requests: by name, a probe and the rows that it scores, int64 (n,).
        progress: called with (utterances done, utterances in all).
        slab_bytes: bytes of frames that are read at a time.

    Returns:
        By name, float32 (n, classes) in the order of the rows, or the exception that the probe
        raised. A probe that fails does not affect the others.
    """
    results: dict[str, npt.NDArray[np.float32] | Exception] = {}
    wanted = np.unique(np.concatenate([rows for _, rows in requests.values()]))
    done = 0
    for slab in _slabs(frames, wanted, slab_bytes):
        in_slab = np.zeros(len(frames), bool)
        in_slab[slab] = True
        for name, (probe, rows) in requests.items():
            places = np.flatnonzero(in_slab[rows])
            logits = results.get(name)
            if isinstance(logits, Exception) or (logits is not None and not places.size):
                continue
            try:
                part = probe.logits(frames, rows[places])
            except Exception as error:  # noqa: BLE001 - a probe is a plugin and may raise anything
                results[name] = error
                continue
            if logits is None:
                logits = results[name] = np.empty((len(rows), part.shape[1]), np.float32)
            logits[places] = part
        done += len(slab)
        if progress is not None:
            progress(done, len(wanted))
    return results


def _slabs(
    frames: PackedFrames, rows: npt.NDArray[np.int64], slab_bytes: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Cut rows into runs that are adjacent on disk; without rows, return one empty run."""
    stored = rows[np.lexsort((frames.start[rows], frames.block[rows]))]
    itemsize = np.array([block.itemsize for block in frames.blocks], np.int64)
    sizes = frames.length[stored] * frames.width * itemsize[frames.block[stored]]
    slab = (np.cumsum(sizes) - sizes) // slab_bytes
    return iter(np.split(stored, np.flatnonzero(np.diff(slab)) + 1))
