"""The notebook face: plan and run an evaluation from Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.plugins.registry import registry as installed
from sercore.runs.driver import Run
from sercore.runs.plan import make_plan

if TYPE_CHECKING:
    from sercore.plugins.registry import Registry
    from sercore.runs.events import Observer
    from sercore.runs.events import RunOptions
    from sercore.runs.events import RunResult
    from sercore.runs.plan import Plan
    from sercore.runs.selection import Selection
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True)
class Prepared:
    """A plan with all that is needed to carry it out."""

    plan: Plan
    workspace: Workspace
    registry: Registry


def prepare(
    selection: Selection,
    settings: Settings,
    workspace: Workspace,
    registry: Registry | None = None,
    *,
    download: bool = True,
) -> Prepared:
    """Plan a run without computing anything. Arguments as in `sercore.runs.plan.make_plan`.

    Raises:
        SercoreError: a name is unknown or a setting unusable.
    """
    registry = registry or installed()
    plan = make_plan(selection, settings, registry, workspace, download=download)
    return Prepared(plan, workspace, registry)


def execute(
    prepared: Prepared, observer: Observer, options: RunOptions, executor: str = "local"
) -> RunResult:
    """Carry a plan out. What fails is in the result, not raised.

    Raises:
        WorkspaceError: the workspace cannot be used, or another process works on this run.
    """
    run = Run(
        prepared.plan,
        prepared.workspace,
        prepared.registry,
        prepared.registry.executors.get(executor),
        observer,
        options,
    )
    return run()
