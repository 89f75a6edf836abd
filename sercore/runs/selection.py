"""What the user selected."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.devices import check_device
from sercore.devices import choose_device
from sercore.devices import choose_dtype
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.evaluation.protocols import Protocol
    from sercore.plugins.registry import Registry


BASE_SEED = 34  # the seed of the published code


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the user selected."""

    everything: bool = False
    """``--all``: everything that is installed and found."""
    demo: bool = False
    """Demo corpora and the baseline join."""
    datasets: Mapping[str, Path | None] = field(default_factory=dict)
    """Corpora that the user named, with their folder where one was given."""
    sets: tuple[str, ...] = ()
    """Sets of corpora (``CorpusCard.sets``): their corpora join those that the user named."""
    accept_shared_speakers: bool = False
    """Whether published folds may have a speaker on both sides."""
    backbones: tuple[str, ...] = ()
    """Backbones that the user named."""
    data: tuple[Path, ...] = ()
    """Folders that hold corpora under their usual names."""
    protocol: Protocol
    small_clusters: bool = False
    probes: tuple[str, ...] = ("framewise",)
    layer: int | Literal["last", "all"] = "last"
    """``all``: one matrix a layer, from the stored means, for probes that pool."""
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = BASE_SEED
    """The first split seed."""
    n_seeds: int | None = None
    """How many splits and trainings; as many as the protocol says if None."""
    offline: bool = False

    @property
    def seeds(self) -> range:
        """The split seeds."""
        n_seeds = self.protocol.n_seeds if self.n_seeds is None else self.n_seeds
        return range(self.seed, self.seed + n_seeds)


def select(
    registry: Registry,
    *,
    everything: bool = False,
    demo: bool = False,
    datasets: Mapping[str, Path | None] | None = None,
    sets: Sequence[str] = (),
    backbones: Sequence[str] = (),
    data: Sequence[Path] = (),
    protocol: str = "standard",
    accept_shared_speakers: bool = False,
    class_rules: Sequence[str] = (),
    small_clusters: bool = False,
    mapper: str | None = None,
    reading: str | None = None,
    audio_path: str | None = None,
    n_folds: int | None = None,
    probes: Sequence[str] = (),
    layer: str | int = "last",
    layer_means: bool = True,
    seed: int = BASE_SEED,
    n_seeds: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offline: bool = False,
    is_local: bool = True,
) -> Selection:
    """Return a selection from what a user wrote, with the defaults of the command line.

    Args:
        registry: what is installed.
        everything: use every corpus that is found and every backbone.
        demo: include the demo corpora and the baseline.
        datasets: names of corpora, with their folders where they are elsewhere.
        sets: named sets of corpora.
        backbones: names of backbones.
        data: folders that hold corpora under their usual names.
        protocol: name of the protocol; later arguments replace parts of it.
        accept_shared_speakers: use published folds even if a speaker is on both sides.
        class_rules: classes on which a pair of corpora is scored.
        small_clusters: include the small clusters of corpora that the paper leaves out.
        mapper: name of a label mapper.
        reading: the subset of utterances.
        audio_path: how audio is resampled.
        n_folds: folds of a k-fold protocol.
        probes: names of probes; ``framewise`` if empty.
        layer: ``last``, a number, or ``all``.
        layer_means: whether the means of all layers are stored.
        seed: seed of the first split.
        n_seeds: splits and trainings; those of the protocol if None.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        dtype: precision of the encoder, or ``auto``.
        offline: do not use the network.
        is_local: whether this machine does the work and must have the device.

    Raises:
        UnknownNameError: no plugin provides the protocol.
        SettingsError: a layer or device cannot be used.
    """
    device = choose_device(device)
    if is_local:
        check_device(device)
    plain = registry.protocols.get(protocol)
    return Selection(
        everything=everything,
        demo=demo,
        datasets=dict(datasets or {}),
        sets=tuple(sets),
        accept_shared_speakers=accept_shared_speakers,
        backbones=tuple(backbones),
        data=tuple(data),
        protocol=with_overrides(
            plain,
            class_rules=tuple(class_rules),
            mapper=mapper,
            reading=reading,
            audio_path=audio_path,
            n_folds=n_folds,
        ),
        small_clusters=small_clusters,
        probes=tuple(probes) or ("framewise",),
        layer=_layer(str(layer), layer_means=layer_means),
        dtype=choose_dtype(dtype, device),
        device=device,
        seed=seed,
        n_seeds=n_seeds,
        offline=offline,
    )


def _layer(text: str, *, layer_means: bool) -> int | Literal["last", "all"]:
    if text == "last":
        return "last"
    if text == "all":
        if not layer_means:
            raise SettingsError("--layer all needs the means that --no-layer-means leaves out")
        return "all"
    if not text.isdigit():
        raise SettingsError(f"--layer takes 'last', a number or 'all', not '{text}'")
    return int(text)


def with_overrides(protocol: Protocol, **overrides: Any) -> Protocol:
    """Return a protocol with what the user set on the command line; None changes nothing."""
    changed = {name: value for name, value in overrides.items() if value not in (None, ())}
    return replace(protocol, **changed)
