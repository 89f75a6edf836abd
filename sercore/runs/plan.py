"""Planning: which corpora, backbones, probe jobs and cells a run has, before it computes anything.

Planning reads names, sizes and digests. It imports no torch and decodes no audio. What is missing
but was not named by the user is unavailable; what the user named and is missing is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.corpora.interface import OTHER_SET
from sercore.corpora.locate import locate
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError
from sercore.errors import CorpusMissingError
from sercore.errors import SercoreError
from sercore.errors import SettingsError
from sercore.errors import UnknownNameError
from sercore.evaluation.class_rules import in_domain_rule
from sercore.evaluation.class_rules import rules_between
from sercore.plugins.declared import all_corpora
from sercore.plugins.declared import named_corpora
from sercore.probes.interface import pools
from sercore.runs.fold_facts import describe_folds
from sercore.runs.fold_facts import require_disjoint
from sercore.runs.planned import Missing
from sercore.runs.planned import MissingKind
from sercore.runs.planned import Plan
from sercore.runs.planned import PlannedBackbone
from sercore.runs.planned import PlannedCorpus
from sercore.runs.planned import ProbeJob
from sercore.runs.planned import TestSet
from sercore.runs.resolve import CorpusPlace
from sercore.runs.resolve import folds_of
from sercore.runs.resolve import probe_code
from sercore.runs.resolve import read_corpus
from sercore.runs.resolve import resolve_backbone
from sercore.settings import DatasetSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence
    from pathlib import Path

    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import BackboneCard
    from sercore.corpora.interface import Corpus
    from sercore.evaluation.splits import Fold
    from sercore.plugins.info import PluginInfo
    from sercore.plugins.registry import Registry
    from sercore.probes.interface import Probe
    from sercore.runs.selection import Selection
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


def make_plan(
    selection: Selection,
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    *,
    download: bool = True,
    fetch: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Return what a run will do.

    Args:
        selection: what the user selected.
        settings: where corpora lie.
        registry: what is installed.
        workspace: where archives are unpacked, demo corpora written, manifests kept.
        download: whether weights that are needed and missing may be downloaded.
        fetch: whether declared corpora that are missing may be downloaded.
        progress: called with the bytes of audio that are read to compute digests, and their
            total, for every corpus that has new or changed recordings.

    Raises:
        SercoreError: a name is unknown or a setting unusable.
    """
    probes = _probes(selection, registry)
    missing = [_broken_plugin(info) for info in registry.broken]
    missing += [_conflict(text) for text in registry.conflicts]
    repairs: list[str] = []
    corpora, absent = _corpora(
        selection,
        settings,
        registry,
        workspace,
        offline=selection.offline or not fetch,
        progress=progress,
        note=repairs.append,
    )
    missing += absent
    found = _backbones(selection, registry, corpora, download=download)
    missing += found.missing
    rows = _rows(corpora, found.backbones, probes, selection)
    missing += rows.missing
    jobs = rows.jobs
    used = {job.backbone.name for job in jobs}
    return Plan(
        selection=selection,
        corpora=tuple(sorted(corpora, key=lambda corpus: corpus.id)),
        backbones=tuple(backbone for backbone in found.backbones if backbone.name in used),
        jobs=tuple(sorted(jobs, key=_order)),
        missing=tuple(missing),
        downloads=found.downloads,
        splits=rows.splits,
        repairs=tuple(repairs),
    )


@dataclass(frozen=True)
class _Rows:
    jobs: tuple[ProbeJob, ...]
    missing: tuple[Missing, ...]
    splits: tuple[str, ...]


def _rows(
    corpora: list[PlannedCorpus],
    backbones: Iterable[PlannedBackbone],
    probes: Iterable[tuple[Probe, str | None]],
    selection: Selection,
) -> _Rows:
    """Return the jobs of all training corpora, the corpora that cannot be split, and the facts."""
    jobs: list[ProbeJob] = []
    missing: list[Missing] = []
    splits: list[str] = []
    for train in corpora:
        try:
            folds = _folds(train, selection)
        except SercoreError as error:
            missing.append(_missing("row", train.id, error, named=True))
            continue
        first = [fold for seed, fold in folds if seed == selection.seed]
        facts = describe_folds(train, selection.protocol.split, first)
        splits += [facts] if facts else []
        test_sets = _test_sets(train, corpora, selection)
        jobs += _jobs(train, folds, test_sets, backbones, probes, selection)
    return _Rows(tuple(jobs), tuple(missing), tuple(splits))


