"""Read batches of frames from memory maps into one buffer that is reused.

One code path serves corpora that fit in memory and corpora that do not. The page cache of the
operating system decides what is read from disk again, so both give the same bits, and the process
needs no memory of its own for the frames of a corpus.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from sercore.probes.checks import check_every_utterance_has_frames

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames

_WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)
_PREFETCH_FROM = 1 << 30
"""Bytes of chosen frames from which on `FrameReader.prefetch` has an effect."""


class FrameReader:
    """Reads frames of chosen utterances of one corpus as float32 tensors.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the chosen utterances. Methods take positions in this array.
        device: where the frames are needed, ``cpu`` or ``cuda[:n]``.
        max_frames: upper bound of the frames that one call reads.

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
        check_every_utterance_has_frames(frames, rows)
        self._lengths = frames.length[rows].astype(np.int64)
        blocks = [_as_tensor(block) for block in frames.blocks]
        # One view per utterance, made once, so that a batch is a single concatenation.
        self._views = [
            blocks[block][start : start + length]
            for block, start, length in zip(
                frames.block[rows].tolist(),
                frames.start[rows].tolist(),
                self._lengths.tolist(),
                strict=True,
            )
        ]
        dtypes = {view.dtype for view in self._views}
        self._stored = torch.empty(
            (max_frames, frames.width),
            dtype=dtypes.pop() if len(dtypes) == 1 else torch.float32,
            pin_memory=device != "cpu",
        )
        self._frames = torch.empty((max_frames, frames.width), device=device)
        n_bytes = int(self._lengths.sum()) * frames.width * self._stored.element_size()
        self._prefetches = n_bytes >= _PREFETCH_FROM and _WILL_NEED is not None

    def lengths(self, stride: int, offset: int) -> npt.NDArray[np.int64]:
        """Return how many frames `read` gives of each utterance, int64 (n,)."""
        lengths: npt.NDArray[np.int64] = -((offset % self._lengths - self._lengths) // stride)
        return lengths

    def read(self, places: npt.NDArray[np.int64], stride: int = 1, offset: int = 0) -> torch.Tensor:
        """Return the frames of some utterances, one utterance after the other.

        Args:
            places: int64 (utterances,), positions in the rows of the constructor.
            stride: read every n-th frame only.
            offset: index of the first frame read, modulo the utterance's length.

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

    def prefetch(self, places: npt.NDArray[np.int64]) -> None:
        """Ask the kernel to load some utterances, if the chosen frames exceed 1 GiB.

        Smaller corpora stay in the page cache and need no hint.

        Args:
            places: int64 (utterances,), positions in the rows of the constructor.
        """
        if not self._prefetches:
            return
        for place in places.tolist():
            _will_need(self._views[place])


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _as_tensor(block: npt.NDArray[np.float16] | npt.NDArray[np.float32]) -> torch.Tensor:
    with warnings.catch_warnings():
        # Memory maps are read-only, and this module does not write to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(block)


def _will_need(view: torch.Tensor) -> None:
    start = view.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    length = view.data_ptr() + view.nbytes - start
    _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _WILL_NEED)
