"""Thorsten-Voice emotional: one man reads the same 300 sentences in eight styles."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=2399,
    classes={
        Emotion.HAPPINESS: 300,
        Emotion.DISGUST: 300,
        Emotion.SURPRISE: 300,
        Emotion.ANGER: 300,
        Emotion.OTHER: 899,
        Emotion.NEUTRAL: 300,
    },
)

THORSTEN = FileNameCorpus(
    card=CorpusCard(
        id="thorsten",
        title="Thorsten-Voice Dataset 2021.06 emotional (v02)",
        language="German",
        language_code="deu",
        licence="CC0",
        access="open",
        homepage="https://zenodo.org/records/5525023",
        citation=(
            "Mueller, Kreutz: Thorsten-Voice Dataset 2021.06 emotional. doi:10.5281/zenodo.5525023"
        ),
        folders=("thorsten-emotional_v02", "thorsten-emotional", "thorsten"),
        obtain=(
            "Download thorsten-emotional_v02.tgz from the home page and unpack it into the data "
            "folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=1,
        sets=("paper",),
        downloads=(
            Download(
                filename="thorsten-emotional_v02.tgz",
                url="https://www.openslr.org/resources/110/thorsten-emotional_v02.tgz",
                md5="f19585f3759c6d026757c46024a37aa4",
                sha256="ff17a96a8c11742a7798e7800386159ada2ceb682ebef6402ecc68abf8c6e9bf",
                size=399_301_812,
            ),
        ),
    ),
    pattern=r"(?P<label>[^/!]+)/(?P<text_id>[0-9a-f]{32})\.wav",
    labels={
        "neutral": Emotion.NEUTRAL,
        "angry": Emotion.ANGER,
        "amused": Emotion.HAPPINESS,
        "disgusted": Emotion.DISGUST,
        "surprised": Emotion.SURPRISE,
        "whisper": Emotion.OTHER,
        "sleepy": Emotion.OTHER,
        "drunk": Emotion.OTHER,
    },
    side_files=("thorsten-emotional-metadata.csv",),
    complete=lambda _: {"speaker": ("thorsten",), "gender": "male"},
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [THORSTEN]
