"""From planned jobs to tasks: pure functions of a plan and of what the workspace holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sercore.executors.task import Resources
from sercore.executors.task import Task
from sercore.runs.planned import prediction_identity
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.features.layer_means import LayerMeans
    from sercore.features.store import FeatureStore
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet


PARTS_OF_A_TASK = 8
"""Parts of one extraction where corpora are cut: 512 utterances, about half an hour of audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMaker:
    """Makes the tasks of one run.

    Args:
        run: the run's name.
        spec: digest of its specification.
        threads: threads of numerical code in each task.
        layer_means: whether extraction stores the means of all layers.
        cut: whether the extraction of a large corpus is cut into several tasks. The cuts depend
            on the corpus alone, never on what is missing of it.
    """

    run: str
    spec: str
    threads: int
    layer_means: bool
    cut: bool

    def extract(self, backbone: PlannedBackbone, corpus: str, store: FeatureStore) -> list[Task]:
        """Return the tasks that extract what is missing of a corpus."""
        return [
            Task(
                kind="extract",
                label=f"{backbone.name} · {corpus}{_named(parts, store)}",
                run=self.run,
                spec=self.spec,
                backbone=backbone.given,
                corpus=corpus,
                key=store.key,
                writes=(store.key,),
                resources=self._resources(backbone),
                parts=None if len(parts) == store.n_parts else (parts.start, parts.stop),
            )
            for parts in self._cuts(store.n_parts)
            if store.missing_parts(parts, layer_means=self.layer_means)
        ]

    def _cuts(self, n_parts: int) -> list[range]:
        step = PARTS_OF_A_TASK if self.cut else max(n_parts, 1)
        return [range(first, min(first + step, n_parts)) for first in range(0, n_parts, step)]

    def fit(self, job: ProbeJob, features: FeatureStore | LayerMeans, key: str) -> Task:
        """Return the task that trains the probe of a job.

        Args:
            job: the job.
            features: what the probe sees of the training corpus.
            key: the probe key.
        """
        return Task(
            kind="fit",
            label=job.label,
            run=self.run,
            spec=self.spec,
            backbone=job.backbone.given,
            corpus=job.train.id,
            key=key,
            reads=(features.key,),
            writes=(key,),
            resources=self._resources(job.backbone),
            probe=job.probe.id,
            fold=job.fold.index,
            split_seed=job.split_seed,
            layer=job.layer,
        )

    def predict(self, cells: Iterable[CellJob]) -> list[Task]:
        """Return one task for each test corpus and layer: all its probes in one pass."""
        columns: dict[tuple[str, str], list[CellJob]] = defaultdict(list)
        for cell in cells:
            columns[cell.test_set.corpus.id, cell.features.key].append(cell)
        return [
            Task(
                kind="predict",
                label=f"{column[0].job.backbone.name} → {corpus}",
                run=self.run,
                spec=self.spec,
                backbone=column[0].job.backbone.given,
                corpus=corpus,
                key=features_key,
                reads=tuple(cell.probe_key for cell in column),
                writes=tuple(cell.key for cell in column),
                resources=self._resources(column[0].job.backbone),
                layer=column[0].job.layer,
            )
            for (corpus, features_key), column in columns.items()
        ]

    def _resources(self, backbone: PlannedBackbone) -> Resources:
        return Resources(device=backbone.options.device, threads=self.threads)


def extracted_parts(task: Task, store: FeatureStore) -> range:
    """Return the parts that an extraction task writes."""
    return range(store.n_parts) if task.parts is None else range(*task.parts)


def _named(parts: range, store: FeatureStore) -> str:
    """Return which parts of a store a task extracts, as its label ends; empty for all."""
    if len(parts) == store.n_parts:
        return ""
    return f" · parts {parts.start + 1}-{parts.stop} of {store.n_parts}"


@dataclass(frozen=True, eq=False)
class CellJob:
    """A trained probe and one test set, from which predictions and scores follow."""

    job: ProbeJob
    test_set: TestSet
    features: FeatureStore | LayerMeans
    """What the probe sees of the test corpus."""
    probe_key: str
    n_train: int
    """Utterances that trained the probe."""

    @cached_property
    def key(self) -> str:
        """The prediction key."""
        return digest_of(
            prediction_identity(
                self.probe_key,
                self.features,
                self.test_set.corpus,
                in_domain=self.test_set.in_domain,
            )
        )

    @property
    def label(self) -> str:
        """What the cell is called in messages."""
        return f"{self.job.label} → {self.test_set.corpus.id}"
