"""What a run will do: which corpora, backbones, probe fits and cells, before anything is computed.

Planning reads names, sizes and digests. It imports no torch, opens no audio, and tells apart what
is missing but was not asked for by name (unavailable) from what was (an error of the run).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

import numpy as np

from sercore.backbones.interface import EncoderOptions
from sercore.backbones.interface import split_name
from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.manifest_cache import load_manifest
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError
from sercore.errors import CorpusMissingError
from sercore.errors import SercoreError
from sercore.errors import SettingsError
from sercore.evaluation.adjustment import Priors
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.class_rules import class_rule
from sercore.evaluation.scores import Rule
from sercore.evaluation.splits import SPLITS
from sercore.evaluation.splits import count_shared
from sercore.evaluation.splits import seed_of
from sercore.features.keys import feature_identity
from sercore.features.layer_means import LayerMeans
from sercore.features.store import FeatureStore
from sercore.probes.interface import pools
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import Checkpoint
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper
    from sercore.corpora.manifest import Manifest
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.splits import Fold
    from sercore.plugins.registry import Registry
    from sercore.probes.interface import Probe
    from sercore.runs.selection import Selection
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that cannot take part in a run."""

    kind: Literal["corpus", "backbone", "plugin", "row"]
    name: str
    reason: str
    hint: str | None = None
    named: bool = False
    """Whether the user asked for it by name."""
    failed: bool = False
    """Whether it is there but unusable, rather than not there."""

    def __str__(self) -> str:
        text = f"{self.kind} {self.name}: {self.reason}"
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True)
class PlannedCorpus:
    """A corpus that was found, read and labelled."""

    corpus: Corpus
    files: CorpusFiles
    manifest: Manifest
    mapper: LabelMapper
    labels: npt.NDArray[np.int8]
    """int8 (utterances,), -1 where the mapper leaves one out."""

    @property
    def id(self) -> str:
        """The corpus's registered name."""
        return self.corpus.card.id

    @property
    def is_whole(self) -> bool:
        """Whether nothing about the copy on disk was found wanting."""
        return all(problem.kind == "known-bad" for problem in self.manifest.problems)

    @cached_property
    def label_set(self) -> LabelSet:
        """The classes that occur."""
        present = np.unique(self.labels[self.labels >= 0])
        return LabelSet(self.corpus.card, frozenset(self.mapper.classes[i] for i in present))

    @cached_property
    def labels_digest(self) -> str:
        """Changes when an utterance is mapped to another class."""
        return digest_of([self.mapper.classes, self.labels.tolist()])

    def counts(self, rows: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.float64]:
        """Return utterances per class, float64 (classes,), of some rows or of all."""
        labels = self.labels if rows is None else self.labels[rows]
        return np.bincount(labels[labels >= 0], minlength=len(self.mapper.classes)).astype(float)


@dataclass(frozen=True)
class PlannedBackbone:
    """A backbone whose weights were found."""

    name: str
    """As the user would write it, variant included."""
    backbone: Backbone
    checkpoint: Checkpoint
    options: EncoderOptions
    named: bool
    """Whether the user asked for it by name."""

    def features(
        self, corpus: PlannedCorpus, workspace: Workspace, protocol: Protocol
    ) -> FeatureStore:
        """Return the store of this backbone's frames of a corpus, complete or not."""
        identity = feature_identity(
            self.backbone.card,
            self.checkpoint,
            self.options,
            protocol.audio_path,
            corpus.manifest,
        )
        return FeatureStore(workspace, identity)


@dataclass(frozen=True)
class Target:
    """One test corpus of a probe fit, with the rules under which it is scored."""

    corpus: PlannedCorpus
    rules: tuple[Rule, ...]
    in_domain: bool


