"""Parts: the frames of a few dozen recordings in memory-mapped Arrow IPC files.

A part is named by what it was computed from (`sercore.features.keys.part_key`): the encoder and the
content of its recordings. It holds no name and no label, so stores of several manifests share it,
and a part is never out of date, only missing or damaged.

A part is three files: the frames with facts about the audio (``<key>.arrow``), the pooled means of
all layers if they are wanted (``<key>.means.arrow``), and its record (``<key>.json``) with the
digests of both. The record is written last: a part is done if and only if its record exists.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.audio.schema import AUDIO_SCHEMA
from sercore.errors import BackboneError
from sercore.errors import DamagedError
from sercore.errors import WorkspaceError
from sercore.features.keys import SCHEMA_VERSION
from sercore.features.recipe import recorded_versions
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.workspace import Workspace

    FrameBlock = npt.NDArray[np.float16] | npt.NDArray[np.float32]

RECORD, FRAMES, MEANS = ".json", ".arrow", ".means.arrow"
"""What the names of a part's files end in."""

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
        self._write_batch(self.path(key, FRAMES), batch)
        # None: not requested; 0: this backbone has no inner layers.
        layers = self._write_means(key, utterances) if layer_means else None
        record = {
            "schema": SCHEMA_VERSION,
            "key": key,
            "digest": self._workspace.digest(self.path(key, FRAMES)),
            "means_digest": self._workspace.digest(self.path(key, MEANS)) if layers else None,
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

    def read(self, key: str, kind: str) -> pa.RecordBatch:
        """Map a file of a part into memory.

        Raises:
            DamagedError: it is missing or is no Arrow file.
        """
        relative = self.path(key, kind)
        path = self._workspace.path(relative)
        try:
            if self._workspace.is_local:
                source = pa.memory_map(path)
            else:
                source = pa.BufferReader(self._workspace.read_bytes(relative))
            return pa.ipc.open_file(source).get_batch(0)
        except (OSError, pa.ArrowException, WorkspaceError) as error:
            raise DamagedError(
                f"{path} cannot be read as features: {error}",
                hint="run again: the part is extracted again",
            ) from error

    def audio(self, key: str, record: Mapping[str, Any]) -> pa.RecordBatch:
        """Return what decoding found out about each recording of a part, without its frames.

        Raises:
            DamagedError: it is missing or is not what was written.
        """
        try:
            audio = self.read(key, FRAMES).select(AUDIO_SCHEMA.names)
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

    def _verify_file(self, relative: str, digest: str, *, again: bool) -> None:
        path = self._workspace.path(relative)
        state: tuple[object, ...] = (path, digest)
        try:
            if self._workspace.is_local:
                now = os.stat(path)  # noqa: PTH116 - called once per part
                times = (now.st_mtime_ns, now.st_ctime_ns)
                state = (path, digest, now.st_ino, now.st_size, *times)
            if state in _VERIFIED and not again:
                return
            matches = self._workspace.digest(relative) == digest
        except (OSError, WorkspaceError):
            matches = False
        if not matches:
            raise _damaged(path)
        _VERIFIED.add(state)

    def _write_batch(self, relative: str, batch: pa.RecordBatch) -> None:
        # Uncompressed: a compressed buffer cannot be mapped.
        with (
            self._workspace.write(relative) as file,
            pa.ipc.new_file(file, batch.schema) as writer,
        ):
            writer.write_batch(batch)

    def _write_means(self, key: str, utterances: Sequence[ExtractedUtterance]) -> int:
        """Write layer means, and return the number of layers; 0 if there are none."""
        kept = [
            (position, utterance.layer_means)
            for position, utterance in enumerate(utterances)
            if utterance.layer_means is not None
        ]
        if not kept:
            return 0
        layers = len(kept[0][1])
        packed = _packed([means for _, means in kept], self.width, utterances)
        batch = pa.record_batch(
            [
                pa.array([position for position, _ in kept], type=pa.int64()),
                pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), layers * self.width),
            ],
            names=["position", "means"],
        )
        self._write_batch(self.path(key, MEANS), batch)
        return layers


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
) -> FrameBlock:
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


def _ragged(packed: FrameBlock, lengths: Sequence[int], width: int) -> pa.Array:
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
