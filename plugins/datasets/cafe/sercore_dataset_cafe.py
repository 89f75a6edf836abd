"""CaFE: six Canadian French sentences by twelve actors."""

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
    utterances=936,
    classes={
        Emotion.HAPPINESS: 144,
        Emotion.SADNESS: 144,
        Emotion.DISGUST: 144,
        Emotion.FEAR: 144,
        Emotion.SURPRISE: 144,
        Emotion.ANGER: 144,
        Emotion.NEUTRAL: 72,
    },
)


def _with_intensity(found: Mapping[str, str | None]) -> dict[str, object]:
    """Add the intensity of neutral utterances, which the 192 kHz archives leave out."""
    intensity = found["intensity"] or ("1" if found["label"] == "N" else None)
    parts = (found["speaker"], found["label"], intensity, found["text_id"])
    return {"intensity": intensity, "utterance_id": "-".join(part for part in parts if part)}


CAFE = FileNameCorpus(
    card=CorpusCard(
        id="cafe",
        title="CaFE (Canadian French Emotional speech)",
        language="French (Canada)",
        language_code="fra",
        speech="acted",
        licence="CC BY-NC-SA 4.0",
        access="open",
        homepage="https://zenodo.org/record/1478765",
        citation=(
            "Gournay, Lahaie, Lefebvre: A Canadian French Emotional Speech Dataset. ACM MMSys "
            "2018, pp. 399-402. doi:10.1145/3204949.3208121; data: doi:10.5281/zenodo.1478765 "
            "(v1.1)"
        ),
        folders=("CaFE_48k", "CaFE"),
        obtain=(
            "Download CaFE_48k.zip from the home page and unpack it into the data folder; the two "
            "192 kHz archives hold the same utterances."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=12,
        fingerprint=Path(__file__).with_name("sercore_dataset_cafe_fingerprint.tsv"),
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
        downloads=(
            Download(
                filename="CaFE_48k.zip",
                url="https://zenodo.org/record/1478765/files/CaFE_48k.zip",
                listing="https://zenodo.org/api/records/1478765",
            ),
        ),
    ),
    # The folders say the same in accented letters that most unpackers damage.
    pattern=(
        r"(?P<speaker>\d{2})-(?P<label>[A-Z])-(?:(?P<intensity>\d)-)?(?P<text_id>\d)"
        r"\.(?:wav|aiff?)"
    ),
    labels={
        "C": Emotion.ANGER,
        "D": Emotion.DISGUST,
        "J": Emotion.HAPPINESS,
        "N": Emotion.NEUTRAL,
        "P": Emotion.FEAR,
        "S": Emotion.SURPRISE,
        "T": Emotion.SADNESS,
    },
    side_files=("Version-ChangeLog.txt",),
    complete=_with_intensity,
    genders={f"{actor:02}": "male" if actor % 2 else "female" for actor in range(1, 13)},
)

FOLDS = (
    PublishedFolds(
        corpus="cafe",
        name="emobox",
        source="emo-box/EmoBox, data/cafe/fold_1 to fold_3",
        test=(("01", "07", "08", "10"), ("02", "04", "09", "12"), ("03", "05", "06", "11")),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [CAFE]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
