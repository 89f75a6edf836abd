"""IEMOCAP: five dialogue sessions of two actors each, scripted and improvised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sercore import AnnotatedCorpus
from sercore import Annotation
from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import Label
from sercore import LabelMapper
from sercore import PublishedFolds
from sercore import Utterance
from sercore import decode_text
from sercore import hookimpl
from sercore import paths_like
from sercore import require_paths

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

NO_AGREEMENT = "xxx"
"""The label of utterances about which the annotators do not agree; they are left out."""

# Counts per label: hap 595, exc 1041, sad 1084, ang 1103, neu 1708, fru 1849, sur 107, fea 40,
# dis 2, oth 3, and 2507 xxx; tae898/multimodal-datasets, IEMOCAP/dataset-stats.md, and for the
# first five EmoBox, data/iemocap/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=7532,
    classes={
        Emotion.HAPPINESS: 595 + 1041,
        Emotion.SADNESS: 1084,
        Emotion.DISGUST: 2,
        Emotion.FEAR: 40,
        Emotion.SURPRISE: 107,
        Emotion.ANGER: 1103,
        Emotion.OTHER: 1849 + 3,
        Emotion.NEUTRAL: 1708,
    },
)

_CARD = CorpusCard(
    id="iemocap",
    title="IEMOCAP (Interactive Emotional Dyadic Motion Capture)",
    language="English",
    language_code="eng",
    licence="USC licence form",
    access="request",
    homepage="https://sail.usc.edu/iemocap/iemocap_release.htm",
    citation=(
        "Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee, Narayanan: IEMOCAP: interactive "
        "emotional dyadic motion capture database. Language Resources and Evaluation 42, 2008, "
        "pp. 335-359. doi:10.1007/s10579-008-9076-6"
    ),
    folders=("IEMOCAP_full_release", "IEMOCAP"),
    obtain=(
        "Send the licence form of the home page to USC and unpack the release into a folder "
        "'IEMOCAP_full_release' of the data folder; of each session the folders sentences/wav, "
        "dialog/EmoEvaluation and dialog/transcriptions are needed."
    ),
    expected={"paper": _COUNTS, "corrected": _COUNTS},
    speakers=10,
    sets=("extended",),
    unread=("*/dialog/avi/*", "*/dialog/MOCAP_*/*", "*/sentences/MOCAP_*/*", "*/dialog/wav/*"),
)

# Start and end, the name of the turn, its label, and three ratings:
# "[140.2250 - 145.6000]  Ses01F_impro05_F019  ang  [1.5000, 4.0000, 4.5000]".
_TURN = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(?P<id>Ses\w+)\s+(?P<label>[a-z]{3})\s")
# The name of the turn, [start-end]: and its words.
_WORDS = re.compile(r"(?P<id>Ses\w+) \[[\d.-]+\]:(?P<words>.*)")


def _annotations(files: CorpusFiles) -> Iterator[Annotation]:
    texts = {
        found["id"]: " ".join(found["words"].split())
        for path in paths_like(files, "dialog/transcriptions/Ses*.txt")
        for found in map(_WORDS.match, decode_text(files.read(path)).splitlines())
        if found is not None
    }
    for path in require_paths(files, _CARD, "dialog/EmoEvaluation/Ses*.txt"):
        lines = decode_text(files.read(path)).splitlines()
        for number, line in enumerate(lines, start=1):
            found = _TURN.match(line)
            if found is not None:
                yield Annotation(
                    utterance_id=found["id"],
                    native_label=found["label"],
                    source=path,
                    row=number,
                    fields={"text_id": texts.get(found["id"]) or None},
                )


def _speaker(found: Mapping[str, str | None]) -> dict[str, object]:
    """Return the speaker: the session, and which of its two actors speaks."""
    return {"speaker": (f"Ses{found['session']}{found['gender']}",)}


def _agreed(utterances: tuple[Utterance, ...]) -> Iterator[Utterance]:
    return (one for one in utterances if one.native_label != NO_AGREEMENT)


IEMOCAP = AnnotatedCorpus(
    card=_CARD,
    pattern=(r"(?P<id>Ses(?P<session>\d{2})[FM]_(?:impro|script)\w+_(?P<gender>[FM])\d{3})\.wav"),
    labels={
        "ang": Emotion.ANGER,
        "dis": Emotion.DISGUST,
        # The usual rule of four classes: excitement counts as happiness.
        "exc": Label(Emotion.HAPPINESS, concept="excitement"),
        "fea": Emotion.FEAR,
        "fru": Label(Emotion.OTHER, concept="frustration"),
        "hap": Emotion.HAPPINESS,
        "neu": Emotion.NEUTRAL,
        "oth": Emotion.OTHER,
        "sad": Emotion.SADNESS,
        "sur": Emotion.SURPRISE,
    },
    side_files=(
        *("dialog/**", "Documentation/**", "sentences/ForcedAlignment/**", "sentences/MOCAP_*/**"),
        "*.txt",
    ),
    complete=_speaker,
    readings={"paper": _agreed, "corrected": _agreed},
    annotations=_annotations,
)

_FOUR = (Emotion.HAPPINESS, Emotion.SADNESS, Emotion.ANGER, Emotion.NEUTRAL)


def _plain_four(label: Label) -> str | None:
    return label.paper if label.concept is None and label.paper in _FOUR else None


PLAIN_FOUR = LabelMapper(
    id="four-class-plain",
    summary="anger, happiness, neutral and sadness alone: excitement and other finer states are "
    "left out",
    classes=tuple(_FOUR),
    map=_plain_four,
)

FOLDS = (
    PublishedFolds(
        corpus="iemocap",
        name="emobox",
        source="emo-box/EmoBox, data/iemocap/fold_1 to fold_5: one session out",
        test=tuple((f"Ses0{session}F", f"Ses0{session}M") for session in range(1, 6)),
    ),
)


@hookimpl
def sercore_corpora() -> list[AnnotatedCorpus]:
    return [IEMOCAP]


@hookimpl
def sercore_label_mappers() -> list[LabelMapper]:
    return [PLAIN_FOUR]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