def _order(job: ProbeJob) -> tuple[object, ...]:
    """Sort backbone by backbone, so that only one backbone's frames are needed at a time."""
    layer = -1 if job.layer is None else job.layer
    return (
        *(job.backbone.name, layer, job.probe.id),
        *(job.train.id, job.split_seed, job.fold.index),
    )


# What takes part


def _probes(selection: Selection, registry: Registry) -> list[tuple[Probe, str | None]]:
    """Return the chosen probes with the identity of their code."""
    probes = [registry.probes.get(name) for name in dict.fromkeys(selection.probes)]
    if selection.layer == "all" and not all(pools(probe) for probe in probes):
        able = ", ".join(sorted(probe.id for probe in registry.probes if pools(probe)))
        raise SettingsError(
            "a sweep over layers needs probes that pool their frames, and one of them does not",
            hint=f"choose with --probe among {able}",
        )
    return [(probe, probe_code(registry, probe.id)) for probe in probes]


def _corpora(
    selection: Selection,
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    *,
    offline: bool,
    progress: Callable[[int, int], None] | None,
    note: Callable[[str], None],
) -> tuple[list[PlannedCorpus], list[Missing]]:
    registry.label_mappers.get(selection.protocol.mapper)  # an unknown name ends the run
    corpora: list[PlannedCorpus] = []
    missing: list[Missing] = []
    for corpus, path, named in _chosen_corpora(selection, settings, registry):
        name = corpus.card.id
        try:
            place = place_of(corpus, path, selection.data, settings, workspace, offline=offline)
            corpora.append(
                read_corpus(
                    name,
                    place,
                    selection.protocol,
                    registry,
                    workspace,
                    progress=progress,
                    note=note,
                )
            )
        except SercoreError as error:
            found = _missing("corpus", name, error, named=named)
            missing.append(replace(found, sets=corpus.card.sets or (OTHER_SET,)))
    return corpora, missing


def _chosen_corpora(
    selection: Selection, settings: Settings, registry: Registry
) -> list[tuple[Corpus, Path | None, bool]]:
    """Return corpora with the folder that the user gave and whether they were named."""
    known = all_corpora(registry, settings)
    named = [(corpus, path, True) for corpus, path in named_corpora(known, selection.datasets)]
    _require_sets(selection, registry)
    if selection.datasets and not (selection.everything or selection.sets):
        return named
    others = [
        (corpus, None, False)
        for corpus in known
        if corpus.card.id not in selection.datasets
        and (selection.demo or not corpus.card.demo or corpus.card.id in settings.datasets)
        and (
            not selection.sets
            or corpus.card.demo
            or not set(selection.sets).isdisjoint(corpus.card.sets)
        )
    ]
    return named + others


def _require_sets(selection: Selection, registry: Registry) -> None:
    known = sorted({name for corpus in registry.corpora for name in corpus.card.sets})
    for name in selection.sets:
        if name not in known:
            raise UnknownNameError(
                f"no installed corpus belongs to a set named '{name}'",
                hint=f"the sets are {', '.join(known) or 'none'} (see 'sercore list datasets')",
            )


def place_of(
    corpus: Corpus,
    path: Path | None,
    data: Sequence[Path],
    settings: Settings,
    workspace: Workspace,
    *,
    offline: bool = True,
) -> CorpusPlace:
    """Return where a corpus lies.

    Args:
        corpus: the corpus.
        path: the folder that the user gave; None to look for it.
        data: folders that hold corpora under their usual names.
        settings: more folders, and files to leave out.
        workspace: holds corpora that sercore generates.
        offline: whether a corpus that the user declared may not be downloaded.

    Raises:
        CorpusMissingError: it is nowhere.
    """
    name = corpus.card.id
    root = path or locate(corpus, data, settings, workspace, offline=offline)
    if root is None:
        looked = ", ".join(map(str, data)) or "no data folder was named"
        raise CorpusMissingError(
            f"it was not found ({looked})",
            hint=f"{corpus.card.obtain} Then --data DIR or --dataset {name}=PATH",
        )
    return CorpusPlace(path=root, settings=settings.datasets.get(name) or DatasetSettings())


