"""The feature store: packed frames in memory-mapped Arrow IPC files.

One folder per backbone and manifest holds parts; a part holds the frames of a few dozen
utterances as one flat value buffer with offsets. Nothing is padded, nothing is copied on reading.

A part is three files: the frames with facts about the audio (``part-00000.arrow``), if wanted the
pooled means of all layers (``part-00000.means.arrow``), and its record (``part-00000.json``). The
record is written last, so a part is done if and only if its record is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.corpora.problems import Problem
from sercore.errors import BackboneError
from sercore.errors import WorkspaceError
from sercore.features.keys import SCHEMA_VERSION
from sercore.features.keys import feature_key
from sercore.features.packed import PackedFrames
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.workspace import Workspace

    FrameBlock = npt.NDArray[np.float16] | npt.NDArray[np.float32]


PART_SIZE = 64
"""Utterances in a part: what an interrupted extraction loses at most."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)

_VERIFIED: set[tuple[object, ...]] = set()
"""Files whose bytes this process has compared with their digest, by path and state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedUtterance:
    """What extraction learnt about one utterance."""

    row: int
    """Row of the manifest."""
    utterance_id: str
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


def plan_parts(
    sizes: npt.NDArray[np.int64], utterance_ids: Sequence[str]
) -> list[npt.NDArray[np.int64]]:
    """Cut a corpus into parts of utterances of similar length.

    A pure function of the manifest, so that results never depend on what remained to do.

    Args:
        sizes: int64 (utterances,), bytes of each recording.
        utterance_ids: ids in the same order; they break ties.

    Returns:
        Rows of each part: by size, the longest first, `PART_SIZE` at a time.

    >>> [part.tolist() for part in plan_parts(np.array([10, 30, 20]), ["a", "b", "c"])]
    [[1, 2, 0]]
    """
    order = sorted(range(len(utterance_ids)), key=lambda row: (-sizes[row], utterance_ids[row]))
    rows = np.array(order, dtype=np.int64)
    return [rows[first : first + PART_SIZE] for first in range(0, len(rows), PART_SIZE)]


class FeatureStore:
    """The features of one corpus under one backbone, in a workspace.

    Args:
        workspace: where it lies or will lie.
        identity: as `feature_identity` returns it.
    """

    def __init__(self, workspace: Workspace, identity: Mapping[str, Any]) -> None:
        self._workspace = workspace
        self.identity = dict(identity)
        self.key = feature_key(identity)
        backbone = re.sub(r"[^A-Za-z0-9._+-]", "_", str(identity["backbone"]).replace(":", "+"))
        self.folder = f"features/{backbone}/{identity['corpus']}-{self.key[:16]}"
        self.width = int(identity["width"])
        self.n_utterances = int(identity["utterances"])
        self.n_parts = -(-self.n_utterances // PART_SIZE)
        self._cached: dict[int, dict[str, Any]] = {}

    def missing_parts(self, *, layer_means: bool = False) -> list[int]:
        """Return the parts that a run should work on.

        These are the parts that are not there, those that hold an utterance without frames (a
        failure is never a result), and, if layer means are wanted, those without them.
        """
        missing = []
        for part in range(self.n_parts):
            record = self._record(part)
            if record is None or record["failures"] or (layer_means and record["layers"] is None):
                missing.append(part)
        return missing

    @property
    def is_complete(self) -> bool:
        """Whether every utterance has frames."""
        return not self.missing_parts()

    @property
    def is_readable(self) -> bool:
        """Whether every part is there, though utterances in it may have failed."""
        return all(self._record(part) is not None for part in range(self.n_parts))

    @property
    def n_done(self) -> int:
        """Utterances that have frames."""
        records = self._present()
        return sum(record["utterances"] - len(record["failures"]) for record in records)

    @property
    def n_frames(self) -> int:
        """Frames stored so far."""
        return sum(record["n_frames"] for record in self._present())

    @property
    def seconds(self) -> float:
        """Seconds of audio behind the frames stored so far."""
        return float(sum(record["seconds"] for record in self._present()))

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all parts.

        Raises:
            WorkspaceError: a part is missing.
        """
        return digest_of([self.key, [record["digest"] for record in self._all()]])

    def failures(self) -> tuple[Problem, ...]:
        """Return the utterances that have no frames, with the reason of each."""
        found = [
            Problem(kind=failure["kind"], where=failure["path"], message=failure["error"])
            for record in self._present()
            for failure in record["failures"]
        ]
        return tuple(sorted(found, key=lambda problem: problem.where))

    def failed_rows(self, part: int) -> list[int]:
        """Return the rows of a part whose utterances failed; empty if it is not there."""
        record = self._record(part)
        return [int(failure["row"]) for failure in record["failures"]] if record else []

    def has_part(self, part: int, *, layer_means: bool = False) -> bool:
        """Return whether a part is there (with layer means, if wanted), failures or not."""
        record = self._record(part)
        return record is not None and (not layer_means or record["layers"] is not None)

    def open(self, *, verify: bool = True) -> PackedFrames:
        """Map all frames of the corpus into memory.

        Args:
            verify: compare the bytes of each part with its record, once per process and file.

        Raises:
            WorkspaceError: a part is missing or damaged.
        """
        records = self._all()
        self._workspace.touch(f"{self.folder}/features.json")
        blocks: list[FrameBlock] = []
        block = np.full(self.n_utterances, -1, dtype=np.int32)
        start = np.zeros(self.n_utterances, dtype=np.int64)
        length = np.zeros(self.n_utterances, dtype=np.int64)
        for part in range(len(records)):
            name = f"{_stem(part)}.arrow"
            if verify:
                self._verify(name, records[part]["digest"])
            batch = self._read_batch(name)
            rows = batch.column("row").to_numpy()
            frames = batch.column("frames")
            offsets = frames.offsets.to_numpy()
            values = frames.values.values.to_numpy(zero_copy_only=True)
            blocks.append(values.reshape(-1, self.width))
            start[rows] = offsets[:-1]
            length[rows] = np.diff(offsets)
            block[rows[np.diff(offsets) > 0]] = part
        return PackedFrames(blocks, block, start, length, self.width)

    def layer_means(self, layer: int) -> npt.NDArray[np.float32]:
        """Return the mean frame of each utterance at one layer.

        Args:
            layer: 0 for what enters the first layer, then the layers in order, -1 for the last.

        Returns:
            float32 of shape (utterances, width); NaN where an utterance failed.

        Raises:
            WorkspaceError: a part is missing or was extracted without layer means.
        """
        means = np.full((self.n_utterances, self.width), np.nan, dtype=np.float32)
        for part, record in enumerate(self._all()):
            if not record["layers"]:
                raise WorkspaceError(
                    f"part {part} of {self.folder} has no layer means",
                    hint="run again without --no-layer-means",
                )
            self._verify(f"{_stem(part)}.means.arrow", record["means_digest"])
            batch = self._read_batch(f"{_stem(part)}.means.arrow")
            values = batch.column("means").values.to_numpy(zero_copy_only=True)
            by_layer = values.reshape(-1, record["layers"], self.width)
            means[batch.column("row").to_numpy()] = by_layer[:, layer]
        return means

    def audio(self) -> pa.Table:
        """Return what decoding found out about each recording, in row order.

        Columns: row, duration_s (seconds), source_rate (hertz), channels, audio_digest, error.

        Raises:
            WorkspaceError: a part is missing or damaged.
        """
        batches = [
            self._read_batch(f"{_stem(part)}.arrow").select(_AUDIO_COLUMNS)
            for part in range(len(self._all()))
        ]
        return pa.Table.from_batches(batches, schema=_AUDIO_SCHEMA).sort_by("row")

    def write_description(self, provenance: Mapping[str, Any]) -> None:
        """Write ``features.json``: the identity, and where the weights came from.

        Raises:
            DiskFullError: no space left.
            WorkspaceError: it cannot be written.
        """
        self._workspace.write_json(
            f"{self.folder}/features.json",
            {"identity": self.identity, "key": self.key, "provenance": dict(provenance)},
        )

    def write_part(
        self,
        part: int,
        utterances: Sequence[ExtractedUtterance],
        *,
        layer_means: bool,
        plan: Mapping[str, Any],
    ) -> None:
        """Write one part, its record last.

        Args:
            part: its number.
            utterances: its utterances in the order of `plan_parts`.
            layer_means: store those of the utterances too.
            plan: how it was computed (device, frame budget), for the record.

        Raises:
            BackboneError: a frame is not finite.
            DiskFullError: no space left.
            WorkspaceError: it cannot be written.
        """
        stem = f"{self.folder}/{_stem(part)}"
        frames = [each.frames for each in utterances]
        packed = _packed([each for each in frames if each is not None], self.width, utterances)
        lengths = [0 if each is None else len(each) for each in frames]
        batch = pa.record_batch(
            [
                pa.array([each.row for each in utterances], type=pa.int64()),
                _ragged(packed, lengths, self.width),
                *_audio_arrays(utterances),
            ],
            names=["row", "frames", *_AUDIO_COLUMNS[1:]],
        )
        self._cached.pop(part, None)
        self._workspace.remove(f"{stem}.json")
        self._write_batch(f"{stem}.arrow", batch)
        # None: not asked for; 0: this backbone has no inner layers.
        layers = self._write_means(f"{stem}.means.arrow", utterances) if layer_means else None
        record = {
            "schema": SCHEMA_VERSION,
            "digest": self._workspace.digest(f"{stem}.arrow"),
            "means_digest": self._workspace.digest(f"{stem}.means.arrow") if layers else None,
            "utterances": len(utterances),
            "n_frames": len(packed),
            "dtype": packed.dtype.name,
            "layers": layers,
            "seconds": sum(
                each.duration_s or 0.0 for each in utterances if each.frames is not None
            ),
            "failures": [
                {
                    "row": each.row,
                    "utterance_id": each.utterance_id,
                    "path": each.path,
                    "kind": each.error_kind,
                    "error": each.error,
                }
                for each in utterances
                if each.frames is None
            ],
            "plan": dict(plan),
        }
        self._workspace.write_json(f"{stem}.json", record)

    def verify(self) -> list[int]:
        """Return the parts whose bytes are not those that their records name."""
        damaged = []
        for part in range(self.n_parts):
            record = self._record(part)
            if record is None:
                continue
            expected = {f"{_stem(part)}.arrow": record["digest"]}
            if record["layers"]:
                expected[f"{_stem(part)}.means.arrow"] = record["means_digest"]
            for name, digest in expected.items():
                path = f"{self.folder}/{name}"
                if not self._workspace.exists(path) or self._workspace.digest(path) != digest:
                    damaged.append(part)
                    break
        return damaged

    def discard(self, part: int) -> None:
        """Forget a part, so that the next run extracts it again."""
        self._cached.pop(part, None)
        self._workspace.remove(f"{self.folder}/{_stem(part)}.json")

    def _verify(self, name: str, digest: str) -> None:
        """Compare a file with its digest unless this process did so before.

        Raises:
            WorkspaceError: it holds other bytes.
        """
        path = self._workspace.path(f"{self.folder}/{name}")
        state: tuple[object, ...] = (path, digest)
        if self._workspace.is_local:
            try:
                now = os.stat(path)  # noqa: PTH116 - called once per part
            except OSError:
                return  # reading it says better what is wrong
            state = (path, digest, now.st_ino, now.st_size, now.st_mtime_ns)
        if state in _VERIFIED:
            return
        if self._workspace.digest(f"{self.folder}/{name}") != digest:
            raise WorkspaceError(
                f"{path} is damaged: its bytes are not those that were written",
                hint="'sercore cache verify --discard' forgets it, then run again",
            )
        _VERIFIED.add(state)

    def _record(self, part: int) -> dict[str, Any] | None:
        if part not in self._cached:
            relative = f"{self.folder}/{_stem(part)}.json"
            if not self._workspace.exists(relative):
                return None
            self._cached[part] = self._workspace.read_json(relative)
        return self._cached[part]

    def _present(self) -> list[dict[str, Any]]:
        records = [self._record(part) for part in range(self.n_parts)]
        return [record for record in records if record is not None]

    def _all(self) -> list[dict[str, Any]]:
        records = self._present()
        if len(records) < self.n_parts:
            raise WorkspaceError(
                f"{self._workspace.path(self.folder)} holds {len(records)} of {self.n_parts} parts",
                hint="run again: extraction goes on where it stopped",
            )
        return records

    def _read_batch(self, name: str) -> pa.RecordBatch:
        relative = f"{self.folder}/{name}"
        path = self._workspace.path(relative)
        try:
            if self._workspace.is_local:
                source = pa.memory_map(path)
            else:
                source = pa.BufferReader(self._workspace.read_bytes(relative))
            return pa.ipc.open_file(source).get_batch(0)
        except (OSError, pa.ArrowException) as error:
            raise WorkspaceError(
                f"{path} cannot be read as features: {error}",
                hint=f"delete {path.rpartition('.')[0]}.json and run again",
            ) from error

    def _write_batch(self, relative: str, batch: pa.RecordBatch) -> None:
        # Uncompressed: a compressed buffer cannot be mapped.
        with (
            self._workspace.write(relative) as file,
            pa.ipc.new_file(file, batch.schema) as writer,
        ):
            writer.write_batch(batch)

    def _write_means(self, relative: str, utterances: Sequence[ExtractedUtterance]) -> int:
        kept = [each for each in utterances if each.layer_means is not None]
        if not kept:
            return 0
        means = [each.layer_means for each in kept if each.layer_means is not None]
        layers = len(means[0])
        packed = _packed(means, self.width, kept)
        batch = pa.record_batch(
            [
                pa.array([each.row for each in kept], type=pa.int64()),
                pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), layers * self.width),
            ],
            names=["row", "means"],
        )
        self._write_batch(relative, batch)
        return layers


