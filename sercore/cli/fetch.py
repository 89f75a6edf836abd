"""``sercore fetch``."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete_corpora
from sercore.cli.text import printable
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus
    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.transfer import Progress
    from sercore.settings import Settings

_FAILED = 3
"""Exit status if a named corpus is not on disk in the end."""


@click.command()
@click.argument("ids", nargs=-1, metavar="ID...", shell_complete=complete_corpora)
@click.option(
    "--open",
    "all_open",
    is_flag=True,
    help="Fetch every corpus with a known public address; the sizes are printed first.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder for corpora. [default: the first data folder of sercore.toml]",
)
@click.option(
    "--accept-licence",
    is_flag=True,
    help="Accept the licence that was shown. The workspace keeps the answer.",
)
@click.option(
    "--from",
    "addresses",
    multiple=True,
    metavar="URL",
    help="The address of a file; repeat for several files. The workspace keeps it.",
)
@click.option(
    "--new-version",
    is_flag=True,
    help="Accept another digest than that of the first download.",
)
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def fetch(
    ctx: click.Context,
    /,
    ids: tuple[str, ...],
    all_open: bool,  # noqa: FBT001 - click passes flags so
    data: Path | None,
    accept_licence: bool,  # noqa: FBT001
    addresses: tuple[str, ...],
    new_version: bool,  # noqa: FBT001
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Download corpora that are public; print how to get the others.

    Run the command again to resume an interrupted download. Exit status 3 if a corpus is missing
    in the end.

    JSON: one object per corpus in "corpora", with id, status ("here", "not offered" or "failed"),
    path (null unless here), licence, homepage, message and hint (null when here).
    """
    settings = shared.load_settings(config)
    folder = data or next(iter(settings.data), None)
    corpora = _selected(ids, settings, all_open=all_open)
    if folder is None:
        if not all(corpus.card.declared for corpus in corpora):
            raise SettingsError(
                "fetch needs a folder for corpora",
                hint="name it with --data DIR or in sercore.toml",
            )
        folder = Path()  # a declared corpus has a place of its own
    if addresses and len(corpora) > 1:
        raise SettingsError(
            "--from belongs to one corpus, and several were named",
            hint="fetch them one after the other",
        )
    place = shared.open_workspace(workspace, settings)
    if all_open:
        click.echo(printable(_sizes(corpus.card for corpus in corpora), keep="\n"), err=True)
    with _progress(shown=not as_json) as progress:
        options = {
            "addresses": addresses,
            "accept_licence": accept_licence,
            "new_version": new_version,
            "progress": progress,
        }
        results = [_fetched(corpus, folder.expanduser(), place, **options) for corpus in corpora]
    if as_json:
        shared.print_json({"corpora": results})
    else:
        for result in results:
            _print(result)
    ctx.exit(0 if all(result["status"] == "here" for result in results) else _FAILED)


def _selected(ids: Iterable[str], settings: Settings, *, all_open: bool) -> list[Corpus]:
    """Return the named corpora, and all that are open if these are wanted."""
    from sercore.corpora.download import is_offered
    from sercore.plugins.declared import all_corpora
    from sercore.plugins.registry import registry

    found = all_corpora(registry(), settings)
    names = list(dict.fromkeys(ids))
    if all_open:
        names += [one.card.id for one in found if is_offered(one.card) and one.card.id not in names]
    if not names:
        raise SettingsError("fetch needs a corpus", hint="name its ID, or use --open")
    return [found.get(name) for name in names]


def _sizes(cards: Iterable[CorpusCard]) -> str:
    """Return the size and licence of every corpus, one line each."""
    lines = []
    for card in cards:
        known = [one.size for one in card.downloads if one.size is not None]
        size = f"{sum(known) / 1e9:.2f} GB" if len(known) == len(card.downloads) else "unknown size"
        lines.append(f"{card.id}: {size}, licence: {card.licence or 'none is stated'}")
    return "\n".join(lines)


def _fetched(corpus: Corpus, folder: Path, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Fetch one corpus and return the result; a failure does not stop the other corpora."""
    from sercore.corpora.download import fetch as download
    from sercore.corpora.interface import PlacedCorpus
    from sercore.errors import NotOfferedError
    from sercore.errors import SercoreError

    card = corpus.card
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
        message = f"{card.title} is generated, so there is nothing to download"
        return result | {"status": "not offered", "message": message}
    try:
        if isinstance(corpus, PlacedCorpus):
            path = corpus.find(offline=False)
        else:
            path = download(card, folder, *arguments, corpus=corpus, **options)
    except SercoreError as error:
        status = "not offered" if isinstance(error, NotOfferedError) else "failed"
        return result | {"status": status, "message": error.message, "hint": error.hint}
    return result | {"path": str(path)}


def _print(result: dict[str, Any]) -> None:
    if result["status"] == "here":
        click.echo(printable(f"{result['id']}: {result['path']}"))
        return
    hint = f"; {result['hint']}" if result["hint"] else ""
    click.echo(printable(f"{result['id']}: {result['message']}{hint}"), err=True)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress]:
    """Draw a bar for every file on a terminal."""
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