@dataclass(frozen=True)
class _Backbones:
    backbones: tuple[PlannedBackbone, ...]
    missing: tuple[Missing, ...]
    downloads: tuple[BackboneCard, ...]


def _backbones(
    selection: Selection, registry: Registry, corpora: Iterable[PlannedCorpus], *, download: bool
) -> _Backbones:
    backbones: list[PlannedBackbone] = []
    missing: list[Missing] = []
    downloads: list[BackboneCard] = []
    for name, named in _chosen_backbones(selection, registry):
        needed = False
        try:
            backbone = registry.backbone(name, offline=selection.offline)
            needed = any(_belong_together(backbone, corpus, named=named) for corpus in corpora)
            may_ask = download and needed and not selection.offline
            backbones.append(
                resolve_backbone(
                    name,
                    backbone,
                    layer=selection.layer,
                    dtype=selection.dtype,
                    device=selection.device,
                    named=named,
                    offline=not may_ask,
                )
            )
        except BackboneUnavailableError as error:
            if needed and not selection.offline:
                downloads.append(backbone.card)
            missing.append(_missing("backbone", name, error, named=named))
        except BackboneError as error:
            missing.append(_missing("backbone", name, error, named=named))
    return _Backbones(tuple(backbones), tuple(missing), tuple(downloads))


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


def _belong_together(backbone: Backbone, corpus: PlannedCorpus, *, named: bool) -> bool:
    """Return whether a cell makes sense: synthetic speech says nothing about a real backbone."""
    return named or backbone.card.demo or not corpus.corpus.card.demo


# What is computed


def _folds(corpus: PlannedCorpus, selection: Selection) -> list[tuple[int, Fold]]:
    protocol = selection.protocol
    folds = [(seed, fold) for seed in selection.seeds for fold in folds_of(corpus, protocol, seed)]
    require_disjoint(
        corpus,
        protocol.split,
        [fold for _, fold in folds],
        accepted=selection.accept_shared_speakers,
    )
    return folds


def _test_sets(
    train: PlannedCorpus, corpora: Iterable[PlannedCorpus], selection: Selection
) -> tuple[TestSet, ...]:
    test_sets = [TestSet(train, (in_domain_rule(train.mapper.classes),), in_domain=True)]
    for test in corpora:
        if test.id == train.id:
            continue
        rules = rules_between(
            train.label_set,
            test.label_set,
            selection.protocol.class_rules,
            small_clusters=selection.small_clusters,
        )
        if rules:
            test_sets.append(TestSet(test, rules, in_domain=False))
    return tuple(test_sets)


def _jobs(
    train: PlannedCorpus,
    folds: list[tuple[int, Fold]],
    test_sets: tuple[TestSet, ...],
    backbones: Iterable[PlannedBackbone],
    probes: Iterable[tuple[Probe, str | None]],
    selection: Selection,
) -> list[ProbeJob]:
    return [
        ProbeJob(backbone, train, fold, seed, probe, selection.protocol, test_sets, layer, code)
        for backbone in backbones
        if _belong_together(backbone.backbone, train, named=backbone.named)
        for layer in _layers(backbone, selection)
        for probe, code in probes
        for seed, fold in folds
    ]


def _layers(backbone: PlannedBackbone, selection: Selection) -> Iterable[int | None]:
    """Return the layers of a sweep, the input of the first one included; None without a sweep."""
    if selection.layer != "all":
        return (None,)
    return range((backbone.backbone.card.layers or 0) + 1)


# What is missing


def _broken_plugin(info: PluginInfo) -> Missing:
    return Missing(
        kind="plugin",
        name=f"{info.name} ({info.distribution} {info.version})",
        reason=info.error or "",
        hint="repair or uninstall it",
        failed=True,
    )


def _conflict(text: str) -> Missing:
    return Missing(
        kind="plugin", name="conflict", reason=text, hint="uninstall one of the two", failed=True
    )


def _missing(kind: MissingKind, name: str, error: SercoreError, *, named: bool) -> Missing:
    absent = isinstance(error, (CorpusMissingError, BackboneUnavailableError))
    return Missing(
        kind=kind,
        name=name,
        reason=error.message,
        hint=error.hint,
        named=named,
        failed=not absent and kind != "row",
    )
