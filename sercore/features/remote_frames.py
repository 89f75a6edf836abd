"""Frames of a part in an object store: read when they are needed, a few recordings at a time.

A part is an Arrow file with one record batch. Where its frames lie in the file follows from its
first and last bytes, so neither the frames nor the whole file have to be fetched to open it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.storage.workspace import read_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.pages import PageCache
    from sercore.storage.pages import RemoteFile

    FrameArray = npt.NDArray[np.float16] | npt.NDArray[np.float32]

_ENDS = 64 << 10
"""Bytes at the start and at the end of a file that say how it is laid out."""


class RemoteBlock:
    """The frames of one part in an object store; slices of it are arrays in memory.

    Args:
        pages: reads parts of files.
        file: the Arrow file.
        start: its first byte that belongs to a frame.
        shape: frames, and numbers in one frame.
        dtype: float16 or float32.
    """

    def __init__(
        self,
        pages: PageCache,
        file: RemoteFile,
        start: int,
        shape: tuple[int, int],
        dtype: npt.DTypeLike,
    ) -> None:
        self._pages = pages
        self._file = file
        self._start = start
        self.shape = shape
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.itemsize = self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: slice) -> FrameArray:
        """Return adjacent frames, shape (frames, width).

        Raises:
            WorkspaceError: the store does not answer.
        """
        first, stop, step = chosen.indices(len(self))
        start, length = self._span(first, max(first, stop))
        try:
            data = self._pages.read(self._file, start, length)
        except OSError as error:
            raise read_error(self._file.path, error) from error
        frames: FrameArray = np.frombuffer(data, self.dtype).reshape(-1, self.shape[1])
        return frames[::step]

    def will_need(self, parts: Iterable[tuple[int, int]]) -> None:
        """Begin to read adjacent frames: first frame and number of frames of each part."""
        self._pages.will_need(
            self._file, [self._span(first, first + count) for first, count in parts]
        )

    def _span(self, first: int, stop: int) -> tuple[int, int]:
        row = self.shape[1] * self.itemsize
        return self._start + first * row, (stop - first) * row


def open_batch(pages: PageCache, file: RemoteFile, *, without: str) -> tuple[pa.RecordBatch, int]:
    """Return the record batch of an Arrow file, in which the values of one column are zero.

    Args:
        pages: reads parts of files.
        file: the Arrow file, uncompressed.
        without: the column whose values are not read; a list of lists of fixed size.

    Returns:
        The batch, and the first byte of these values in the file.

    Raises:
        OSError: the store does not answer.
        pa.ArrowException: the file is no Arrow file.
    """
    # Memory that nothing was written to is zero and takes no room.
    image = mmap.mmap(-1, max(1, file.n_bytes))
    head = min(_ENDS, file.n_bytes)
    tail = max(head, file.n_bytes - _ENDS)
    image[:head] = pages.read(file, 0, head)
    image[tail : file.n_bytes] = pages.read(file, tail, file.n_bytes - tail)
    whole = pa.py_buffer(image)
    batch = pa.ipc.open_file(whole).get_batch(0)
    *needed, values = batch.column(without).buffers()
    for name in batch.schema.names:
        needed += [] if name == without else batch.column(name).buffers()
    for buffer in needed:
        start = 0 if buffer is None else buffer.address - whole.address
        size = 0 if buffer is None else buffer.size
        if start + size > head and start < tail:
            image[start : start + size] = pages.read(file, start, size)
    return batch, values.address - whole.address
