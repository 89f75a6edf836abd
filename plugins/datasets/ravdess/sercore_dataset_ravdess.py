"""RAVDESS, speech: 24 actors say two English sentences in eight emotions."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import Label
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

# Counts per label: EmoBox, data/ravdess/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=1440,
    classes={
        Emotion.HAPPINESS: 192,
        Emotion.SADNESS: 192,
        Emotion.DISGUST: 192,
        Emotion.FEAR: 192,
        Emotion.SURPRISE: 192,
        Emotion.ANGER: 192,
        Emotion.NEUTRAL: 288,
    },
)

_ACTORS = tuple(f"{actor:02}" for actor in range(1, 25))

RAVDESS = FileNameCorpus(
    card=CorpusCard(
        id="ravdess",
        title="RAVDESS (Ryerson Audio-Visual Database of Emotional Speech and Song), speech",
        language="English",
        language_code="eng",
        licence="CC BY-NC-SA 4.0",
        access="open",
        homepage="https://zenodo.org/record/1188976",
        citation=(
            "Livingstone, Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song "
            "(RAVDESS). PLoS ONE 13(5): e0196391, 2018. doi:10.1371/journal.pone.0196391"
        ),
        folders=("RAVDESS", "Audio_Speech_Actors_01-24"),
        obtain=(
            "'sercore fetch ravdess' downloads Audio_Speech_Actors_01-24.zip from Zenodo; or "
            "unpack it into a folder 'RAVDESS' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=24,
        sets=("extended",),
        downloads=(
            Download(
                filename="Audio_Speech_Actors_01-24.zip",
                url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
                md5="bc696df654c87fed845eb13823edef8a",
                size=208_468_073,
            ),
        ),
    ),
    # Modality 03 is audio alone, channel 01 is speech.
    pattern=(
        r"(?P<id>03-01-(?P<label>\d{2})-(?P<intensity>\d{2})-(?P<text_id>\d{2})-(?P<take>\d{2})"
        r"-(?P<speaker>\d{2}))\.wav"
    ),
    labels={
        "01": Emotion.NEUTRAL,
        "02": Label(Emotion.NEUTRAL, concept="calm"),
        "03": Emotion.HAPPINESS,
        "04": Emotion.SADNESS,
        "05": Emotion.ANGER,
        "06": Emotion.FEAR,
        "07": Emotion.DISGUST,
        "08": Emotion.SURPRISE,
    },
    side_files=("03-02-*", "01-0?-*", "02-0?-*"),
    genders={actor: "male" if int(actor) % 2 else "female" for actor in _ACTORS},
)

FOLDS = (
    PublishedFolds(
        corpus="ravdess",
        name="audb",
        source="audeering/datasets, datasets/ravdess/1.1.0/create.py",
        test=(("21", "22", "23", "24"),),
        # Its parts 'train' and 'dev'.
        train=_ACTORS[:20],
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [RAVDESS]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
