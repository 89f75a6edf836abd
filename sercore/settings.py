"""The settings file sercore.toml. Options and SERCORE_* variables override it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

CONFIG_NAME = "sercore.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSettings:
    """Settings of one corpus."""

    path: Path | None = None
    ignore: tuple[str, ...] = ()
    """Glob patterns of files that no check looks at."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Native labels by another spelling in this copy."""
    ignore_labels: tuple[str, ...] = ()
    """Native labels whose utterances are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of sercore.toml."""

    workspace: str | None = None
    data: tuple[Path, ...] = ()
    """Folders that hold corpora under their usual names."""
    checkpoints: tuple[Path, ...] = ()
    """Folders that hold checkpoints."""
    offline: bool = False
    datasets: Mapping[str, DatasetSettings] = field(default_factory=dict)
    source: Path | None = None
    """The file that was read."""


def read_settings(path: Path | None = None) -> Settings:
    """Read sercore.toml.

    Args:
        path: the file; ``SERCORE_CONFIG`` or ``sercore.toml`` in the current folder when None.

    Raises:
        SettingsError: a named file is missing, or a file has a value that cannot be used.
    """
    named = path or (Path(os.environ["SERCORE_CONFIG"]) if "SERCORE_CONFIG" in os.environ else None)
    source = named or Path(CONFIG_NAME)
    if not source.is_file():
        if named is not None:
            raise SettingsError(f"there is no settings file {named}")
        return Settings()
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{source} is not valid TOML: {error}") from None
    return _checked(content, source)


def default_workspace() -> str:
    """Return the data folder of the user, which holds results unless another is named."""
    from platformdirs import user_data_dir

    return user_data_dir("sercore", appauthor=False)


def open_workspace(named: str | None, settings: Settings) -> Workspace:
    """Return the workspace that the user named, else that of the settings, else the default one."""
    from sercore.storage.workspace import Workspace

    return Workspace(named or settings.workspace or default_workspace())


def _checked(content: Mapping[str, Any], source: Path) -> Settings:
    _refuse_unknown(content, ("workspace", "data", "checkpoints", "offline", "datasets"), source)
    datasets: dict[str, DatasetSettings] = {}
    for name, value in _typed(content, "datasets", dict, source, {}).items():
        if not isinstance(value, dict):
            raise SettingsError(f"{source}: datasets.{name} must be a table")
        _refuse_unknown(
            value, ("path", "ignore", "aliases", "ignore_labels"), source, f"datasets.{name}."
        )
        place = _typed(value, "path", str, source, None)
        datasets[name] = DatasetSettings(
            path=_path(place, source) if place else None,
            ignore=tuple(_strings(value, "ignore", source)),
            aliases=_aliases(value, source),
            ignore_labels=tuple(_strings(value, "ignore_labels", source)),
        )
    return Settings(
        workspace=_typed(content, "workspace", str, source, None),
        data=tuple(_path(folder, source) for folder in _strings(content, "data", source)),
        checkpoints=tuple(
            _path(folder, source) for folder in _strings(content, "checkpoints", source)
        ),
        offline=_typed(content, "offline", bool, source, False),
        datasets=datasets,
        source=source,
    )


def _refuse_unknown(
    content: Mapping[str, Any], known: tuple[str, ...], source: Path, prefix: str = ""
) -> None:
    for key in content:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            raise SettingsError(f"{source} has an unknown key '{prefix}{key}'", hint=hint)


def _typed(content: Mapping[str, Any], key: str, kind: type, source: Path, default: Any) -> Any:
    value = content.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise SettingsError(f"{source}: {key} must be of type {kind.__name__}, not {value!r}")
    return value


def _strings(content: Mapping[str, Any], key: str, source: Path) -> list[str]:
    value = content.get(key, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise SettingsError(f"{source}: {key} must be a string or a list of strings")
    return values


def _aliases(content: Mapping[str, Any], source: Path) -> dict[str, str]:
    value: dict[str, Any] = _typed(content, "aliases", dict, source, {})
    if not all(isinstance(label, str) for label in value.values()):
        raise SettingsError(f"{source}: aliases must map labels to labels, both strings")
    return value


def _path(text: str, source: Path) -> Path:
    # A relative path in a settings file is relative to that file, wherever sercore runs.
    return source.absolute().parent / Path(text).expanduser()
