"""Find plugins, load them one by one inside a guard, and look up names.

Entry points are read once with `importlib.metadata`, not with pluggy's own loader: that one scans
every distribution on every call and raises the first ImportError.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from dataclasses import field
from functools import cache
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING
from typing import Any
from typing import Generic
from typing import TypeVar
from typing import cast

import pluggy

from sercore.__about__ import __version__
from sercore.backbones.interface import split_name
from sercore.errors import DuplicateNameError
from sercore.errors import PluginError
from sercore.errors import PluginLoadError
from sercore.errors import UnknownNameError
from sercore.evaluation.published_folds import PREFIX
from sercore.evaluation.published_folds import protocols_of
from sercore.plugins import hookspecs
from sercore.plugins.info import BUILT_IN
from sercore.plugins.info import PluginInfo
from sercore.plugins.official import missing_hint

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from sercore.backbones.interface import Backbone
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol as EvaluationProtocol
    from sercore.evaluation.published_folds import PublishedFolds
    from sercore.executors import Executor
    from sercore.plugins.events import CellEvent
    from sercore.plugins.events import RunEvent
    from sercore.probes.interface import Probe

GROUP = "sercore"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Pattern of a registered name; it is also the folder and the end of the distribution's name."""


T = TypeVar("T")


@dataclass(frozen=True)
class Catalog(Generic[T]):
    """Everything of one kind that plugins registered, by name."""

    kind: str
    """Kind of the registered things, for messages: ``corpus``, ``backbone``, ..."""
    items: Mapping[str, T]
    owners: Mapping[str, PluginInfo]
    conflicts: Mapping[str, str] = field(default_factory=dict)
    """Names that two plugins claim, with a sentence that names both."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items.values())

    def __contains__(self, name: str) -> bool:
        return name in self.items

    def get(self, name: str) -> T:
        """Return what is registered under a name.

        Raises:
            UnknownNameError: no plugin registered it; the hint suggests a similar name, or the
                distribution that registers it.
            DuplicateNameError: two plugins claim the name.
        """
        if name in self.conflicts:
            raise DuplicateNameError(self.conflicts[name], hint="uninstall one of the two")
        try:
            return self.items[name]
        except KeyError:
            raise UnknownNameError(
                f"there is no {self.kind} named '{name}' among the installed plugins",
                hint=missing_hint(self.kind, name, self.items),
            ) from None


class Registry:
    """All plugins of this process, loaded once.

    Args:
        modules: built-in modules to register first.
        points: the entry points to load; those installed, when None.
    """

    def __init__(
        self,
        modules: Iterable[str] = BUILT_IN,
        points: Iterable[EntryPoint] | None = None,
    ) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        if os.environ.get("SERCORE_TRACE"):
            self._trace_hooks()
        self._infos: dict[str, PluginInfo] = {}
        for module in modules:
            info = PluginInfo(
                name=module, module=module, distribution="sercore", version=__version__
            )
            self._register(info, importlib.import_module(module))
        found = _installed() if points is None else points
        for point in sorted(found, key=lambda point: (point.name, point.value)):
            self._load(point)

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found, broken ones included, sorted by name."""
        _ = self._catalogs  # some plugins break only when their hooks are called
        return tuple(self._infos[key] for key in sorted(self._infos))

    @property
    def broken(self) -> tuple[PluginInfo, ...]:
        """The plugins that could not be loaded."""
        return tuple(info for info in self.plugins if info.error)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Names that two plugins claim: one sentence per name, sorted."""
        found = {text for catalog in self._catalogs for text in catalog.conflicts.values()}
        return tuple(sorted(found))

    @property
    def _catalogs(self) -> tuple[Catalog[Any], ...]:
        return (
            *(self.corpora, self.backbones, self.label_mappers, self.metrics),
            *(self.probes, self.protocols, self.folds, self.executors),
        )

    @cached_property
    def corpora(self) -> Catalog[Corpus]:
        """Corpora by name."""
        return self._collect("corpus", self._manager.hook.sercore_corpora)

    @cached_property
    def label_mappers(self) -> Catalog[LabelMapper]:
        """Label mappers by name."""
        return self._collect("label mapper", self._manager.hook.sercore_label_mappers)

    @cached_property
    def backbones(self) -> Catalog[Backbone]:
        """Backbones by name."""
        return self._collect("backbone", self._manager.hook.sercore_backbones)

    @cached_property
    def metrics(self) -> Catalog[Metric]:
        """Metrics by name."""
        return self._collect("metric", self._manager.hook.sercore_metrics)

    @cached_property
    def probes(self) -> Catalog[Probe]:
        """Probes by name."""
        return self._collect("probe", self._manager.hook.sercore_probes)

    @cached_property
    def protocols(self) -> Catalog[EvaluationProtocol]:
        """Evaluation protocols by name, with one for every name of published folds."""
        own = self._collect("protocol", self._manager.hook.sercore_protocols)
        derived = protocols_of(self.folds)
        owners = {f"{PREFIX}{folds.name}": self.folds.owners[folds.id] for folds in self.folds}
        return Catalog(own.kind, {**own.items, **derived}, {**own.owners, **owners}, own.conflicts)

    @cached_property
    def folds(self) -> Catalog[PublishedFolds]:
        """Published folds by corpus and name."""
        return self._collect("folds", self._manager.hook.sercore_folds)

    @cached_property
    def executors(self) -> Catalog[Executor]:
        """Executors by name."""
        return self._collect("executor", self._manager.hook.sercore_executors)

    def extended(
        self, *, backbones: Iterable[Backbone] = (), executors: Iterable[Executor] = ()
    ) -> Registry:
        """Return a registry with more plugins, which live in this process only.

        Args:
            backbones: each takes the place of an installed one of the same name.
            executors: likewise.
        """
        more = copy(self)
        more.__dict__["backbones"] = _with(self.backbones, backbones)
        more.__dict__["executors"] = _with(self.executors, executors)
        return more

    def backbone(self, name: str, *, offline: bool = True) -> Backbone:
        """Return a backbone by the name that users type.

        Args:
            name: a registered name, or ``hf:PATH_OR_REPO`` for any checkpoint of a supported
                architecture; either with a variant after a colon (``whisper-medium:exact``).
            offline: never ask the network what an ``hf:`` repository holds.

        Raises:
            UnknownNameError: no such backbone, or it has no such variant.
            BackboneError: the checkpoint behind ``hf:`` cannot be used.
        """
        plain, variant = split_name(name)
        if plain.startswith("hf:"):
            from sercore.backbones.huggingface import from_name

            backbone: Backbone = from_name(plain, offline=offline)
        else:
            backbone = self.backbones.get(plain)
        if variant and variant not in backbone.card.variants:
            offered = ", ".join(backbone.card.variants) or "none"
            raise UnknownNameError(
                f"the backbone '{plain}' has no variant '{variant}'", hint=f"it offers {offered}"
            )
        return backbone

    def cell_finished(self, event: CellEvent) -> tuple[str, ...]:
        """Send a finished cell to every tracker; return a sentence for each that raised."""
        return self._notify(self._manager.hook.sercore_cell_finished, event)

    def run_finished(self, event: RunEvent) -> tuple[str, ...]:
        """Send a finished run to every tracker; return a sentence for each that raised."""
        return self._notify(self._manager.hook.sercore_run_finished, event)

    @property
    def hears_run_finished(self) -> bool:
        """Whether any tracker waits for the end of a run."""
        return bool(self._manager.hook.sercore_run_finished.get_hookimpls())

    def _notify(self, hook: pluggy.HookCaller, event: CellEvent | RunEvent) -> tuple[str, ...]:
        """Call each tracker inside its own guard: a failing tracker must not fail the run."""
        failed = []
        for implementation in hook.get_hookimpls():
            arguments = dict.fromkeys(implementation.argnames, event)
            try:
                cast("Any", implementation.function)(**arguments)
            except Exception as error:  # noqa: BLE001 - a tracker is foreign code
                failed.append(
                    f"the tracker {implementation.plugin_name} failed in {hook.name}: "
                    f"{_one_line(error)}"
                )
        return tuple(failed)

    def _load(self, point: EntryPoint) -> None:
        distribution = point.dist.name if point.dist else "an unnamed distribution"
        info = PluginInfo(
            name=point.name,
            module=point.value,
            distribution=distribution,
            version=point.dist.version if point.dist else "?",
        )
        # A plugin is foreign code. Any exception of its import, even SystemExit, is its own failure
        # and not that of the command line.
        try:
            plugin = point.load()
            self._register(info, plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            self._record(info, error)

    def _register(self, info: PluginInfo, plugin: Any) -> None:
        _check_api(getattr(plugin, "SERCORE_API", hookspecs.API_VERSION))
        self._manager.register(plugin, name=info.module)
        self._manager.check_pending()  # refuses a misspelt hook
        self._infos[f"{info.name}={info.module}"] = info

    def _record(self, info: PluginInfo, error: BaseException) -> None:
        reason = str(error) if isinstance(error, PluginError) else _one_line(error)
        self._infos[f"{info.name}={info.module}"] = PluginInfo(
            name=info.name,
            module=info.module,
            distribution=info.distribution,
            version=info.version,
            error=reason,
        )
        if self._manager.has_plugin(info.module):
            self._manager.unregister(name=info.module)

    def _collect(self, kind: str, hook: pluggy.HookCaller) -> Catalog[Any]:
        items: dict[str, Any] = {}
        owners: dict[str, PluginInfo] = {}
        conflicts: dict[str, str] = {}
        by_module = {info.module: info for info in self._infos.values()}
        for implementation in hook.get_hookimpls():
            info = by_module[implementation.plugin_name]
            try:
                registered: list[Any] = list(cast("Any", implementation.function)() or ())
                names = [_name_of(thing, kind) for thing in registered]
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001
                self._record(info, error)
                continue
            for name, thing in zip(names, registered, strict=True):
                if name in owners:
                    first, second = sorted((owners[name].distribution, info.distribution))
                    conflicts[name] = (
                        f"the {kind} '{name}' is claimed by two distributions, "
                        f"'{first}' and '{second}'"
                    )
                items[name] = thing
                owners[name] = info
        usable = {name: items[name] for name in sorted(items) if name not in conflicts}
        return Catalog(kind, usable, owners, conflicts)

    def _trace_hooks(self) -> None:
        def before(name: str, implementations: Any, arguments: Any) -> None:
            callers = ", ".join(
                sorted(implementation.plugin_name for implementation in implementations)
            )
            print(f"sercore hook {name}({', '.join(arguments)}) -> {callers}")  # noqa: T201

        self._manager.add_hookcall_monitoring(before, lambda *_: None)


def _with(catalog: Catalog[T], things: Iterable[T]) -> Catalog[T]:
    """Return a catalog with more things, owned by this process."""
    extra = {_name_of(thing, catalog.kind): thing for thing in things}
    here = PluginInfo(
        name="this process", module=BUILT_IN[0], distribution="sercore", version=__version__
    )
    return Catalog(
        catalog.kind,
        {**catalog.items, **extra},
        {**catalog.owners, **dict.fromkeys(extra, here)},
        {name: text for name, text in catalog.conflicts.items() if name not in extra},
    )


@cache
def registry() -> Registry:
    """Return the registry of this process; the first call loads the plugins."""
    return Registry()


def _installed() -> list[EntryPoint]:
    """Return the entry points of the group, restricted by ``SERCORE_PLUGINS`` if that is set."""
    found = list(entry_points(group=GROUP))
    chosen = os.environ.get("SERCORE_PLUGINS")
    if chosen is None:
        return found
    names = {name.strip() for name in chosen.split(",") if name.strip()}
    return [point for point in found if point.name in names]


def _check_api(wanted: object) -> None:
    """Refuse a plugin whose ``SERCORE_API`` is not a version of the hooks that this core offers.

    Raises:
        PluginLoadError: it is no whole number, it is below the first version, or it is a later one.
    """
    offered = hookspecs.API_VERSION
    if type(wanted) is not int:  # True is an int, too
        raise PluginLoadError(
            f"it states SERCORE_API = {wanted!r}, which is not a whole number",
            hint=f"write SERCORE_API = {offered}",
        )
    if wanted < 1:
        raise PluginLoadError(
            f"it states SERCORE_API = {wanted}, and the first plugin API is 1",
            hint="state the version it needs",
        )
    if wanted > offered:
        raise PluginLoadError(
            f"it needs plugin API {wanted}, and sercore {__version__} offers {offered}",
            hint="upgrade sercore",
        )


def _name_of(thing: Any, kind: str) -> str:
    name = str(thing.card.id) if hasattr(thing, "card") else str(thing.id)
    if not NAME.fullmatch(name):
        raise PluginLoadError(
            f"the {kind} name '{name}' is not lower-case letters, digits and single hyphens"
        )
    return name


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
