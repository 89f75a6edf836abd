"""The mean frame of an utterance, for probes that pool before they classify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.features.packed import PackedFrames
from sercore.probes.checks import check_every_utterance_has_frames

if TYPE_CHECKING:
    import numpy.typing as npt


_AHEAD = 32
"""Utterances that are asked for in advance, where frames are not on this machine."""


def mean_frames(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the mean frame of each chosen utterance.

    Each mean is computed alone in float32, so it does not depend on the other rows.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the chosen utterances.

    Returns:
        float32 of shape (n, width).

    Raises:
        ProtocolError: an utterance has no frames, or frames that are not finite.
    """
    check_every_utterance_has_frames(frames, rows)
    means = np.empty((len(rows), frames.width), np.float32)
    with np.errstate(invalid="ignore"):  # the error below names the utterance
        for place, row in enumerate(rows.tolist()):
            if place % _AHEAD == 0:
                frames.will_need(rows[place : place + 2 * _AHEAD])
            # Convert first: adding float16 to float32 goes through a slow buffered loop.
            means[place] = frames.frames(row).astype(np.float32).mean(axis=0)
    if (broken := np.flatnonzero(~np.isfinite(means).all(axis=1))).size:
        raise ProtocolError(
            f"utterance {int(rows[broken[0]])} of the corpus has frames that are not finite",
            hint="extract its features again",
        )
    return means


def packed_mean_frames(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> PackedFrames:
    """Return the chosen utterances as a corpus in which each has one frame, its mean.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the chosen utterances; they become rows 0 to n - 1.

    Raises:
        ProtocolError: an utterance has no frames, or frames that are not finite.
    """
    n = len(rows)
    return PackedFrames(
        blocks=[mean_frames(frames, rows)],
        block=np.zeros(n, np.int32),
        start=np.arange(n, dtype=np.int64),
        length=np.ones(n, np.int64),
        width=frames.width,
    )
