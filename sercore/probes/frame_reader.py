"""Frames of chosen utterances, gathered from the memory maps into one reused buffer.

The same gathering serves a corpus that fits in memory and one that does not: the page cache
decides what is read again, so both give the same bits and neither needs anonymous memory for the
frames.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from sercore.errors import ProtocolError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames

_WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)
_READ_AHEAD_FROM = 1 << 30
"""Bytes of training frames from which the next batch is announced to the kernel."""


class FrameReader:
    """Gathers the frames of chosen utterances of one corpus as float32.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the utterances that will be asked for, by their place in this array.
        device: where the gathered frames are wanted.
        max_frames: most frames that one call will gather.

    Raises:
        ProtocolError: an utterance has no frames.
    """

    def __init__(
        self,
        frames: PackedFrames,
        rows: npt.NDArray[np.int64],
        *,
        device: str,
        max_frames: int,
    ) -> None:
        self._lengths = frames.length[rows].astype(np.int64)
        if (missing := np.flatnonzero(self._lengths <= 0)).size:
            raise ProtocolError(
                f"utterance {int(rows[missing[0]])} of the corpus has no frames"
                f" ({missing.size} of the {rows.size} asked for have none)",
                hint="leave out the utterances whose extraction failed",
            )
        blocks = [_as_tensor(block) for block in frames.blocks]
        # One view per utterance, made once: a batch is then a single concatenation.
        self._views = [
            blocks[block][start : start + length]
            for block, start, length in zip(
                frames.block[rows].tolist(),
                frames.start[rows].tolist(),
                self._lengths.tolist(),
                strict=True,
            )
        ]
        kinds = {view.dtype for view in self._views}
        pinned = device != "cpu"
        self._stored = torch.empty(
            (max_frames, frames.width),
            dtype=kinds.pop() if len(kinds) == 1 else torch.float32,
            pin_memory=pinned,
        )
        self._frames = torch.empty((max_frames, frames.width), device=device)
        n_bytes = int(self._lengths.sum()) * frames.width * self._stored.element_size()
        self._announces = n_bytes >= _READ_AHEAD_FROM

    def taken(self, stride: int, offset: int) -> npt.NDArray[np.int64]:
        """Return how many frames `take` gives of each utterance, int64 (n,)."""
        taken: npt.NDArray[np.int64] = -((offset % self._lengths - self._lengths) // stride)
        return taken

    def take(self, places: npt.NDArray[np.int64], stride: int = 1, offset: int = 0) -> torch.Tensor:
        """Return the frames of some utterances one after the other.

        Args:
            places: int64 (utterances,), places in the rows given at the start.
            stride: take every n-th frame only.
            offset: the first frame taken, modulo the utterance's length.

        Returns:
            float32 (frames, width) on the device; the next call overwrites it.
        """
        views = self._views
        if stride == 1:
            chosen = [views[place] for place in places.tolist()]
        else:
            chosen = [
                views[place][offset % self._lengths[place] :: stride] for place in places.tolist()
            ]
        n_frames = sum(map(len, chosen))
        stored = torch.cat(chosen, out=self._stored[:n_frames])
        return self._frames[:n_frames].copy_(stored, non_blocking=True)

    def announce(self, places: npt.NDArray[np.int64]) -> None:
        """Ask the kernel to read these utterances ahead, where the corpus is too big to stay."""
        if not self._announces or _WILL_NEED is None:
            return
        for place in places.tolist():
            _will_need(self._views[place])


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _as_tensor(block: npt.NDArray[np.float16] | npt.NDArray[np.float32]) -> torch.Tensor:
    with warnings.catch_warnings():
        # Memory maps are read-only, and nothing here writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(block)


def _will_need(view: torch.Tensor) -> None:
    start = view.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    length = view.data_ptr() + view.nbytes - start
    _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _WILL_NEED)
