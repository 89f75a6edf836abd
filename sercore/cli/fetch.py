"""``sercore fetch``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.corpora.download import Progress

_NOT_HAD = 3
"""Exit status where a corpus that was named is not here in the end."""


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder that gets the corpora. [default: the first data folder of sercore.toml]",
)
@click.option(
    "--accept-licence",
    is_flag=True,
    help="You have read the licence that was shown, and accept it; remembered.",
)
@click.option(
    "--from",
    "addresses",
    multiple=True,
    metavar="URL",
    help="Where a file lies whose address is not known; may be given several times; remembered.",
)
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def fetch(
    ctx: click.Context,
    /,
    ids: tuple[str, ...],
    data: Path | None,
    accept_licence: bool,  # noqa: FBT001 - click passes flags so
    addresses: tuple[str, ...],
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Download corpora whose licence allows it; for the others, say how to ask.

    An interrupted download goes on where it was when the command is run again. Exit status 3 if a
    corpus is not here in the end.

    JSON: one object a corpus in "corpora", with id, status ("here", "not offered" or "failed"),
    path (null unless here), licence, homepage, message and hint (null when here).
    """
    from sercore.plugins.registry import registry

    settings = shared.load_settings(config)
    folder = data or next(iter(settings.data), None)
    if folder is None:
        raise SettingsError(
            "no data folder was named", hint="say where corpora are to go: --data DIR"
        )
    if addresses and len(ids) > 1:
        raise SettingsError(
            "--from gives addresses of one corpus, and several were named",
            hint="fetch them one after the other",
        )
    found = registry().corpora
    corpora = [found.get(name) for name in dict.fromkeys(ids)]
    place = shared.open_workspace(workspace, settings)
    with _progress(shown=not as_json) as progress:
        results = [
            _fetched(
                corpus.card,
                folder.expanduser(),
                place,
                addresses=addresses,
                accept_licence=accept_licence,
                progress=progress,
            )
            for corpus in corpora
        ]
    if as_json:
        shared.print_json({"corpora": results})
    else:
        for result in results:
            _print(result)
    ctx.exit(0 if all(each["status"] == "here" for each in results) else _NOT_HAD)


def _fetched(card: Any, folder: Path, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Fetch one corpus and return what came of it; one that cannot be had stops no other."""
    from sercore.corpora.download import fetch as download
    from sercore.errors import NotOfferedError
    from sercore.errors import SercoreError

    result: dict[str, Any] = {
        "id": card.id,
        "status": "here",
        "path": None,
        "licence": card.licence,
        "homepage": card.homepage,
        "message": None,
        "hint": None,
    }
    if card.demo:
        return result | {"status": "not offered", "message": f"{card.title} writes itself"}
    try:
        path = download(card, folder, *arguments, **options)
    except SercoreError as error:
        status = "not offered" if isinstance(error, NotOfferedError) else "failed"
        return result | {"status": status, "message": error.message, "hint": error.hint}
    return result | {"path": str(path)}


def _print(result: dict[str, Any]) -> None:
    if result["status"] == "here":
        click.echo(f"{result['id']}: {printable(result['path'])}")
        return
    hint = f"; {result['hint']}" if result["hint"] else ""
    click.echo(printable(f"{result['id']}: {result['message']}{hint}"), err=True)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress]:
    """Draw a bar for each file on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn
    from rich.progress import DownloadColumn
    from rich.progress import Progress as Bars
    from rich.progress import TextColumn
    from rich.progress import TransferSpeedColumn

    console = Console(stderr=True)
    tasks: dict[str, Any] = {}
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    ) as bars:

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield report
