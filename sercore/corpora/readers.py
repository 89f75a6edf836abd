"""Readers for the usual layouts of corpora.

A plugin describes its corpus with one of them: `FileNameCorpus` if file names have all facts,
`AnnotatedCorpus` if tables have the labels, `ParquetCorpus` if a table embeds the audio.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from posixpath import splitext
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.interface import Scan
from sercore.corpora.interface import Utterance
from sercore.corpora.names import NameParts
from sercore.corpora.names import NamePattern
from sercore.corpora.paths import glob_expression
from sercore.corpora.paths import paths_like
from sercore.corpora.problems import Problem
from sercore.corpora.tables import embedded_audio
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.labels import Emotion
    from sercore.corpora.labels import Label

Selection = Callable[[tuple[Utterance, ...]], Iterable[Utterance]]
"""Selects the utterances of one reading from all utterances of a corpus."""

GENDERS: Mapping[str, str] = {"f": "female", "w": "female", "m": "male", "c": "child"}
"""Gender by its first letter in corpora, in lower case."""

# Files of most downloads that are never an utterance.
_DOCUMENTS = (
    "readme*",
    "licen[sc]e*",
    "changelog*",
    ".git[ai]*",
    "*.md5",
    "*.sha1",
    "*.sha256",
    "md5sum*",
    "sha*sum*",
    "checksum*",
)

_FIELDS = (
    "speaker",
    "gender",
    "text_id",
    "take",
    "intensity",
    "group",
    "official_split",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of one utterance, and the parts of its name."""

    path: str
    size: int
    found: NameParts
    row: int | None = None


@dataclass(frozen=True)
class FileNameCorpus:
    r"""A corpus whose file names (with their folders) have all facts.

    Args:
        card: the facts about it.
        pattern: a regular expression for the whole path of an utterance, from the corpus's own
            top folder on; any folders may lie above it. It ends with the suffix of the authors'
            files (``\.wav``); files in other containers match, too. Its named groups fill
            the fields of the utterance: ``label``, ``speaker``, ``gender``, ``text_id``,
            ``take``, ``intensity``, ``group``, ``official_split`` and ``id`` (what identifies
            the file inside the corpus; what the pattern matched, without the suffix, when absent).
            The label should match any word, so that an unknown label is an error, not a stray file.
        labels: the meaning of each native label.
        aliases: native labels by another spelling in some copies; case needs no alias.
        side_files: glob patterns of distributed files that are not utterances, compared without
            case below any folder; ``**`` crosses folders. Readmes and licences are known.
        genders: gender by speaker, if names do not state it.
        complete: a function from the named groups to further fields of the utterance.
        readings: by reading, the function that selects its utterances; all if there is none.
        refused: glob patterns of files that only another release has, and a sentence that
            names that release.
    """

    card: CorpusCard
    pattern: str
    labels: Mapping[str, Emotion | Label]
    aliases: Mapping[str, str] = field(default_factory=dict)
    side_files: tuple[str, ...] = ()
    genders: Mapping[str, str] = field(default_factory=dict)
    complete: Callable[[NameParts], Mapping[str, Any]] | None = None
    readings: Mapping[str, Selection] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read the names (and tables) below a folder. See `sercore.corpora.Corpus.scan`."""
        refuse_foreign(files, self.refused)
        problems = list(files.problems)
        utterances = tuple(self._utterances(files, problems))
        select = self.readings.get(reading)
        if select is not None:
            utterances = tuple(select(utterances))
        if not utterances:
            explain_nothing(files)
        return Scan(utterances=utterances, problems=tuple(problems))

    def identify(self, path: str) -> str | None:
        """Return what the pattern matches of a path, without the suffix; None if it does not."""
        found = self._names.match(path)
        return None if found is None else found["_own"]

    def reads(self, path: str) -> bool:
        """Return whether a path is that of a file that the corpus reads."""
        return self.identify(path) is not None

    @cached_property
    def _names(self) -> NamePattern:
        return NamePattern(self.pattern, self.labels, self.aliases)

    @cached_property
    def _beside(self) -> re.Pattern[str]:
        return glob_expression(*_DOCUMENTS, *self.side_files)

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        """Yield every utterance, and append problems."""
        for place in self._places(files, problems):
            yield self._utterance(place, {"native_label": place.found.get("label") or ""})

    def _places(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[_Place]:
        """Yield the place of every utterance, in one container, and append problems."""
        places: dict[str, _Place] = {}
        for entry in files:
            found = self._names.match(entry.path)
            if found is None:
                if not self._beside.fullmatch(entry.path):
                    problems.append(stray_file(self.card, entry.path))
                continue
            place = _Place(entry.path, entry.size, found)
            stem = splitext(entry.path)[0]
            other = places.setdefault(stem, place)
            if other is not place:
                kept, skipped = sorted((other, place), key=lambda one: self._names.rank(one.path))
                places[stem] = kept
                problems.append(_other_container(skipped.path))
        yield from places.values()

    def _utterance(self, place: _Place, annotated: Mapping[str, Any]) -> Utterance:
        """Return the utterance at a place, with the fields that a table has for it."""
        found = place.found
        fields: dict[str, Any] = {name: found.get(name) for name in _FIELDS}
        speaker, gender = fields["speaker"], fields["gender"]
        fields["speaker"] = (speaker,) if speaker else None
        fields["gender"] = GENDERS[gender.lower()] if gender else self.genders.get(speaker or "")
        fields["utterance_id"] = found.get("id") or found["_own"]
        fields.update(annotated)
        fields["native_label"] = self._names.native(fields["native_label"])
        if self.complete is not None:
            fields.update(self.complete(found))
        return Utterance(path=place.path, size=place.size, row=place.row, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a table states about one utterance."""

    utterance_id: str
    native_label: str
    source: str
    """The file of the table."""
    row: int | None = None
    """The line or row in that file, counted from 1."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the utterance."""

    @property
    def where(self) -> str:
        """The place of the annotation, for messages."""
        return self.source if self.row is None else f"{self.source}, row {self.row}"


