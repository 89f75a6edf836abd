"""What a worker has loaded: corpora, backbones, and one encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from sercore.errors import TaskError
from sercore.features.layer_means import LayerMeans
from sercore.runs.planned import ProbeJob
from sercore.runs.resolve import folds_of
from sercore.runs.resolve import probe_code
from sercore.runs.resolve import read_corpus
from sercore.runs.resolve import resolve_backbone
from sercore.runs.spec import read_spec

if TYPE_CHECKING:
    from sercore.backbones.interface import Encoder
    from sercore.executors.task import Task
    from sercore.features.store import FeatureStore
    from sercore.plugins.registry import Registry
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus
    from sercore.runs.spec import RunSpec
    from sercore.storage.workspace import Workspace

T = TypeVar("T")


class LoadedParts:
    """Corpora, backbones and the one loaded encoder of a worker; safe to use from two threads.

    Args:
        workspace: where specifications, manifests and stores are.
        registry: what is installed.
    """

    def __init__(self, workspace: Workspace, registry: Registry) -> None:
        self._workspace = workspace
        self._registry = registry
        self._lock = threading.RLock()
        self._known: dict[tuple[str, ...], Any] = {}
        self._encoder: tuple[object, Encoder] | None = None
        self._budgets: dict[object, int] = {}

    def spec(self, digest: str) -> RunSpec:
        """Return a specification."""
        return self._once(("spec", digest), lambda: read_spec(self._workspace, digest))

    def corpus(self, spec: str, name: str) -> PlannedCorpus:
        """Return a corpus of a specification, read and labelled."""

        def read() -> PlannedCorpus:
            known = self.spec(spec)
            place = known.corpora.get(name)
            if place is None:
                raise TaskError(f"the specification of the run names no corpus '{name}'")
            return read_corpus(name, place, known.protocol, self._registry, self._workspace)

        return self._once(("corpus", spec, name), read)

    def backbone(self, task: Task) -> PlannedBackbone:
        """Return the backbone of a task, its weights found."""

        def resolve() -> PlannedBackbone:
            spec = self.spec(task.spec)
            return resolve_backbone(
                task.backbone,
                self._registry.backbone(task.backbone, offline=spec.offline),
                layer=spec.layer,
                dtype=spec.dtype,
                device=task.resources.device,
                named=True,
                offline=spec.offline,
            )

        return self._once(("backbone", task.spec, task.backbone, task.resources.device), resolve)

    def features(self, task: Task) -> FeatureStore | LayerMeans:
        """Return what the probes of a task see of its corpus."""
        corpus = self.corpus(task.spec, task.corpus)
        protocol = self.spec(task.spec).protocol
        store = self.backbone(task).features(corpus, self._workspace, protocol)
        return store if task.layer is None else LayerMeans(store, task.layer)

    def job(self, task: Task) -> ProbeJob:
        """Return the probe job of a task that fits one."""
        if task.probe is None or task.fold is None or task.split_seed is None:
            raise TaskError("the task names no probe, fold or split seed")
        protocol = self.spec(task.spec).protocol
        train = self.corpus(task.spec, task.corpus)
        folds = folds_of(train, protocol, task.split_seed)
        return ProbeJob(
            backbone=self.backbone(task),
            train=train,
            fold=folds[task.fold],
            split_seed=task.split_seed,
            probe=self._registry.probes.get(task.probe),
            protocol=protocol,
            test_sets=(),
            layer=task.layer,
            code=probe_code(self._registry, task.probe),
        )

    def encoder(self, backbone: PlannedBackbone) -> Encoder:
        """Return a loaded backbone. The one that was loaded before is dropped."""
        with self._lock:
            wanted = _encoder_key(backbone)
            if self._encoder is None or self._encoder[0] != wanted:
                self._encoder = None  # its memory is free before the next one is loaded
                encoder = backbone.backbone.load(backbone.checkpoint, backbone.options)
                self._encoder = (wanted, encoder)
            return self._encoder[1]

    def release_encoder(self) -> None:
        """Drop the loaded backbone and its memory."""
        with self._lock:
            self._encoder = None

    def frame_budget(self, task: Task) -> int | None:
        """Return the frames of one encoder batch; ``auto`` is measured once per backbone."""
        from sercore.features.frame_budget import probe_frame_budget

        chosen = self.spec(task.spec).frame_budget
        if chosen != "auto":
            return chosen
        backbone = self.backbone(task)
        with self._lock:
            known = _encoder_key(backbone)
            if known not in self._budgets:
                rate = backbone.backbone.card.sample_rate
                self._budgets[known] = probe_frame_budget(
                    self.encoder(backbone), rate, task.resources.device
                )
            return self._budgets[known]

    def _once(self, name: tuple[str, ...], make: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._known:
                self._known[name] = make()
            found: T = self._known[name]
            return found


def _encoder_key(backbone: PlannedBackbone) -> object:
    card = backbone.backbone.card
    return card.id, backbone.checkpoint.digest, tuple(sorted(asdict(backbone.options).items()))