@dataclass(frozen=True)
class Fit:
    """One probe to be trained, and everything that it will be tested on."""

    backbone: PlannedBackbone
    train: PlannedCorpus
    fold: Fold
    split_seed: int
    probe: Probe
    protocol: Protocol
    targets: tuple[Target, ...]
    layer: int | None = None
    """The layer whose stored means take the place of frames, in a sweep over layers."""

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
        return seed_of(self.train.id, self.protocol.split, self.fold.index, self.split_seed) >> 32

    @property
    def label(self) -> str:
        """What the fit is called on screen."""
        parts = [self.backbone.name, self.train.id]
        if self.layer is not None:
            parts.append(f"layer {self.layer}")
        if self.protocol.n_folds > 1:
            parts.append(f"fold {self.fold.index + 1}")
        return " · ".join(parts)

    def features(self, corpus: PlannedCorpus, workspace: Workspace) -> FeatureStore:
        """Return the frames of a corpus under the fit's backbone."""
        return self.backbone.features(corpus, workspace, self.protocol)

    def identity(self, features: FeatureStore | LayerMeans) -> dict[str, Any]:
        """Return the parts of the probe key, given the frames of the training corpus."""
        return {
            "features": features.identity,
            "missing": sorted(problem.where for problem in features.failures()),
            "labels": self.train.labels_digest,
            "split": self.protocol.split,
            "n_folds": self.protocol.n_folds,
            "fold": self.fold.index,
            "split_seed": self.split_seed,
            "probe": self.probe.id,
            "probe_settings": dict(self.probe.settings),
            "probe_seed": self.seed,
        }

    def priors(self, target: Target) -> Priors:
        """Return the class counts that adjustments may use."""
        return Priors(
            train_part=self.train.counts(self.fold.train),
            train_corpus=self.train.counts(),
            test_corpus=target.corpus.counts(),
        )

    @cached_property
    def shared_speakers(self) -> int | None:
        """Speakers on both sides of the in-domain cell; None where the corpus does not tell."""
        return count_shared(self.train.manifest, "speaker", self.fold)

    @cached_property
    def shared_texts(self) -> int | None:
        """Texts on both sides of the in-domain cell; None where the corpus does not tell."""
        return count_shared(self.train.manifest, "text_id", self.fold)


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, and what it cannot."""

    selection: Selection
    corpora: tuple[PlannedCorpus, ...]
    backbones: tuple[PlannedBackbone, ...]
    fits: tuple[Fit, ...]
    missing: tuple[Missing, ...]
    downloads: tuple[BackboneCard, ...] = ()
    """Backbones whose weights a run would ask the network for."""

    def matrix_name(self, fit: Fit) -> str:
        """Return what the matrix of a fit is called: its backbone, and what else tells it apart."""
        parts = [fit.backbone.name]
        if fit.layer is not None:
            parts.append(f"layer {fit.layer}")
        if len(self.selection.probes) > 1:
            parts.append(fit.probe.id)
        return " · ".join(parts)

    @property
    def n_cells(self) -> int:
        """Cells of the matrix: a fold or seed more does not make another cell."""
        return len(
            {
                (self.matrix_name(fit), fit.train.id, target.corpus.id, rule.name)
                for fit in self.fits
                for target in fit.targets
                for rule in target.rules
            }
        )


def make_plan(
    selection: Selection,
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    *,
    download: bool = True,
) -> Plan:
    """Find out what a run will do.

    Args:
        selection: what the user asked for.
        settings: where corpora lie.
        registry: what is installed.
        workspace: where archives are unpacked, demo corpora written, manifests kept.
        download: whether weights that are needed and not here may be downloaded.

    Raises:
        SercoreError: a name is unknown, or nothing at all is left to run.
    """
    missing = [
        Missing(
            kind="plugin",
            name=f"{info.name} ({info.distribution} {info.version})",
            reason=info.error or "",
            hint="repair or uninstall it",
            failed=True,
        )
        for info in registry.broken
    ]
    mapper = registry.label_mappers.get(selection.protocol.mapper)
    probes = [registry.probes.get(name) for name in dict.fromkeys(selection.probes)]
    if selection.layer == "all" and not all(pools(probe) for probe in probes):
        able = ", ".join(sorted(probe.id for probe in registry.probes if pools(probe)))
        raise SettingsError(
            "a sweep over layers rests on stored means, and not every chosen probe pools",
            hint=f"choose with --probe among {able}",
        )
    corpora: list[PlannedCorpus] = []
    for corpus, place, named in _chosen_corpora(selection, settings, registry):
        try:
            module = registry.corpora.owners[corpus.card.id].module
            corpora.append(
                _read_corpus(corpus, place, mapper, selection, settings, workspace, module)
            )
        except SercoreError as error:
            missing.append(_missing("corpus", corpus.card.id, error, named=named))
    backbones: list[PlannedBackbone] = []
    downloads: list[BackboneCard] = []
    for name, named in _chosen_backbones(selection, registry):
        needed = False
        try:
            backbone = registry.backbone(name, offline=selection.offline)
            needed = any(_belong_together(backbone, each, named=named) for each in corpora)
            may_ask = download and needed and not selection.offline
            backbones.append(_resolve(name, backbone, selection, named=named, offline=not may_ask))
        except BackboneUnavailableError as error:
            if needed and not selection.offline:
                downloads.append(backbone.card)
            missing.append(_missing("backbone", name, error, named=named))
        except BackboneError as error:
            missing.append(_missing("backbone", name, error, named=named))
    fits: list[Fit] = []
    for train in corpora:
        try:
            folds = _folds(train, selection)
        except SercoreError as error:
            missing.append(_missing("row", train.id, error, named=True))
            continue
        targets = _targets(train, corpora, selection)
        fits += [
            Fit(backbone, train, fold, seed, probe, selection.protocol, targets, layer)
            for backbone in backbones
            if _belong_together(backbone.backbone, train, named=backbone.named)
            for layer in _layers(backbone, selection)
            for probe in probes
            for seed, fold in folds
        ]
    # Backbone by backbone: at most one backbone's frames are needed at a time.
    fits.sort(
        key=lambda fit: (
            *(fit.backbone.name, -1 if fit.layer is None else fit.layer, fit.probe.id),
            *(fit.train.id, fit.split_seed, fit.fold.index),
        )
    )
    used = {fit.backbone.name for fit in fits}
    return Plan(
        selection=selection,
        corpora=tuple(sorted(corpora, key=lambda each: each.id)),
        backbones=tuple(each for each in backbones if each.name in used),
        fits=tuple(fits),
        missing=tuple(missing),
        downloads=tuple(downloads),
    )


def _chosen_corpora(
    selection: Selection, settings: Settings, registry: Registry
) -> list[tuple[Corpus, Path | None, bool]]:
    named = [(registry.corpora.get(name), path, True) for name, path in selection.datasets.items()]
    if selection.datasets and not selection.everything:
        return named
    others = [
        (corpus, None, False)
        for corpus in registry.corpora
        if corpus.card.id not in selection.datasets
        and (selection.demo or not corpus.card.demo or corpus.card.id in settings.datasets)
    ]
    return named + others


def _chosen_backbones(selection: Selection, registry: Registry) -> list[tuple[str, bool]]:
    """Return names of backbones, with whether the user named them."""
    named = [(name, True) for name in dict.fromkeys(selection.backbones)]
    if selection.backbones and not selection.everything:
        return named
    others = [
        (name, False)
        for name, backbone in sorted(registry.backbones.items.items())
        if name not in selection.backbones and (selection.demo or not backbone.card.demo)
    ]
    return named + others


def _read_corpus(
    corpus: Corpus,
    place: Path | None,
    mapper: LabelMapper,
    selection: Selection,
    settings: Settings,
    workspace: Workspace,
    module: str,
) -> PlannedCorpus:
    root = place or locate(corpus, selection.data, settings, workspace)
    if root is None:
        looked = ", ".join(str(each) for each in selection.data) or "no data folder was named"
        raise CorpusMissingError(
            f"it was not found ({looked})",
            hint=f"{corpus.card.obtain} Then --data DIR or --dataset {corpus.card.id}=PATH",
        )
    files = open_files(corpus, root, settings, workspace)
    manifest = load_manifest(corpus, files, selection.protocol.reading, workspace, module)
    relative = f"manifests/{corpus.card.id}/{manifest.digest}.parquet"
    if not workspace.exists(relative):
        workspace.write_table(relative, manifest.table)
    return PlannedCorpus(corpus, files, manifest, mapper, manifest.labels(corpus, mapper))


def _resolve(
    name: str, backbone: Backbone, selection: Selection, *, named: bool, offline: bool
) -> PlannedBackbone:
    if selection.layer == "all" and not backbone.card.layers:
        raise BackboneError("it has no layers to sweep over", hint="leave out --layer all")
    _, variant = split_name(name)
    options = EncoderOptions(
        layer="last" if selection.layer == "all" else selection.layer,
        variant=variant,
        dtype=selection.dtype,
        device=selection.device,
    )
    checkpoint = backbone.resolve(offline=offline)
    if name.startswith("hf:"):
        # Results are named by the checkpoint, not by where it lies on this disk.
        name = f"hf:{checkpoint.name}" + (f":{variant}" if variant else "")
    return PlannedBackbone(name, backbone, checkpoint, options, named)


def _layers(backbone: PlannedBackbone, selection: Selection) -> Iterable[int | None]:
    """Return the layers of a sweep, what enters the first one included; None without a sweep."""
    if selection.layer != "all":
        return (None,)
    return range((backbone.backbone.card.layers or 0) + 1)


def _folds(corpus: PlannedCorpus, selection: Selection) -> list[tuple[int, Fold]]:
    splitter = SPLITS[selection.protocol.split]
    seeds = range(selection.seed, selection.seed + selection.n_seeds)
    return [
        (seed, fold)
        for seed in seeds
        for fold in splitter(corpus.manifest, corpus.labels, seed, selection.protocol.n_folds)
    ]


def _targets(
    train: PlannedCorpus, corpora: Iterable[PlannedCorpus], selection: Selection
) -> tuple[Target, ...]:
    everything = frozenset(train.mapper.classes)
    targets = [Target(train, (Rule("in-domain", everything),), in_domain=True)]
    for test in corpora:
        if test.id == train.id or test.corpus.card.demo != train.corpus.card.demo:
            continue
        rules: list[Rule] = []
        for name in selection.protocol.class_rules:
            allowed = class_rule(
                name, train.label_set, test.label_set, small_clusters=selection.small_clusters
            )
            if allowed:
                rules.append(Rule(name, allowed))
        if rules:
            targets.append(Target(test, tuple(rules), in_domain=False))
    return tuple(targets)


def _belong_together(backbone: Backbone, corpus: PlannedCorpus, *, named: bool) -> bool:
    """Return whether a cell makes sense: synthetic speech tells nothing about a real backbone."""
    return named or backbone.card.demo or not corpus.corpus.card.demo


def _missing(
    kind: Literal["corpus", "backbone", "row"], name: str, error: SercoreError, *, named: bool
) -> Missing:
    absent = isinstance(error, (CorpusMissingError, BackboneUnavailableError))
    return Missing(
        kind=kind,
        name=name,
        reason=error.message,
        hint=error.hint,
        named=named,
        failed=not absent and kind != "row",
    )
