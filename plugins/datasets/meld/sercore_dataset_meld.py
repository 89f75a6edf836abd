"""MELD: clips of the series Friends, labelled in three CSV files."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore import AnnotatedCorpus
from sercore import Annotation
from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import Utterance
from sercore import csv_rows
from sercore import hookimpl
from sercore import require_paths

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

_SPLITS = {
    "train_splits": "train",
    "dev_splits_complete": "dev",
    "output_repeated_splits_test": "test",
    # The audio-only re-distribution names its folders so.
    "train": "train",
    "dev": "dev",
    "test": "test",
}
_CORRECTED = "final_videos_test"
"""How the names of corrected clips of the test part begin; the plain names stay beside them."""
_TABLES = tuple(
    f"{split}{end}.csv" for split in ("train", "dev", "test") for end in ("_sent_emo", "")
)
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")


def _clip(found: Mapping[str, str | None]) -> dict[str, str]:
    """Add the split to the id of a clip: every split numbers its dialogues from 0."""
    split = _SPLITS[found["folder"] or ""]
    return {"utterance_id": f"{split}/{found['name']}", "official_split": split}


def _annotations(files: CorpusFiles) -> Iterator[Annotation]:
    for path in require_paths(files, MELD.card, *_TABLES):
        split = PurePosixPath(path).stem.partition("_")[0].lower()
        for line, row in csv_rows(files, path, _COLUMNS):
            yield Annotation(
                utterance_id=f"{split}/dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}",
                native_label=row["Emotion"],
                source=path,
                row=line,
                fields={
                    "speaker": (row["Speaker"],) if row["Speaker"] else None,
                    "text_id": " ".join(row["Utterance"].split()) or None,
                },
            )


def _is_corrected(utterance: Utterance) -> bool:
    return PurePosixPath(utterance.path).name.lower().startswith(_CORRECTED)


def _overwritten(utterances: Iterable[Utterance]) -> Iterable[Utterance]:
    """Keep one clip per label and name, as in the paper.

    The paper's authors copied the three splits into one folder per label, where clips of the same
    name replaced each other. It is unknown which of them stayed; here later splits replace
    earlier ones.
    """
    order = list(_SPLITS.values())
    plain = [utterance for utterance in utterances if not _is_corrected(utterance)]
    kept: dict[tuple[str, str], Utterance] = {}
    for utterance in sorted(plain, key=lambda clip: order.index(clip.official_split or "")):
        kept[utterance.native_label, PurePosixPath(utterance.utterance_id).name] = utterance
    return kept.values()


def _with_corrections(utterances: Iterable[Utterance]) -> Iterable[Utterance]:
    """Use the corrected clip of an utterance in place of its wrong cut."""
    kept = {}
    for utterance in sorted(utterances, key=_is_corrected):
        kept[utterance.utterance_id] = utterance
    return kept.values()


MELD = AnnotatedCorpus(
    card=CorpusCard(
        id="meld",
        title="MELD (Multimodal EmotionLines Dataset)",
        language="English",
        language_code="eng",
        licence="GPL-3.0 (repository); the clips are from the TV series Friends, research use",
        access="open",
        homepage="https://affective-meld.github.io/",
        citation=(
            "Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea: MELD. ACL 2019, pp. 527-536. "
            "doi:10.18653/v1/P19-1050"
        ),
        folders=("MELD.Raw", "MELD", "MELD_audio"),
        obtain=(
            "Download MELD.Raw.tar.gz from the home page and unpack it, with the three archives "
            "inside, into the data folder; keep the three CSV files."
        ),
        expected={
            "paper": Counts(
                utterances=12924,
                classes={
                    Emotion.HAPPINESS: 2235,
                    Emotion.SADNESS: 990,
                    Emotion.DISGUST: 360,
                    Emotion.FEAR: 357,
                    Emotion.SURPRISE: 1601,
                    Emotion.ANGER: 1560,
                    Emotion.NEUTRAL: 5821,
                },
                tolerance={Emotion.NEUTRAL: -1},
                tolerance_reason=(
                    "the paper's number counts the row of dev dia110_utt7, a clip that is not "
                    "distributed"
                ),
            ),
            "corrected": Counts(
                utterances=13706,
                classes={
                    Emotion.HAPPINESS: 2308,
                    Emotion.SADNESS: 1002,
                    Emotion.DISGUST: 361,
                    Emotion.FEAR: 358,
                    Emotion.SURPRISE: 1636,
                    Emotion.ANGER: 1607,
                    Emotion.NEUTRAL: 6434,
                },
            ),
        },
        speakers=304,
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
        known_bad={
            "train/dia125_utt3": "the clip is corrupt in every copy and cannot be decoded",
            "dev/dia110_utt7": "the clip has a row, but no copy contains it",
        },
        downloads=(
            Download(
                filename="MELD.Raw.tar.gz",
                url=(
                    "https://huggingface.co/datasets/declare-lab/MELD/resolve/"
                    "9abc51ee7903424ffb971297608aa6d3d0de3bfa/MELD.Raw.tar.gz"
                ),
                sha256="a56b4407d574195cbce470d86f9c9d72fcfea59b0e34502ecd4babee4a5c613e",
                size=10_878_146_150,
            ),
        ),
    ),
    pattern=(
        r"(?P<folder>train_splits|dev_splits_complete|output_repeated_splits_test|train|dev|test)"
        r"/(?:(?<=test/)final_videos_test)?(?P<name>dia\d+_utt\d+)\.mp4"
    ),
    labels={
        "neutral": Emotion.NEUTRAL,
        "joy": Emotion.HAPPINESS,
        "sadness": Emotion.SADNESS,
        "anger": Emotion.ANGER,
        "disgust": Emotion.DISGUST,
        "fear": Emotion.FEAR,
        "surprise": Emotion.SURPRISE,
    },
    side_files=("*.csv",),
    complete=_clip,
    annotations=_annotations,
    readings={"paper": _overwritten, "corrected": _with_corrections},
)


@hookimpl
def sercore_corpora() -> list[AnnotatedCorpus]:
    return [MELD]
