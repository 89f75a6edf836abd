"""URDU-Dataset: four emotions from Urdu talk shows."""

from __future__ import annotations

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
    utterances=400,
    classes={
        Emotion.HAPPINESS: 100,
        Emotion.SADNESS: 100,
        Emotion.ANGER: 100,
        Emotion.NEUTRAL: 100,
    },
)

URDU = FileNameCorpus(
    card=CorpusCard(
        id="urdu",
        title="URDU-Dataset",
        language="Urdu",
        language_code="urd",
        licence="no licence file; the readme allows use for research only",
        access="open",
        homepage="https://github.com/siddiquelatif/URDU-Dataset",
        citation=(
            "Latif, Qayyum, Usman, Qadir: Cross Lingual Speech Emotion Recognition: Urdu vs. "
            "Western Languages. FIT 2018, pp. 88-93. doi:10.1109/FIT.2018.00023"
        ),
        folders=("URDU-Dataset-master", "URDU-Dataset", "urdu"),
        obtain="Download the GitHub repository as a zip and unpack it into the data folder.",
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=29,
        fingerprint=Path(__file__).with_name("sercore_dataset_urdu_fingerprint.tsv"),
        sets=("paper",),
        cluster="four-class",
        downloads=(
            Download(
                filename="URDU-Dataset-master.zip",
                url="https://github.com/siddiquelatif/URDU-Dataset/archive/refs/heads/master.zip",
                is_stable=False,
            ),
        ),
    ),
    # The letter is read from the name: the folder says the same for all 400 files.
    pattern=(
        r"(?P<id>(?:Angry|Happy|Neutral|Sad)/(?P<speaker>S(?P<gender>[MF])\d{1,2})"
        r"_F(?P<take>\d{1,2})_(?P<label>[A-Z])\d{2,4})\.wav"
    ),
    labels={
        "A": Emotion.ANGER,
        "H": Emotion.HAPPINESS,
        "N": Emotion.NEUTRAL,
        "S": Emotion.SADNESS,
    },
)

FOLDS = (
    PublishedFolds(
        corpus="urdu",
        name="emobox",
        source="emo-box/EmoBox, data/urdu/fold_1",
        refused="its one fold has 18 of 29 speakers on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [URDU]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
