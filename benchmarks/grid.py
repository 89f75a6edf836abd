"""The whole grid at full size with simulated contents, as a plugin.

Nineteen corpora have the sizes of the paper's Table 1, with recordings of one byte. Nine backbones
have one random frame per utterance, and a probe returns random logits. All other code is real.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import numpy.typing as npt

from sercore.backbones.interface import BackboneCard
from sercore.backbones.interface import Checkpoint
from sercore.backbones.interface import Encoder
from sercore.backbones.interface import EncoderOptions
from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Counts
from sercore.corpora.labels import Emotion
from sercore.corpora.readers import FileNameCorpus
from sercore.features.parts import ExtractedUtterance
from sercore.plugins.hookspecs import hookimpl
from sercore.published import published_summaries
from sercore.storage.digests import digest_of
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import table1_shapes

if TYPE_CHECKING:
    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import EpochRecord
    from sercore.probes.interface import Progress
    from sercore.runs.planned import Plan
    from sercore.storage.workspace import Workspace

MODULE = "benchmarks.grid"
WIDTH = 4


@dataclass(frozen=True)
class GridBackbone:
    """A backbone whose frames are written by `write_features`."""

    card: BackboneCard

    def resolve(self, *, offline: bool) -> Checkpoint:
        del offline
        digest = digest_of(["grid", self.card.id])
        return Checkpoint(name=self.card.id, location=None, revision=None, digest=digest)

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        del checkpoint, options
        raise NotImplementedError("the frames of the simulated grid are already written")


@dataclass(frozen=True)
class GridProbe:
    """Returns random logits with a bias that depends on the seed."""

    id: str = "grid"
    summary: str = "random logits"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {}

    def fit(
        self,
        frames: PackedFrames,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        *,
        n_classes: int,
        seed: int,
        device: str,
        progress: Progress | None = None,
    ) -> GridFitted:
        del frames, rows, labels, device, progress
        return GridFitted({"bias": np.random.default_rng(seed).normal(size=n_classes)})

    def load(self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu") -> GridFitted:
        del device
        return GridFitted(weights)


@dataclass(frozen=True)
class GridFitted:
    weights: Mapping[str, npt.NDArray[Any]]
    log: tuple[EpochRecord, ...] = ()

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        del frames
        bias = self.weights["bias"]
        noise = np.random.default_rng(len(rows)).normal(size=(len(rows), len(bias)))
        logits: npt.NDArray[np.float32] = (noise + bias).astype(np.float32)
        return logits


@hookimpl
def sercore_corpora() -> Iterable[FileNameCorpus]:
    return [_corpus(shape) for shape in table1_shapes()]


@hookimpl
def sercore_backbones() -> Iterable[GridBackbone]:
    return [GridBackbone(_card(name)) for name in published_summaries()]


@hookimpl
def sercore_probes() -> Iterable[GridProbe]:
    return [GridProbe()]


def write_corpora(folder: Path, scale: float, *, distinct: bool = False) -> int:
    """Write recordings of one byte of all corpora; return their number.

    Args:
        folder: the data folder.
        scale: the share of the utterances of Table 1.
        distinct: give every recording a content of its own, so that corpora share no frames.
    """
    written = 0
    for shape in table1_shapes(scale):
        speakers = max(1, shape.speakers)
        for speaker in range(speakers):
            (folder / shape.id / f"s{speaker:04d}").mkdir(parents=True, exist_ok=True)
        for n in range(shape.utterances):
            label = shape.classes[n % len(shape.classes)]
            name = f"s{n % speakers:04d}/{label}_t{n // speakers:05d}_{n:06d}.wav"
            content = f"{shape.id}/{name}".encode() if distinct else b"x"
            (folder / shape.id / name).write_bytes(content)
        written += shape.utterances
    return written


def write_features(plan: Plan, workspace: Workspace) -> int:
    """Write one random frame per utterance to every store of a plan; return their number."""
    rng = np.random.default_rng(0)
    wanted = {
        (backbone.name, corpus.id): (backbone, corpus)
        for backbone in plan.backbones
        for corpus in plan.corpora
    }
    protocol = plan.selection.protocol
    for backbone, corpus in wanted.values():
        store = backbone.features(corpus, workspace, protocol)
        paths = corpus.manifest.column("path")
        for part, rows in enumerate(store.rows):
            utterances = [
                ExtractedUtterance(
                    row=row,
                    path=paths[row],
                    frames=rng.standard_normal((1, WIDTH), dtype=np.float32),
                    duration_s=1.0,
                )
                for row in rows.tolist()
            ]
            store.write_part(part, utterances, layer_means=False, plan={})
        store.write_description()
    return len(wanted)


def _corpus(shape: SimulatedCorpus) -> FileNameCorpus:
    return FileNameCorpus(
        card=CorpusCard(
            id=shape.id,
            title=shape.id.upper(),
            language="none",
            language_code="zxx",
            licence=None,
            access="simulated",
            homepage=None,
            citation=None,
            folders=(shape.id,),
            obtain="This corpus is simulated.",
            expected={"corrected": Counts(utterances=shape.utterances)},
            speakers=shape.speakers,
            cluster="seven" if shape.eligible else None,
            ood_eligible=shape.eligible,
        ),
        pattern=r"(?P<speaker>s\d+)/(?P<label>[a-z]+)_t(?P<take>\d+)_\d+\.wav",
        labels={emotion.value: emotion for emotion in Emotion},
    )


def _card(checkpoint: str) -> BackboneCard:
    return BackboneCard(
        id=re.sub(r"[^a-z0-9]+", "-", checkpoint.rpartition("/")[2].lower()),
        title=checkpoint,
        family="none",
        checkpoint=checkpoint,
        licence=None,
        sample_rate=16000,
        width=WIDTH,
        layers=0,
        frame_rate=50.0,
        parameters=None,
    )
