"""TESS: two actresses say two hundred words in seven emotions."""

from __future__ import annotations

from collections.abc import Mapping

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

# Counts per label: EmoBox, data/tess/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=2800,
    classes={
        Emotion.HAPPINESS: 400,
        Emotion.SADNESS: 400,
        Emotion.DISGUST: 400,
        Emotion.FEAR: 400,
        Emotion.SURPRISE: 400,
        Emotion.ANGER: 400,
        Emotion.NEUTRAL: 400,
    },
)


def _female(found: Mapping[str, str | None]) -> dict[str, object]:
    del found  # both speakers are women
    return {"gender": "female"}


TESS = FileNameCorpus(
    card=CorpusCard(
        id="tess",
        title="TESS (Toronto Emotional Speech Set)",
        language="English",
        language_code="eng",
        licence="CC BY-NC-ND 4.0",
        access="open",
        homepage="https://tspace.library.utoronto.ca/handle/1807/24487",
        citation=(
            "Pichora-Fuller, Dupuis: Toronto emotional speech set (TESS). Scholars Portal "
            "Dataverse, V1, 2020. doi:10.5683/SP2/E8H2MF"
        ),
        folders=("TESS", "TESS Toronto emotional speech set data"),
        obtain=(
            "'sercore fetch tess' downloads TESS_Toronto_emotional_speech_set.zip; or unpack a "
            "copy into a folder 'TESS' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=2,
        sets=("extended",),
        downloads=(
            Download(
                filename="TESS_Toronto_emotional_speech_set.zip",
                url="https://bj.bcebos.com/paddleaudio/datasets/TESS_Toronto_emotional_speech_set.zip",
                md5="1465311b24d1de704c4c63e4ccc470c7",
            ),
        ),
    ),
    pattern=r"(?P<id>(?P<speaker>OAF|YAF)_(?P<text_id>[a-z]+)_(?P<label>[a-z]+))\.wav",
    labels={
        "angry": Emotion.ANGER,
        "disgust": Emotion.DISGUST,
        "fear": Emotion.FEAR,
        "happy": Emotion.HAPPINESS,
        "neutral": Emotion.NEUTRAL,
        "ps": Emotion.SURPRISE,
        "sad": Emotion.SADNESS,
    },
    complete=_female,
)

FOLDS = (
    PublishedFolds(
        corpus="tess",
        name="emobox",
        source="emo-box/EmoBox, data/tess/fold_1",
        refused="its one fold has both speakers (OAF, YAF) on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [TESS]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
