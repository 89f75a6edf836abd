"""MESD: single Mexican Spanish words by women, men and children."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import Utterance
from sercore import hookimpl

SERCORE_API = 1


def _recordings(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Leave out the copies with reduced naturalness, whose level is in the place of a take."""
    return (utterance for utterance in utterances if utterance.take is None)


MESD = FileNameCorpus(
    card=CorpusCard(
        id="mesd",
        title="MESD (Mexican Emotional Speech Database)",
        language="Spanish (Mexico)",
        language_code="spa",
        licence="CC BY 4.0",
        access="open",
        homepage="https://data.mendeley.com/datasets/cy34mh68j9/5",
        citation=(
            "Duville, Alonso-Valerdi, Ibarra-Zarate. EMBC 2021, pp. 1644-1647. "
            "doi:10.1109/EMBC46164.2021.9629934; data: doi:10.17632/cy34mh68j9.5"
        ),
        folders=("MESD", "Mexican Emotional Speech Database (MESD)", "cy34mh68j9-5"),
        obtain=(
            "Download version 5 from the home page and unpack both of its folders into a folder "
            "'MESD' of the data folder."
        ),
        expected={
            "paper": Counts(
                utterances=1150,
                classes={
                    Emotion.HAPPINESS: 192,
                    Emotion.SADNESS: 192,
                    Emotion.DISGUST: 192,
                    Emotion.FEAR: 192,
                    Emotion.ANGER: 191,
                    Emotion.NEUTRAL: 191,
                },
            ),
            "corrected": Counts(
                utterances=862,
                classes={
                    Emotion.HAPPINESS: 144,
                    Emotion.SADNESS: 144,
                    Emotion.DISGUST: 144,
                    Emotion.FEAR: 144,
                    Emotion.ANGER: 143,
                    Emotion.NEUTRAL: 143,
                },
            ),
        },
        speakers=None,
        fingerprint=Path(__file__).with_name("sercore_dataset_mesd_fingerprint.tsv"),
        sets=("paper",),
        downloads=(
            Download(
                filename="*",
                listing=(
                    "https://data.mendeley.com/public-api/datasets/cy34mh68j9/files"
                    "?folder_id=root&version=5"
                ),
            ),
        ),
        cluster="seven-class",
        ood_eligible=True,
    ),
    pattern=(
        r"(?P<id>(?P<label>[^/_]+)_(?P<group>(?P<gender>[FMC]))_[AB]_(?:(?P<take>L[12])_)?"
        r"(?P<text_id>[a-zà-ÿ_ ]+))\.wav"
    ),
    labels={
        "Anger": Emotion.ANGER,
        "Disgust": Emotion.DISGUST,
        "Fear": Emotion.FEAR,
        "Happiness": Emotion.HAPPINESS,
        "Neutral": Emotion.NEUTRAL,
        "Sadness": Emotion.SADNESS,
    },
    # There are eleven speakers, and names contain only one of three kinds of voice.
    complete=lambda _: {"group_kind": "voice type"},
    readings={"corrected": _recordings},
)

FOLDS = (
    PublishedFolds(
        corpus="mesd",
        name="emobox",
        source="emo-box/EmoBox, data/mesd/fold_1",
        refused="its one fold has all three speakers that it knows on both sides",
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [MESD]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
