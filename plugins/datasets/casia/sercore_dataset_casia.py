"""CASIA: fifty Chinese sentences by four speakers, the subset of 1200 that circulates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=1200,
    classes={
        Emotion.HAPPINESS: 200,
        Emotion.SADNESS: 200,
        Emotion.FEAR: 200,
        Emotion.SURPRISE: 200,
        Emotion.ANGER: 200,
        Emotion.NEUTRAL: 200,
    },
)
# Copies differ in the case of these names, and all of them misspell the third.
_SPEAKERS = {
    name.casefold(): name for name in ("ZhaoZuoxiang", "wangzhe", "liuchanhg", "zhaoquanyin")
}


def _same_in_all_copies(found: Mapping[str, str | None]) -> dict[str, object]:
    folder = found["folder"] or ""
    speaker = _SPEAKERS.get(folder.casefold(), folder)
    return {
        "speaker": (speaker,),
        "utterance_id": f"{speaker}/{found['label']}/{found['text_id']}",
    }


CASIA = FileNameCorpus(
    card=CorpusCard(
        id="casia",
        title="CASIA Chinese emotional speech (subset of 1200 utterances)",
        language="Mandarin Chinese",
        language_code="cmn",
        licence="CASIA/ChineseLDC licence; circulating copies carry none",
        access="licence",
        homepage="http://www.chineseldc.org/",
        citation=(
            "Tao, Liu, Zhang, Jia: Design of speech corpus for Mandarin text to speech. Blizzard "
            "Challenge Workshop 2008"
        ),
        folders=("CASIA",),
        obtain=(
            "Licence the corpus from ChineseLDC and copy the four folders of the speakers into a "
            "folder 'CASIA' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=4,
        fingerprint=Path(__file__).with_name("sercore_dataset_casia_fingerprint.tsv"),
        sets=("paper",),
    ),
    # Two folders deep: copies with loose duplicates at the top circulate.
    pattern=r"(?P<folder>[^/!]+)/(?P<label>[^/]+)/(?P<text_id>2\d{2})\.wav",
    labels={
        "angry": Emotion.ANGER,
        "fear": Emotion.FEAR,
        "happy": Emotion.HAPPINESS,
        "neutral": Emotion.NEUTRAL,
        "sad": Emotion.SADNESS,
        "surprise": Emotion.SURPRISE,
    },
    # Copies on the Hugging Face Hub write it so.
    aliases={"anger": "angry"},
    side_files=("*.lab", "*.peak", "*.tag", "*.txt"),
    complete=_same_in_all_copies,
)

FOLDS = (
    PublishedFolds(
        corpus="casia",
        name="emobox",
        source="emo-box/EmoBox, data/casia/fold_1 to fold_4",
        test=(("wangzhe",), ("ZhaoZuoxiang",), ("liuchanhg",), ("zhaoquanyin",)),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [CASIA]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
