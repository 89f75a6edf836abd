"""Extraction: recordings in, stored frames out, at the speed of the encoder.

Recordings are decoded and prepared by threads while the encoder runs. The manifest divides work
into parts; inside a part utterances are batched by their true length under a frame budget. Both
depend on the manifest and the budget alone, so an extraction that was interrupted and resumed
gives the same bytes as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from sercore.audio.decode import read_utterance
from sercore.devices import thread_count
from sercore.errors import AudioError
from sercore.errors import BackboneError
from sercore.errors import SilentAudioError
from sercore.features.batches import Batch
from sercore.features.batches import DecodedUtterance
from sercore.features.batches import cut_batches
from sercore.features.batches import read_ahead
from sercore.features.frame_budget import default_frame_budget
from sercore.features.frame_budget import is_out_of_memory
from sercore.features.store import FeatureStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncodedUtterance
    from sercore.backbones.interface import Encoder
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.manifest import Manifest
    from sercore.features.parts import ExtractedUtterance
    from sercore.storage.workspace import Workspace

Progress = Callable[[int, int, float], None]
"""Called with (utterances done, utterances in all, seconds of audio extracted by this call)."""

_WORKERS = 2
_DECODE_AHEAD = 48
_PREPARE_AHEAD = 2


def extract(
    *,
    backbone: Backbone,
    checkpoint: Checkpoint,
    options: EncoderOptions,
    manifest: Manifest,
    files: CorpusFiles,
    workspace: Workspace,
    audio_path: AudioPath = "direct",
    frame_budget: int | None = None,
    layer_means: bool = True,
    parts: range | None = None,
    load: Callable[[], Encoder] | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> FeatureStore:
    """Extract the frames of a corpus: the parts that are missing or damaged.

    Several processes may extract parts of one corpus at the same time.

    Recordings that cannot be decoded are failures of their utterances; the next call retries them.

    Args:
        backbone: what encodes.
        checkpoint: its weights, as `Backbone.resolve` found them.
        options: layer, variant, precision and device.
        manifest: the utterances, with the digests of their audio.
        files: the corpus on disk.
        workspace: where the features are stored.
        audio_path: how recordings reach the backbone's rate.
        frame_budget: frames of one batch at most, `default_frame_budget` if None.
        layer_means: store the mean frames of all layers too.
        parts: the parts to look at; all if None.
        load: returns the encoder if something is missing; by default the backbone loads it.
        progress: called after each batch.
        note: called with one sentence for each part that was damaged.

    Raises:
        CorpusError: the manifest was built without the digests of its audio.
        BackboneError: the weights cannot be loaded, memory runs out, or frames are not finite.
        WorkspaceError: a file cannot be written.
    """
    return _Extraction(
        backbone=backbone,
        options=options,
        manifest=manifest,
        files=files,
        store=FeatureStore.of(workspace, backbone, checkpoint, options, audio_path, manifest),
        audio_path=audio_path,
        frame_budget=frame_budget or default_frame_budget(options.device),
        layer_means=layer_means,
        chosen=parts,
        load=load or partial(backbone.load, checkpoint, options),
        progress=progress,
    ).run(workspace, note)


@dataclass(kw_only=True)
class _Extraction:
    """One call of `extract`."""

    backbone: Backbone
    options: EncoderOptions
    manifest: Manifest
    files: CorpusFiles
    store: FeatureStore
    audio_path: AudioPath
    frame_budget: int
    layer_means: bool
    chosen: range | None
    load: Callable[[], Encoder]
    progress: Progress | None
    done: int = 0
    seconds: float = 0.0
    encoder: Encoder | None = None

    @property
    def plan(self) -> Sequence[npt.NDArray[np.int64]]:
        """Rows of each part."""
        return self.store.rows

    @property
    def parts(self) -> range:
        """The parts to look at."""
        return range(self.store.n_parts) if self.chosen is None else self.chosen

    @property
    def total(self) -> int:
        """Utterances of these parts."""
        return sum(len(self.plan[part]) for part in self.parts)

    @property
    def missing(self) -> list[int]:
        """Those of the parts that a run should extract."""
        return self.store.missing_parts(self.parts, layer_means=self.layer_means)

    def run(self, workspace: Workspace, note: Callable[[str], None] | None) -> FeatureStore:
        """Extract what is missing, and return the store."""
        store = self.store
        store.parts.discard_damaged(self.parts)
        if not self.missing:
            return store
        if note is not None:
            for sentence in store.damage:
                note(sentence)
        # The lease says that the store is in use; others may extract its other parts.
        with workspace.try_lease(store.folder):
            store.write_description()
            self._extract_missing()
        return store

    def _extract_missing(self) -> None:
        missing = self.missing
        self.done = self.total - sum(len(self.plan[part]) for part in missing)
        self._report()
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sercore-extract")
        try:
            parts = [part for part in missing if not self._still_fails(pool, part)]
            self._encode_parts(pool, parts)
        finally:
            # Ctrl-C does not wait for recordings whose decoding has not started.
            pool.shutdown(wait=False, cancel_futures=True)

    def _still_fails(self, pool: ThreadPoolExecutor, part: int) -> bool:
        """Return whether a part misses only utterances that failed, and all of them fail again."""
        if not self.store.parts.has(part, layer_means=self.layer_means):
            return False
        again = pool.map(self._decode, self.store.failed_rows(part))
        if any(decoded.recording is not None for decoded in again):
            return False
        self.done += len(self.plan[part])
        self._report()
        return True

    def _encode_parts(self, pool: ThreadPoolExecutor, parts: Sequence[int]) -> None:
        finished: dict[int, ExtractedUtterance] = {}
        batches = self._batches(pool, parts)
        for batch, prepared in read_ahead(pool, self._prepare, batches, _PREPARE_AHEAD):
            for member, encoded in zip(batch.members, self._encode(batch, prepared), strict=True):
                finished[member.row] = member.extracted(encoded)
            if batch.is_last:
                self._write(batch.part, [finished.pop(row) for row in self.plan[batch.part]])
            self.done += len(batch.members)
            self.seconds += sum(
                member.recording.duration_s for member in batch.members if member.recording
            )
            self._report()

    def _batches(self, pool: ThreadPoolExecutor, parts: Sequence[int]) -> Iterator[Batch]:
        """Decode the parts in order, and cut every part into batches of similar length."""
        rows = (int(row) for part in parts for row in self.plan[part])
        decoded = read_ahead(pool, self._decode, rows, _DECODE_AHEAD)
        for part in parts:
            members = [next(decoded)[1] for _ in self.plan[part]]
            failed = tuple(member for member in members if member.recording is None)
            usable = [member for member in members if member.recording is not None]
            cut = cut_batches(usable, self._cost, self.frame_budget)
            # A batch without a recording passes the encoder, so that its failures are stored.
            cut += [failed] if failed else []
            for position, group in enumerate(cut):
                yield Batch(part, group, is_last=position == len(cut) - 1)

    def _cost(self, n_samples: int) -> int:
        return self._loaded().cost(n_samples)

    def _decode(self, row: int) -> DecodedUtterance:
        utterance = self.manifest.utterance(row)
        rate = self.backbone.card.sample_rate
        decoded = partial(DecodedUtterance, row, utterance.path)
        try:
            recording = read_utterance(self.files, utterance, rate, self.audio_path)
        except SilentAudioError as error:
            return decoded(None, str(error), "silent")
        except AudioError as error:
            return decoded(None, str(error))
        if not self.files.is_unchanged(utterance.path):
            # Its frames would be stored under the digest of the old bytes.
            return decoded(None, f"{utterance.path} was changed during the run; run again")
        return decoded(recording)

    def _prepare(self, batch: Batch) -> Any:
        waveforms = [member.recording.samples for member in batch.members if member.recording]
        if not waveforms:
            return None
        with self._suggesting_a_budget(batch):
            return self._loaded().prepare(waveforms)

    def _encode(self, batch: Batch, prepared: Any) -> Sequence[EncodedUtterance | None]:
        if prepared is None:
            return [None] * len(batch.members)
        with self._suggesting_a_budget(batch):
            return self._loaded().encode(prepared)

    @contextmanager
    def _suggesting_a_budget(self, batch: Batch) -> Iterator[None]:
        """Replace an error about full memory by one that suggests a frame budget."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            rows = len(batch.members)
            spent = rows * max(self._cost(member.n_samples) for member in batch.members)
            raise BackboneError(
                f"{self.backbone.card.title} ran out of memory on a batch of {rows} utterances "
                f"({spent} frames)",
                hint=f"set --frame-budget {max(spent // 2, 1)} or less"
                if rows > 1
                else "this one utterance does not fit: choose another device or precision",
            ) from error

    def _loaded(self) -> Encoder:
        if self.encoder is None:
            self.encoder = self.load()
            if self.encoder.width != self.store.width:
                raise BackboneError(
                    f"{self.backbone.card.title} has frames of {self.encoder.width} numbers, "
                    f"and its card says {self.store.width}",
                    hint="the weights are not those that the card describes",
                )
        return self.encoder

    def _write(self, part: int, utterances: list[ExtractedUtterance]) -> None:
        plan = {
            "device": self.options.device,
            "frame_budget": self.frame_budget,
            "threads": thread_count(),
        }
        self.store.write_part(part, utterances, layer_means=self.layer_means, plan=plan)

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total, self.seconds)
