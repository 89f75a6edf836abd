"""From names to corpora and backbones that can be used: shared by planning and by workers."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.backbones.interface import EncoderOptions
from sercore.backbones.interface import split_name
from sercore.corpora.interface import PlacedCorpus
from sercore.corpora.locate import generated
from sercore.corpora.locate import open_place
from sercore.corpora.manifest_cache import load_manifest
from sercore.errors import BackboneError
from sercore.errors import ProtocolError
from sercore.evaluation.published_folds import published_name
from sercore.evaluation.splits import SPLITS
from sercore.evaluation.splits import published_split
from sercore.plugins.declared import all_corpora
from sercore.plugins.identity import plugin_code
from sercore.runs.planned import PlannedBackbone
from sercore.runs.planned import PlannedCorpus
from sercore.settings import DatasetSettings
from sercore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping

    from sercore.backbones.interface import Backbone
    from sercore.corpora.labels import LabelMapper
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.splits import Fold
    from sercore.plugins.registry import Registry
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusPlace:
    """Where one corpus lies, and the user's settings for it."""

    path: Path
    settings: DatasetSettings = field(default_factory=DatasetSettings)

    def to_plain(self) -> dict[str, Any]:
        """Return the place as JSON values."""
        return {"path": str(self.path), "settings": self.settings.to_plain()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> CorpusPlace:
        """Return the place that `to_plain` wrote.

        Raises:
            TypeError, KeyError: the values are not a place.
        """
        settings = DatasetSettings.from_plain(values["settings"])
        return cls(path=Path(values["path"]), settings=settings)


def read_corpus(
    name: str,
    place: CorpusPlace,
    protocol: Protocol,
    registry: Registry,
    workspace: Workspace,
    *,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> PlannedCorpus:
    """Return a corpus with its manifest and labels.

    Args:
        name: the corpus's registered name.
        place: where it lies.
        protocol: says which utterances and which labels.
        registry: what is installed.
        workspace: keeps the manifest.
        progress: as in `sercore.corpora.manifest_cache.load_manifest`.
        note: likewise.

    Raises:
        CorpusError: it is missing, unreadable, or carries an unknown label.
        WorkspaceError: the workspace cannot be written.
    """
    mapper: LabelMapper = registry.label_mappers.get(protocol.mapper)
    corpora = all_corpora(registry, Settings(datasets={name: place.settings}))
    corpus = corpora.get(name)
    if not place.path.exists() and (copy := generated(corpus, workspace)) is not None:
        place = replace(place, path=copy)  # this machine has its own copy
    files = open_place(corpus, place.path, place.settings, workspace)
    manifest = load_manifest(
        corpus,
        files,
        protocol.reading,
        workspace,
        corpora.owners[name].module,
        stamp=corpus.stamp(place.path) if isinstance(corpus, PlacedCorpus) else "",
        progress=progress,
        note=note,
    )
    labels = manifest.labels(corpus, mapper)
    own = {folds.name: folds for folds in registry.folds if folds.corpus == name}
    return PlannedCorpus(corpus, place.path, files, manifest, mapper, labels, own)


def resolve_backbone(
    name: str,
    backbone: Backbone,
    *,
    layer: int | Literal["last", "all"],
    dtype: str,
    device: str,
    named: bool,
    offline: bool,
) -> PlannedBackbone:
    """Return a backbone with its weights found and its options chosen.

    Raises:
        BackboneUnavailableError: the weights are neither on this machine nor reachable.
        BackboneError: an option does not apply to it.
    """
    if layer == "all" and not backbone.card.layers:
        raise BackboneError("it has no layers to sweep over", hint="leave out --layer all")
    plain, variant = split_name(name)
    options = EncoderOptions(
        layer="last" if layer == "all" else layer, variant=variant, dtype=dtype, device=device
    )
    checkpoint = backbone.resolve(offline=offline)
    given = name
    if name.startswith("hf:"):
        # Results are named by the checkpoint. A worker may run in another folder.
        suffix = f":{variant}" if variant else ""
        folder = Path(plain.removeprefix("hf:")).expanduser()
        given = f"hf:{folder.absolute()}{suffix}" if folder.is_dir() else name
        name = f"hf:{checkpoint.name}{suffix}"
    return PlannedBackbone(name, given, backbone, checkpoint, options, named)


def probe_code(registry: Registry, name: str) -> str | None:
    """Return the identity of a probe's code, for its key; None for a built-in probe."""
    return plugin_code(registry.probes.owners[name], registry.probes.get(name))


def folds_of(corpus: PlannedCorpus, protocol: Protocol, seed: int) -> tuple[Fold, ...]:
    """Return the folds of a corpus under one split seed.

    Raises:
        ProtocolError: the corpus cannot be split so.
    """
    published = published_name(protocol.split)
    if published is None:
        split = SPLITS[protocol.split]
        return tuple(split(corpus.manifest, corpus.labels, seed, protocol.n_folds))
    if published not in corpus.folds:
        known = ", ".join(sorted(corpus.folds)) or "none"
        raise ProtocolError(
            f"{corpus.id} has no published folds named '{published}'",
            hint=f"it has {known}; use the protocol 'speaker-disjoint' for it",
        )
    return published_split(corpus.manifest, corpus.labels, corpus.folds[published])
