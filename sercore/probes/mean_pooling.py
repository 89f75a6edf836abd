"""Utterances as the mean of their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames


def pooled_frames(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the mean frame of some utterances.

    Each is computed by itself in float32, so it does not depend on which others are asked for.

    Returns:
        float32 of shape (rows, width).

    Raises:
        ProtocolError: an utterance has no frames, or frames that are not finite.
    """
    if (missing := rows[frames.length[rows] <= 0]).size:
        raise ProtocolError(
            f"utterance {int(missing[0])} of the corpus has no frames"
            f" ({missing.size} of the {rows.size} asked for have none)",
            hint="leave out the utterances whose extraction failed",
        )
    pooled = np.empty((len(rows), frames.width), np.float32)
    with np.errstate(invalid="ignore"):  # told below, with the utterance's name
        for place, row in enumerate(rows.tolist()):
            # Converted first: adding halves to floats goes through a slow buffered loop.
            pooled[place] = frames.frames(row).astype(np.float32).mean(axis=0)
    if (broken := np.flatnonzero(~np.isfinite(pooled).all(axis=1))).size:
        raise ProtocolError(
            f"utterance {int(rows[broken[0]])} of the corpus has frames that are not finite",
            hint="extract its features again",
        )
    return pooled
