"""What a plan consists of: corpora, backbones, probe jobs and the test sets of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

import numpy as np

from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.published_folds import published_name
from sercore.evaluation.splits import count_shared
from sercore.evaluation.splits import probe_seed_split
from sercore.evaluation.splits import seed_of
from sercore.features.layer_means import LayerMeans
from sercore.features.store import FeatureStore
from sercore.probes.interface import PROBES_VERSION
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper
    from sercore.corpora.manifest import Manifest
    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.published_folds import PublishedFolds
    from sercore.evaluation.splits import Fold
    from sercore.probes.interface import Probe
    from sercore.runs.selection import Selection
    from sercore.storage.workspace import Workspace

MissingKind = Literal["corpus", "backbone", "plugin", "row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that cannot take part in a run."""

    kind: MissingKind
    name: str
    reason: str
    hint: str | None = None
    named: bool = False
    """Whether the user named it."""
    failed: bool = False
    """Whether it was found but is unusable."""
    sets: tuple[str, ...] = ()
    """Of a corpus: the sets that its card names."""

    def __str__(self) -> str:
        text = f"{self.kind} {self.name}: {self.reason}"
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True, eq=False)
class PlannedCorpus:
    """A corpus that was found, read and labelled."""

    corpus: Corpus
    place: Path
    """The folder or archive that holds it."""
    files: CorpusFiles
    manifest: Manifest
    mapper: LabelMapper
    labels: npt.NDArray[np.int8]
    """int8 (utterances,), -1 where the mapper leaves one out."""
    folds: Mapping[str, PublishedFolds] = field(default_factory=dict)
    """Published folds of the corpus by name."""

    @property
    def id(self) -> str:
        """The corpus's registered name."""
        return self.corpus.card.id

    @property
    def is_whole(self) -> bool:
        """Whether the copy on disk is complete: no utterance is missing or damaged."""
        return not any(problem.makes_incomplete for problem in self.manifest.problems)

    @cached_property
    def n_bytes(self) -> int:
        """Bytes of all recordings, by which tasks are compared."""
        return sum(size or 0 for size in self.manifest.column("size"))

    @cached_property
    def label_set(self) -> LabelSet:
        """What class rules ask about the corpus."""
        present = np.unique(self.labels[self.labels >= 0])
        card = self.corpus.card
        return LabelSet(
            classes=frozenset(self.mapper.classes[i] for i in present),
            cluster=card.cluster,
            ood_eligible=card.ood_eligible,
            demo=card.demo,
            declared=card.declared,
        )

    @cached_property
    def labels_digest(self) -> str:
        """Changes when an utterance is mapped to another class."""
        return digest_of([self.mapper.classes, self.labels.tolist()])

    def counts(self, rows: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.float64]:
        """Return utterances per class, float64 (classes,), of some rows or of all."""
        labels = self.labels if rows is None else self.labels[rows]
        return np.bincount(labels[labels >= 0], minlength=len(self.mapper.classes)).astype(float)


@dataclass(frozen=True, eq=False)
class PlannedBackbone:
    """A backbone whose weights were found."""

    name: str
    """As results name it, variant included."""
    given: str
    """As a worker finds it: the registered name, or ``hf:`` and the folder of the weights."""
    backbone: Backbone
    checkpoint: Checkpoint
    options: EncoderOptions
    named: bool
    """Whether the user named it."""

    def features(
        self, corpus: PlannedCorpus, workspace: Workspace, protocol: Protocol
    ) -> FeatureStore:
        """Return the store of this backbone's frames of a corpus, complete or not."""
        return FeatureStore.of(
            workspace,
            self.backbone,
            self.checkpoint,
            self.options,
            protocol.audio_path,
            corpus.manifest,
        )


@dataclass(frozen=True, eq=False)
class TestSet:
    """A test corpus of a probe job, with the class rules under which it is scored."""

    __test__ = False  # not a class of tests for pytest

    corpus: PlannedCorpus
    rules: tuple[Rule, ...]
    in_domain: bool


