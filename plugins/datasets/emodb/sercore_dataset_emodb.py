"""EmoDB: the Berlin Database of Emotional Speech."""

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
    utterances=535,
    classes={
        Emotion.HAPPINESS: 71,
        Emotion.SADNESS: 143,
        Emotion.DISGUST: 46,
        Emotion.FEAR: 69,
        Emotion.ANGER: 127,
        Emotion.NEUTRAL: 79,
    },
)

EMODB = FileNameCorpus(
    card=CorpusCard(
        id="emodb",
        title="EmoDB (Berlin Database of Emotional Speech)",
        language="German",
        language_code="deu",
        licence="CC-BY-4.0 (Zenodo record of the audformat release); none on the home page",
        access="open",
        homepage="http://emodb.bilderbar.info/",
        citation=(
            "Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: A Database of German Emotional "
            "Speech. Interspeech 2005, pp. 1517-1520. doi:10.21437/Interspeech.2005-446"
        ),
        folders=("emodb", "EmoDB"),
        obtain=(
            "'sercore fetch emodb' downloads the release 1.3.0 of 535 files from Zenodo. "
            "download.zip from the home page has the same files: unpack it into a folder 'emodb' "
            "of the data folder. emodb_2.0 has 816 files and is not the corpus of the paper."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=10,
        fingerprint=Path(__file__).with_name("sercore_dataset_emodb_fingerprint.tsv"),
        sets=("paper",),
        downloads=(
            Download(
                filename="emodb.zip",
                url="https://zenodo.org/records/7447302/files/emodb.zip",
                md5="9d21362dbc5676ef3ab4745d83ced0db",
                size=39_981_818,
            ),
        ),
        cluster="six-class",
    ),
    pattern=(
        r"(?P<id>(?P<speaker>\d{2})(?P<text_id>[ab]\d{2})(?P<label>[A-Z])(?P<take>[a-z]))\.wav"
    ),
    labels={
        "W": Emotion.ANGER,
        "L": Label(Emotion.SADNESS, concept="boredom"),
        "E": Emotion.DISGUST,
        "A": Emotion.FEAR,
        "F": Emotion.HAPPINESS,
        "T": Emotion.SADNESS,
        "N": Emotion.NEUTRAL,
    },
    side_files=("lablaut/**", "silb/**", "labsilb/**", "*.txt", "db.*", "header.yaml"),
    genders=dict.fromkeys(("03", "10", "11", "12", "15"), "male")
    | dict.fromkeys(("08", "09", "13", "14", "16"), "female"),
)

FOLDS = (
    PublishedFolds(
        corpus="emodb",
        name="audb",
        source="audeering/datasets, datasets/emodb/1.2.0/create.py",
        test=(("12", "14", "15", "16"),),
        train=("03", "08", "09", "10", "11", "13"),
    ),
    PublishedFolds(
        corpus="emodb",
        name="emobox",
        source="emo-box/EmoBox, data/emodb/fold_1 to fold_5",
        refused=(
            "each of its five folds has all ten speakers on both sides "
            "(03, 08, 09, 10, 11, 12, 13, 14, 15, 16)"
        ),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [EMODB]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
