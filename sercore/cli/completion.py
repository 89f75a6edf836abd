"""Completion of names in a shell: corpora, backbones, protocols, probes, metrics, runs.

Completion must be quick and silent: an error completes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sercore.errors import SercoreError

if TYPE_CHECKING:
    import click

    Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def complete(catalog: str) -> Complete:
    """Return the completion of names that plugins register.

    Args:
        catalog: the catalog of `sercore.plugins.registry.Registry` that holds the names.
    """

    def names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del ctx, parameter
        from sercore.plugins.registry import registry

        return _starting(getattr(registry(), catalog).items, incomplete)

    return names


def complete_corpora(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the corpora of plugins and of the settings in the current folder."""
    del ctx, parameter
    from sercore.plugins.declared import all_corpora
    from sercore.plugins.registry import registry
    from sercore.settings import read_settings

    try:
        return _starting(all_corpora(registry(), read_settings()).items, incomplete)
    except SercoreError:
        return _starting(registry().corpora.items, incomplete)


def complete_runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the runs of the workspace that the command line names so far."""
    del parameter
    from sercore.settings import open_workspace
    from sercore.settings import read_settings

    try:
        workspace = open_workspace(ctx.params.get("workspace"), read_settings())
        return _starting(workspace.list("runs"), incomplete)
    except SercoreError:
        return []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
