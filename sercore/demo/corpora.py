"""Three small synthetic corpora that differ like real corpora.

A corpus is a `Cast` (speakers, sentences and takes) under `Conditions` (strength of expression and
properties of the recording). The conditions create the domain shift: change one of them, write the
corpus again, and the out-of-domain scores change.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Counts
from sercore.corpora.interface import Scan
from sercore.corpora.labels import Emotion
from sercore.corpora.readers import FileNameCorpus
from sercore.demo.prosody import RULES
from sercore.demo.script import Conditions
from sercore.demo.script import Line

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.corpora.files import CorpusFiles

_LABELS: Mapping[str, Emotion] = {emotion.value: emotion for emotion in RULES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Speakers, sentences and takes of a corpus."""

    speakers: tuple[str, ...]
    """Names; their first letter is the gender, ``f`` or ``m``."""
    sentences: tuple[str, ...]
    takes: Mapping[Emotion, int]
    """Number of takes by emotion, for every speaker and sentence."""

    def __iter__(self) -> Iterator[Line]:
        """Iterate over all lines in a fixed order."""
        for speaker in self.speakers:
            for emotion, takes in self.takes.items():
                for sentence in self.sentences:
                    for take in range(1, takes + 1):
                        yield Line(speaker, emotion, sentence, f"t{take}")

    @property
    def counts(self) -> Counts:
        """Number of utterances of the corpus, in total and by class."""
        lines_per_take = len(self.speakers) * len(self.sentences)
        classes = {emotion: lines_per_take * takes for emotion, takes in self.takes.items()}
        return Counts(utterances=sum(classes.values()), classes=classes)


@dataclass(frozen=True)
class DemoCorpus:
    """A synthetic corpus: written as wav files, then read like any other corpus.

    Args:
        id: registered name.
        title: name for display.
        cast: speakers, sentences and takes.
        conditions: strength of expression and properties of the recording.
    """

    id: str
    title: str
    cast: Cast
    conditions: Conditions = field(default_factory=Conditions)

    @cached_property
    def card(self) -> CorpusCard:
        """The facts about the corpus."""
        counts = self.cast.counts
        return CorpusCard(
            id=self.id,
            title=self.title,
            language="synthetic (no language)",
            language_code="zxx",
            licence="Apache-2.0",
            access="built-in",
            homepage=None,
            citation=None,
            folders=(self.id,),
            obtain="sercore writes this corpus when it is named, or with --demo.",
            expected={"paper": counts, "corrected": counts},
            speakers=len(self.cast.speakers),
            cluster="demo",
            ood_eligible=True,
            demo=True,
        )

    @property
    def labels(self) -> Mapping[str, Emotion]:
        """Emotions by native label."""
        return _LABELS

    @cached_property
    def _reader(self) -> FileNameCorpus:
        return FileNameCorpus(
            card=self.card,
            pattern=(
                r"[fm]\d/(?P<id>(?P<speaker>(?P<gender>[fm])\d)_(?P<label>[a-z]+)"
                r"_(?P<text_id>s\d)_(?P<take>t\d))\.wav"
            ),
            labels=_LABELS,
        )

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read the names of the files. See `sercore.corpora.interface.Corpus.scan`."""
        return self._reader.scan(files, reading)

    def write(self, root: Path) -> None:
        """Write all recordings (mono wav, 16 kHz, 16 bit) into an empty folder.

        On one machine the bytes are always the same: random numbers are seeded with the names of
        the corpus and the line.

        Args:
            root: an empty folder.

        Raises:
            WorkspaceError: a file cannot be written.
        """
        from sercore.demo.voice import wav_bytes
        from sercore.storage.workspace import Workspace

        folder = Workspace(root)
        for line in self.cast:
            folder.write_bytes(line.path, wav_bytes(self.id, line, self.conditions))


DEMO_CORPORA: tuple[DemoCorpus, ...] = (
    DemoCorpus(
        id="demo-studio",
        title="Demo studio",
        cast=Cast(
            speakers=("f1", "f2", "f3", "m1", "m2", "m3"),
            sentences=("s1", "s2"),
            takes=dict.fromkeys(RULES, 2),
        ),
    ),
    DemoCorpus(
        id="demo-stage",
        title="Demo stage",
        cast=Cast(
            speakers=("f4", "f5", "f6", "m4", "m5", "m6"),
            sentences=("s3", "s4"),
            takes=dict.fromkeys(RULES, 2),
        ),
        conditions=Conditions(
            strength=1.4,
            spontaneity=0.2,
            rate=0.92,
            gain=2.0,
            tilt=0.4,
            reverberation=0.35,
            noise=-66.0,
        ),
    ),
    DemoCorpus(
        id="demo-street",
        title="Demo street",
        cast=Cast(
            speakers=("f7", "f8", "f9", "m7", "m8", "m9"),
            sentences=("s6", "s7"),
            # Like in spontaneous speech, strong emotions are rarer than a neutral voice.
            takes={
                Emotion.HAPPINESS: 2,
                Emotion.SADNESS: 2,
                Emotion.DISGUST: 1,
                Emotion.FEAR: 1,
                Emotion.SURPRISE: 1,
                Emotion.ANGER: 2,
                Emotion.NEUTRAL: 3,
            },
        ),
        conditions=Conditions(
            strength=1.15,
            spontaneity=0.2,
            rate=1.08,
            gain=-1.0,
            band=(120.0, 5500.0),
            noise=-60.0,
        ),
    ),
)
"""A quiet studio, a reverberant stage with exaggerated acting, and a noisy street."""
