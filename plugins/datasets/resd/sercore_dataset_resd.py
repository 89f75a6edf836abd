"""RESD: Russian dialogues acted by two roles, as Parquet with the audio inside or as folders."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore import AnnotatedCorpus
from sercore import Annotation
from sercore import CorpusCard
from sercore import Counts
from sercore import Download
from sercore import Emotion
from sercore import Label
from sercore import ParquetCorpus
from sercore import Scan
from sercore import csv_rows
from sercore import hookimpl
from sercore import require_paths

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

_COUNTS = Counts(
    utterances=1396,
    classes={
        Emotion.HAPPINESS: 218,
        Emotion.SADNESS: 162,
        Emotion.DISGUST: 185,
        Emotion.FEAR: 223,
        Emotion.ANGER: 219,
        Emotion.OTHER: 198,
        Emotion.NEUTRAL: 191,
    },
)

_REPOSITORY = (
    "https://huggingface.co/datasets/Aniemore/resd/resolve/"
    "8db7068a7717e48d829c2baa32e4908972611138/data"
)

_CARD = CorpusCard(
    id="resd",
    title="RESD (Russian Emotional Speech Dialogs)",
    language="Russian",
    language_code="rus",
    licence="MIT",
    access="open",
    homepage="https://huggingface.co/datasets/Aniemore/resd",
    citation="Lubenets, Davidchuk, Amentes: Aniemore (software); data: doi:10.57967/hf/1273",
    folders=("resd", "resd_annotated"),
    obtain=(
        "Download the repository of the home page with its folder 'data' of Parquet files into "
        "a folder 'resd' of the data folder."
    ),
    expected={"paper": _COUNTS, "corrected": _COUNTS},
    speakers=None,
    sets=("paper",),
    downloads=(
        Download(
            filename="train-00000-of-00001-d2e27fcc104fa56a.parquet",
            url=f"{_REPOSITORY}/train-00000-of-00001-d2e27fcc104fa56a.parquet",
            sha256="711e9dd676646a3e788b5e03b7700af5e2ffcf1600243ad9f50e1fffd2415add",
            size=390_835_482,
            unpack=False,
        ),
        Download(
            filename="test-00000-of-00001-5b28f46e6b0805ba.parquet",
            url=f"{_REPOSITORY}/test-00000-of-00001-5b28f46e6b0805ba.parquet",
            sha256="05b4cec0eb7f2f2a51fa7ad9d08d8cfc6bbc2ef9b0987254acfa88d5c39c521d",
            size=94_631_750,
            unpack=False,
        ),
    ),
    cluster="six-class",
)

_LABELS = {
    "anger": Emotion.ANGER,
    "disgust": Emotion.DISGUST,
    "enthusiasm": Emotion.OTHER,
    "fear": Emotion.FEAR,
    "happiness": Emotion.HAPPINESS,
    "neutral": Emotion.NEUTRAL,
    "sadness": Emotion.SADNESS,
}

# The official part is the folder, or the name of the Parquet file; file names are unique.
_PATTERN = (
    r"(?:(?P<official_split>train|test)(?:/|-[^/!]+\.parquet!)(?:[^!]*/)?)?"
    r"(?P<id>(?P<dialogue>\d{2})_[a-z]+_[a-z]+[ _](?P<role>[a-z])_\d{3})\.wav"
)


def _role(found: Mapping[str, str | None]) -> dict[str, str]:
    """Group by dialogue and role, because the corpus does not identify speakers."""
    return {
        "group": f"{found['dialogue']}-{found['role']}",
        "group_kind": "dialogue and role",
    }


def _annotations(files: CorpusFiles) -> Iterator[Annotation]:
    for path in require_paths(files, _CARD, "train.csv", "test.csv"):
        for line, row in csv_rows(files, path, ("path", "emotion")):
            yield Annotation(
                utterance_id=PurePosixPath(row["path"]).stem,
                native_label=row["emotion"],
                source=path,
                row=line,
                fields={"official_split": PurePosixPath(path).stem.lower()},
            )


_PARQUET = ParquetCorpus(
    card=_CARD,
    pattern=_PATTERN,
    labels=_LABELS,
    side_files=("*.json", "*.csv"),
    complete=_role,
    path_column="path",
    label_column="emotion",
)

_FOLDERS = AnnotatedCorpus(
    card=_CARD,
    pattern=_PATTERN,
    labels=_LABELS,
    side_files=("*.csv",),
    complete=_role,
    annotations=_annotations,
)


@dataclass(frozen=True)
class Resd:
    """RESD in either of its two packagings."""

    card: CorpusCard = _CARD

    @property
    def labels(self) -> Mapping[str, Emotion | Label]:
        """The meaning of every native label."""
        return _LABELS

    def identify(self, path: str) -> str | None:
        """Return the name of a recording or of a Parquet file, or None for any other path."""
        return _PARQUET.identify(path) or _FOLDERS.identify(path)

    def reads(self, path: str) -> bool:
        """Return whether a path is that of a recording, a Parquet file or a table."""
        return _PARQUET.reads(path) or _FOLDERS.reads(path)

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read whichever packaging is there. See `sercore.corpora.interface.Corpus.scan`."""
        packed = any(entry.path.lower().endswith(".parquet") for entry in files)
        return (_PARQUET if packed else _FOLDERS).scan(files, reading)


RESD = Resd()


@hookimpl
def sercore_corpora() -> list[Resd]:
    return [RESD]
