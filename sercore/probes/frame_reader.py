"""Read batches of frames into one buffer that is reused.

One code path serves corpora that fit in memory and corpora that do not. Frames on this machine are
memory maps: the page cache of the operating system decides what is read from disk again, and the
process needs no memory of its own for the frames of a corpus. Frames in an object store are read
when a batch needs them (`sercore.features.remote_frames`). All give the same bits.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import warnings
from typing import TYPE_CHECKING
from typing import cast

import numpy as np
import torch

from sercore.probes.checks import check_every_utterance_has_frames

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.features.packed import FrameArray
    from sercore.features.packed import FrameBlock
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
        self._packed = frames
        self._rows = rows
        self._lengths = frames.length[rows].astype(np.int64)
        used = [frames.blocks[number] for number in np.unique(frames.block[rows]).tolist()]
        self._views = _views(frames, rows) if all(map(_is_mapped, used)) else None
        dtypes = {_as_tensor(np.empty(0, block.dtype)).dtype for block in used}
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
        chosen = self._chosen(places)
        if stride != 1:
            offsets = (offset % self._lengths[places]).tolist()
            chosen = [view[start::stride] for view, start in zip(chosen, offsets, strict=True)]
        n_frames = sum(map(len, chosen))
        stored = torch.cat(chosen, out=self._stored[:n_frames])
        return self._frames[:n_frames].copy_(stored, non_blocking=True)

    def prefetch(self, places: npt.NDArray[np.int64]) -> None:
        """Begin to load some utterances.

        Memory maps need no hint while the chosen frames are smaller than 1 GiB: they stay in the
        page cache.

        Args:
            places: int64 (utterances,), positions in the rows of the constructor.
        """
        if self._views is None:
            self._packed.will_need(self._rows[places])
        elif self._prefetches:
            for place in places.tolist():
                _will_need(self._views[place])

    def _chosen(self, places: npt.NDArray[np.int64]) -> list[torch.Tensor]:
        """Return the frames of some utterances."""
        if self._views is not None:
            return [self._views[place] for place in places.tolist()]
        rows = self._rows[places]
        self._packed.will_need(rows)  # all at once, not one after the other
        return [_as_tensor(self._packed.frames(row)) for row in rows.tolist()]


def _is_mapped(block: FrameBlock) -> bool:
    return isinstance(block, np.ndarray)


def _views(frames: PackedFrames, rows: npt.NDArray[np.int64]) -> list[torch.Tensor]:
    """Return one view per utterance, made once, so that a batch is a single concatenation."""
    blocks = [
        _as_tensor(block) if isinstance(block, np.ndarray) else None for block in frames.blocks
    ]
    places = zip(
        frames.block[rows].tolist(),
        frames.start[rows].tolist(),
        frames.length[rows].tolist(),
        strict=True,
    )
    return [cast("torch.Tensor", blocks[block])[start : start + n] for block, start, n in places]


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _as_tensor(block: FrameArray) -> torch.Tensor:
    with warnings.catch_warnings():
        # Memory maps are read-only, and this module does not write to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(block)


def _will_need(view: torch.Tensor) -> None:
    start = view.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    length = view.data_ptr() + view.nbytes - start
    _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _WILL_NEED)
