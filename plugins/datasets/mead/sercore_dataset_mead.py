"""MEAD: 48 actors, eight emotions at three intensities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import Label
from sercore import hookimpl

SERCORE_API = 1

_CLASSES = {
    Emotion.HAPPINESS: 4294,
    Emotion.SADNESS: 4306,
    Emotion.DISGUST: 8499,
    Emotion.FEAR: 4251,
    Emotion.SURPRISE: 4270,
    Emotion.ANGER: 4193,
    Emotion.NEUTRAL: 1916,
}


def _same_in_all_copies(found: Mapping[str, str | None]) -> dict[str, object]:
    """Name the utterance as in the authors' folders; sentences are numbered inside an emotion."""
    place = f"{found['speaker']}/audio/{found['label']}/level_{found['intensity']}"
    return {
        "utterance_id": f"{place}/{found['sentence']}",
        "text_id": f"{found['label']}/{found['sentence']}",
    }


MEAD = FileNameCorpus(
    card=CorpusCard(
        id="mead",
        title="MEAD (Multi-view Emotional Audio-visual Dataset), released part",
        language="English",
        language_code="eng",
        speech="acted",
        licence="terms of use, non-commercial research",
        access="terms",
        homepage="https://wywu.github.io/projects/MEAD/MEAD.html",
        citation=(
            "Wang, Wu, Song, Yang, Wu, Qian, He, Qiao, Loy: MEAD. ECCV 2020. "
            "doi:10.1007/978-3-030-58589-1_42"
        ),
        folders=("MEAD",),
        obtain=(
            "Accept the terms on the home page, download the archives of the actors and unpack "
            "their audio folders into a folder 'MEAD' of the data folder; the video is not needed."
        ),
        expected={
            "paper": Counts(
                utterances=31724,
                classes=_CLASSES | {Emotion.HAPPINESS: 4292, Emotion.FEAR: 4248},
                tolerance={Emotion.HAPPINESS: 2, Emotion.FEAR: 3},
                tolerance_reason=(
                    "the paper lost two happy and three fearful clips; which is not known, so "
                    "none is dropped"
                ),
            ),
            "corrected": Counts(utterances=31729, classes=_CLASSES),
        },
        speakers=48,
        fingerprint=Path(__file__).with_name("sercore_dataset_mead_fingerprint.tsv"),
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
        # Only the sound is wanted of archives that hold the video too.
        unread=("video/*", "*/video/*"),
    ),
    pattern=(
        r"(?P<speaker>(?P<gender>[MW])\d{3})(?:_audio)?/(?:audio/)?(?P<label>[^/]+)"
        r"/level_(?P<intensity>\d)/(?P<sentence>\d{3})\.m4a"
    ),
    labels={
        "neutral": Emotion.NEUTRAL,
        "angry": Emotion.ANGER,
        "happy": Emotion.HAPPINESS,
        "disgusted": Emotion.DISGUST,
        "fear": Emotion.FEAR,
        "contempt": Label(Emotion.DISGUST, concept="contempt"),
        "sad": Emotion.SADNESS,
        "surprised": Emotion.SURPRISE,
    },
    side_files=("video/**",),
    complete=_same_in_all_copies,
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [MEAD]
