"""CREMA-D: 91 actors say twelve English sentences in six emotions."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

# Counts per label: EmoBox, data/cremad/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=7442,
    classes={
        Emotion.HAPPINESS: 1271,
        Emotion.SADNESS: 1271,
        Emotion.DISGUST: 1271,
        Emotion.FEAR: 1271,
        Emotion.ANGER: 1271,
        Emotion.NEUTRAL: 1087,
    },
)

CREMA_D = FileNameCorpus(
    card=CorpusCard(
        id="crema-d",
        title="CREMA-D (Crowd-sourced Emotional Multimodal Actors Dataset)",
        language="English",
        language_code="eng",
        licence="ODbL 1.0; contents DbCL 1.0",
        access="open",
        homepage="https://github.com/CheyneyComputerScience/CREMA-D",
        citation=(
            "Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D. IEEE Transactions on Affective "
            "Computing 5(4), 2014, pp. 377-390. doi:10.1109/TAFFC.2014.2336244"
        ),
        folders=("CREMA-D", "AudioWAV"),
        obtain=(
            "Clone the repository of the home page with Git LFS, or copy its folder AudioWAV into "
            "a folder 'CREMA-D' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=91,
        sets=("extended",),
        unread=("*AudioMP3*", "*VideoFlash*"),
    ),
    # The repository holds every recording a second time, as MP3 and as video.
    pattern=(
        r"(?<!AudioMP3/)(?<!VideoFlash/)"
        r"(?P<id>(?P<speaker>1\d{3})_(?P<text_id>[A-Z]{3})_(?P<label>[A-Z]{3})"
        r"_(?P<intensity>[A-Z]{1,2}))\.wav"
    ),
    labels={
        "ANG": Emotion.ANGER,
        "DIS": Emotion.DISGUST,
        "FEA": Emotion.FEAR,
        "HAP": Emotion.HAPPINESS,
        "NEU": Emotion.NEUTRAL,
        "SAD": Emotion.SADNESS,
    },
    side_files=("AudioMP3/*", "VideoFlash/*", "processedResults/*", "*.csv", "*.R", "*.txt"),
)

_TESTED = (
    *(1048, 1069, 1071, 1074, 1076, 1077, 1078, 1079, 1082, 1083, 1084),
    *(1086, 1087, 1088, 1089, 1090, 1091),
)

FOLDS = (
    PublishedFolds(
        corpus="crema-d",
        name="audb",
        source="audeering/datasets, datasets/crema-d/1.1.0/speaker_splits.json",
        test=(tuple(map(str, _TESTED)),),
        # Its parts 'train' and 'dev'.
        train=tuple(str(actor) for actor in range(1001, 1092) if actor not in _TESTED),
    ),
    PublishedFolds(
        corpus="crema-d",
        name="emobox",
        source="emo-box/EmoBox, data/cremad/fold_1",
        refused="its one fold has all 91 speakers on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [CREMA_D]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
