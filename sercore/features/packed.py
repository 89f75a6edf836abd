"""The frames of one corpus in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.remote_frames import RemoteBlock

    FrameArray = npt.NDArray[np.float16] | npt.NDArray[np.float32]
    FrameBlock = FrameArray | RemoteBlock


@dataclass(frozen=True)
class PackedFrames:
    """The frames of one corpus under one backbone, ragged.

    In a workspace on this machine they are read without a copy. Behind an object store a block
    reads what is asked for, so that frames that do not fit in memory can be used as well.

    Row ``i`` is row ``i`` of the manifest: its frames are
    ``blocks[block[i]][start[i] : start[i] + length[i]]``.

    Args:
        blocks: one array (frames in the part, width) per part, views of memory maps; float16,
            or float32 where a value would not fit. Behind an object store something whose slices
            are such arrays.
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

    def frames(self, row: int) -> FrameArray:
        """Return the frames of one utterance, shape (frames, width)."""
        first = self.start[row]
        frames: FrameArray = self.blocks[self.block[row]][first : first + self.length[row]]
        return frames

    def will_need(self, rows: npt.NDArray[np.int64]) -> None:
        """Begin to read the frames of some utterances, where that helps.

        Args:
            rows: int64 (n,), what is read next; more than memory holds is ignored.
        """
        for number, block in enumerate(self.blocks):
            begin = getattr(block, "will_need", None)
            chosen = rows[self.block[rows] == number] if begin is not None else ()
            if begin is not None and len(chosen):
                starts, lengths = self.start[chosen].tolist(), self.length[chosen].tolist()
                begin(list(zip(starts, lengths, strict=True)))