@dataclass(frozen=True, eq=False)
class ProbeJob:
    """One probe to train, and everything that it is tested on."""

    backbone: PlannedBackbone
    train: PlannedCorpus
    fold: Fold
    split_seed: int
    probe: Probe
    protocol: Protocol
    test_sets: tuple[TestSet, ...]
    layer: int | None = None
    """The layer whose stored means take the place of frames, in a sweep over layers."""
    code: str | None = None
    """Identity of the code of a probe from a plugin; None for the probes of sercore itself."""

    @property
    def layer_name(self) -> str:
        """The layer as scores name it."""
        return str(self.backbone.options.layer if self.layer is None else self.layer)

    def source(self, store: FeatureStore) -> FeatureStore | LayerMeans:
        """Return what the probe sees of a corpus: its frames, or the means of one layer."""
        return store if self.layer is None else LayerMeans(store, self.layer)

    @property
    def seed(self) -> int:
        """The probe seed: from train corpus, split and seed, never from the backbone."""
        split = probe_seed_split(self.protocol.split)
        return seed_of(self.train.id, split, self.fold.index, self.split_seed) >> 32

    @property
    def label(self) -> str:
        """What the job is called on screen."""
        parts = [self.backbone.name, self.train.id]
        if self.layer is not None:
            parts.append(f"layer {self.layer}")
        if self.protocol.n_folds > 1:
            parts.append(f"fold {self.fold.index + 1}")
        return " · ".join(parts)

    def identity(self, features: FeatureStore | LayerMeans, *, threads: int) -> dict[str, Any]:
        """Return the parts of the probe key.

        Args:
            features: what the probe sees of the training corpus.
            threads: threads of numerical code. On the CPU they change the order of sums, and so
                the last bits of the weights.
        """
        on_cpu = self.backbone.options.device == "cpu"
        return {
            "schema": PROBES_VERSION,
            "code": self.code,
            "threads": threads if on_cpu else None,
            "features": features.identity,
            "missing": sorted(problem.where for problem in features.failures()),
            "labels": self.train.labels_digest,
            "split": self._split_identity,
            "n_folds": self.protocol.n_folds,
            "fold": self.fold.index,
            "split_seed": self.split_seed,
            "probe": self.probe.id,
            "probe_settings": dict(self.probe.settings),
            "probe_seed": self.seed,
        }

    @property
    def _split_identity(self) -> str | list[str]:
        """The name of the split; with the lists of published folds, which a plugin may change."""
        published = published_name(self.protocol.split)
        if published is None:
            return self.protocol.split
        return [self.protocol.split, digest_of(asdict(self.train.folds[published]))]

    def class_counts(self, test_set: TestSet) -> ClassCounts:
        """Return the class counts that adjustments may use."""
        return ClassCounts(
            train_part=self.train.counts(self.fold.train),
            train_corpus=self.train.counts(),
            test_corpus=test_set.corpus.counts(),
        )

    def test_rows(self, test_set: TestSet) -> npt.NDArray[np.int64]:
        """Return the rows of the test manifest that the probe is tested on, int64 (n,)."""
        return self.fold.test if test_set.in_domain else labelled_rows(test_set.corpus)

    @cached_property
    def shared_speakers(self) -> int | None:
        """Speakers on both sides of the in-domain cell; None where the corpus names none."""
        return count_shared(self.train.manifest, "speaker", self.fold)

    @cached_property
    def shared_texts(self) -> int | None:
        """Texts on both sides of the in-domain cell; None where the corpus names none."""
        return count_shared(self.train.manifest, "text_id", self.fold)


def labelled_rows(corpus: PlannedCorpus) -> npt.NDArray[np.int64]:
    """Return the manifest rows that have a class, int64 (n,)."""
    return np.flatnonzero(corpus.labels >= 0).astype(np.int64)


def prediction_identity(
    probe_key: str, features: FeatureStore | LayerMeans, corpus: PlannedCorpus, *, in_domain: bool
) -> dict[str, Any]:
    """Return the parts of a prediction key.

    Args:
        probe_key: the trained probe.
        features: what it sees of the test corpus.
        corpus: the test corpus.
        in_domain: whether only the held-out part of the training corpus is tested.
    """
    return {
        "probe": probe_key,
        "features": features.key,
        "missing": sorted(problem.where for problem in features.failures()),
        "labels": corpus.labels_digest,
        "in_domain": in_domain,
    }


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, and what it cannot."""

    selection: Selection
    corpora: tuple[PlannedCorpus, ...]
    backbones: tuple[PlannedBackbone, ...]
    jobs: tuple[ProbeJob, ...]
    missing: tuple[Missing, ...]
    downloads: tuple[BackboneCard, ...] = ()
    """Backbones whose weights a run would ask the network for."""
    splits: tuple[str, ...] = ()
    """One sentence for each corpus that published folds divide: who shares what."""
    repairs: tuple[str, ...] = ()
    """One sentence for each stored file that planning found damaged and computed again."""

    def matrix_name(self, job: ProbeJob) -> str:
        """Return the name of a job's matrix: its backbone, with layer and probe where needed."""
        parts = [job.backbone.name]
        if job.layer is not None:
            parts.append(f"layer {job.layer}")
        if len(self.selection.probes) > 1:
            parts.append(job.probe.id)
        return " · ".join(parts)

    @property
    def n_cells(self) -> int:
        """Cells of the matrix; another fold or seed does not make another cell."""
        return len(
            {
                (self.matrix_name(job), job.train.id, test_set.corpus.id, rule.name)
                for job in self.jobs
                for test_set in job.test_sets
                for rule in test_set.rules
            }
        )
