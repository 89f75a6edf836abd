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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMaker:
    """Makes the tasks of one run.

    Args:
        run: the run's name.
        spec: digest of its specification.
        threads: threads of numerical code in each task.
    """

    run: str
    spec: str
    threads: int

    def extract(self, backbone: PlannedBackbone, corpus: str, store: FeatureStore) -> Task:
        """Return the task that extracts what is missing of a corpus."""
        return Task(
            kind="extract",
            label=f"{backbone.name} · {corpus}",
            run=self.run,
            spec=self.spec,
            backbone=backbone.given,
            corpus=corpus,
            key=store.key,
            writes=(store.key,),
            resources=self._resources(backbone),
        )

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
