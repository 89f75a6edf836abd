"""Ready-made readers for the ways in which corpora are laid out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore.corpora import Problem
from sercore.corpora import Scan
from sercore.corpora import Utterance

if TYPE_CHECKING:
    from sercore.corpora import CorpusCard
    from sercore.files import CorpusFiles
    from sercore.labels import Emotion
    from sercore.labels import Label

_GENDERS = {"f": "female", "w": "female", "m": "male", "c": "child"}


@dataclass(frozen=True)
class FileNameCorpus:
    """A corpus whose file names (with their folders) say everything.

    Args:
        card: the facts about it.
        pattern: a regular expression that a wanted path must match whole. Its named groups fill
            the fields of the utterance: ``id`` (what identifies the file inside the corpus; the
            whole match when absent), ``label``, ``speaker``, ``gender``, ``text_id``, ``take``,
            ``intensity``.
        labels: what each native label means.
        side_files: glob patterns of distributed files that hold no utterance.
        genders: gender by speaker, where a table says what names do not.
    """

    card: CorpusCard
    pattern: str
    labels: Mapping[str, Emotion | Label]
    side_files: tuple[str, ...] = ()
    genders: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read the names below a folder. See `sercore.corpora.Corpus.scan`."""
        del reading  # both readings of such a corpus are the same files
        utterances: list[Utterance] = []
        problems = list(files.problems)
        for entry in files:
            match = self._expression.fullmatch(entry.path)
            if match is None:
                if not any(PurePosixPath(entry.path).match(glob) for glob in self.side_files):
                    problems.append(stray_file(self.card, entry.path))
                continue
            utterances.append(self._utterance(entry.path, entry.size, match.groupdict()))
        return Scan(utterances=tuple(utterances), problems=tuple(problems))

    def _utterance(self, path: str, size: int, found: Mapping[str, str | None]) -> Utterance:
        speaker = found.get("speaker")
        gender = found.get("gender")
        return Utterance(
            utterance_id=str(PurePosixPath(found.get("id") or path).with_suffix("")),
            path=path,
            size=size,
            native_label=found["label"] or "",
            speaker=(speaker,) if speaker else None,
            gender=_GENDERS[gender.lower()] if gender else self.genders.get(speaker or ""),
            text_id=found.get("text_id"),
            take=found.get("take"),
            intensity=found.get("intensity"),
        )


def stray_file(card: CorpusCard, path: str) -> Problem:
    """Return the problem of a file that is neither an utterance nor known to the corpus."""
    return Problem(
        kind="stray-file",
        where=path,
        message=f"this file is not part of {card.title} as distributed",
        hint=f"remove it, or list it under datasets.{card.id}.ignore in sercore.toml",
    )
