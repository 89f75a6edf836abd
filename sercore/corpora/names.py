"""Match the file names of a corpus: in any container, in any letter case.

What a file contains decides how it is decoded, so a copy of a corpus that was converted to another
container, or whose names changed case on the way, is still that corpus.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from itertools import product
from posixpath import splitext

from sercore.corpora.files import composed

NameParts = Mapping[str, str | None]
"""The named groups of a pattern for one file name."""

AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".w64", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
        *(".mp3", ".mp2", ".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".wma", ".wv", ".sph"),
        *(".amr", ".3gp", ".avi", ".mp4", ".m4v", ".mov", ".mkv", ".mka", ".webm", ".mpg"),
        *(".mpeg", ".flv", ".wmv"),
    }
)
"""Suffixes of containers that may hold sound, in lower case."""

_Spelling = Callable[[str], str]
_SPELLINGS: tuple[_Spelling, ...] = (str.lower, str.upper, str.capitalize)
_MOST_PARTS = 10
"""Parts of a name up to which all spellings are tried, once for each pattern of cases."""

# Any folders of the user above the corpus.
_ABOVE = r"(?:.*?[/!])??"
_SUFFIX = re.compile(r"\\\.(?:\(\?:(?P<several>[\w?|]+)\)|(?P<one>\w+\??))$")


class NamePattern:
    """A corpus's pattern for the paths of its utterances.

    A suffix at the end of the pattern is that of the authors' files. Files with the suffix of any
    other container match, too.

    Args:
        pattern: a regular expression, see `sercore.corpora.readers.FileNameCorpus`.
        labels: the native labels.
        aliases: native labels by other spellings.
    """

    def __init__(
        self, pattern: str, labels: Iterable[str], aliases: Mapping[str, str] | None = None
    ) -> None:
        self._pattern = pattern
        self._labels = tuple(labels)
        self._aliases = dict(aliases or {})

    @cached_property
    def _own_suffix(self) -> re.Pattern[str] | None:
        """What the authors' suffix matches, without its dot; None if the pattern has none."""
        found = _SUFFIX.search(self._pattern)
        return re.compile(found["several"] or found["one"], re.IGNORECASE) if found else None

    @cached_property
    def _strict(self) -> re.Pattern[str]:
        return re.compile(f"{_ABOVE}(?P<_own>{_SUFFIX.sub('', self._pattern)})")

    @cached_property
    def _loose(self) -> re.Pattern[str]:
        return re.compile(self._strict.pattern, re.IGNORECASE)

    @cached_property
    def _by_folded(self) -> dict[str, str]:
        """Native labels by their spelling without case."""
        aliases = {name.casefold(): native for name, native in self._aliases.items()}
        return aliases | {label.casefold(): label for label in self._labels}

    def match(self, path: str) -> NameParts | None:
        """Return the parts of the name of an utterance, or None if a path is none.

        ``_own`` is what the pattern matched, without the suffix. The label has its declared
        spelling. Names in another case than the pattern's match if all of their letters have one
        case, or if their label is declared. Their parts are spelt as the authors spell them, so
        that copies in any case have equal ids.
        """
        stem, suffix = splitext(path)
        if self._own_suffix is None:
            stem = path
        elif suffix.lower() not in AUDIO_SUFFIXES:
            return None
        found = self._strict.fullmatch(stem)
        if found is not None:
            return self._parts(found)
        loose = self._loose.fullmatch(stem)
        if loose is None:
            return None
        one_case = next(
            filter(None, map(self._strict.fullmatch, (stem.lower(), stem.upper()))), None
        )
        label = loose.groupdict().get("label", "")
        is_declared = not label or label.casefold() in self._by_folded
        if one_case is None and not is_declared:
            return None
        found = self._respelt(stem, loose) or one_case
        if found is not None:
            return self._parts(found)
        return self._parts(loose) if label else None

    def rank(self, path: str) -> tuple[int, str]:
        """Return a key that sorts the authors' container before the others."""
        suffix = splitext(path)[1]
        own = self._own_suffix
        return 0 if own is None or own.fullmatch(suffix[1:]) else 1, suffix

    def native(self, label: str) -> str:
        """Return the declared spelling of a label; the label itself if it is not declared."""
        if label in self._labels:
            return label
        return self._by_folded.get(composed(label).casefold(), label)

    def _respelt(self, stem: str, loose: re.Match[str]) -> re.Match[str] | None:
        """Return the match of a name whose parts are spelt as the pattern wants; None without one.

        The parts are the named groups and what is between them. A copy changes the case of all of
        its names in the same way, so what fitted before is tried first.
        """
        start, end = loose.span("_own")
        edges = {start, end, *(edge for name in loose.groupdict() for edge in loose.span(name))}
        cuts = sorted(edge for edge in edges if start <= edge <= end)
        parts = [stem[low:high] for low, high in pairwise(cuts)]
        kind = tuple((part.islower(), part.isupper()) for part in parts)
        if kind in self._spellings:
            tried: Iterable[tuple[_Spelling, ...]] = self._spellings[kind]
        elif len(parts) <= _MOST_PARTS:
            has_letters = [
                any(one) or part != part.lower() for one, part in zip(kind, parts, strict=True)
            ]
            tried = product(*(_SPELLINGS if letters else (str,) for letters in has_letters))
        else:
            tried = ()
        for spelling in tried:
            text = "".join(spell(part) for spell, part in zip(spelling, parts, strict=True))
            found = self._strict.fullmatch(stem[:start] + text + stem[end:])
            if found is not None:
                self._spellings[kind] = (spelling,)
                return found
        self._spellings.setdefault(kind, ())
        return None

    @cached_property
    def _spellings(self) -> dict[tuple[tuple[bool, bool], ...], tuple[tuple[_Spelling, ...], ...]]:
        """The spelling that fits names, by the case of their parts; empty if none fits."""
        return {}

    def _parts(self, found: re.Match[str]) -> NameParts:
        """Return the named groups, with the label in its declared spelling in all of them."""
        parts = found.groupdict()
        label = parts.get("label")
        if label is None:
            return parts
        native = self.native(label)
        if native == label:
            return parts
        start, end = found.span("label")
        for name, text in parts.items():
            first, last = found.span(name)
            if text is not None and first <= start and end <= last:
                parts[name] = text[: start - first] + native + text[end - first :]
        return parts
