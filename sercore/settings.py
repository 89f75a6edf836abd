"""The settings file sercore.toml. Options and SERCORE_* variables override it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

CONFIG_NAME = "sercore.toml"
SOURCE_KINDS = ("table", "folder", "hf", "audformat")
"""Forms in which a user can have a corpus that no plugin reads."""
SPEAKER_SEPARATOR = "|"
_REPOSITORY = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSource:
    """Where a corpus without a plugin comes from."""

    kind: str
    """One of `SOURCE_KINDS`."""
    place: str
    """Absolute path of a file or folder, or the name of a dataset repository of the Hub."""
    revision: str | None = None
    """Commit, tag or branch of a repository of the Hub; None for a place on this disk."""

    def __str__(self) -> str:
        suffix = f"@{self.revision}" if self.revision else ""
        return f"{self.kind}:{self.place}{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSettings:
    """Settings of one corpus. Those from `source` on are for a corpus without a plugin."""

    path: Path | None = None
    """Its folder; for a table the folder that recordings are relative to."""
    ignore: tuple[str, ...] = ()
    """Glob patterns of files that no check looks at."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Native labels by another spelling in this copy."""
    ignore_labels: tuple[str, ...] = ()
    """Native labels whose utterances are left out."""
    fingerprint: Path | None = None
    """The fingerprint of another copy, which `sercore doctor --deep` compares this copy with."""
    source: CorpusSource | None = None
    """Where the corpus is: ``KIND:PLACE``, with the kind ``table``, ``folder``, ``hf`` or
    ``audformat``."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Classes by native label."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Names of columns by what they hold: ``path``, ``label``, ``speaker``, ..."""
    files: tuple[str, ...] = ()
    """Glob patterns of the files that are read, and downloaded; empty: all files."""
    speaker_separator: str = SPEAKER_SEPARATOR
    """Between the speakers of a conversation; empty: every value is one speaker."""
    title: str | None = None
    """Name of the corpus in reports."""
    language: str | None = None
    """Name of its language in reports."""

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        places = {
            name: None if place is None else str(place)
            for name, place in (("path", self.path), ("fingerprint", self.fingerprint))
        }
        return {**asdict(self), **places}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> DatasetSettings:
        """Return the settings that `to_plain` wrote.

        Raises:
            TypeError, KeyError: the values are not such settings.
        """
        plain = dict(values)
        for name in ("ignore", "ignore_labels", "files"):
            plain[name] = tuple(plain[name])
        for name in ("path", "fingerprint"):
            plain[name] = None if plain[name] is None else Path(plain[name])
        source = plain.pop("source")
        return cls(
            source=None if source is None else CorpusSource(**source),
            **plain,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of sercore.toml."""

    workspace: str | None = None
    """Folder or URL that holds the results."""
    data: tuple[Path, ...] = ()
    """Folders that hold corpora under their usual names."""
    checkpoints: tuple[Path, ...] = ()
    """Folders that hold checkpoints."""
    offline: bool = False
    """Whether the network is never used."""
    datasets: Mapping[str, DatasetSettings] = field(default_factory=dict)
    executors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options of executors by name; `sercore.executors.options` checks them."""
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
    known = ("workspace", "data", "checkpoints", "offline", "datasets", "executors")
    _refuse_unknown(content, known, source)
    datasets: dict[str, DatasetSettings] = {}
    for name, value in _typed(content, "datasets", dict, source, {}).items():
        if not isinstance(value, dict):
            raise SettingsError(f"{source}: datasets.{name} must be a table")
        datasets[name] = _dataset(name, value, source)
    return Settings(
        workspace=_typed(content, "workspace", str, source, None),
        data=tuple(_path(folder, source) for folder in _strings(content, "data", source)),
        checkpoints=tuple(
            _path(folder, source) for folder in _strings(content, "checkpoints", source)
        ),
        offline=_typed(content, "offline", bool, source, False),
        datasets=datasets,
        executors=_tables(content, "executors", source),
        source=source,
    )


def _dataset(name: str, value: Mapping[str, Any], source: Path) -> DatasetSettings:
    known = tuple(entry.name for entry in fields(DatasetSettings))
    _refuse_unknown(value, known, source, f"datasets.{name}.")
    place = _typed(value, "path", str, source, None)
    origin = _typed(value, "source", str, source, None)
    fingerprint = _typed(value, "fingerprint", str, source, None)
    return DatasetSettings(
        path=_path(place, source) if place else None,
        ignore=tuple(_strings(value, "ignore", source)),
        aliases=_names(value, "aliases", source),
        ignore_labels=tuple(_strings(value, "ignore_labels", source)),
        source=parse_source(origin, source.absolute().parent) if origin is not None else None,
        labels=_names(value, "labels", source),
        columns=_names(value, "columns", source),
        files=tuple(_strings(value, "files", source)),
        speaker_separator=_typed(value, "speaker_separator", str, source, SPEAKER_SEPARATOR),
        title=_typed(value, "title", str, source, None),
        language=_typed(value, "language", str, source, None),
        fingerprint=_path(fingerprint, source) if fingerprint else None,
    )


def parse_source(text: str, folder: Path) -> CorpusSource:
    """Return the source that a text names.

    Args:
        text: ``table:FILE``, ``folder:DIR``, ``hf:ORG/NAME@REVISION``, ``hf:DIR`` or
            ``audformat:DIR``.
        folder: the folder that relative paths start from.

    Raises:
        SettingsError: the text is none of these.
    """
    kind, _, place = text.partition(":")
    if kind not in SOURCE_KINDS or not place:
        raise SettingsError(
            f"'{text}' is not the source of a corpus",
            hint="write table:FILE, folder:DIR, hf:ORG/NAME@REVISION or audformat:DIR",
        )
    path = folder / Path(place).expanduser()
    if kind != "hf" or path.is_dir():
        return CorpusSource(kind=kind, place=os.path.normpath(path.absolute()))
    name, _, revision = place.partition("@")
    if not _REPOSITORY.fullmatch(name):
        raise SettingsError(
            f"'{text}' names neither a folder nor a dataset of the Hub",
            hint="write hf:ORG/NAME@REVISION, or hf:DIR for a snapshot on this disk",
        )
    if not revision:
        raise SettingsError(
            f"'{text}' has no revision, and the data behind a name can change",
            hint=f"write hf:{name}@REVISION, with a commit of the dataset's history",
        )
    return CorpusSource(kind=kind, place=name, revision=revision)


def with_sources(
    settings: Settings, datasets: Mapping[str, str | Path | None]
) -> tuple[dict[str, Path | None], Settings]:
    """Read the places of corpora that a user gave.

    Args:
        settings: the settings.
        datasets: by name a folder, the source of a corpus without a plugin (as `parse_source`
            reads it; relative to the current folder), or None. For a corpus with a source in the
            settings, a file or folder is another source of the same kind.

    Returns:
        The folders, None for the others, and the settings with the sources.

    Raises:
        SettingsError: a source cannot be used.
    """
    folders: dict[str, Path | None] = {}
    own = dict(settings.datasets)
    for name, place in datasets.items():
        before = own.get(name) or DatasetSettings()
        is_source = str(place).partition(":")[0] in SOURCE_KINDS and ":" in str(place)
        if place is None or not (is_source or before.source):
            folders[name] = None if place is None else Path(place).expanduser()
            continue
        kind = f"{before.source.kind}:" if before.source and not is_source else ""
        folders[name] = None
        own[name] = replace(before, source=parse_source(f"{kind}{place}", Path()))
    return folders, replace(settings, datasets=own)


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


def _tables(content: Mapping[str, Any], key: str, source: Path) -> dict[str, dict[str, Any]]:
    tables: dict[str, Any] = _typed(content, key, dict, source, {})
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{source}: {key}.{name} must be a table")
    return tables


def _strings(content: Mapping[str, Any], key: str, source: Path) -> list[str]:
    value = content.get(key, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise SettingsError(f"{source}: {key} must be a string or a list of strings")
    return values


def _names(content: Mapping[str, Any], key: str, source: Path) -> dict[str, str]:
    value: dict[str, Any] = _typed(content, key, dict, source, {})
    if not all(isinstance(name, str) for name in value.values()):
        raise SettingsError(f"{source}: {key} must map names to names, both strings")
    return value


def _path(text: str, source: Path) -> Path:
    # A relative path in a settings file is relative to that file, wherever sercore runs.
    return source.absolute().parent / Path(text).expanduser()
