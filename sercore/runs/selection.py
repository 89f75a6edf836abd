"""What the user selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

if TYPE_CHECKING:
    from sercore.evaluation.protocols import Protocol


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
    n_seeds: int = 1
    offline: bool = False


def with_overrides(protocol: Protocol, **overrides: Any) -> Protocol:
    """Return a protocol with what the user set on the command line; None changes nothing."""
    changed = {name: value for name, value in overrides.items() if value not in (None, ())}
    return replace(protocol, **changed)
