"""The features of one corpus under one backbone: a list of parts, in the order of a manifest.

    features/<encoder>/parts/<key>.arrow ...    parts (`sercore.features.parts`)
    features/<encoder>/<corpus>-<key>/store.json    which parts a store consists of

Stores share parts: after one recording has changed, the new store lists one new part and all
others of the old one. Nothing is padded, nothing is copied on reading.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.corpora.problems import Problem
from sercore.errors import DamagedError
from sercore.errors import WorkspaceError
from sercore.features.keys import feature_identity
from sercore.features.keys import feature_key
from sercore.features.keys import part_key
from sercore.features.packed import PackedFrames
from sercore.features.parts import AUDIO_SCHEMA
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import ExtractedUtterance
from sercore.features.parts import PartFiles
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.manifest import Manifest
    from sercore.features.parts import FrameBlock
    from sercore.storage.workspace import Workspace

    Rows = Sequence[npt.NDArray[np.int64]]

STORE = "store.json"
"""Name of the file that lists the parts of a store."""


class DamagedFeaturesError(DamagedError):
    """Parts of a store are damaged. They are forgotten, so that extraction computes them again.

    Args:
        message: as in `sercore.errors.SercoreError`.
        hint: likewise.
        damage: one sentence for each part.
    """

    def __init__(self, message: str, *, hint: str | None, damage: Sequence[str]) -> None:
        super().__init__(message, hint=hint)
        self.damage = tuple(damage)


class FeatureStore:
    """The features of one corpus under one backbone, in a workspace.

    Args:
        workspace: where they are stored.
        identity: as `feature_identity` returns it.
        contents: digest of what is heard in each part.
        part_rows: returns the rows of each part, int64, in the part's order.
        paths: file of each row inside the corpus, for messages.
        provenance: what the weights are called, which is part of no key.
    """

    def __init__(
        self,
        workspace: Workspace,
        identity: Mapping[str, Any],
        contents: Sequence[str],
        part_rows: Callable[[], Rows],
        paths: Callable[[], Sequence[str]] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self._workspace = workspace
        self.identity = dict(identity)
        self.key = feature_key(identity)
        encoder = digest_of(identity["encoder"])
        self.root = f"features/{encoder[:16]}"
        self.folder = f"{self.root}/{identity['corpus']}-{self.key[:16]}"
        self.width = int(identity["encoder"]["width"])
        self.n_utterances = int(identity["utterances"])
        self.files = PartFiles(workspace, f"{self.root}/parts", self.width)
        self.part_keys = tuple(part_key(encoder, content) for content in contents)
        self._contents = tuple(contents)
        self._part_rows = part_rows
        self._paths = paths
        self._provenance = dict(provenance or {})
        self._cached: dict[int, dict[str, Any]] = {}
        self._damage: dict[int, str] = {}
        self._repairs: list[str] = []

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        backbone: Backbone,
        checkpoint: Checkpoint,
        options: EncoderOptions,
        audio_path: AudioPath,
        manifest: Manifest,
    ) -> FeatureStore:
        """Return the store of a manifest under a backbone, complete or not.

        Raises:
            CorpusError: the manifest was built without the digests of its audio.
        """
        identity = feature_identity(backbone, checkpoint, options, audio_path, manifest)
        return cls(
            workspace,
            identity,
            manifest.digests.parts,
            lambda: manifest.part_rows,
            lambda: manifest.column("path"),
            _provenance(backbone, checkpoint, options),
        )

    @classmethod
    def read(cls, workspace: Workspace, folder: str) -> FeatureStore | None:
        """Return the store that is described in a folder; None if there is none.

        Raises:
            DamagedError: its description is not what was written.
        """
        if not workspace.exists(f"{folder}/{STORE}"):
            return None
        found = workspace.read_json(f"{folder}/{STORE}")
        rows = [np.array(part["rows"], dtype=np.int64) for part in found["parts"]]
        contents = [part["content"] for part in found["parts"]]
        return cls(
            workspace, found["identity"], contents, lambda: rows, provenance=found["provenance"]
        )

    @classmethod
    def find(cls, workspace: Workspace, identity: Mapping[str, Any]) -> FeatureStore | None:
        """Return a stored store by its identity; None if it is not there or is damaged."""
        if "encoder" not in identity:
            return None  # an older sercore wrote it
        folder = cls(workspace, identity, (), list).folder
        try:
            return cls.read(workspace, folder)
        except DamagedError:
            return None

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self.part_keys)

    @cached_property
    def rows(self) -> Rows:
        """Rows of each part, in the part's order."""
        return self._part_rows()

    @property
    def damage(self) -> tuple[str, ...]:
        """One sentence for each file that was found damaged and is written again."""
        return (*self._repairs, *(self._damage[part] for part in sorted(self._damage)))

    def missing_parts(self, *, layer_means: bool = False) -> list[int]:
        """Return the parts that a run should work on.

        These are the parts that are not there or whose record is damaged, those that hold an
        utterance without frames (a failure is never a result), and those without layer means if
        these are wanted.
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
        found = []
        for part in range(self.n_parts):
            for failure in (self._record(part) or {"failures": ()})["failures"]:
                path = self._path_of(part, failure)
                message = failure["error"].replace(failure["path"], path)
                found.append(Problem(kind=failure["kind"], where=path, message=message))
        return tuple(sorted(found, key=lambda problem: problem.where))

    def failed_rows(self, part: int) -> list[int]:
        """Return the rows of a part whose utterances failed; empty if it is not there."""
        record = self._record(part)
        if record is None:
            return []
        return [int(self.rows[part][failure["position"]]) for failure in record["failures"]]

    def has_part(self, part: int, *, layer_means: bool = False) -> bool:
        """Return whether a part is there (with layer means, if wanted), failures or not."""
        record = self._record(part)
        return record is not None and (not layer_means or record["layers"] is not None)

    def open(self, *, verify: bool = True) -> PackedFrames:
        """Map all frames of the corpus into memory.

        Args:
            verify: compare the bytes of each part with its record, once per process and file.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        self._use()
        batches = self._batches(FRAMES, verify=verify)
        blocks: list[FrameBlock] = []
        block = np.full(self.n_utterances, -1, dtype=np.int32)
        start = np.zeros(self.n_utterances, dtype=np.int64)
        length = np.zeros(self.n_utterances, dtype=np.int64)
        for part, (rows, batch) in enumerate(zip(self.rows, batches, strict=True)):
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
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing or was extracted without layer means.
        """
        means = np.full((self.n_utterances, self.width), np.nan, dtype=np.float32)
        records = self._all()
        for part, record in enumerate(records):
            if not record["layers"]:
                raise WorkspaceError(
                    f"part {part} of {self.folder} has no layer means",
                    hint="run again without --no-layer-means",
                )
        batches = self._batches(MEANS)
        for rows, record, batch in zip(self.rows, records, batches, strict=True):
            values = batch.column("means").values.to_numpy(zero_copy_only=True)
            by_layer = values.reshape(-1, record["layers"], self.width)
            means[rows[batch.column("position").to_numpy()]] = by_layer[:, layer]
        return means

    def audio(self) -> pa.Table:
        """Return what decoding found out about each recording, in row order.

        Columns: row, duration_s (seconds), source_rate (hertz), channels, audio_digest, error.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        batches = []
        for part, record in enumerate(self._all()):
            try:
                batches.append(self.files.audio(self.part_keys[part], record))
            except DamagedError:
                self._note_damage(part)
                self.discard(part)
        self._refuse(sorted(self._damage))
        rows = np.concatenate([np.empty(0, np.int64), *self.rows])
        table = pa.Table.from_batches(batches, schema=AUDIO_SCHEMA)
        return table.add_column(0, "row", pa.array(rows)).sort_by("row")

    def write_description(self) -> None:
        """Write which parts the store consists of, and where the weights came from.

        Raises:
            DiskFullError: no space left.
            WorkspaceError: it cannot be written.
        """
        parts = [
            {"content": content, "rows": rows.tolist()}
            for content, rows in zip(self._contents, self.rows, strict=True)
        ]
        description = {
            "identity": self.identity,
            "key": self.key,
            "parts": parts,
            "provenance": self._provenance,
        }
        self._workspace.write_json(f"{self.folder}/{STORE}", description)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the weights were called when the store was described; empty if that is not known."""
        return self._provenance

    def write_part(
        self,
        part: int,
        utterances: Sequence[ExtractedUtterance],
        *,
        layer_means: bool,
        plan: Mapping[str, Any],
    ) -> None:
        """Write one part.

        Args:
            part: its number.
            utterances: its utterances in any order.
            layer_means: store those of the utterances too.
            plan: how it was computed (device, frame budget, threads), for the record.

        Raises:
            BackboneError: a frame is not finite.
            DiskFullError: no space left.
            WorkspaceError: it cannot be written.
        """
        by_row = {utterance.row: utterance for utterance in utterances}
        ordered = [by_row[row] for row in self.rows[part].tolist()]
        self._cached.pop(part, None)
        self.files.write(self.part_keys[part], ordered, layer_means=layer_means, plan=plan)
        self._damage.pop(part, None)

    def verify(self) -> list[int]:
        """Return the parts that are there but do not hold what was written."""
        damaged = []
        for part, key in enumerate(self.part_keys):
            try:
                record = self.files.record(key)
                if record is not None:
                    self.files.verify(key, record, again=True)
            except DamagedError:
                damaged.append(part)
        return damaged

    def discard(self, part: int) -> None:
        """Forget a part, so that the next run extracts it again."""
        self._cached.pop(part, None)
        self.files.discard(self.part_keys[part])

    def verify_changed(self) -> None:
        """Verify the parts whose files have changed since, and forget those that are damaged.

        Cheap enough for every run: it looks at times, and reads only what has changed. `damage`
        names what was forgotten.
        """
        if self._workspace.exists(f"{self.folder}/{STORE}"):
            try:
                self._workspace.read_sealed(f"{self.folder}/{STORE}")
            except DamagedError:
                self._repairs.append(
                    f"the list of parts of {self.identity['corpus']} was damaged and is written "
                    "again"
                )
                self.write_description()
        for part, key in enumerate(self.part_keys):
            record = self._record(part)
            if record is None or not self.files.has_changed(key, record):
                continue
            try:
                self.files.verify(key, record)
            except DamagedError:
                self._note_damage(part)
                self.discard(part)
            else:
                self.files.confirm(key)

    def discard_damaged(self) -> list[int]:
        """Verify all parts, once per process and file, and forget those that are damaged.

        Extraction then computes them again; `damage` says which they are.
        """
        damaged = []
        for part, key in enumerate(self.part_keys):
            record = self._record(part)
            try:
                if record is not None:
                    self.files.verify(key, record)
            except DamagedError:
                damaged.append(part)
                self._note_damage(part)
                self.discard(part)
        return damaged

    def _batches(self, kind: str, *, verify: bool = True) -> list[pa.RecordBatch]:
        """Return a file of every part, mapped into memory."""
        batches: list[pa.RecordBatch] = []
        self._all()
        if verify:
            self._refuse(self.discard_damaged())
        for part, key in enumerate(self.part_keys):
            try:
                batches.append(self.files.read(key, kind))
            except DamagedError:
                self._note_damage(part)
                self.discard(part)
        self._refuse(sorted(self._damage))
        return batches

    def _refuse(self, damaged: Sequence[int]) -> None:
        if damaged:
            parts = ", ".join(map(str, damaged))
            raise DamagedFeaturesError(
                f"{self._workspace.path(self.folder)} is damaged: part {parts} does not hold the "
                "bytes that were written",
                hint="run again: what is damaged is extracted again",
                damage=[self._damage[part] for part in damaged],
            )

    def _record(self, part: int) -> dict[str, Any] | None:
        if part not in self._cached:
            try:
                record = self.files.record(self.part_keys[part])
            except DamagedError:
                self._note_damage(part)
                return None
            if record is None:
                return None
            self._cached[part] = record
            self._damage.pop(part, None)
        return self._cached[part]

    def _note_damage(self, part: int) -> None:
        self._damage[part] = (
            f"part {part} of the frames of {self.identity['corpus']} was damaged and is extracted "
            "again"
        )

    def _path_of(self, part: int, failure: Mapping[str, Any]) -> str:
        if self._paths is None:
            return str(failure["path"])
        return str(self._paths()[int(self.rows[part][failure["position"]])])

    def _present(self) -> list[dict[str, Any]]:
        records = [self._record(part) for part in range(self.n_parts)]
        return [record for record in records if record is not None]

    def _all(self) -> list[dict[str, Any]]:
        records = self._present()
        if self._damage and len(records) < self.n_parts:
            self._refuse(sorted(self._damage))
        if len(records) < self.n_parts:
            raise WorkspaceError(
                f"{self._workspace.path(self.folder)} holds {len(records)} of {self.n_parts} parts",
                hint="run again: extraction continues where it stopped",
            )
        return records

    def _use(self) -> None:
        """Note that the store is used now, and which parts it needs."""
        description = f"{self.folder}/{STORE}"
        try:
            self._workspace.read_sealed(description)
        except WorkspaceError:
            with suppress(WorkspaceError):  # a workspace may be readable only
                self.write_description()
        else:
            self._workspace.touch(description)


def _provenance(
    backbone: Backbone, checkpoint: Checkpoint, options: EncoderOptions
) -> dict[str, str | None]:
    """Return what the weights are called, which is part of no key."""
    name = backbone.card.id
    if name.startswith("hf:"):
        # The place of a checkpoint on this disk is not its name.
        name = f"hf:{checkpoint.name}"
    return {
        "backbone": f"{name}:{options.variant}" if options.variant else name,
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
    }
