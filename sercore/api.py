"""The notebook face: plan and run an evaluation from Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.plan import make_plan
from sercore.plugins import registry as installed
from sercore.run import Run

if TYPE_CHECKING:
    from sercore.plan import Plan
    from sercore.plan import Selection
    from sercore.plugins import Registry
    from sercore.run import Observer
    from sercore.run import RunOptions
    from sercore.run import RunResult
    from sercore.settings import Settings
    from sercore.workspace import Workspace


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
    """Plan a run without computing anything. Arguments as in `sercore.plan.make_plan`.

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
