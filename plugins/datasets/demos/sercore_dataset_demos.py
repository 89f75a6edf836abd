"""DEMoS: moods elicited in 68 Italian speakers."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import Label
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=9697,
    classes={
        Emotion.HAPPINESS: 1395,
        Emotion.SADNESS: 2659,
        Emotion.DISGUST: 1678,
        Emotion.FEAR: 1156,
        Emotion.SURPRISE: 1000,
        Emotion.ANGER: 1477,
        Emotion.NEUTRAL: 332,
    },
)

DEMOS = FileNameCorpus(
    card=CorpusCard(
        id="demos",
        title="DEMoS (Database of Elicited Mood in Speech)",
        language="Italian",
        language_code="ita",
        speech="elicited",
        licence="end user licence agreement, academic research",
        access="request",
        homepage="https://zenodo.org/record/2544829",
        citation=(
            "Parada-Cabaleiro, Costantini, Batliner, Schmitt, Schuller: DEMoS. Language Resources "
            "and Evaluation 54 (2020) 341-383. doi:10.1007/s10579-019-09450-y"
        ),
        folders=("wav_DEMoS", "DEMoS"),
        obtain=(
            "Ask for access on the Zenodo record, sign the licence agreement and unpack "
            "wav_DEMoS.zip into the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=68,
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
    ),
    pattern=(
        r"(?P<id>(?:DEMOS|NEU)/(?:(?:NP|PR)_)?(?P<gender>[fm])_(?P<speaker>\d{2})"
        r"_(?P<label>[a-z]+)\d{2}(?P<take>[a-z]))\.wav"
    ),
    labels={
        "col": Label(Emotion.SADNESS, concept="guilt"),
        "dis": Emotion.DISGUST,
        "gio": Emotion.HAPPINESS,
        "pau": Emotion.FEAR,
        "rab": Emotion.ANGER,
        "sor": Emotion.SURPRISE,
        "tri": Emotion.SADNESS,
        "neu": Emotion.NEUTRAL,
    },
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [DEMOS]
