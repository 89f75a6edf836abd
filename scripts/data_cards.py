"""Write the generated parts of the data cards, which are the READMEs of the corpus plugins.

The text between ``<!-- facts -->`` and ``<!-- /facts -->``, and between the markers of the other
parts, is generated from the plugin. The rest is written by hand::

    python scripts/data_cards.py            # update all cards
    python scripts/data_cards.py --check    # list outdated cards; exit status 1 if there are any
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from sercore import Emotion
from sercore.corpora.interface import READINGS
from sercore.corpora.interface import Corpus
from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Counts
from sercore.corpora.interface import label_of
from sercore.corpora.labels import MAPPERS

PLUGINS = Path(__file__).parent.parent / "plugins" / "datasets"


def main(arguments: Sequence[str]) -> int:
    """Update or check the cards; return the exit status."""
    stale = []
    for folder in plugin_folders():
        card = folder / "README.md"
        before = card.read_text(encoding="utf-8")
        after = fill(before, load_corpus(folder))
        if before != after:
            stale.append(card)
            if "--check" not in arguments:
                card.write_text(after, encoding="utf-8")
    for card in stale:
        print(card.relative_to(PLUGINS.parent.parent))
    return 1 if stale and "--check" in arguments else 0


def plugin_folders() -> list[Path]:
    """Return the folders of the corpus plugins, sorted by name."""
    return sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))


def load_corpus(folder: Path) -> Corpus:
    """Return the corpus that a plugin folder registers; the plugin need not be installed."""
    module = f"sercore_dataset_{folder.name.replace('-', '_')}"
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, folder / f"{module}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    (corpus,) = sys.modules[module].sercore_corpora()
    assert isinstance(corpus, Corpus)
    return corpus


def fill(text: str, corpus: Corpus) -> str:
    """Return a card with updated generated parts.

    Raises:
        ValueError: the markers of a part are missing.
    """
    for name, write in PARTS.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not end:
            raise ValueError(f"the data card of {corpus.card.id} has no part '{name}'")
        text = f"{before}{start}{write(corpus)}\n{end}{after}"
    return text


def _facts(corpus: Corpus) -> str:
    card = corpus.card
    return _table(
        ("", ""),
        [
            ("language", f"{card.language} (`{card.language_code}`)"),
            ("licence", card.licence or "not stated by its authors"),
            ("access", card.access),
            ("home page", card.homepage or "unknown"),
            ("distinct speakers", str(card.speakers or "none")),
            ("corpus set (`--corpora`)", ", ".join(card.sets) or "none"),
            ("published out-of-domain cluster", card.cluster or "none"),
            ("`sercore fetch`", _fetch(card)),
            ("found in a data folder as", ", ".join(f"`{name}`" for name in card.folders)),
        ],
    )


def _fetch(card: CorpusCard) -> str:
    if not card.downloads:
        return "prints how to request it"
    files = " and ".join(f"`{download.filename}`" for download in card.downloads)
    if all(download.filename == "*" for download in card.downloads):
        return "downloads all files in the publisher's list"
    if all(download.url or download.listing for download in card.downloads):
        return f"downloads {files}"
    return f"downloads {files} from the address given with `--from`, which it stores"


def _obtain(corpus: Corpus) -> str:
    return corpus.card.obtain


def _counts(corpus: Corpus) -> str:
    if not corpus.card.expected:
        return "The counts of a complete copy are not known."
    expected = [corpus.card.expected[reading] for reading in READINGS]
    rows = [
        (emotion.value, *(str(counts.classes.get(emotion, 0)) for counts in expected))
        for emotion in Emotion
    ]
    rows.append(("**utterances**", *(f"**{counts.utterances}**" for counts in expected)))
    table = _table(("class", *(f"reading `{reading}`" for reading in READINGS)), rows)
    notes = [
        f"- Known difference in `{reading}`: {_tolerance(counts)}; {counts.tolerance_reason}."
        for reading, counts in zip(READINGS, expected, strict=True)
        if counts.tolerance
    ]
    return "\n".join([table, "", *notes]) if notes else table


def _tolerance(counts: Counts) -> str:
    return ", ".join(f"{emotion} {known:+}" for emotion, known in counts.tolerance.items())


def _labels(corpus: Corpus) -> str:
    rows = []
    for native in corpus.labels:
        label = label_of(corpus, native)
        rows.append((f"`{native}`", *(mapper.map(label) or "left out" for mapper in MAPPERS)))
    return _table(("native label", *(f"`{mapper.id}`" for mapper in MAPPERS)), rows)


def _known_bad(corpus: Corpus) -> str:
    bad = corpus.card.known_bad
    return "\n".join(f"- `{path}`: {reason}." for path, reason in bad.items()) or "None is known."


def _citation(corpus: Corpus) -> str:
    return corpus.card.citation or "Its authors state none."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


PARTS: dict[str, Callable[[Corpus], str]] = {
    "facts": _facts,
    "obtain": _obtain,
    "counts": _counts,
    "labels": _labels,
    "known-bad": _known_bad,
    "citation": _citation,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
