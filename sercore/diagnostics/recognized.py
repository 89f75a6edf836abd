"""What the data folders contain besides the corpora that were found by name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.corpora.names import AUDIO_SUFFIXES
from sercore.corpora.recognition import recognize
from sercore.errors import SercoreError
from sercore.settings import CONFIG_NAME
from sercore.settings import read_settings

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus
    from sercore.settings import Settings

_MOST_IGNORED = 20
"""Stray files that are written into the settings by name; more become patterns by suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """A folder or archive whose content looks like a corpus."""

    corpus: str
    title: str
    place: str
    names: int
    """Utterances that the file names identify."""
    utterances: int | None
    """Utterances that can be used; None for an archive, and if the corpus cannot be read."""
    expected: int | None
    """Utterances of a complete copy."""
    reason: str | None = None
    """Why the corpus cannot be read."""
    strays: tuple[str, ...] = ()
    """Files that are not part of the corpus."""

    def __str__(self) -> str:
        if self.reason is not None:
            return f"{self.names} names in {self.place} fit {self.title}, but {self.reason}"
        found = self.names if self.utterances is None else self.utterances
        of = f" of {self.expected}" if self.expected is not None else ""
        return f"{self.place} looks like {self.title} ({found}{of})"


def recognize_all(
    data: Iterable[Path], corpora: Sequence[Corpus], known: Iterable[str | None], reading: str
) -> tuple[Recognized, ...]:
    """Return what the names below the data folders look like, the most complete first.

    Args:
        data: the data folders.
        corpora: the installed corpora.
        known: folders of corpora that were found already; they are left out.
        reading: which utterances are counted.
    """
    by_id = {corpus.card.id: corpus for corpus in corpora if not corpus.card.demo}
    roots = {os.path.realpath(root) for root in known if root is not None}
    found = []
    for folder in data:
        for candidate in recognize(folder, by_id.values(), map(Path, roots)):
            place = os.path.realpath(candidate.place)
            if not any(place == root or place.startswith(f"{root}{os.sep}") for root in roots):
                corpus = by_id[candidate.corpus]
                found.append(_explained(corpus, candidate.place, candidate.names, reading))
    return tuple(sorted(found, key=lambda one: (one.reason is not None, one.corpus, one.place)))


def write_settings(
    settings: Settings, found: Iterable[tuple[str, str, Sequence[str]]]
) -> tuple[Path, tuple[str, ...]]:
    """Add the places of corpora to sercore.toml, and leave everything else in it as it is.

    Args:
        settings: the present settings; corpora in it are not added again.
        found: id, place and stray files of every corpus; of several places the first is added.

    Returns:
        The file, and the ids that were added.

    Raises:
        SettingsError: the file cannot be read.
    """
    target = settings.source or Path(CONFIG_NAME)
    tables: dict[str, str] = {}
    for corpus, place, strays in found:
        if corpus in settings.datasets or corpus in tables:
            continue
        table = f"[datasets.{corpus}]\npath = {_quoted(str(Path(place).absolute()))}"
        if strays:
            table += f"\nignore = [{', '.join(map(_quoted, _patterns(strays)))}]"
        tables[corpus] = table
    if tables:
        before = target.read_text(encoding="utf-8").rstrip() if target.is_file() else ""
        text = "\n\n".join(part for part in (before, *tables.values()) if part) + "\n"
        partial = target.with_name(f"{target.name}.new")
        try:
            partial.write_text(text, encoding="utf-8")
            read_settings(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target, tuple(tables)


def _quoted(text: str) -> str:
    """Return a string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _patterns(strays: Sequence[str]) -> list[str]:
    """Return glob patterns for stray files: their names, or their suffixes if there are many.

    The suffix of a container for sound is never a pattern, because it would match utterances.
    """
    if len(strays) <= _MOST_IGNORED:
        return [escape(stray) for stray in strays]
    suffixes = {Path(stray).suffix for stray in strays} - {""}
    return sorted(f"*{suffix}" for suffix in suffixes if suffix.lower() not in AUDIO_SUFFIXES)


def _explained(corpus: Corpus, place: Path, names: int, reading: str) -> Recognized:
    """Return a candidate with the number of utterances that a run would use."""
    counts = corpus.card.expected.get(reading)
    found = Recognized(
        corpus=corpus.card.id,
        title=corpus.card.title,
        place=str(place),
        names=names,
        utterances=None,
        expected=counts.utterances if counts else None,
    )
    if place.is_file():
        return found
    try:
        manifest = build_manifest(corpus, CorpusFiles(place), reading)
    except SercoreError as error:
        return replace(found, reason=str(error))
    strays = tuple(one.where for one in manifest.problems if one.kind == "stray-file")
    return replace(found, utterances=len(manifest), strays=strays)