_AUDIO_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("source_rate", pa.int32()),
        pa.field("channels", pa.int32()),
        pa.field("audio_digest", pa.string()),
        pa.field("error", pa.string()),
    ]
)
_AUDIO_COLUMNS = _AUDIO_SCHEMA.names


def _audio_arrays(utterances: Sequence[ExtractedUtterance]) -> list[pa.Array]:
    return [
        pa.array([getattr(each, field.name) for each in utterances], type=field.type)
        for field in _AUDIO_SCHEMA
        if field.name != "row"
    ]


def _stem(part: int) -> str:
    return f"part-{part:05d}"


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
            each
            for each in utterances
            for values in (each.frames, each.layer_means)
            if values is not None and not np.isfinite(values).all()
        )
        raise BackboneError(
            f"the encoder gave values that are not finite for {broken.path}",
            hint="run 'sercore check' on the backbone, or choose --dtype float32",
        )
    if largest > _FLOAT16_MAX:
        return np.ascontiguousarray(joined, dtype=np.float32)
    return np.ascontiguousarray(joined.astype(np.float16))


def _ragged(packed: FrameBlock, lengths: Sequence[int], width: int) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    frames = pa.FixedSizeListArray.from_arrays(pa.array(packed.ravel()), width)
    return pa.LargeListArray.from_arrays(pa.array(offsets), frames)
