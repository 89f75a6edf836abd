"""Ask several probes about one test corpus while its frames are read once."""

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
"""Frames that all probes see before the next are read: what the page cache surely keeps."""


def logits_in_one_pass(
    frames: PackedFrames,
    asked: Mapping[str, tuple[FittedProbe, npt.NDArray[np.int64]]],
    progress: Progress | None = None,
    *,
    slab_bytes: int = _SLAB_BYTES,
) -> dict[str, npt.NDArray[np.float32] | Exception]:
    """Return the logits of several probes on parts of one corpus.

    The frames are walked in the order in which they are stored, slab by slab, and every probe
    answers about a slab before the next is read. So a corpus that does not fit in memory is read
    from disk once, however many probes there are. What a probe says about an utterance does not
    depend on the slab it is in (`sercore.probes.interface.FittedProbe.logits`).

    Args:
        frames: the frames of the corpus.
        asked: by any name, a probe and the rows it is asked about, int64 (n,).
        progress: told (utterances done, utterances in all).
        slab_bytes: how much is read at a time.

    Returns:
        By name, float32 (n, classes) in the order of the rows; or what the probe raised, which
        costs the others nothing.
    """
    answers: dict[str, npt.NDArray[np.float32] | Exception] = {}
    wanted = np.unique(np.concatenate([rows for _, rows in asked.values()]))
    done = 0
    for slab in _slabs(frames, wanted, slab_bytes):
        in_slab = np.zeros(len(frames), bool)
        in_slab[slab] = True
        for name, (fitted, rows) in asked.items():
            places = np.flatnonzero(in_slab[rows])
            known = answers.get(name)
            if isinstance(known, Exception) or (known is not None and not places.size):
                continue
            try:
                part = fitted.logits(frames, rows[places])
            except Exception as error:  # noqa: BLE001 - a probe is a plugin: its failure is its own
                answers[name] = error
                continue
            if known is None:
                known = answers[name] = np.empty((len(rows), part.shape[1]), np.float32)
            known[places] = part
        done += len(slab)
        if progress is not None:
            progress(done, len(wanted))
    return answers


def _slabs(
    frames: PackedFrames, rows: npt.NDArray[np.int64], slab_bytes: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Cut rows into runs of what lies side by side on disk; one empty run if there are none."""
    stored = rows[np.lexsort((frames.start[rows], frames.block[rows]))]
    itemsize = np.array([block.itemsize for block in frames.blocks], np.int64)
    sizes = frames.length[stored] * frames.width * itemsize[frames.block[stored]]
    slab = (np.cumsum(sizes) - sizes) // slab_bytes
    return iter(np.split(stored, np.flatnonzero(np.diff(slab)) + 1))
