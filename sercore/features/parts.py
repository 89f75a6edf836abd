"""Parts: the frames of a few dozen recordings in memory-mapped Arrow IPC files.

A part is named by what it was computed from (`sercore.features.keys.part_key`): the encoder and the
content of its recordings. It holds no name and no label, so stores of several manifests share it,
and a part is never out of date, only missing or damaged.

A part is three files: the frames with facts about the audio (``<key>.arrow``), the pooled means of
all layers if they are wanted (``<key>.means.arrow``), and its record (``<key>.json``) with the
digests of both. The record is written last: a part is done if and only if its record exists.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from sercore.audio.schema import AUDIO_SCHEMA
from sercore.errors import BackboneError
from sercore.errors import DamagedError
from sercore.errors import WorkspaceError
from sercore.features.keys import SCHEMA_VERSION
from sercore.features.recipe import recorded_versions
from sercore.features.remote_frames import RemoteBlock
from sercore.features.remote_frames import open_batch
from sercore.storage.digests import digest_of
from sercore.storage.object_store import StoreError
from sercore.storage.workspace import read_error

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

    from sercore.features.packed import FrameArray
    from sercore.features.packed import FrameBlock
    from sercore.storage.pages import RemoteFile
    from sercore.storage.workspace import Workspace

RECORD, FRAMES, MEANS = ".json", ".arrow", ".means.arrow"
"""What the names of a part's files end in."""

_STEP = 8 << 20
"""Bytes of a remote file that are verified at a time."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)

_VERIFIED: set[tuple[object, ...]] = set()
"""Files whose bytes this process has compared with their digest, by path and state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedUtterance:
    """The result of extraction for one utterance."""

    row: int
    """Row of the manifest."""
    path: str
    """File inside the corpus, for messages."""
    frames: npt.NDArray[np.float32] | None = None
    """float32 of shape (frames, width); None where the recording could not be used."""
    layer_means: npt.NDArray[np.float32] | None = None
    """float32 of shape (layers, width)."""
    duration_s: float | None = None
    source_rate: int | None = None
    """Hertz, as recorded."""
    channels: int | None = None
    audio_digest: str | None = None
    """SHA-256 of the decoded audio."""
    error: str | None = None
    """One sentence: why there are no frames; None when there are."""
    error_kind: str = "undecodable"
    """Kind of the problem that is reported for it, as in `sercore.corpora.problems.Problem`."""


