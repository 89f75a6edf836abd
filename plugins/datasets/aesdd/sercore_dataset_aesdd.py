"""AESDD: six Greek speakers act five emotions."""

from __future__ import annotations

from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=604,
    classes={
        Emotion.HAPPINESS: 119,
        Emotion.SADNESS: 122,
        Emotion.DISGUST: 122,
        Emotion.FEAR: 120,
        Emotion.ANGER: 121,
    },
)

AESDD = FileNameCorpus(
    card=CorpusCard(
        id="aesdd",
        title="AESDD (Acted Emotional Speech Dynamic Database)",
        language="Greek",
        language_code="ell",
        speech="acted",
        licence=None,
        access="open",
        homepage="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
        citation=(
            "Vryzas, Kotsakis, Liatsou, Dimoulas, Kalliris. J. Audio Eng. Soc. 66(6), 457-467, "
            "2018. doi:10.17743/jaes.2018.0036"
        ),
        folders=("Acted Emotional Speech Dynamic Database", "AESDD"),
        obtain="Download the archive named on the home page and unpack it into the data folder.",
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=6,
        fingerprint=Path(__file__).with_name("sercore_dataset_aesdd_fingerprint.tsv"),
        sets=("paper",),
        known_bad={"sadness/s05 (3)": "the file has no audio data and cannot be decoded"},
    ),
    # Some names write the speaker as (01), and nine of speaker 5 have a take after the speaker.
    pattern=(
        r"(?P<id>(?:anger|disgust|fear|happiness|sadness)/(?P<label>[a-z])(?P<text_id>\d{2}) "
        r"\(0?(?P<speaker>\d)\)(?P<take>[a-z])?)\.wav"
    ),
    labels={
        "a": Emotion.ANGER,
        "d": Emotion.DISGUST,
        "f": Emotion.FEAR,
        "h": Emotion.HAPPINESS,
        "s": Emotion.SADNESS,
    },
    side_files=("Tools and Documentation/**",),
    genders=dict.fromkeys(("1", "2", "5"), "female") | dict.fromkeys(("3", "4", "6"), "male"),
)

FOLDS = (
    PublishedFolds(
        corpus="aesdd",
        name="emobox",
        source="emo-box/EmoBox, data/aesdd/fold_1",
        refused="its one fold has all six speakers that it knows on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [AESDD]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
