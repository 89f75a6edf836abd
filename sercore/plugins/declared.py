"""The corpora of a session: those of plugins, and those that the user declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.corpora.declared import DeclaredCorpus
from sercore.errors import SettingsError
from sercore.errors import UnknownNameError
from sercore.plugins.info import PluginInfo
from sercore.plugins.registry import NAME
from sercore.plugins.registry import Catalog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sercore.corpora.interface import Corpus
    from sercore.plugins.registry import Registry
    from sercore.settings import Settings

DECLARED = PluginInfo(
    name="declared", module=DeclaredCorpus.__module__, distribution="sercore.toml", version=""
)
"""What stands for the plugin of a corpus that the user declared."""

_FOR_DECLARED = ("labels", "columns", "files", "title", "language")


def all_corpora(registry: Registry, settings: Settings) -> Catalog[Corpus]:
    """Return the corpora of plugins and those that the settings declare.

    Raises:
        SettingsError: a declaration cannot be used.
    """
    known = registry.corpora
    items: dict[str, Corpus] = dict(known.items)
    owners = dict(known.owners)
    for name, own in settings.datasets.items():
        if own.source is None:
            _refuse_unused(name, settings, known)
            continue
        if not NAME.fullmatch(name):
            raise SettingsError(
                f"the corpus name '{name}' is not usable",
                hint="use lower-case letters, digits and single hyphens",
            )
        if name in owners:
            raise SettingsError(
                f"'{name}' is a corpus of {owners[name].distribution}, and the settings give it "
                f"the source {own.source}",
                hint="choose another name for your own corpus",
            )
        items[name] = DeclaredCorpus(name=name, settings=own)
        owners[name] = DECLARED
    return Catalog(known.kind, dict(sorted(items.items())), owners, known.conflicts)


def named_corpora(
    known: Catalog[Corpus], named: Mapping[str, Path | None]
) -> list[tuple[Corpus, Path | None]]:
    """Return the corpora that the user named, with their folders.

    Args:
        known: all corpora.
        named: names, with the folder where the user gave one.

    Raises:
        UnknownNameError: a name is that of no corpus.
        DuplicateNameError: two plugins claim a name.
    """
    for name, folder in named.items():
        if folder is not None and name not in known.owners:
            raise UnknownNameError(
                f"there is no {known.kind} named '{name}' among the installed plugins",
                hint=f"write {name}=folder:DIR or {name}=table:FILE for a corpus of your own",
            )
    return [(known.get(name), folder) for name, folder in named.items()]


def _refuse_unused(name: str, settings: Settings, known: Catalog[Corpus]) -> None:
    """Refuse settings that only a declared corpus uses for the corpus of a plugin."""
    own = settings.datasets[name]
    given = [key for key in _FOR_DECLARED if getattr(own, key)]
    if name in known and given:
        raise SettingsError(
            f"the setting datasets.{name}.{given[0]} has no effect on a corpus of a plugin",
            hint="use aliases and ignore_labels for its labels, or name a source",
        )