class PartFiles:
    """The parts of one encoder in a workspace.

    Args:
        workspace: where they are stored.
        folder: the folder that holds them.
        width: numbers in one frame.
    """

    def __init__(self, workspace: Workspace, folder: str, width: int) -> None:
        self._workspace = workspace
        self.folder = folder
        self.width = width

    def path(self, key: str, kind: str) -> str:
        """Return the path of a part's file in the workspace; `kind` is one of the suffixes."""
        return f"{self.folder}/{key[:32]}{kind}"

    def record(self, key: str) -> dict[str, Any] | None:
        """Return the record of a part; None if the part is missing.

        Raises:
            DamagedError: the record is not what was written.
        """
        if not self._workspace.exists(self.path(key, RECORD)):
            return None
        found: dict[str, Any] = self._workspace.read_json(self.path(key, RECORD))
        if (found.get("schema"), found.get("key")) != (SCHEMA_VERSION, key):
            raise DamagedError(
                f"{self._workspace.path(self.path(key, RECORD))} is the record of another part",
                hint="run again: the part is extracted again",
            )
        return found

    def write(
        self,
        key: str,
        utterances: Sequence[ExtractedUtterance],
        *,
        layer_means: bool,
        plan: Mapping[str, Any],
    ) -> None:
        """Write one part, its record last.

        Args:
            key: the part's key.
            utterances: its utterances in the part's order.
            layer_means: store those of the utterances too.
            plan: how it was computed (device, frame budget, threads), for the record.

        Raises:
            BackboneError: a frame is not finite.
            DiskFullError: no space left.
            WorkspaceError: it cannot be written.
        """
        frames = [utterance.frames for utterance in utterances]
        packed = _packed([found for found in frames if found is not None], self.width, utterances)
        lengths = [0 if found is None else len(found) for found in frames]
        batch = pa.record_batch(
            [_ragged(packed, lengths, self.width), *_audio_arrays(utterances)],
            names=["frames", *AUDIO_SCHEMA.names],
        )
        self.discard(key)
        digest = self._write_batch(self.path(key, FRAMES), batch)
        # None: not requested; 0: this backbone has no inner layers.
        layers, means_digest = self._write_means(key, utterances) if layer_means else (None, None)
        record = {
            "schema": SCHEMA_VERSION,
            "key": key,
            "digest": digest,
            "means_digest": means_digest,
            "audio_digest": digest_of(batch.select(AUDIO_SCHEMA.names).to_pylist()),
            "n_frames": len(packed),
            "dtype": packed.dtype.name,
            "layers": layers,
            "plan": dict(plan),
            "versions": recorded_versions(),
        }
        self._workspace.write_json(self.path(key, RECORD), record | _counts(utterances))

    def verify(self, key: str, record: Mapping[str, Any], *, again: bool = False) -> None:
        """Compare a part's files with its record, once per process and state of a file.

        Args:
            key: the part's key.
            record: its record.
            again: compare also what this process compared before.

        Raises:
            DamagedError: a file is missing or holds other bytes.
        """
        expected = {FRAMES: record["digest"]}
        if record["layers"]:
            expected[MEANS] = record["means_digest"]
        for kind, digest in expected.items():
            self._verify_file(self.path(key, kind), digest, again=again)

    def has_changed(self, key: str, record: Mapping[str, Any]) -> bool:
        """Return whether a file of a part is missing, or was changed after the record was written.

        The record is written last. A part whose files are older holds what was written,
        unless the disk itself changed a byte. Times of remote files are not compared: always
        False.
        """
        if not self._workspace.is_local:
            return False
        kinds = (FRAMES, MEANS) if record["layers"] else (FRAMES,)
        times = [_changed_ns(self._workspace.path(self.path(key, kind))) for kind in kinds]
        written = _changed_ns(self._workspace.path(self.path(key, RECORD)))
        return any(time is None or time > (written or 0) for time in times)

    def confirm(self, key: str) -> None:
        """Note that a part was verified: its record counts as the youngest of its files."""
        self._workspace.touch(self.path(key, RECORD))

    def frames(self, key: str) -> tuple[npt.NDArray[np.int64], FrameBlock]:
        """Return the frames of a part: the first frame of each recording and the end, and all.

        Raises:
            DamagedError: the file is missing or is no Arrow file.
        """
        batch, remote = self._frames(key)
        frames = batch.column("frames")
        offsets = frames.offsets.to_numpy()
        values = frames.values.values
        if remote is None:
            return offsets, values.to_numpy(zero_copy_only=True).reshape(-1, self.width)
        file, start = remote
        shape = (int(offsets[-1]), self.width)
        dtype = values.type.to_pandas_dtype()
        return offsets, RemoteBlock(self._workspace.pages, file, start, shape, dtype)

    def means(self, key: str) -> pa.RecordBatch:
        """Return the layer means of a part.

        Raises:
            DamagedError: the file is missing or is no Arrow file.
        """
        relative = self.path(key, MEANS)
        with self._reading(relative):
            if self._workspace.is_local:
                return _first_batch(pa.memory_map(self._workspace.path(relative)))
            return _first_batch(pa.BufferReader(self._workspace.read_bytes(relative)))

    def audio(self, key: str, record: Mapping[str, Any]) -> pa.RecordBatch:
        """Return what decoding found out about each recording of a part, without its frames.

        Raises:
            DamagedError: it is missing or is not what was written.
        """
        try:
            audio = self._frames(key)[0].select(AUDIO_SCHEMA.names)
            audio.validate(full=True)
            matches = digest_of(audio.to_pylist()) == record["audio_digest"]
        except (pa.ArrowException, KeyError, ValueError):
            matches = False
        if not matches:
            raise _damaged(self._workspace.path(self.path(key, FRAMES)))
        return audio

    def discard(self, key: str) -> None:
        """Forget a part, so that the next run extracts it again."""
        self._workspace.remove(self.path(key, RECORD))

    def remove(self, key: str) -> None:
        """Remove all files of a part, its record first."""
        for kind in (RECORD, FRAMES, MEANS):
            self._workspace.remove(self.path(key, kind))

    def _frames(self, key: str) -> tuple[pa.RecordBatch, tuple[RemoteFile, int] | None]:
        """Return the file of frames; behind a store without them, but with their place."""
        relative = self.path(key, FRAMES)
        with self._reading(relative):
            if self._workspace.is_local:
                return _first_batch(pa.memory_map(self._workspace.path(relative))), None
            file = self._workspace.remote_file(relative)
            batch, start = open_batch(self._workspace.pages, file, without="frames")
            return batch, (file, start)

    @contextmanager
    def _reading(self, relative: str) -> Iterator[None]:
        """Raise DamagedError for what cannot be read, unless it is the store that fails."""
        try:
            yield
        except StoreError as error:
            raise read_error(self._workspace.path(relative), error) from error
        except DamagedError:
            raise
        except (OSError, pa.ArrowException, WorkspaceError) as error:
            raise DamagedError(
                f"{self._workspace.path(relative)} cannot be read as features: {error}",
                hint="run again: the part is extracted again",
            ) from error

    def _verify_file(self, relative: str, digest: str, *, again: bool) -> None:
        path = self._workspace.path(relative)
        with self._reading(relative):
            facts = self._workspace.facts(relative)
            if facts is None:
                raise _damaged(path)
            state = (path, digest, facts.version)
            if state in _VERIFIED and not again:
                return
            if self._digest(relative) != digest:
                raise _damaged(path)
            _VERIFIED.add(state)

    def _digest(self, relative: str) -> str:
        """Return the digest of a file; of a remote file, its pages are then at hand."""
        if self._workspace.is_local:
            return self._workspace.digest(relative)
        file, pages = self._workspace.remote_file(relative), self._workspace.pages
        found = hashlib.sha256()
        for start in range(0, file.n_bytes, _STEP):
            pages.will_need(file, [(start, min(2 * _STEP, file.n_bytes - start))])
            found.update(pages.read(file, start, min(_STEP, file.n_bytes - start)))
        return found.hexdigest()

    def _write_batch(self, relative: str, batch: pa.RecordBatch) -> str:
        """Write a file, and return the digest of what was written."""
        with self._workspace.write(relative) as file:
            hashing = _HashingWriter(file)
            # Uncompressed: a compressed buffer cannot be mapped.
            with pa.ipc.new_file(hashing, batch.schema) as writer:
                writer.write_batch(batch)
        return hashing.digest.hexdigest()

    def _write_means(
        self, key: str, utterances: Sequence[ExtractedUtterance]
    ) -> tuple[int, str | None]:
        """Write layer means; return the number of layers and the digest of the file, or 0, None."""
        kept = [
            (position, utterance.layer_means)
            for position, utterance in enumerate(utterances)
            if utterance.layer_means is not None
        ]
        if not kept:
            return 0, None
        layers = len(kept[0][1])
        packed = _packed([means for _, means in kept], self.width, utterances)
        batch = pa.record_batch(
            [
                pa.array([position for position, _ in kept], type=pa.int64()),
                pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), layers * self.width),
            ],
            names=["position", "means"],
        )
        return layers, self._write_batch(self.path(key, MEANS), batch)


