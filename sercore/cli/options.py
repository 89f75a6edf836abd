"""Options that several commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from sercore.errors import SettingsError
from sercore.settings import Settings
from sercore.settings import default_workspace
from sercore.settings import read_settings
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])


def workspace_option(function: F) -> F:
    """Add ``--workspace``."""
    return click.option(
        "--workspace",
        metavar="DIR",
        help="Where results are kept. [default: a per-user data folder, which is printed]",
    )(function)


def config_option(function: F) -> F:
    """Add ``--config``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings. [default: sercore.toml in the current folder]",
    )(function)


def data_option(function: F) -> F:
    """Add ``--data``."""
    return click.option(
        "--data",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="A folder that holds corpora under their usual names; may be given several times.",
    )(function)


def dataset_option(function: F) -> F:
    """Add ``--dataset``."""
    return click.option(
        "--dataset",
        "datasets",
        multiple=True,
        metavar="ID[=PATH]",
        help="A corpus by name, and where it lies; may be given several times.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(function)


def open_workspace(option: str | None, settings: Settings) -> Workspace:
    """Return the workspace that an option, the settings or the default name."""
    return Workspace(option or settings.workspace or default_workspace())


def load_settings(config: Path | None) -> Settings:
    """Read the settings and let them show where checkpoints lie."""
    import os

    settings = read_settings(config)
    if settings.checkpoints and "SERCORE_CHECKPOINTS" not in os.environ:
        os.environ["SERCORE_CHECKPOINTS"] = os.pathsep.join(map(str, settings.checkpoints))
    return settings


def data_folders(option: tuple[Path, ...], settings: Settings) -> tuple[Path, ...]:
    """Return the data folders that exist.

    Raises:
        SettingsError: one that was named does not exist.
    """
    folders = tuple(folder.expanduser() for folder in option) or settings.data
    for folder in folders:
        if not folder.exists():
            raise SettingsError(
                f"there is no folder {folder}", hint="--data names a folder that holds corpora"
            )
    return folders


def parse_datasets(values: tuple[str, ...]) -> dict[str, Path | None]:
    """Return corpora by name with the folder that ``ID=PATH`` gives.

    Raises:
        SettingsError: a name is empty or given twice.
    """
    chosen: dict[str, Path | None] = {}
    for value in values:
        name, separator, place = value.partition("=")
        if not name or name in chosen or (separator and not place):
            raise SettingsError(
                f"'--dataset {value}' is not usable", hint="write ID or ID=PATH, each ID once"
            )
        chosen[name] = Path(place).expanduser() if place else None
    return chosen


def hub_is_offline() -> bool:
    """Return whether the environment forbids huggingface_hub to ask the network."""
    import os

    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def add_columns(table: Table, *names: str, whole: Sequence[str] = ()) -> None:
    """Add columns; those named in `whole` keep their words in one piece in a narrow terminal."""
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in whole)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import json

    click.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))
