"""Plan and run an evaluation from Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.devices import available_processors
from sercore.executors.options import executor_options
from sercore.plugins.registry import registry as installed
from sercore.runs.driver import Driver
from sercore.runs.frame_space import FrameSpace
from sercore.runs.naming import choose_name
from sercore.runs.naming import recorded_threads
from sercore.runs.plan import make_plan
from sercore.runs.spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sercore.plugins.registry import Registry
    from sercore.runs.events import Observer
    from sercore.runs.events import RunOptions
    from sercore.runs.events import RunResult
    from sercore.runs.naming import RunName
    from sercore.runs.planned import Plan
    from sercore.runs.selection import Selection
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True)
class Prepared:
    """A plan with all that is needed to carry it out."""

    plan: Plan
    settings: Settings
    workspace: Workspace
    registry: Registry


def prepare(
    selection: Selection,
    settings: Settings,
    workspace: Workspace,
    registry: Registry | None = None,
    *,
    download: bool = True,
    fetch: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Plan a run without computing anything. Arguments as in `sercore.runs.plan.make_plan`.

    Raises:
        SercoreError: a name is unknown or a setting unusable.
    """
    registry = registry or installed()
    plan = make_plan(
        selection,
        settings,
        registry,
        workspace,
        download=download,
        fetch=fetch,
        progress=progress,
    )
    return Prepared(plan, settings, workspace, registry)


def execute(
    prepared: Prepared, observer: Observer, options: RunOptions, executor: str = "local"
) -> RunResult:
    """Carry a plan out. What fails is in the result; it is not raised.

    Waits while another process works on a run of the same name.

    Args:
        prepared: as `prepare` returns it.
        observer: shows what happens.
        options: name of the run, threads, overlap, frame budget.
        executor: where tasks run, by its registered name.

    Raises:
        UnknownNameError: no installed plugin provides this executor.
        SettingsError: a run of the given name has cells that this one lacks, or an option of the
            executor cannot be used.
        WorkspaceError: the workspace cannot be used.
    """
    overlap = _overlaps(prepared.plan) if options.overlap is None else options.overlap
    plan, workspace = prepared.plan, prepared.workspace
    where = prepared.registry.executors.get(executor)
    settings = prepared.settings
    its_options = executor_options(where, settings.executors.get(executor, {}), settings.source)
    while True:
        chosen = choose_name(plan, workspace, options.name, replace=options.replace)
        what = f"the run '{chosen.name}'"
        with workspace.lease(f"runs/{chosen.name}", what, wait=observer.note):
            # The run that this one waited for may have taken the name for another selection.
            again = choose_name(plan, workspace, options.name, replace=options.replace)
            if again.name != chosen.name:
                continue
            driver = Driver(
                plan,
                spec_of(plan, prepared.settings, options, threads_of(prepared, options, again)),
                workspace,
                prepared.registry,
                where,
                observer,
                again,
                overlap=overlap,
                options=its_options,
                space=_space(options, again.name, workspace, observer),
            )
            result = driver.run()
        driver.announce(result)
        return result


def _space(
    options: RunOptions, name: str, workspace: Workspace, observer: Observer
) -> FrameSpace | None:
    if options.cache_budget is None:
        return None
    return FrameSpace(options.cache_budget, name, workspace, observer.note)


def _overlaps(plan: Plan) -> bool:
    """Return whether stages overlap by default: on the CPU both would share its processors."""
    return plan.selection.device != "cpu"


def threads_of(prepared: Prepared, options: RunOptions, chosen: RunName) -> int:
    """Return the threads of each task: as asked for, as the run had before, or all there are.

    They are part of a probe's key. A run that is continued on another machine keeps its own.
    """
    if options.threads is not None:
        return options.threads
    before = recorded_threads(prepared.workspace, chosen)
    if before is not None:
        return before
    on_cpu = prepared.plan.selection.device == "cpu"
    return max(1, available_processors() // (2 if options.overlap and on_cpu else 1))
