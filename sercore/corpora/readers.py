"""Ready-made readers for the ways in which corpora are laid out.

A plugin describes its corpus with one of them: `FileNameCorpus` where names say everything,
`AnnotatedCorpus` where tables say the rest, `ParquetCorpus` where a table holds the audio itself.
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
from sercore.corpora.problems import Problem
from sercore.corpora.tables import embedded_audio
from sercore.errors import CorpusError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.labels import Emotion
    from sercore.corpora.labels import Label

Found = Mapping[str, str | None]
"""The named groups of a pattern, as found in one name."""

Selection = Callable[[tuple[Utterance, ...]], Iterable[Utterance]]
"""From all utterances of a corpus to those of one reading."""

GENDERS: Mapping[str, str] = {"f": "female", "w": "female", "m": "male", "c": "child"}
"""Gender by the first letter, in either case, that corpora write for it."""

# What comes along with most downloads and never holds an utterance.
_DOCUMENTS = ("readme*", "licen[sc]e*", "changelog*", ".git/**", ".git[ai]*")

# Whatever the user keeps the corpus in: folders, or an archive that is read in place.
_ABOVE = r"(?:.*?[/!])??"

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
    """Where one utterance was found, and what its name says."""

    path: str
    size: int
    found: Found
    row: int | None = None


@dataclass(frozen=True)
class FileNameCorpus:
    """A corpus whose file names (with their folders) say everything.

    Args:
        card: the facts about it.
        pattern: a regular expression that a wanted path must match whole, from the corpus's own
            top folder on; the folders above it are the user's and may be any. Its named groups
            fill the fields of the utterance: ``label``, ``speaker``, ``gender``, ``text_id``,
            ``take``, ``intensity``, ``group``, ``official_split`` and ``id`` (what identifies
            the file inside the corpus; what the pattern matched, without the suffix, when absent).
            The label should match any word, so that an unknown one is an error and no stray file.
        labels: what each native label means.
        side_files: glob patterns of distributed files that hold no utterance, compared without
            case below any folder; ``**`` crosses folders. Readmes and licences need no mention.
        genders: gender by speaker, where a table says what names do not.
        complete: from the named groups to fields of the utterance that they do not spell out.
        readings: by reading, which of the utterances it holds; all, where none is named.
        refused: glob patterns of files that only another release has, and the sentence that
            says which.
    """

    card: CorpusCard
    pattern: str
    labels: Mapping[str, Emotion | Label]
    side_files: tuple[str, ...] = ()
    genders: Mapping[str, str] = field(default_factory=dict)
    complete: Callable[[Found], Mapping[str, Any]] | None = None
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

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(f"{_ABOVE}(?P<_own>{self.pattern})")

    @cached_property
    def _beside(self) -> re.Pattern[str]:
        return glob_expression(*_DOCUMENTS, *self.side_files)

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        """Yield every utterance and append what is wrong."""
        for place in self._places(files, problems):
            yield self._utterance(place, {"native_label": place.found.get("label") or ""})

    def _places(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[_Place]:
        for entry in files:
            match = self._expression.fullmatch(entry.path)
            if match is not None:
                yield _Place(entry.path, entry.size, match.groupdict())
            elif not self._beside.fullmatch(entry.path):
                problems.append(stray_file(self.card, entry.path))

    def _utterance(self, place: _Place, told: Mapping[str, Any]) -> Utterance:
        """Return the utterance at a place, with what was told about it elsewhere."""
        found = place.found
        fields: dict[str, Any] = {name: found.get(name) for name in _FIELDS}
        speaker, gender = fields["speaker"], fields["gender"]
        fields["speaker"] = (speaker,) if speaker else None
        fields["gender"] = GENDERS[gender.lower()] if gender else self.genders.get(speaker or "")
        fields["utterance_id"] = found.get("id") or splitext(found["_own"] or place.path)[0]
        fields.update(told)
        if self.complete is not None:
            fields.update(self.complete(found))
        return Utterance(path=place.path, size=place.size, row=place.row, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a table tells about one utterance."""

    utterance_id: str
    native_label: str
    source: str
    """The file that tells it."""
    row: int | None = None
    """Its line or row in that file, counted from 1."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the utterance."""

    @property
    def where(self) -> str:
        """The place of the annotation, for messages."""
        return self.source if self.row is None else f"{self.source}, row {self.row}"


@dataclass(frozen=True, kw_only=True)
class AnnotatedCorpus(FileNameCorpus):
    """A corpus whose labels stand in tables that are joined to its files.

    Args:
        annotations: reads the tables: one `Annotation` an utterance, and a `Problem` for each
            table that cannot be read while the rest of the corpus can. Raises CorpusError where
            nothing can be read without the table.
        unannotated: regular expressions of ids that no copy annotates, with the reason.
    """

    annotations: Callable[[CorpusFiles], Iterable[Annotation | Problem]]
    unannotated: Mapping[str, str] = field(default_factory=dict)

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        annotations: dict[str, Annotation] = {}
        for each in self.annotations(files):
            if isinstance(each, Problem):
                problems.append(each)
                continue
            first = annotations.setdefault(each.utterance_id, each)
            if (first.native_label, first.fields) != (each.native_label, each.fields):
                problems.append(_contradiction(first, each))
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
        absent = [each for key, each in annotations.items() if key not in present]
        used = {each.source for key, each in annotations.items() if key in present}
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
            message=f"no table of {self.card.title} labels it, so it was left out",
            hint="check that the annotation files are complete",
        )

    def _without_file(self, absent: Iterable[Annotation], used: set[str]) -> Iterator[Problem]:
        unused: dict[str, int] = defaultdict(int)
        for each in absent:
            reason = self.card.known_bad.get(each.utterance_id)
            if reason is not None:
                yield Problem(kind="known-bad", where=each.utterance_id, message=reason)
            elif each.source in used:
                yield Problem(
                    kind="missing-file",
                    where=each.where,
                    message=f"the file of {each.utterance_id} is not here",
                    hint="complete the copy of the corpus",
                )
            else:
                unused[each.source] += 1
        # A part of the corpus that was not unpacked is one thing to say, not thousands.
        for source, count in unused.items():
            yield Problem(
                kind="missing-file",
                where=source,
                message=f"none of the {count} files that it describes is here",
                hint="unpack the part of the corpus that holds them",
            )


