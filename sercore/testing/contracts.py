"""The contract of every kind of plugin, for one that is installed.

A test module of two lines runs all of them for one plugin::

    from sercore.testing.contracts import contract

    TestMine = contract("mine")

`sercore check mine` does the same without a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import pytest

from sercore.errors import UnknownNameError
from sercore.plugins.info import BUILT_IN
from sercore.plugins.registry import registry
from sercore.testing.modules import PluginContract
from sercore.testing.trackers import HOOKS

if TYPE_CHECKING:
    from sercore.plugins.registry import Catalog

_HOMES = {
    "dataset": ("sercore.testing.corpora:CorpusContract", "corpus"),
    "backbone": ("sercore.testing.backbones:BackboneContract", "backbone"),
    "mapper": ("sercore.testing.mappers:LabelMapperContract", "mapper"),
    "metric": ("sercore.testing.metrics:MetricContract", "metric"),
    "probe": ("sercore.testing.probes:ProbeContract", "probe"),
    "protocol": ("sercore.testing.protocols:ProtocolContract", "protocol"),
    "executor": ("sercore.testing.executors:ExecutorContract", "executor"),
    "tracker": ("sercore.testing.trackers:TrackerContract", "tracker"),
}
KINDS = tuple(_HOMES)


@dataclass(frozen=True)
class Installed:
    """A plugin that is installed: what it registered, and where it comes from."""

    kind: str
    id: str
    thing: Any
    module: str
    """The module of its entry point."""
    distribution: str

    @property
    def is_built_in(self) -> bool:
        """Whether it is a part of sercore."""
        return self.module in BUILT_IN


def find_installed(name: str, kind: str | None = None) -> Installed:
    """Return what is installed under a name.

    Args:
        name: a registered name; for a tracker, the name of its entry point.
        kind: one of `KINDS`; None if the name is that of one thing.

    Raises:
        UnknownNameError: nothing, or more than one thing, has this name.
    """
    found = [one for one in _all_installed() if one.id == name and kind in (None, one.kind)]
    if len(found) == 1:
        return found[0]
    if found:
        kinds = ", ".join(one.kind for one in found)
        raise UnknownNameError(
            f"'{name}' is the name of several plugins ({kinds})", hint="choose one with --kind"
        )
    from difflib import get_close_matches

    names = sorted({one.id for one in _all_installed() if kind in (None, one.kind)})
    close = get_close_matches(name, names, n=1)
    raise UnknownNameError(
        f"no installed {kind or 'plugin'} is named '{name}'",
        hint=f"did you mean '{close[0]}'?" if close else "'sercore list' shows all names",
    )


def contract(name: str, kind: str | None = None, *, folder: str | Path | None = None) -> type:
    """Return the test class of an installed plugin.

    Args:
        name: as in `find_installed`.
        kind: likewise.
        folder: of a corpus: where files of it lie.

    Raises:
        UnknownNameError: as in `find_installed`.
    """
    installed = find_installed(name, kind)
    home, fixture = _HOMES[installed.kind]
    module, _, class_name = home.partition(":")
    bases: list[type] = [getattr(import_module(module), class_name)]
    values: dict[str, Any] = {fixture: installed.thing}
    if installed.kind == "dataset":
        values["folder"] = None if folder is None else Path(folder)
    if not installed.is_built_in:
        bases.append(PluginContract)
        values["module"] = installed.module
    fixtures = {key: _fixture(value) for key, value in values.items()}
    return type(f"Test{installed.kind.capitalize()}", tuple(bases), fixtures)


def _fixture(value: Any) -> Any:
    def given(cls: Any) -> Any:
        del cls
        return value

    method: Any = classmethod(given)
    return pytest.fixture(scope="class")(method)


def _all_installed() -> list[Installed]:
    found = registry()
    catalogs: dict[str, Catalog[Any]] = {
        "dataset": found.corpora,
        "backbone": found.backbones,
        "mapper": found.label_mappers,
        "metric": found.metrics,
        "probe": found.probes,
        "protocol": found.protocols,
        "executor": found.executors,
    }
    installed = [
        Installed(kind, name, thing, owner.module.partition(":")[0], owner.distribution)
        for kind, catalog in catalogs.items()
        for name, thing in catalog.items.items()
        for owner in [catalog.owners[name]]
    ]
    for info in found.plugins:
        module = info.module.partition(":")[0]
        if info.error is None and module not in BUILT_IN:
            tracker = import_module(module)
            if any(hasattr(tracker, hook) for hook in HOOKS):
                installed.append(
                    Installed("tracker", info.name, tracker, module, info.distribution)
                )
    return installed
