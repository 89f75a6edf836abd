"""``sercore merge``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.runs.merge import Merge


@click.command()
@click.argument("source")
@click.option("--into", "target", required=True, metavar="WORKSPACE", help="Gets the results.")
@click.option("--dry-run", is_flag=True, help="Only compare, and say what would be copied.")
@shared.json_option
@click.pass_context
def merge(
    ctx: click.Context,
    /,
    source: str,
    target: str,
    dry_run: bool,  # noqa: FBT001 - click passes flags so
    as_json: bool,  # noqa: FBT001
) -> None:
    """Copy the results of the workspace SOURCE into another workspace.

    Frames, probes, predictions and runs that the other workspace lacks are copied by key. 'sercore
    run' there then finds them. If a key has other bytes in the two workspaces, nothing is copied.
    Exit status: 0 all copied or there already, 1 something differs or is damaged.
    """
    from sercore.runs.merge import merge as merge_workspaces
    from sercore.storage.workspace import Workspace

    first, second = Workspace(source), Workspace(target)
    result = merge_workspaces(first, second, dry_run=dry_run)
    if as_json:
        places = {"source": first.root, "target": second.root, "dry_run": dry_run}
        shared.print_json({**places, **asdict(result)})
    else:
        for line in _lines(result, dry_run=dry_run):
            click.echo(printable(line))
    if result.conflicts:
        click.echo(
            "sercore: nothing was copied, because the same key has other bytes; results of other "
            "processors, devices or libraries cannot be mixed: keep one of the workspaces",
            err=True,
        )
    ctx.exit(1 if result.conflicts or result.damaged else 0)


def _lines(result: Merge, *, dry_run: bool) -> list[str]:
    lines = [
        f"differs: {conflict.path}, computed on {_hosts(conflict.source_hosts)} in the source and "
        f"on {_hosts(conflict.target_hosts)} in the target"
        for conflict in result.conflicts
    ]
    lines += [f"damaged: {reason}" for reason in result.damaged.values()]
    lines += [
        f"the run '{name}' was left out: {reason}" for name, reason in result.kept_runs.items()
    ]
    if not result.conflicts:
        verb = "would be copied" if dry_run else "copied"
        lines.append(f"{len(result.copied)} results {verb}, {result.found} were there already")
    return lines


def _hosts(names: tuple[str, ...]) -> str:
    return " and ".join(names) or "an unknown machine"
