"""``sercore cache``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import print_table
from sercore.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from sercore.features.cache import CachedStore
    from sercore.storage.workspace import Workspace


@click.group()
def cache() -> None:
    """List, verify and trim stored frames.

    Frames can always be extracted again. Probes, predictions and scores are never changed.
    """


@cache.command("ls")
@shared.workspace_option
@shared.config_option
@shared.json_option
def list_(workspace: str | None, config: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """List stored frames, the least recently used first."""
    from sercore.features.cache import cache_bytes
    from sercore.features.cache import cached_stores
    from sercore.features.cache import free_bytes

    place = _workspace(workspace, config)
    stores = cached_stores(place)
    total, free = cache_bytes(place), free_bytes(place)
    if as_json:
        found = [asdict(store) for store in stores]
        shared.print_json({"workspace": place.root, "stores": found, "bytes": total, "free": free})
        return
    _draw(stores, place)
    room = "" if free is None else f", {_size(free)} free"
    click.echo(printable(f"{_size(total)} in {place.root}{room}"))


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
    """Compare stored frames and the corpora that they come from with their digests.

    Exit status 1 if something differs. Damaged frames and changed recordings are extracted again by
    the next run.
    """
    from sercore.features.cache import verify
    from sercore.features.cache import verify_corpora

    place = _workspace(workspace, config)
    damaged: dict[str, list[int]] = {}
    n_stores = 0
    for folder, parts in verify(place, discard=discard):
        n_stores += 1
        if parts:
            damaged[folder] = parts
            if not as_json:
                click.echo(printable(f"damaged: {place.path(folder)}, {_parts(parts)}"))
    corpora = list(verify_corpora(place))
    changed = [corpus for corpus in corpora if corpus.paths]
    if as_json:
        shared.print_json(
            {
                "workspace": place.root,
                "stores": n_stores,
                "damaged": damaged,
                "corpora": [asdict(corpus) for corpus in corpora],
            }
        )
    else:
        for corpus in changed:
            text = f"changed: {_files(corpus.paths)} of {corpus.corpus} in {corpus.root}"
            click.echo(printable(text))
        if not damaged:
            click.echo(printable(f"{n_stores} stores in {place.root}: every part is intact"))
        elif discard:
            click.echo("damaged parts are forgotten; the next run extracts them again")
        else:
            click.echo("the next run extracts them again; --discard forgets them now")
    if damaged or changed:
        ctx.exit(1)


def _parts(parts: Iterable[int]) -> str:
    numbers = [str(part) for part in parts if part >= 0]
    return f"part {', '.join(numbers)}" if numbers else "its list of parts"


def _files(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:3])
    return f"{shown} and {len(paths) - 3} more" if len(paths) > 3 else shown


@cache.command("gc")
@click.option(
    "--cache-budget", required=True, metavar="SIZE", help="Space for frames, for example 200GB."
)
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
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

    Frames that a running sercore uses are kept. Exit status 1 if they exceed the budget.
    """
    from sercore.features.cache import trim
    from sercore.storage.sizes import parse_size

    budget = parse_size(cache_budget)
    place = _workspace(workspace, config)
    result = trim(place, budget, dry_run=dry_run)
    if as_json:
        removed = [asdict(store) for store in result.removed]
        shared.print_json(
            {
                "workspace": place.root,
                "removed": removed,
                "bytes": result.n_bytes,
                "budget": budget,
                "dry_run": dry_run,
            }
        )
    else:
        verb = "would remove" if dry_run else "removed"
        for store in result.removed:
            text = f"{verb} {store.backbone} on {store.corpus}, {_size(store.n_bytes)}"
            click.echo(printable(text))
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
        title=plain(f"frames in {workspace.root}"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("backbone", "corpus", "last used", "state"):
        table.add_column(name, overflow="fold")
    for name in ("utterances", "frames", "size"):
        table.add_column(name, justify="right")
    for store in stores:
        add_row(
            table,
            store.backbone,
            store.corpus,
            datetime.fromtimestamp(store.used, UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
            "in use" if store.in_use else "",
            f"{store.n_done} of {store.utterances}",
            store.n_frames,
            _size(store.n_bytes),
        )
    print_table(Console(highlight=False), table)


def _size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
