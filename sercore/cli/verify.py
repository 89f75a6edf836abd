"""``sercore verify``."""

from __future__ import annotations

from pathlib import Path

import click

from sercore.cli import options as shared
from sercore.cli.text import printable


@click.command()
@click.option("--discard", is_flag=True, help="Remove what is damaged; the next run computes it.")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def verify(
    ctx: click.Context,
    discard: bool,  # noqa: FBT001 - click passes flags so
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Compare every stored file of a workspace with its digest.

    Records, scores, probes, predictions, manifests and frames are read. Exit status: 0 all intact,
    1 something is damaged. The next 'sercore run' computes damaged results again.
    """
    from sercore.diagnostics.verify import verify_workspace

    place = shared.open_workspace(workspace, shared.load_settings(config))
    n_files = 0
    damaged: dict[str, str] = {}
    for found in verify_workspace(place, discard=discard):
        n_files += 1
        if found.damage is not None:
            damaged[found.path] = found.damage
            if not as_json:
                click.echo(printable(f"damaged: {found.path}: {found.damage}"))
    if as_json:
        shared.print_json({"workspace": place.root, "verified": n_files, "damaged": damaged})
    elif not damaged:
        click.echo(printable(f"{n_files} files and stores in {place.root} are intact"))
    elif discard:
        click.echo(f"{len(damaged)} of {n_files} were removed; the next run computes them again")
    else:
        click.echo(f"{len(damaged)} of {n_files} are damaged; the next run computes them again")
    ctx.exit(1 if damaged else 0)
