"""What a corpus is: its card, its utterances, and the interface of a plugin.

`sercore.corpora.readers` has readers for the usual layouts (file names, tables, Parquet);
`sercore.corpora.manifest` turns utterances into a manifest.
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
    from sercore.storage.workspace import Workspace

READINGS = ("paper", "corrected")
"""Named subsets of a corpus's utterances: the ones of the paper, and a corrected one (default)."""


OTHER_SET = "other"
"""The set of the corpora whose cards name no set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The number of utterances in a complete copy, and per class under the mapper `paper`."""

    utterances: int
    classes: Mapping[Emotion, int] = field(default_factory=dict)
    """Empty where only the total is known."""
    tolerance: Mapping[Emotion, int] = field(default_factory=dict)
    """Known signed differences of complete copies from `classes`: -11 means that up to eleven
    utterances may be missing."""
    tolerance_reason: str | None = None

    def admits(self, found: Mapping[Emotion, int]) -> bool:
        """Return whether class counts fit a complete copy, within the known differences."""
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
    """A file that the publisher of a corpus offers for download."""

    filename: str
    """Its name on disk."""
    url: str | None = None
    """``https://...``. None if the address is not known: the user gives it once, and the workspace
    keeps it."""
    sha256: str | None = None
    md5: str | None = None
    """The publisher's digest, hexadecimal. If none is known, the digest of the first download is
    recorded, and later ones must match it."""
    size: int | None = None
    """Bytes."""
    listing: str | None = None
    """``https://...`` of the publisher's list of files in JSON (Zenodo, Mendeley Data), which has
    size and digest, and the address if `url` is None. `filename` may be a glob pattern then."""
    is_stable: bool = True
    """Whether the publisher keeps the bytes of the file. False for archives that are built for
    every request: their digest is not recorded."""
    unpack: bool = True
    """Whether it is an archive to unpack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCard:
    """The facts about a corpus; an unknown fact is None, never a guess."""

    id: str
    """Registered name, ``[a-z0-9-]``: the plugin's folder, the end of its distribution's name, and
    the name on the command line."""
    title: str
    language: str
    language_code: str
    """ISO 639-3."""
    licence: str | None
    access: str
    """How to get it: ``open``, ``request``, ``licence``, ``built-in``, ..."""
    homepage: str | None
    citation: str | None
    folders: tuple[str, ...]
    """Usual names of its folder. Letter case and everything but letters and digits are ignored
    when they are compared."""
    obtain: str
    """One or two sentences: how to get it, and where to put it."""
    expected: Mapping[str, Counts]
    """Counts of a complete copy, by reading; empty if they are not known."""
    speakers: int | None
    """Number of speakers that the distribution identifies; None if it identifies none, or if their
    number is not known."""
    sets: tuple[str, ...] = ()
    """Named sets of corpora that it belongs to, the choices of ``--corpora``; averages are taken
    inside a set. `OTHER_SET` if it belongs to none."""
    cluster: str | None = None
    """The published out-of-domain cluster; None for none."""
    speech: str | None = None
    """How its emotions came about: ``acted``, ``elicited``, ``read``, ``acted and spontaneous``."""
    ood_eligible: bool = False
    """Whether the paper's Table 1 marks it as eligible for out-of-domain cells."""
    known_bad: Mapping[str, str] = field(default_factory=dict)
    """Ids of utterances that no copy has in a usable form, with the reason."""
    human_accuracy: float | None = None
    """Share of utterances whose label human listeners recognized, as the authors published it."""
    demo: bool = False
    """Synthetic: joins a run only by name or with ``--demo``, never an average with real ones."""
    declared: bool = False
    """Declared by the user, not registered by a plugin: it belongs to no published set."""
    downloads: tuple[Download, ...] = ()
    """Files that ``sercore fetch`` can download; empty if only the authors give access."""
    unread: tuple[str, ...] = ()
    """Glob patterns of archives, and of archive members, that the reader does not need."""
    fingerprint: Path | None = None
    """The file that describes the recordings of the published copy, see docs/health.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One utterance of a corpus on disk. A fact that the corpus does not state is None."""

    utterance_id: str
    """Stable and unique in the corpus, derived from names inside the corpus alone."""
    path: str
    """Its file: POSIX, relative to the corpus root; archive members as
    ``archive.zip!inner/name.wav``."""
    native_label: str
    size: int
    """Bytes of its audio; extraction is ordered by it."""
    row: int | None = None
    """Row of the Parquet file that embeds it."""
    start_s: float | None = None
    end_s: float | None = None
    """Time span in seconds inside a longer recording."""
    channel: int | None = None
    """The channel that holds it, counted from 0; None: the mean of all channels."""
    speaker: tuple[str, ...] | None = None
    group: str | None = None
    """A weaker grouping, for corpora that do not identify speakers."""
    group_kind: str | None = None
    """The kind of `group`: ``voice``, ``dialogue and role``, ..."""
    gender: str | None = None
    """``female``, ``male`` or ``child``."""
    text_id: str | None = None
    take: str | None = None
    intensity: str | None = None
    official_split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The utterances and problems found in a corpus's names and annotations."""

    utterances: tuple[Utterance, ...]
    problems: tuple[Problem, ...] = ()


@runtime_checkable
class Corpus(Protocol):
    """The interface of a corpus; a corpus plugin registers one."""

    @property
    def card(self) -> CorpusCard:
        """The facts about the corpus."""

    @property
    def labels(self) -> Mapping[str, Emotion | Label]:
        """The meaning of each native label."""

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read the names and annotations of the corpus, but no audio.

        Args:
            files: the corpus on disk.
            reading: one of `READINGS`.

        Raises:
            CorpusError: the folder is not this corpus, or cannot be read.
        """


@runtime_checkable
class NamedCorpus(Corpus, Protocol):
    """A corpus whose files can be recognized by their paths alone."""

    def identify(self, path: str) -> str | None:
        """Return the end of a path, without its suffix, that names an utterance in the corpus.

        That begins at the corpus's own top folder. None if the path is not that of an utterance.
        """

    def reads(self, path: str) -> bool:
        """Return whether a path is that of an utterance or of an annotation."""


def label_of(corpus: Corpus, native: str) -> Label:
    """Return the meaning of a native label in a corpus.

    Raises:
        KeyError: the corpus does not declare it.
    """
    meaning = corpus.labels[native]
    return Label(meaning) if isinstance(meaning, Emotion) else meaning


def classes_of(corpora: Iterable[Corpus]) -> frozenset[str]:
    """Return the classes under the mapper `paper` in complete copies of these corpora."""
    return frozenset(
        emotion.value
        for corpus in corpora
        for counts in [corpus.card.expected.get("paper")]
        if counts is not None
        for emotion, count in counts.classes.items()
        if count
    )


@runtime_checkable
class PlacedCorpus(Corpus, Protocol):
    """A corpus that knows its own place, as one that the user declared."""

    def find(self, *, offline: bool) -> Path:
        """Return where it is on this disk, downloaded first if it may and must be.

        Raises:
            CorpusMissingError: it is not there.
            CorpusError: it cannot be downloaded.
        """

    def open(self, place: Path, workspace: Workspace) -> CorpusFiles:
        """Return its files.

        Raises:
            CorpusError: they cannot be read.
        """

    def stamp(self, place: Path) -> str:
        """Return a digest of all that its utterances depend on beside its files."""


@runtime_checkable
class GeneratedCorpus(Corpus, Protocol):
    """A corpus that can generate its files."""

    def write(self, root: Path) -> None:
        """Write every file of the corpus below an empty folder."""