@dataclass(frozen=True, kw_only=True)
class AnnotatedCorpus(FileNameCorpus):
    """A corpus whose tables have the labels of its files.

    Args:
        annotations: reads the tables. Yields one `Annotation` per utterance, and a `Problem` for a
            table that cannot be read if the rest of the corpus can. Raises CorpusError if
            nothing can be read without the table.
        unannotated: regular expressions of ids that no copy annotates, with the reason.
    """

    annotations: Callable[[CorpusFiles], Iterable[Annotation | Problem]]
    unannotated: Mapping[str, str] = field(default_factory=dict)

    def reads(self, path: str) -> bool:
        """Return whether a path is that of an utterance or of a side file, such as a table."""
        return super().reads(path) or bool(self._tables.fullmatch(path))

    @cached_property
    def _tables(self) -> re.Pattern[str]:
        return glob_expression(*self.side_files)

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        annotations: dict[str, Annotation] = {}
        for found in self.annotations(files):
            if isinstance(found, Problem):
                problems.append(found)
                continue
            first = annotations.setdefault(found.utterance_id, found)
            if (first.native_label, first.fields) != (found.native_label, found.fields):
                problems.append(_conflict(first, found))
        present: set[str] = set()
        for place in self._places(files, problems):
            bare = self._utterance(place, {"native_label": ""})
            annotation = annotations.get(bare.utterance_id)
            if annotation is None:
                problems.append(self._without_annotation(bare))
                continue
            present.add(bare.utterance_id)
            yield self._utterance(
                place, {"native_label": annotation.native_label, **annotation.fields}
            )
        absent = [row for key, row in annotations.items() if key not in present]
        used = {row.source for key, row in annotations.items() if key in present}
        problems.extend(self._without_file(absent, used))

    def _without_annotation(self, utterance: Utterance) -> Problem:
        reason = self.card.known_bad.get(utterance.utterance_id) or next(
            (
                reason
                for ids, reason in self.unannotated.items()
                if re.fullmatch(ids, utterance.utterance_id)
            ),
            None,
        )
        if reason is not None:
            return Problem(kind="known-bad", where=utterance.path, message=reason)
        return Problem(
            kind="missing-annotation",
            where=utterance.path,
            message=f"no table of {self.card.title} has a label for it, so it was skipped",
            hint="check that the annotation files are complete",
        )

    def _without_file(self, absent: Iterable[Annotation], used: set[str]) -> Iterator[Problem]:
        unused: dict[str, int] = defaultdict(int)
        for annotation in absent:
            reason = self.card.known_bad.get(annotation.utterance_id)
            if reason is not None:
                yield Problem(kind="known-bad", where=annotation.utterance_id, message=reason)
            elif annotation.source in used:
                yield Problem(
                    kind="missing-file",
                    where=annotation.where,
                    message=f"the file of {annotation.utterance_id} is missing",
                    hint="complete the copy of the corpus",
                )
            else:
                unused[annotation.source] += 1
        # One problem, not thousands, for a part of the corpus that was not unpacked.
        for source, count in unused.items():
            yield Problem(
                kind="missing-file",
                where=source,
                message=f"none of the {count} files in this table exists",
                hint="unpack the part of the corpus that contains them",
            )


