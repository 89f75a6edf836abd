"""Extraction: recordings in, stored frames out, at the speed of the encoder.

Recordings are decoded and prepared by threads while the encoder runs. The manifest divides work
into parts; inside a part utterances are batched by their true length under a frame budget. Both
depend on the manifest and the budget alone, so an extraction that was interrupted and resumed
gives the same bytes as one that was not.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import numpy as np

from sercore.audio.decode import read_utterance
from sercore.devices import thread_count
from sercore.errors import AudioError
from sercore.errors import BackboneError
from sercore.errors import SilentAudioError
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import FeatureStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence
    from concurrent.futures import Future

    import numpy.typing as npt

    from sercore.audio.decode import Recording
    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncodedUtterance
    from sercore.backbones.interface import Encoder
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.manifest import Manifest
    from sercore.storage.workspace import Workspace

    _A = TypeVar("_A")
    _B = TypeVar("_B")

Progress = Callable[[int, int, float], None]
"""Called with (utterances done, utterances in all, seconds of audio extracted by this call)."""

_FRAME_BUDGET = 12_000
"""Frames computed in one batch on an accelerator: eight padded Whisper windows, or 80 utterances
of 3 s at 50 Hz."""

_FRAME_BUDGET_CPU = 1_500
"""On the CPU one padded Whisper window, or 10 utterances of 3 s at 50 Hz: larger batches fall out
of its caches and are a fifth slower, smaller ones leave a small encoder idle between calls."""

_PADDING = 0.08
"""Share of a batch that may be padding, so that a corpus of a few dozen utterances of all lengths
is not computed at the length of its longest."""

_PROBE_SECONDS = 30.0
_PROBE_MARGIN = 1.25
"""A probed batch is this much larger than the budget it stands for: memory is never free twice in
the same pieces."""

_WORKERS = 2
_DECODE_AHEAD = 48
_PREPARE_AHEAD = 2


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One utterance after decoding: a recording, or why there is none."""

    row: int
    path: str
    recording: Recording | None
    error: str | None = None
    error_kind: str = "undecodable"

    @property
    def n_samples(self) -> int:
        return len(self.recording.samples) if self.recording is not None else 0

    def extracted(self, encoded: EncodedUtterance | None) -> ExtractedUtterance:
        recording = self.recording
        return ExtractedUtterance(
            row=self.row,
            path=self.path,
            frames=encoded.frames if encoded else None,
            layer_means=encoded.layer_means if encoded else None,
            duration_s=recording.duration_s if recording else None,
            source_rate=recording.source_rate if recording else None,
            channels=recording.source_channels if recording else None,
            audio_digest=recording.digest if recording else None,
            error=self.error,
            error_kind=self.error_kind,
        )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Utterances of one part that go through the encoder together."""

    part: int
    members: tuple[_Decoded, ...]
    is_last: bool
    """Whether it ends its part."""


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
    load: Callable[[], Encoder] | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> FeatureStore:
    """Extract the frames of a corpus: the parts that are missing or damaged.

    A recording that cannot be decoded is recorded as a failure of that utterance and tried again by
    the next call. The weights are loaded only if there is something to encode.

    Args:
        backbone: what encodes.
        checkpoint: its weights, as `Backbone.resolve` found them.
        options: layer, variant, precision and device.
        manifest: the utterances, with the digests of their audio.
        files: the corpus on disk.
        workspace: where the store lies.
        audio_path: how recordings reach the backbone's rate.
        frame_budget: frames computed in one batch at most (an utterance that alone exceeds it
            makes a batch of its own); `default_frame_budget` of the device when None.
        layer_means: keep the pooled means of all layers too.
        load: returns the encoder, for a caller that keeps it from corpus to corpus; the backbone
            loads it when None.
        progress: told after each batch how far the work is.
        note: given one sentence for each part that was damaged and is extracted again.

    Raises:
        CorpusError: the manifest was built without the digests of its audio.
        BackboneError: the weights cannot be loaded, memory runs out, or frames are not finite.
        DiskFullError: no space left.
        WorkspaceError: another process extracts the same, or a file cannot be written.
    """
    store = FeatureStore.of(workspace, backbone, checkpoint, options, audio_path, manifest)
    store.parts.discard_damaged()
    work = _Extraction(
        backbone=backbone,
        checkpoint=checkpoint,
        options=options,
        manifest=manifest,
        files=files,
        store=store,
        audio_path=audio_path,
        frame_budget=frame_budget or default_frame_budget(options.device),
        layer_means=layer_means,
        load=load or partial(backbone.load, checkpoint, options),
        progress=progress,
    )
    if not store.missing_parts(layer_means=layer_means):
        return store
    if note is not None:
        for sentence in store.damage:
            note(sentence)
    with workspace.claim(store.folder, f"the extraction of {manifest.corpus}"):
        store.write_description()
        work.run()
    return store


def default_frame_budget(device: str) -> int:
    """Return how many frames are computed in one batch where nothing else is asked for."""
    return _FRAME_BUDGET_CPU if device == "cpu" else _FRAME_BUDGET


def probe_frame_budget(encoder: Encoder, sample_rate: int, device: str) -> int:
    """Return the largest frame budget that the device's memory holds, of a doubling series.

    Batches of recordings of 30 s, where memory is needed most, are encoded until one does not
    fit. On the CPU nothing is gained by larger batches and a system short of memory kills instead
    of refusing, so that no more than the default is tried there.

    Args:
        encoder: a loaded backbone.
        sample_rate: hertz, from its card.
        device: where it runs.

    Raises:
        BackboneError: not even one recording of 30 s fits.
    """
    samples = round(_PROBE_SECONDS * sample_rate)
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    cost = encoder.cost(samples)
    ceiling = default_frame_budget(device) * (1 if device == "cpu" else 16)
    budgets = [cost]
    while budgets[-1] * 2 <= max(ceiling, cost):
        budgets.append(budgets[-1] * 2)
    fits: int | None = None
    for budget in budgets:
        rows = math.ceil(_PROBE_MARGIN * budget / cost) if budget > cost else 1
        try:
            encoder.encode(encoder.prepare([waveform] * rows))
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            break
        fits = budget
    if fits is None:
        raise BackboneError(
            f"the memory of {device} does not hold one recording of 30 s",
            hint="choose another device or precision",
        )
    return fits


@dataclass(kw_only=True)
class _Extraction:
    """One call of `extract`."""

    backbone: Backbone
    checkpoint: Checkpoint
    options: EncoderOptions
    manifest: Manifest
    files: CorpusFiles
    store: FeatureStore
    audio_path: AudioPath
    frame_budget: int
    layer_means: bool
    load: Callable[[], Encoder]
    progress: Progress | None
    done: int = 0
    seconds: float = 0.0
    encoder: Encoder | None = None

    @property
    def plan(self) -> Sequence[npt.NDArray[np.int64]]:
        """Rows of each part."""
        return self.store.rows

    def run(self) -> None:
        """Work through the missing parts."""
        missing = self.store.missing_parts(layer_means=self.layer_means)
        self.done = len(self.manifest) - sum(len(self.plan[part]) for part in missing)
        self._report()
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sercore-extract")
        try:
            parts = [part for part in missing if not self._still_fails(pool, part)]
            self._encode_parts(pool, parts)
        finally:
            # On Ctrl-C nothing that has not begun is waited for.
            pool.shutdown(wait=False, cancel_futures=True)

    def _still_fails(self, pool: ThreadPoolExecutor, part: int) -> bool:
        """Return whether a part is as good as it gets: only its failures miss, and they persist."""
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
        for batch, prepared in _read_ahead(pool, self._prepare, batches, _PREPARE_AHEAD):
            for member, encoded in zip(batch.members, self._encode(batch, prepared), strict=True):
                finished[member.row] = member.extracted(encoded)
            if batch.is_last:
                # Utterances without a recording are in no batch of the encoder; they ride along.
                self._write(batch.part, [finished.pop(row) for row in self.plan[batch.part]])
            self.done += len(batch.members)
            self.seconds += sum(
                each.recording.duration_s for each in batch.members if each.recording
            )
            self._report()

    def _batches(self, pool: ThreadPoolExecutor, parts: Sequence[int]) -> Iterator[_Batch]:
        """Decode part after part and cut each into batches of similar length."""
        rows = (int(row) for part in parts for row in self.plan[part])
        decoded = _read_ahead(pool, self._decode, rows, _DECODE_AHEAD)
        for part in parts:
            members = [next(decoded)[1] for _ in self.plan[part]]
            failed = [each for each in members if each.recording is None]
            usable = [each for each in members if each.recording is not None]
            groups = self._groups(usable) + ([tuple(failed)] if failed else [])
            for position, group in enumerate(groups):
                yield _Batch(part, group, is_last=position == len(groups) - 1)

    def _groups(self, members: list[_Decoded]) -> list[tuple[_Decoded, ...]]:
        """Cut utterances into batches: equal lengths side by side, each within the budget."""
        groups: list[list[_Decoded]] = []
        largest = real = 0
        # Longest first: within a batch the first member says what every row will cost. Equal
        # lengths keep the order of the part, which depends on the recordings alone.
        for member in sorted(members, key=lambda member: -member.n_samples):
            cost = self._loaded().cost(member.n_samples)
            padded = (len(groups[-1]) + 1) * largest if groups else 0
            is_dense = padded - real - cost <= _PADDING * padded
            if groups and padded <= self.frame_budget and is_dense:
                groups[-1].append(member)
                real += cost
            else:
                groups.append([member])
                largest = real = cost
        return [tuple(group) for group in groups]

    def _decode(self, row: int) -> _Decoded:
        utterance = self.manifest.utterance(row)
        rate = self.backbone.card.sample_rate
        decoded = partial(_Decoded, row, utterance.path)
        try:
            recording = read_utterance(self.files, utterance, rate, self.audio_path)
        except SilentAudioError as error:
            return decoded(None, str(error), "silent")
        except AudioError as error:
            return decoded(None, str(error))
        if not self.files.is_unchanged(utterance.path):
            # Its frames would be stored under the digest of what it was before.
            return decoded(None, f"{utterance.path} was changed during the run; run again")
        return decoded(recording)

    def _prepare(self, batch: _Batch) -> Any:
        waveforms = [each.recording.samples for each in batch.members if each.recording]
        if not waveforms:
            return None
        with self._naming_the_budget(batch):
            return self._loaded().prepare(waveforms)

    def _encode(self, batch: _Batch, prepared: Any) -> Sequence[EncodedUtterance | None]:
        if prepared is None:
            return [None] * len(batch.members)
        with self._naming_the_budget(batch):
            return self._loaded().encode(prepared)

    @contextmanager
    def _naming_the_budget(self, batch: _Batch) -> Iterator[None]:
        """Turn running out of memory into the sentence that says which frame budget to set."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            rows = len(batch.members)
            spent = rows * max(self._loaded().cost(each.n_samples) for each in batch.members)
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
            self.progress(self.done, len(self.manifest), self.seconds)


def _read_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[_A], _B],
    items: Iterable[_A],
    depth: int,
) -> Iterator[tuple[_A, _B]]:
    """Apply a function in threads, in order, at most `depth` items before they are asked for."""
    pending: deque[tuple[_A, Future[_B]]] = deque()
    for item in items:
        pending.append((item, pool.submit(function, item)))
        if len(pending) > depth:
            first, future = pending.popleft()
            yield first, future.result()
    while pending:
        first, future = pending.popleft()
        yield first, future.result()


def _is_out_of_memory(error: BaseException) -> bool:
    # torch raises its own class on accelerators and a plain RuntimeError on the CPU.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return "not enough memory" in text or "can't allocate memory" in text
