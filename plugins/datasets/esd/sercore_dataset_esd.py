"""ESD: ten English and ten Chinese speakers read sentences in five emotions."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import hookimpl

SERCORE_API = 1

# Counts per label: EmoBox, data/esd/data.seg.wrd.freq.
_COUNTS = Counts(
    utterances=35000,
    classes={
        Emotion.HAPPINESS: 7000,
        Emotion.SADNESS: 7000,
        Emotion.SURPRISE: 7000,
        Emotion.ANGER: 7000,
        Emotion.NEUTRAL: 7000,
    },
)

ESD = FileNameCorpus(
    card=CorpusCard(
        id="esd",
        title="ESD (Emotional Speech Dataset)",
        language="English and Mandarin Chinese",
        language_code="mul",
        licence=None,
        access="open",
        homepage="https://hltsingapore.github.io/ESD/",
        citation=(
            "Zhou, Sisman, Liu, Li: Seen and Unseen Emotional Style Transfer for Voice Conversion "
            "with A New Emotional Speech Dataset. ICASSP 2021, pp. 920-924. "
            "doi:10.1109/ICASSP39728.2021.9413391"
        ),
        folders=("ESD", "Emotional Speech Dataset (ESD)", "Emotion Speech Dataset"),
        obtain=(
            "Follow the home page to 'Emotional Speech Dataset (ESD).zip' and unpack it into a "
            "folder 'ESD' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=20,
        sets=("extended",),
    ),
    pattern=(r"(?P<speaker>\d{4})/(?P<label>[^/!]+)/(?:[^/!]+/)?(?P<id>(?P=speaker)_\d{6})\.wav"),
    labels={
        "Angry": Emotion.ANGER,
        "Happy": Emotion.HAPPINESS,
        "Neutral": Emotion.NEUTRAL,
        "Sad": Emotion.SADNESS,
        "Surprise": Emotion.SURPRISE,
    },
    # The words of the transcripts of the Chinese speakers.
    aliases={
        "生气": "Angry",
        "快乐": "Happy",
        "中立": "Neutral",
        "伤心": "Sad",
        "惊喜": "Surprise",
    },
    side_files=("*.txt",),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [ESD]