@dataclass(frozen=True, kw_only=True)
class ParquetCorpus(FileNameCorpus):
    """A corpus that is distributed as Parquet files with embedded audio.

    The pattern is matched against ``<parquet file>!<path in its row>``.

    Args:
        path_column: the column with the path of the original audio file.
        label_column: the column with the native label.
        text_column: the column with the words, which some releases do not have.
    """

    path_column: str
    label_column: str
    text_column: str = "text"

    def identify(self, path: str) -> str | None:
        """Return the path of a Parquet file, which may embed utterances; None for other files."""
        return path if path.lower().endswith(".parquet") else None

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        for entry in files:
            if entry.path.lower().endswith(".parquet"):
                yield from self._rows(files, entry.path, problems)
            elif not self._beside.fullmatch(entry.path):
                problems.append(stray_file(self.card, entry.path))

    def _rows(self, files: CorpusFiles, path: str, problems: list[Problem]) -> Iterator[Utterance]:
        needed = (self.path_column, self.label_column)
        for row in embedded_audio(files, path, needed, (self.text_column,)):
            name = f"{path}!{row.values[self.path_column]}"
            found = self._names.match(name)
            if found is None:
                problems.append(stray_file(self.card, name))
            elif not row.size:
                problems.append(
                    Problem(
                        kind="missing-file",
                        where=name,
                        message=f"row {row.row} of {path} contains no audio",
                        hint="download the file again",
                    )
                )
            else:
                place = _Place(path, row.size, found, row.row)
                label = str(row.values[self.label_column] or "")
                text = " ".join(str(row.values.get(self.text_column) or "").split())
                yield self._utterance(place, {"native_label": label, "text_id": text or None})


def refuse_foreign(files: CorpusFiles, refused: Mapping[str, str]) -> None:
    """Refuse a folder that holds another release of a corpus.

    Raises:
        CorpusError: the folder has a file that only the other release has.
    """
    for glob, sentence in refused.items():
        for path in paths_like(files, glob):
            raise CorpusError(f"{files.root} contains {path}: {sentence}")


def explain_nothing(files: CorpusFiles) -> None:
    """Raise the reason why a folder has no utterance, if it can be found out.

    Raises:
        CorpusError: an archive or folder in it cannot be read, or a git clone has LFS pointers
            in place of the data.
    """
    for problem in files.problems:
        raise CorpusError(f"{problem.where}: {problem.message}", hint=problem.hint)
    for entry in files:
        if entry.size < 200 and files.read(entry.path).startswith(b"version https://git-lfs"):
            raise CorpusError(
                f"{entry.path} is a Git LFS pointer of {entry.size} bytes, not the data",
                hint="run 'git lfs pull', or download the data without git",
            )


def stray_file(card: CorpusCard, path: str) -> Problem:
    """Return the problem of a file that is neither an utterance nor a known file of the corpus."""
    return Problem(
        kind="stray-file",
        where=path,
        message=f"this file is not part of {card.title} as distributed",
        hint=f"remove it, or list it under datasets.{card.id}.ignore in sercore.toml",
    )


def _other_container(path: str) -> Problem:
    return Problem(
        kind="duplicate-file",
        where=path,
        message="the same utterance is read from another container beside this file",
    )


def _conflict(first: Annotation, second: Annotation) -> Problem:
    return Problem(
        kind="conflict",
        where=second.where,
        message=(f"its row for {first.utterance_id} conflicts with {first.where}, which was used"),
        hint="keep one of the two rows",
    )