class _HashingWriter(io.RawIOBase):
    """Passes bytes on and computes their digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data)
        self._file.write(view)
        self.digest.update(view)
        self._length += view.nbytes
        return view.nbytes


def _first_batch(source: pa.NativeFile) -> pa.RecordBatch:
    return pa.ipc.open_file(source).get_batch(0)


def _counts(utterances: Sequence[ExtractedUtterance]) -> dict[str, Any]:
    """Return what the record of a part says about its utterances."""
    return {
        "utterances": len(utterances),
        "seconds": sum(
            utterance.duration_s or 0.0 for utterance in utterances if utterance.frames is not None
        ),
        "failures": [
            {
                "position": position,
                "path": utterance.path,
                "kind": utterance.error_kind,
                "error": utterance.error,
            }
            for position, utterance in enumerate(utterances)
            if utterance.frames is None
        ],
    }


def _audio_arrays(utterances: Sequence[ExtractedUtterance]) -> list[pa.Array]:
    return [
        pa.array([getattr(utterance, field.name) for utterance in utterances], type=field.type)
        for field in AUDIO_SCHEMA
    ]


def _packed(
    arrays: Sequence[npt.NDArray[np.float32]],
    width: int,
    utterances: Sequence[ExtractedUtterance],
) -> FrameArray:
    """Join frames into one array: float16, or float32 where a value would not fit."""
    if not arrays:
        return np.empty((0, width), dtype=np.float16)
    joined = np.concatenate(arrays)
    largest = float(np.abs(joined).max(initial=0.0))  # NaN and infinity both show in it
    if not np.isfinite(largest):
        broken = next(
            utterance
            for utterance in utterances
            for values in (utterance.frames, utterance.layer_means)
            if values is not None and not np.isfinite(values).all()
        )
        raise BackboneError(
            f"the encoder gave values that are not finite for {broken.path}",
            hint="run 'sercore check NAME --dtype float16', or choose --dtype float32",
        )
    if largest > _FLOAT16_MAX:
        return np.ascontiguousarray(joined, dtype=np.float32)
    return np.ascontiguousarray(joined.astype(np.float16))


def _ragged(packed: FrameArray, lengths: Sequence[int], width: int) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    frames = pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), width)
    return pa.LargeListArray.from_arrays(pa.array(offsets), frames)


def _damaged(path: str) -> DamagedError:
    return DamagedError(
        f"{path} is damaged: its bytes are not those that were written",
        hint="run again: the part is extracted again",
    )


def _changed_ns(path: str) -> int | None:
    """Return when a file was last changed, in nanoseconds since 1970; None where it is missing."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - called for every part of a run
    except OSError:
        return None
    return max(facts.st_mtime_ns, facts.st_ctime_ns)
