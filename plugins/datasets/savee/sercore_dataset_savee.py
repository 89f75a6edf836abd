"""SAVEE: four English men in seven emotions."""

from __future__ import annotations

from collections.abc import Mapping

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

# Counts per label: EmoBox, data/savee/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=480,
    classes={
        Emotion.HAPPINESS: 60,
        Emotion.SADNESS: 60,
        Emotion.DISGUST: 60,
        Emotion.FEAR: 60,
        Emotion.SURPRISE: 60,
        Emotion.ANGER: 60,
        Emotion.NEUTRAL: 120,
    },
)


def _same_in_all_copies(found: Mapping[str, str | None]) -> dict[str, object]:
    """Name the utterance as in the authors' folders; sentences are numbered inside an emotion."""
    sentence = f"{found['label']}{found['sentence']}"
    return {
        "utterance_id": f"{found['speaker']}/{sentence}",
        "text_id": sentence,
        "gender": "male",
    }


SAVEE = FileNameCorpus(
    card=CorpusCard(
        id="savee",
        title="SAVEE (Surrey Audio-Visual Expressed Emotion)",
        language="English",
        language_code="eng",
        licence=None,
        access="request",
        homepage="http://personal.ee.surrey.ac.uk/Personal/P.Jackson/SAVEE/Register.html",
        citation=(
            "Haq, Jackson: Speaker-Dependent Audio-Visual Emotion Recognition. AVSP 2009, pp. 53-58"
        ),
        folders=("SAVEE", "AudioData"),
        obtain=(
            "Register on the home page, download AudioData and unpack it into a folder 'SAVEE' of "
            "the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=4,
        sets=("extended",),
    ),
    # A folder for each speaker, or, in copies, the speaker before the name.
    pattern=r"(?P<speaker>DC|JE|JK|KL)[/_](?P<label>[a-z]{1,2})(?P<sentence>\d{2})\.wav",
    labels={
        "a": Emotion.ANGER,
        "d": Emotion.DISGUST,
        "f": Emotion.FEAR,
        "h": Emotion.HAPPINESS,
        "n": Emotion.NEUTRAL,
        "sa": Emotion.SADNESS,
        "su": Emotion.SURPRISE,
    },
    side_files=("Info.txt",),
    complete=_same_in_all_copies,
)

FOLDS = (
    PublishedFolds(
        corpus="savee",
        name="emobox",
        source="emo-box/EmoBox, data/savee/fold_1 to fold_4",
        test=(("JE",), ("KL",), ("DC",), ("JK",)),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [SAVEE]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
