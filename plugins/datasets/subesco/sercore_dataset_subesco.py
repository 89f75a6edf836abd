"""SUBESCO: ten Bangla sentences by twenty actors, five takes each."""

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
    utterances=7000,
    classes={
        Emotion.HAPPINESS: 1000,
        Emotion.SADNESS: 1000,
        Emotion.DISGUST: 1000,
        Emotion.FEAR: 1000,
        Emotion.SURPRISE: 1000,
        Emotion.ANGER: 1000,
        Emotion.NEUTRAL: 1000,
    },
)

SUBESCO = FileNameCorpus(
    card=CorpusCard(
        id="subesco",
        title="SUBESCO (SUST Bangla Emotional Speech Corpus)",
        language="Bangla",
        language_code="ben",
        licence="CC-BY-4.0 (Zenodo record)",
        access="open",
        homepage="https://zenodo.org/records/4526477",
        citation=(
            "Sultana, Rahman, Selim, Iqbal: SUBESCO. PLoS ONE 16(4): e0250173, 2021. "
            "doi:10.1371/journal.pone.0250173; data: doi:10.5281/zenodo.4526477"
        ),
        folders=("SUBESCO",),
        obtain="Download SUBESCO.zip from the home page and unpack it into the data folder.",
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=20,
        fingerprint=Path(__file__).with_name("sercore_dataset_subesco_fingerprint.tsv"),
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
        downloads=(
            Download(
                filename="SUBESCO.zip",
                url="https://zenodo.org/records/4526477/files/SUBESCO.zip?download=1",
                md5="13d702cf944bf54d70d66bffc036ed7a",
                sha256="7505111bc864193d1906c05f83ca50d950250c65b62ae9b1740dee44f5cdb113",
                size=1_664_512_929,
            ),
        ),
    ),
    # Numbers restart for each gender, so both make the speaker; one name ends in a bracket.
    pattern=(
        r"(?P<id>(?P<speaker>(?P<gender>[FM])_\d{2})_[A-Z]+_S_(?P<text_id>\d{1,2})"
        r"_(?P<label>[A-Z]+)_(?P<take>\d))\]?\.wav"
    ),
    labels={
        "ANGRY": Emotion.ANGER,
        "DISGUST": Emotion.DISGUST,
        "FEAR": Emotion.FEAR,
        "HAPPY": Emotion.HAPPINESS,
        "NEUTRAL": Emotion.NEUTRAL,
        "SAD": Emotion.SADNESS,
        "SURPRISE": Emotion.SURPRISE,
    },
)

FOLDS = (
    PublishedFolds(
        corpus="subesco",
        name="emobox",
        source="emo-box/EmoBox, data/subesco/fold_1 to fold_5",
        test=(
            ("F_03", "M_03", "M_08", "M_09"),
            ("F_01", "F_04", "F_10", "M_07"),
            ("F_06", "F_08", "M_05", "M_06"),
            ("F_05", "F_07", "F_09", "M_04"),
            ("F_02", "M_01", "M_02", "M_10"),
        ),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [SUBESCO]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
