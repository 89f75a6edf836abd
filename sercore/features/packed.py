"""The frames of one corpus in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FrameBlock = npt.NDArray[np.float16] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class PackedFrames:
    """The frames of one corpus under one backbone, ragged, read without a copy.

    Row ``i`` is row ``i`` of the manifest: its frames are
    ``blocks[block[i]][start[i] : start[i] + length[i]]``.

    Args:
        blocks: one array (frames in the part, width) per part, views of memory maps; float16,
            or float32 where a value would not fit.
        block: int32 (utterances,), which block holds an utterance; -1 where it has none.
        start: int64 (utterances,), its first frame in that block.
        length: int64 (utterances,), its number of frames; 0 where it could not be extracted.
        width: numbers in one frame.
    """

    blocks: Sequence[FrameBlock]
    block: npt.NDArray[np.int32]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    width: int

    def __len__(self) -> int:
        return len(self.length)

    @property
    def n_frames(self) -> int:
        """Frames of all utterances."""
        return int(self.length.sum())

    def frames(self, row: int) -> FrameBlock:
        """Return the frames of one utterance, shape (frames, width), a view."""
        first = self.start[row]
        frames: FrameBlock = self.blocks[self.block[row]][first : first + self.length[row]]
        return frames
