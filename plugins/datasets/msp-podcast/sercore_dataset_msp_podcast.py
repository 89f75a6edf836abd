"""MSP-Podcast: spontaneous English speech of podcasts, with the official partitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore import AnnotatedCorpus
from sercore import Annotation
from sercore import CorpusCard
from sercore import CorpusError
from sercore import Emotion
from sercore import Label
from sercore import Utterance
from sercore import csv_rows
from sercore import decode_text
from sercore import hookimpl
from sercore import paths_like
from sercore import require_paths

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

NO_AGREEMENT = "X"
"""The label of segments about which the annotators do not agree; they are left out."""

_PARTS = {
    "train": "train",
    "validation": "dev",
    "development": "dev",
    # Test1 is the test set of the official split; the others are kept apart.
    "test1": "test",
    "test2": "test2",
    "test3": "test3",
}
_COLUMNS = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")

_CARD = CorpusCard(
    id="msp-podcast",
    title="MSP-Podcast",
    language="English",
    language_code="eng",
    licence=None,
    access="request",
    homepage="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    citation=(
        "Lotfian, Busso: Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving "
        "Emotional Speech from Existing Podcast Recordings. IEEE Transactions on Affective "
        "Computing 10(4), 2019, pp. 471-483"
    ),
    folders=("MSP-PODCAST", "MSP-PODCAST-Publish"),
    obtain=(
        "Sign the academic agreement of the home page and unpack the folders of the recordings "
        "and of the labels into a folder 'MSP-PODCAST' of the data folder."
    ),
    # Every release has other counts.
    expected={},
    speakers=None,
    sets=("extended",),
)


def _annotations(files: CorpusFiles) -> Iterator[Annotation]:
    tables = paths_like(files, "labels_consensus.csv")
    if tables:
        for line, row in csv_rows(files, tables[0], _COLUMNS):
            yield _annotation(tables[0], line, row)
        return
    globs = ("labels_consensus.csv", "labels_con[sc]ensus.json")
    path = require_paths(files, _CARD, *globs)[0]
    for number, (name, facts) in enumerate(_segments(files, path), start=1):
        yield _annotation(path, number, {**facts, "FileName": name})


def _segments(files: CorpusFiles, path: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        found = json.loads(decode_text(files.read(path)))
        for name, facts in found.items():
            yield str(name), {column: facts[column] for column in _COLUMNS[1:]}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{path} is not the table of labels of MSP-Podcast ({type(error).__name__}: {error})",
            hint="use the file that the authors distribute",
        ) from None


def _annotation(source: str, row: int, facts: Mapping[str, object]) -> Annotation:
    name, label, speaker, gender, part = (str(facts[column]).strip() for column in _COLUMNS)
    if part.casefold() not in _PARTS:
        raise CorpusError(
            f"{source}, row {row}: the partition '{part}' is not one of MSP-Podcast",
            hint="the plugin knows Train, Validation, Development, Test1, Test2 and Test3",
        )
    known = speaker.casefold() not in ("", "unknown")
    return Annotation(
        utterance_id=PurePosixPath(name).stem,
        native_label=label,
        source=source,
        row=row,
        fields={
            "speaker": (speaker,) if known else None,
            "gender": gender.lower() if gender.lower() in ("female", "male") else None,
            "official_split": _PARTS[part.casefold()],
        },
    )


def _agreed(utterances: tuple[Utterance, ...]) -> Iterator[Utterance]:
    return (one for one in utterances if one.native_label != NO_AGREEMENT)


MSP_PODCAST = AnnotatedCorpus(
    card=_CARD,
    pattern=r"(?P<id>MSP-PODCAST_\d{4}(?:_\d+)+)\.wav",
    labels={
        "A": Emotion.ANGER,
        "C": Label(Emotion.DISGUST, concept="contempt"),
        "D": Emotion.DISGUST,
        "F": Emotion.FEAR,
        "H": Emotion.HAPPINESS,
        "N": Emotion.NEUTRAL,
        "O": Emotion.OTHER,
        "S": Emotion.SADNESS,
        "U": Emotion.SURPRISE,
    },
    side_files=(
        "labels_*.csv",
        "labels_*.json",
        *("Transcripts/**", "ForceAligned/**", "Speaker_ids.txt", "Partitions.txt", "*.txt"),
        "*.pdf",
    ),
    readings={"paper": _agreed, "corrected": _agreed},
    annotations=_annotations,
)


@hookimpl
def sercore_corpora() -> list[AnnotatedCorpus]:
    return [MSP_PODCAST]
