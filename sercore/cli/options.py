"""Options that several commands share, and functions that read their values."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from sercore.cli.completion import complete_corpora
from sercore.cli.text import printable
from sercore.cli.text import printable_json
from sercore.errors import SettingsError
from sercore.settings import Settings
from sercore.settings import open_workspace as open_workspace  # noqa: PLC0414 - for commands
from sercore.settings import read_settings
from sercore.settings import with_sources

if TYPE_CHECKING:
    from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])


def workspace_option(function: F) -> F:
    """Add ``--workspace``."""
    return click.option(
        "--workspace",
        metavar="DIR",
        envvar="SERCORE_WORKSPACE",
        help="Folder or URL that holds the results. [default: SERCORE_WORKSPACE, else a data "
        "folder of the user, which is printed]",
    )(function)


def config_option(function: F) -> F:
    """Add ``--config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings file. [default: sercore.toml in the current folder]",
    )(function)


def data_option(function: F) -> F:
    """Add ``--data``."""
    return click.option(
        "--data",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        envvar="SERCORE_DATA",
        help="Folder that holds corpora under their usual names; repeat for several. "
        "[default: SERCORE_DATA]",
    )(function)


def dataset_option(function: F) -> F:
    """Add ``--dataset``."""
    return click.option(
        "--dataset",
        "datasets",
        multiple=True,
        metavar="ID[=PATH]",
        shell_complete=complete_corpora,
        help="Name of a corpus, and its folder if it is elsewhere; or any name and a corpus of "
        "yours: NAME=table:FILE, folder:DIR, hf:ORG/NAME@REVISION, audformat:DIR. Repeat for "
        "several.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(function)


def load_settings(config: Path | None) -> Settings:
    """Read the settings and export the checkpoint folders.

    Prints the path of a settings file that was found in the current folder.

    Raises:
        SettingsError: a named file is missing, or a file has a value that cannot be used.
    """
    settings = read_settings(config)
    was_named = config is not None or "SERCORE_CONFIG" in os.environ
    if settings.source is not None and not was_named and not _is_quiet():
        source = printable(settings.source.absolute())
        click.echo(f"sercore: using the settings in {source}", err=True)
    if settings.checkpoints and "SERCORE_CHECKPOINTS" not in os.environ:
        os.environ["SERCORE_CHECKPOINTS"] = os.pathsep.join(map(str, settings.checkpoints))
    return settings


def data_folders(option: tuple[Path, ...], settings: Settings) -> tuple[Path, ...]:
    """Return the data folders that exist.

    Raises:
        SettingsError: a named folder does not exist.
    """
    folders = tuple(folder.expanduser() for folder in option) or settings.data
    for folder in folders:
        if not folder.exists():
            raise SettingsError(
                f"there is no folder {folder}", hint="give --data a folder that holds corpora"
            )
    return folders


def parse_datasets(
    values: tuple[str, ...], settings: Settings
) -> tuple[dict[str, Path | None], Settings]:
    """Read the values of ``--dataset``.

    Returns:
        The folder of each ``ID=PATH`` by name, None for an ``ID`` and for ``ID=KIND:PLACE``; and
        the settings, with the sources of corpora that have no plugin.

    Raises:
        SettingsError: a name is empty or given twice, or a source cannot be used.
    """
    given: dict[str, str | None] = {}
    for value in values:
        name, separator, place = value.partition("=")
        if not name or name in given or (separator and not place):
            raise SettingsError(
                f"'--dataset {value}' is not usable",
                hint="write ID, ID=PATH or ID=KIND:PLACE, every ID once",
            )
        given[name] = place or None
    return with_sources(settings, given)


@contextmanager
def progress_bars(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Draw one bar per name on a terminal; the block gets a function of name, done and total."""
    from rich.console import Console
    from rich.progress import BarColumn
    from rich.progress import MofNCompleteColumn
    from rich.progress import Progress
    from rich.progress import TextColumn
    from rich.progress import TimeRemainingColumn

    console = Console(stderr=True)
    tasks: dict[str, Any] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    ) as bars:

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield report


def hub_is_offline() -> bool:
    """Return whether the environment forbids huggingface_hub to use the network."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def print_error(message: str, hint: str | None, status: int) -> None:
    """Print the JSON document of a command that ends with an error.

    Args:
        message: what is wrong.
        hint: what to do about it.
        status: the exit status of the command.
    """
    print_json({"error": {"message": message, "hint": hint, "exit_status": status}})


def add_columns(table: Table, *names: str, whole: Sequence[str] = ()) -> None:
    """Add columns; in a narrow terminal the columns in `whole` are not wrapped."""
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in whole)


def print_json(value: Any) -> None:
    """Print a value as indented JSON that is safe for a terminal."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    click.echo(printable_json(text))


def _is_quiet() -> bool:
    """Return whether the running command prints results only."""
    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    return bool(given.get("quiet") or given.get("as_json"))
