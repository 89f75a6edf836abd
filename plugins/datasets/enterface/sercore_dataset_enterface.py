"""eNTERFACE'05: speakers of fourteen nations say English sentences, on video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=1293,
    classes={
        Emotion.HAPPINESS: 213,
        Emotion.SADNESS: 216,
        Emotion.DISGUST: 216,
        Emotion.FEAR: 216,
        Emotion.SURPRISE: 216,
        Emotion.ANGER: 216,
    },
)
_FEMALE = {"4", "5", "7", "26", "28", "29", "31", "33", "44"}


def _text(found: Mapping[str, str | None]) -> dict[str, str | None]:
    """Name the sentence by its emotion, inside which sentences are numbered.

    The clips of subject 6 hold all five sentences of an emotion, so they have no text of their own.
    """
    sentence = found["sentence"]
    return {"text_id": f"{found['label']}/{sentence}" if sentence else None}


ENTERFACE = FileNameCorpus(
    card=CorpusCard(
        id="enterface",
        title="eNTERFACE'05 EMOTION Database",
        language="English (non-native speakers of 14 nationalities)",
        language_code="eng",
        licence="free for research purposes only",
        access="open",
        homepage="https://enterface.net/enterface05/emotion.html",
        citation=(
            "Martin, Kotsia, Macq, Pitas: The eNTERFACE'05 Audio-Visual Emotion Database. ICDEW "
            "2006. doi:10.1109/ICDEW.2006.145"
        ),
        folders=("enterface database", "project2_database", "enterface"),
        obtain=(
            "Download project2_database.zip from the home page and unpack it into the data "
            "folder; the clips stay avi."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=44,
        fingerprint=Path(__file__).with_name("sercore_dataset_enterface_fingerprint.tsv"),
        sets=("paper",),
        downloads=(
            Download(
                filename="project2_database.zip",
                url=(
                    "https://enterface.net/enterface05/docs/results/databases/project2_database.zip"
                ),
            ),
        ),
    ),
    # Subject and emotion are those of the folders: subject 11's files are called s12_*, and more
    # names are wrong.
    pattern=(
        r"(?P<id>subject (?P<speaker>\d{1,2})/(?P<label>[^/]+)(?:/sentence (?P<sentence>\d))?)"
        r"/[^/]+\.avi"
    ),
    labels={
        "anger": Emotion.ANGER,
        "disgust": Emotion.DISGUST,
        "fear": Emotion.FEAR,
        "happiness": Emotion.HAPPINESS,
        "sadness": Emotion.SADNESS,
        "surprise": Emotion.SURPRISE,
    },
    genders={
        str(subject): "female" if str(subject) in _FEMALE else "male" for subject in range(1, 45)
    },
    complete=_text,
)

FOLDS = (
    PublishedFolds(
        corpus="enterface",
        name="emobox",
        source="emo-box/EmoBox, data/enterface/fold_1",
        refused="its one fold has all 43 speakers on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [ENTERFACE]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
