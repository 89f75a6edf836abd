"""The catalogue pages of the documentation site, generated from the cards of the plugins.

The page of a plugin is its README; these are the pages around them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from scripts.data_cards import load_corpus
from scripts.distributions import ROOT
from sercore.plugins.registry import registry

FOLDERS = {"datasets": "Corpora", "backbones": "Backbones"}
"""Titles of the kinds that have a table of their own."""


def catalogue_pages() -> dict[str, str]:
    """Return the text of the generated pages by their path in the site."""
    return {"catalogue/index.md": "".join(_index()), "cite.md": "".join(_cite())}


def plugin_page(source: str, text: str) -> str:
    """Return the README of a corpus with its name as title, and the commands that use it.

    Args:
        source: the file, relative to the repository. Only such READMEs are changed.
        text: its text.
    """
    folder = (ROOT / source).parent
    if folder not in plugin_folders("datasets"):
        return text
    card = load_corpus(folder).card
    _, _, rest = text.partition("\n")
    return (
        f"# {card.title}\n\n```console\n$ pip install sercore-dataset-{card.id}\n"
        f"$ sercore run --dataset {card.id} --data ~/corpora\n```\n{rest}"
    )


def _index() -> Iterator[str]:
    yield "# Catalogue\n\n"
    yield "Every plugin is a distribution of its own: `pip install sercore-dataset-emodb` "
    yield "installs one corpus, `pip install 'sercore[all]'` every corpus and backbone.\n\n"
    yield from _corpora()
    yield from _backbones()
    for folder in sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()):
        if folder not in FOLDERS:
            yield from _others(folder)


def _corpora() -> Iterator[str]:
    yield "## Corpora\n\n| corpus | name | language | speakers | utterances | access |\n"
    yield "|---|---|---|--:|--:|---|\n"
    for folder in plugin_folders("datasets"):
        card = load_corpus(folder).card
        counts = card.expected.get("corrected")
        yield (
            f"| [{card.id}](datasets/{card.id}.md) | {card.title} | {card.language} "
            f"| {card.speakers or '-'} | {counts.utterances if counts else '-'} | {card.access} |\n"
        )
    yield "\n"


def _backbones() -> Iterator[str]:
    cards = {backbone.card.id: backbone.card for backbone in registry().backbones}
    yield "## Backbones\n\n| backbone | family | checkpoint | width x layers | parameters |\n"
    yield "|---|---|---|--:|--:|\n"
    for folder in plugin_folders("backbones"):
        card = cards[folder.name]
        size = "-" if card.parameters is None else f"{card.parameters / 1e6:,.0f} M"
        yield (
            f"| [{card.id}](backbones/{card.id}.md) | {card.family} | `{card.checkpoint}` "
            f"| {card.width} x {card.layers} | {size} |\n"
        )
    yield "\n"


def _others(kind: str) -> Iterator[str]:
    yield f"## {kind.capitalize()}\n\n| plugin | |\n|---|---|\n"
    for folder in plugin_folders(kind):
        facts = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        yield f"| [{folder.name}]({kind}/{folder.name}.md) | {facts['project']['description']} |\n"
    yield "\n"


def plugin_folders(kind: str) -> list[Path]:
    """Return the folders of the plugins of a kind (``datasets``, ...), sorted by name."""
    return sorted(path.parent for path in (ROOT / "plugins" / kind).glob("*/pyproject.toml"))


def _cite() -> Iterator[str]:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    yield "# How to cite\n\n"
    yield "If you use sercore, cite sercore, the benchmark that it reproduces, and the authors of "
    yield "every corpus and backbone in your run.\n\n## sercore and the benchmark\n\n"
    yield f"The file `CITATION.cff` of the repository:\n\n```yaml\n{text}```\n\n## Corpora\n\n"
    yield "What the authors of a corpus ask to be cited:\n\n"
    for folder in plugin_folders("datasets"):
        card = load_corpus(folder).card
        words = card.citation or "they state none"
        yield f"- [{card.title}](catalogue/datasets/{card.id}.md): {words}\n"
    yield "\n## Versions\n\nThe record of a run names every version that a score depends on: see "
    yield "[what a stored result depends on](identity.md).\n"
