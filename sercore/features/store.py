"""The features of one corpus under one backbone: a list of parts, in the order of a manifest.

    features/<encoder>/parts/<key>.arrow ...    parts (`sercore.features.parts`)
    features/<encoder>/<corpus>-<key>/store.json    which parts a store consists of

Stores share parts: after one recording has changed, the new store lists one new part and all
others of the old one. Nothing is padded, nothing is copied on reading.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.audio.schema import AUDIO_SCHEMA
from sercore.corpora.problems import Problem
from sercore.errors import DamagedError
from sercore.errors import WorkspaceError
from sercore.features.keys import feature_identity
from sercore.features.keys import feature_key
from sercore.features.keys import part_key
from sercore.features.packed import PackedFrames
from sercore.features.part_list import PartList
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
    from sercore.features.packed import FrameBlock
    from sercore.storage.workspace import Workspace

    Rows = Sequence[npt.NDArray[np.int64]]

STORE = "store.json"
"""Name of the file that lists the parts of a store."""


class FeatureStore:
    """The features of one corpus under one backbone, in a workspace.

    Args:
        workspace: where they are stored.
        identity: as `feature_identity` returns it.
        contents: digest of the audio of each part.
        part_rows: returns the rows of each part, int64, in the part's order.
        paths: file of each row inside the corpus, for messages.
        provenance: names of the weights, which are in no key.
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
        self.parts = PartList(
            self.files,
            self.part_keys,
            corpus=identity["corpus"],
            place=workspace.path(self.folder),
        )
        self._contents = tuple(contents)
        self._part_rows = part_rows
        self._paths = paths
        self._provenance = dict(provenance or {})
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
        """Return a stored store by its identity; None if it is missing or damaged."""
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
        return (*self._repairs, *self.parts.damage)

    def missing_parts(
        self, parts: Iterable[int] | None = None, *, layer_means: bool = False
    ) -> list[int]:
        """Return the parts that a run should extract, as `PartList.missing` does."""
        return self.parts.missing(parts, layer_means=layer_means)

    @property
    def is_described(self) -> bool:
        """Whether its list of parts is there. It is removed together with the parts."""
        return self._workspace.exists(f"{self.folder}/{STORE}")

    @property
    def is_complete(self) -> bool:
        """Whether every utterance has frames."""
        return not self.missing_parts()

    @property
    def n_done(self) -> int:
        """Utterances that have frames."""
        records = self.parts.present()
        return sum(record["utterances"] - len(record["failures"]) for record in records)

    @property
    def n_frames(self) -> int:
        """Frames stored so far."""
        return sum(record["n_frames"] for record in self.parts.present())

    @property
    def seconds(self) -> float:
        """Seconds of audio behind the frames stored so far."""
        return float(sum(record["seconds"] for record in self.parts.present()))

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all parts.

        Raises:
            WorkspaceError: a part is missing.
        """
        return digest_of([self.key, [record["digest"] for record in self.parts.all()]])

    def failures(self) -> tuple[Problem, ...]:
        """Return the utterances that have no frames, with the reason of each."""
        found = []
        for part in range(self.n_parts):
            for failure in (self.parts.record(part) or {"failures": ()})["failures"]:
                path = self._path_of(part, failure)
                message = failure["error"].replace(failure["path"], path)
                found.append(Problem(kind=failure["kind"], where=path, message=message))
        return tuple(sorted(found, key=lambda problem: problem.where))

    def failed_rows(self, part: int) -> list[int]:
        """Return the rows of a part whose utterances failed; empty if it is missing."""
        record = self.parts.record(part)
        if record is None:
            return []
        return [int(self.rows[part][failure["position"]]) for failure in record["failures"]]

    def open(self, *, verify: bool = True) -> PackedFrames:
        """Return all frames of the corpus: memory maps, or what is read from a store on demand.

        Args:
            verify: compare the bytes of each part with its record, once per process and file.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        self._use()
        parts = self.parts.frames(verify=verify)
        blocks: list[FrameBlock] = []
        block = np.full(self.n_utterances, -1, dtype=np.int32)
        start = np.zeros(self.n_utterances, dtype=np.int64)
        length = np.zeros(self.n_utterances, dtype=np.int64)
        for part, (rows, (offsets, frames)) in enumerate(zip(self.rows, parts, strict=True)):
            blocks.append(frames)
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
        for part, record in enumerate(self.parts.all()):
            if not record["layers"]:
                raise WorkspaceError(
                    f"part {part} of {self.folder} has no layer means",
                    hint="run again without --no-layer-means",
                )
        parts = self.parts.layer_means(layer)
        for rows, (positions, values) in zip(self.rows, parts, strict=True):
            means[rows[positions]] = values
        return means

    def audio(self) -> pa.Table:
        """Return what decoding found out about each recording, in row order.

        Columns: row, duration_s (seconds), source_rate (hertz), channels, audio_digest, error.

        Raises:
            DamagedFeaturesError: parts are damaged; they are forgotten.
            WorkspaceError: a part is missing.
        """
        batches = self.parts.audio()
        rows = np.concatenate([np.empty(0, np.int64), *self.rows])
        table = pa.Table.from_batches(batches, schema=AUDIO_SCHEMA)
        return table.add_column(0, "row", pa.array(rows)).sort_by("row")

    def write_description(self) -> None:
        """Write the list of parts of the store, and the names of the weights.

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
        """Names of the weights when the store was described; empty if unknown."""
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
        self.parts.write(part, ordered, layer_means=layer_means, plan=plan)

    def verify_changed(self) -> None:
        """Verify the parts whose files changed after they were written; forget damaged ones.

        Cheap enough for every run: it compares times, and reads only what has changed. `damage`
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
        self.parts.discard_changed()

    def _path_of(self, part: int, failure: Mapping[str, Any]) -> str:
        if self._paths is None:
            return str(failure["path"])
        return str(self._paths()[int(self.rows[part][failure["position"]])])

    def _use(self) -> None:
        """Record that the store was used now, and write its list of parts if it is damaged."""
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
    """Return names of the weights, which are in no key."""
    name = backbone.card.id
    if name.startswith("hf:"):
        # The place of a checkpoint on this disk is not its name.
        name = f"hf:{checkpoint.name}"
    return {
        "backbone": f"{name}:{options.variant}" if options.variant else name,
        "checkpoint": checkpoint.name,
        "revision": checkpoint.revision,
    }
