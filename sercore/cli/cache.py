"""``sercore cache``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sercore.features.cache import CachedStore
    from sercore.storage.workspace import Workspace


@click.group()
def cache() -> None:
    """List, verify and trim stored frames.

    Frames can always be computed again; probes, predictions and scores are never touched.
    """


@cache.command("ls")
@shared.workspace_option
@shared.config_option
@shared.json_option
def list_(workspace: str | None, config: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """List stored frames, the least recently used first."""
    from sercore.features.cache import cached_stores
    from sercore.features.cache import free_bytes

    place = _workspace(workspace, config)
    stores = cached_stores(place)
    if as_json:
        found = [asdict(each) for each in stores]
        shared.print_json({"workspace": place.root, "stores": found, "free": free_bytes(place)})
        return
    _draw(stores, place)
    total = sum(each.n_bytes for each in stores)
    click.echo(f"{_size(total)} in {place.root}, {_size(free_bytes(place))} free")


@cache.command("verify")
@click.option("--discard", is_flag=True, help="Forget damaged parts: the next run extracts them.")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def verify_(
    ctx: click.Context,
    /,
    discard: bool,  # noqa: FBT001
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Compare every stored part with its digest; exit status 1 if one differs."""
    from sercore.features.cache import verify

    place = _workspace(workspace, config)
    damaged: dict[str, list[int]] = {}
    n_stores = 0
    for folder, parts in verify(place, discard=discard):
        n_stores += 1
        if parts:
            damaged[folder] = parts
            if not as_json:
                listed = ", ".join(map(str, parts))
                click.echo(f"damaged: {place.path(folder)}, part {listed}")
    if as_json:
        shared.print_json({"workspace": place.root, "stores": n_stores, "damaged": damaged})
    elif not damaged:
        click.echo(f"{n_stores} stores in {place.root}: every part is as it was written")
    elif discard:
        click.echo("they are forgotten; run again to extract them")
    else:
        click.echo("'sercore cache verify --discard' forgets them, then run again")
    if damaged:
        ctx.exit(1)


@cache.command("gc")
@click.option("--cache-budget", required=True, metavar="SIZE", help="What may stay, as in 200GB.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def collect(
    ctx: click.Context,
    /,
    cache_budget: str,
    dry_run: bool,  # noqa: FBT001
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Remove the least recently used frames until the rest fits.

    Frames that a running sercore uses are kept; exit status 1 if the budget is exceeded for them.
    """
    from sercore.features.cache import parse_size
    from sercore.features.cache import trim

    budget = parse_size(cache_budget)
    place = _workspace(workspace, config)
    result = trim(place, budget, dry_run=dry_run)
    if as_json:
        removed = [asdict(each) for each in result.removed]
        told = {"removed": removed, "bytes": result.n_bytes, "budget": budget, "dry_run": dry_run}
        shared.print_json({"workspace": place.root} | told)
    else:
        verb = "would remove" if dry_run else "removed"
        for each in result.removed:
            click.echo(f"{verb} {each.backbone} on {each.corpus}, {_size(each.n_bytes)}")
        click.echo(f"{_size(result.n_bytes)} {'would be' if dry_run else 'are'} left")
    if result.n_bytes > budget:
        if not as_json:
            click.echo(f"that is more than {_size(budget)}: the rest is in use", err=True)
        ctx.exit(1)


def _workspace(workspace: str | None, config: Path | None) -> Workspace:
    return shared.open_workspace(workspace, shared.load_settings(config))


def _draw(stores: Iterable[CachedStore], workspace: Workspace) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"frames in {workspace.root}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("backbone", "corpus", "last used", "state"):
        table.add_column(name, overflow="fold")
    for name in ("utterances", "frames", "size"):
        table.add_column(name, justify="right")
    for each in stores:
        table.add_row(
            each.backbone,
            each.corpus,
            datetime.fromtimestamp(each.used, UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
            "in use" if each.in_use else "",
            f"{each.n_done} of {each.utterances}",
            str(each.n_frames),
            _size(each.n_bytes),
        )
    Console(highlight=False).print(table)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
