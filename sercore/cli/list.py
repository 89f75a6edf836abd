"""``sercore list``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import add_row
from sercore.cli.text import print_table
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.plugins.registry import Catalog
    from sercore.plugins.registry import Registry
    from sercore.settings import Settings

_KINDS = ("datasets", "backbones", "protocols", "mappers", "probes", "metrics", "executors")
_LISTED = (*_KINDS, "plugins")
_SYNONYMS = {"corpora": "datasets", "corpus": "datasets"}


def _kind(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a kind in the plural; a misspelt one fails with a suggestion."""
    from difflib import get_close_matches

    if value is None:
        return None
    kind = value.lower()
    for name in (kind, f"{kind}s", _SYNONYMS.get(kind)):
        if name in _LISTED:
            return name
    close = get_close_matches(kind, _LISTED, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"kinds are {', '.join(_LISTED)}"
    raise click.BadParameter(f"there is no kind '{printable(value)}'; {hint}", ctx, param)


def _complete_kind(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del ctx, param
    return [kind for kind in _LISTED if kind.startswith(incomplete)]


@click.command("list")
@click.argument(
    "kind", required=False, metavar="[KIND]", callback=_kind, shell_complete=_complete_kind
)
@shared.config_option
@shared.json_option
@click.pass_context
def list_(
    ctx: click.Context,
    kind: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """List what is installed.

    KIND is datasets, backbones, protocols, mappers, probes, metrics, executors or plugins. Without
    KIND, everything is listed. Datasets include those that sercore.toml declares. Broken plugins
    are listed with their error.

    Exit status: 0 no conflict, 1 two plugins claim one name, 2 usage.
    """
    from sercore.plugins.registry import registry

    found = registry()
    names = [kind] if kind else [*_KINDS, "plugins"]
    listing = {name: _rows(name, found, config) for name in names}
    if as_json:
        shared.print_json(listing)
    else:
        _print(listing, found, every_kind=kind is None)
    for conflict in found.conflicts:
        click.echo(printable(f"sercore: {conflict}; uninstall one of the two"), err=True)
    ctx.exit(1 if found.conflicts else 0)


def _rows(name: str, found: Registry, config: Path | None) -> list[dict[str, Any]]:
    if name == "datasets":
        return _datasets(found, shared.load_settings(config))
    return _ROWS[name](found)


def _print(listing: dict[str, list[dict[str, Any]]], found: Registry, *, every_kind: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, emoji=False)
    for name, rows in listing.items():
        if name == "plugins" and every_kind:
            continue
        print_table(console, _table(name, rows, console.width))
    for info in found.broken:
        what = printable(f"{info.name} ({info.distribution}): {info.error}")
        console.print(Text.assemble(("broken", "red"), f" {what}"))


def _table(name: str, rows: list[dict[str, Any]], width: int) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"{name} ({len(rows)})",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    hidden = () if width >= _WITH_TITLES else ("title", "speakers")
    columns = [column for column in _SHOWN[name] if column not in hidden]
    shared.add_columns(table, *columns, whole=("id", "name"))
    for row in rows:
        add_row(table, *(_text(row[column]) for column in columns))
    return table


def _text(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


_WITH_TITLES = 100
"""Columns of a terminal from which titles and numbers of speakers are shown."""

_SHOWN = {
    "datasets": ("id", "title", "language", "utterances", "speakers", "sets", "licence"),
    "backbones": ("id", "title", "width", "frame_rate", "parameters", "licence"),
    "plugins": ("name", "distribution", "version", "error"),
    **dict.fromkeys(("protocols", "mappers", "probes", "metrics", "executors"), ("id", "summary")),
}


def _datasets(found: Registry, settings: Settings) -> list[dict[str, Any]]:
    from sercore.plugins.declared import all_corpora

    rows = []
    known = all_corpora(found, settings)
    for name, corpus in known.items.items():
        card = corpus.card
        expected = card.expected.get("corrected")
        rows.append(
            {
                "id": name,
                "title": card.title,
                "language": card.language,
                "language_code": card.language_code,
                "utterances": expected.utterances if expected else None,
                "speakers": card.speakers,
                "licence": card.licence,
                "access": card.access,
                "sets": list(card.sets),
                "homepage": card.homepage,
                "cluster": card.cluster,
                "demo": card.demo,
                "distribution": known.owners[name].distribution,
            }
        )
    return rows


def _backbones(found: Registry) -> list[dict[str, Any]]:
    rows = []
    for name, backbone in sorted(found.backbones.items.items()):
        card = backbone.card
        rows.append(
            {
                "id": name,
                "title": card.title,
                "family": card.family,
                "checkpoint": card.checkpoint,
                "revision": card.revision,
                "sample_rate": card.sample_rate,
                "width": card.width,
                "layers": card.layers,
                "frame_rate": card.frame_rate,
                "parameters": card.parameters,
                "variants": dict(card.variants),
                "licence": card.licence,
                "demo": card.demo,
                "distribution": found.backbones.owners[name].distribution,
            }
        )
    return rows


def _summaries(names: Catalog[Any]) -> list[dict[str, Any]]:
    return [{"id": name, "summary": thing.summary} for name, thing in sorted(names.items.items())]


def _plugins(found: Registry) -> list[dict[str, Any]]:
    return [
        {
            "name": info.name,
            "module": info.module,
            "distribution": info.distribution,
            "version": info.version,
            "error": info.error,
        }
        for info in found.plugins
    ]


_ROWS: dict[str, Callable[[Registry], list[dict[str, Any]]]] = {
    "backbones": _backbones,
    "protocols": lambda found: _summaries(found.protocols),
    "mappers": lambda found: _summaries(found.label_mappers),
    "probes": lambda found: _summaries(found.probes),
    "metrics": lambda found: _summaries(found.metrics),
    "executors": lambda found: _summaries(found.executors),
    "plugins": _plugins,
}
