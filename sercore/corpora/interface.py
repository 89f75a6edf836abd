"""What a corpus is: its card, its utterances, and what a plugin must offer.

How the usual kinds of corpus are read (by file name, by table, inside archives) is in
`sercore.corpora.readers`; how utterances become a manifest in `sercore.corpora.manifest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Protocol
from typing import runtime_checkable

from sercore.corpora.labels import Emotion
from sercore.corpora.labels import Label

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.problems import Problem

READINGS = ("paper", "corrected")
"""Which utterances: the paper's own, or what a careful user wants (the default)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many utterances a complete copy holds, and in which classes under the mapper `paper`."""

    utterances: int
    classes: Mapping[Emotion, int] = field(default_factory=dict)
    """Empty where only the total is known."""
    tolerance: Mapping[Emotion, int] = field(default_factory=dict)
    """By how much complete copies are known to differ from `classes`, with the sign: -11 says
    that up to eleven may be missing."""
    tolerance_reason: str | None = None

    def admits(self, found: Mapping[Emotion, int]) -> bool:
        """Whether class counts are those of a complete copy, known differences included."""
        if not self.classes:
            return sum(found.values()) == self.utterances
        for emotion in Emotion:
            known = self.tolerance.get(emotion, 0)
            differs = found.get(emotion, 0) - self.classes.get(emotion, 0)
            if not min(known, 0) <= differs <= max(known, 0):
                return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that the publisher of a corpus offers to everybody."""

    filename: str
    """What it is called, there and on disk."""
    url: str | None = None
    """``https://...``. None where the home page leads to the file and its address is not known
    for certain: the user gives it once, and the workspace remembers it."""
    sha256: str | None = None
    md5: str | None = None
    """The publisher's digest, hexadecimal. Where neither is known, the digest of the first
    download is recorded, and later ones must agree."""
    size: int | None = None
    """Bytes."""
    unpack: bool = True
    """Whether it is an archive whose content is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCard:
    """The facts about a corpus; what is not known is None, never a guess."""

    id: str
    """Registered name, ``[a-z0-9-]``: folder, end of the distribution, command-line name."""
    title: str
    language: str
    language_code: str
    """ISO 639-3."""
    licence: str | None
    access: str
    """How it is obtained: ``open``, ``request``, ``licence``, ``built-in``, ..."""
    homepage: str | None
    citation: str | None
    folders: tuple[str, ...]
    """The names its folder usually has, as distributed; compared without case."""
    obtain: str
    """One or two sentences: how to get it and where to put it."""
    expected: Mapping[str, Counts]
    """Counts of a complete copy, by reading."""
    speakers: int | None
    """Number of speakers that the distribution identifies; None where it identifies none."""
    cluster: str | None = None
    """The published out-of-domain cluster it belongs to; None for none."""
    ood_eligible: bool = False
    """Whether the paper's Table 1 marks it eligible for out-of-domain cells."""
    known_bad: Mapping[str, str] = field(default_factory=dict)
    """Utterance ids that every copy has and nobody can use, with the reason."""
    demo: bool = False
    """Synthetic: joins a run only by name or with ``--demo``, never an average with real ones."""
    downloads: tuple[Download, ...] = ()
    """What ``sercore fetch`` may download; empty where it can only tell how to ask."""
    unread: tuple[str, ...] = ()
    """Glob patterns of archives, and of archive members, that hold nothing that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One utterance of a corpus on disk. What the corpus does not tell is None."""

    utterance_id: str
    """Stable and unique in the corpus, derived from names inside the corpus alone."""
    path: str
    """The file that holds it: POSIX, relative to the corpus root, archive members as
    ``archive.zip!inner/name.wav``."""
    native_label: str
    size: int
    """Bytes of its audio; the order of extraction follows it."""
    row: int | None = None
    """Row of the parquet file that embeds it."""
    start_s: float | None = None
    end_s: float | None = None
    """Time span in seconds inside a longer recording."""
    channel: int | None = None
    """The one channel that holds it; None means the mean of all."""
    speaker: tuple[str, ...] | None = None
    group: str | None = None
    """A weaker grouping where speakers are not told."""
    group_kind: str | None = None
    """What `group` is: ``voice``, ``dialogue and role``, ..."""
    gender: str | None = None
    """``female``, ``male`` or ``child``."""
    text_id: str | None = None
    take: str | None = None
    intensity: str | None = None
    official_split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What reading a corpus's names and annotations found."""

    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()


@runtime_checkable
class Corpus(Protocol):
    """What a corpus plugin registers."""

    @property
    def card(self) -> CorpusCard:
        """The facts about the corpus."""

    @property
    def labels(self) -> Mapping[str, Emotion | Label]:
        """What each native label means."""

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read names and annotations (no audio) of the corpus.

        Args:
            files: the corpus on disk; the only way to list and open anything.
            reading: one of `READINGS`.

        Raises:
            CorpusError: the folder is not this corpus, or cannot be read at all.
        """


def label_of(corpus: Corpus, native: str) -> Label:
    """Return what a native label means in a corpus.

    Raises:
        KeyError: the corpus does not declare it.
    """
    meaning = corpus.labels[native]
    return Label(meaning) if isinstance(meaning, Emotion) else meaning


def classes_of(corpora: Iterable[Corpus]) -> frozenset[str]:
    """Return the classes of the mapper `paper` that occur in complete copies of these corpora."""
    return frozenset(
        emotion.value
        for corpus in corpora
        for emotion, count in corpus.card.expected["paper"].classes.items()
        if count
    )


@runtime_checkable
class GeneratedCorpus(Corpus, Protocol):
    """A corpus that can write itself to disk instead of being downloaded."""

    def write(self, root: Path) -> None:
        """Write every file of the corpus below an empty folder."""
