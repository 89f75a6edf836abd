"""ShEMO: Persian speech of 87 speakers."""

from __future__ import annotations

from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import Label
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=3000,
    classes={
        Emotion.HAPPINESS: 201,
        Emotion.SADNESS: 449,
        Emotion.SURPRISE: 225,
        Emotion.ANGER: 1059,
        Emotion.OTHER: 38,
        Emotion.NEUTRAL: 1028,
    },
)

_REPOSITORY = "https://github.com/pariajm/sharif-emotional-speech-database/blob/master"

SHEMO = FileNameCorpus(
    card=CorpusCard(
        id="shemo",
        title="ShEMO (Sharif Emotional Speech Database)",
        language="Persian",
        language_code="fas",
        licence="free for academic purposes, says the readme",
        access="open",
        homepage="https://github.com/mansourehk/ShEMO",
        citation=(
            "Mohamad Nezami, Jamshid Lou, Karami: ShEMO. Language Resources and Evaluation 53(1), "
            "1-16, 2019. doi:10.1007/s10579-018-9427-x"
        ),
        folders=("ShEMO", "ShEMO-master"),
        obtain=(
            "Download female.zip and male.zip from the home page (a git clone without LFS holds "
            "only pointers) and unpack both into a folder 'ShEMO' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=87,
        fingerprint=Path(__file__).with_name("sercore_dataset_shemo_fingerprint.tsv"),
        sets=("paper",),
        downloads=(
            Download(
                filename="female.zip",
                url=f"{_REPOSITORY}/female.zip?raw=true",
                sha256="663d8d7dceb44adbbf87d84be3a080fb691d169fbd972f6941e6302bc39f71e6",
                size=374_368_830,
            ),
            Download(
                filename="male.zip",
                url=f"{_REPOSITORY}/male.zip?raw=true",
                sha256="747670d0d918e59d5e5020cf66610242890b093d42968c467c4f02eb5e6a6b1a",
                size=496_606_401,
            ),
        ),
        unread=("*transcript.zip",),
    ),
    # The letter F is female in the first place and fear in the fourth.
    pattern=r"(?P<id>(?P<speaker>(?P<gender>[FM])\d{2})(?P<label>[A-Z])\d{2})\.wav",
    labels={
        "A": Emotion.ANGER,
        "F": Label(Emotion.OTHER, corrected=Emotion.FEAR),
        "H": Emotion.HAPPINESS,
        "N": Emotion.NEUTRAL,
        "S": Emotion.SADNESS,
        "W": Emotion.SURPRISE,
    },
    side_files=("transcript.zip", "*.ort", "*.tra"),
)

FOLDS = (
    PublishedFolds(
        corpus="shemo",
        name="emobox",
        source="emo-box/EmoBox, data/shemo/fold_1",
        refused="its one fold has 83 of 87 speakers on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [SHEMO]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