@dataclass(frozen=True, kw_only=True)
class ParquetCorpus(FileNameCorpus):
    """A corpus that is distributed as Parquet files with embedded audio.

    The pattern is matched against ``<parquet file>!<path in its row>``.

    Args:
        path_column: the column with the path of the audio file that was packed.
        label_column: the column with the native label.
        text_column: the column with the words, which some releases lack.
    """

    path_column: str
    label_column: str
    text_column: str = "text"

    def _utterances(self, files: CorpusFiles, problems: list[Problem]) -> Iterator[Utterance]:
        for entry in files:
            if entry.path.endswith(".parquet"):
                yield from self._rows(files, entry.path, problems)
            elif not self._beside.fullmatch(entry.path):
                problems.append(stray_file(self.card, entry.path))

    def _rows(self, files: CorpusFiles, path: str, problems: list[Problem]) -> Iterator[Utterance]:
        needed = (self.path_column, self.label_column)
        for each in embedded_audio(files, path, needed, (self.text_column,)):
            name = f"{path}!{each.values[self.path_column]}"
            match = self._expression.fullmatch(name)
            if match is None:
                problems.append(stray_file(self.card, name))
            elif not each.size:
                problems.append(
                    Problem(
                        kind="missing-file",
                        where=name,
                        message=f"row {each.row} of {path} holds no audio",
                        hint="download the file again",
                    )
                )
            else:
                place = _Place(path, each.size, match.groupdict(), each.row)
                label = str(each.values[self.label_column] or "")
                text = " ".join(str(each.values.get(self.text_column) or "").split())
                yield self._utterance(place, {"native_label": label, "text_id": text or None})


def glob_expression(*globs: str) -> re.Pattern[str]:
    """Return one expression for paths that match any of some glob patterns below any folder.

    ``*`` stays inside one folder, ``**`` crosses folders, case means nothing.

    >>> bool(glob_expression("splits/*.txt").fullmatch("expresso/Splits/dev.txt"))
    True
    """
    parts = {r"\*\*": ".*", r"\*": "[^/!]*", r"\?": "[^/!]", r"\[": "[", r"\]": "]"}
    translated = (
        re.sub(r"\\\*\\\*|\\[*?\[\]]", lambda part: parts[part[0]], re.escape(glob))
        for glob in globs
    )
    return re.compile(f"(?:.*[/!])?(?:{'|'.join(translated)})", re.IGNORECASE)


def paths_like(files: CorpusFiles, *globs: str) -> list[str]:
    """Return the paths of a corpus that match any of some glob patterns, sorted."""
    expression = glob_expression(*globs)
    return [entry.path for entry in files if expression.fullmatch(entry.path)]


def require_paths(files: CorpusFiles, card: CorpusCard, *globs: str) -> list[str]:
    """Return the annotation files of a corpus.

    Raises:
        CorpusError: there is none.
    """
    found = paths_like(files, *globs)
    if not found:
        raise CorpusError(
            f"{files.root} has no {' or '.join(globs)}, which {card.title} needs for its labels",
            hint="keep the annotation files of the download in the corpus's folder",
        )
    return found


def refuse_foreign(files: CorpusFiles, refused: Mapping[str, str]) -> None:
    """Refuse a folder that holds another release of a corpus.

    Raises:
        CorpusError: it does.
    """
    for glob, sentence in refused.items():
        for path in paths_like(files, glob):
            raise CorpusError(f"{files.root} holds {path}: {sentence}")


def explain_nothing(files: CorpusFiles) -> None:
    """Say why a folder holds no utterance, where that can be told.

    Raises:
        CorpusError: an archive or folder in it cannot be read, or a git clone left pointers
            where the data should be.
    """
    for problem in files.problems:
        raise CorpusError(f"{problem.where}: {problem.message}", hint=problem.hint)
    for entry in files:
        if entry.size < 200 and files.read(entry.path).startswith(b"version https://git-lfs"):
            raise CorpusError(
                f"{entry.path} is a Git LFS pointer of {entry.size} bytes, not the data",
                hint="fetch the data with 'git lfs pull', or download it without git",
            )


def stray_file(card: CorpusCard, path: str) -> Problem:
    """Return the problem of a file that is neither an utterance nor known to the corpus."""
    return Problem(
        kind="stray-file",
        where=path,
        message=f"this file is not part of {card.title} as distributed",
        hint=f"remove it, or list it under datasets.{card.id}.ignore in sercore.toml",
    )


def _contradiction(first: Annotation, second: Annotation) -> Problem:
    return Problem(
        kind="duplicate",
        where=second.where,
        message=(
            f"it tells about {first.utterance_id} otherwise than {first.where}, which was believed"
        ),
        hint="keep one of the two",
    )
