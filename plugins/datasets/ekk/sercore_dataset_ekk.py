"""The Estonian Emotional Speech Corpus: sentences read by one woman, labelled in TextGrids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sercore import AnnotatedCorpus
from sercore import Annotation
from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import Problem
from sercore import decode_text
from sercore import hookimpl
from sercore import require_paths

if TYPE_CHECKING:
    from sercore import CorpusFiles

SERCORE_API = 1

_COUNTS = Counts(
    utterances=1164,
    classes={
        Emotion.HAPPINESS: 271,
        Emotion.SADNESS: 249,
        Emotion.ANGER: 306,
        Emotion.NEUTRAL: 338,
    },
)


def _annotations(files: CorpusFiles) -> Iterator[Annotation | Problem]:
    for path in require_paths(files, EKK.card, "*.TextGrid"):
        label = _emotion(decode_text(files.read(path)))
        if label is None:
            yield Problem(
                kind="unreadable",
                where=path,
                message="it is no TextGrid whose last tier is one interval with the emotion",
                hint="take it from a fresh copy of the corpus",
            )
        else:
            yield Annotation(utterance_id=PurePosixPath(path).stem, native_label=label, source=path)


def _emotion(text: str) -> str | None:
    """Return the text of the only interval of the last tier; None where there is no such thing."""
    from praatio.utilities.errors import PraatioException  # type: ignore[import-untyped]
    from praatio.utilities.textgrid_io import parseTextgridStr  # type: ignore[import-untyped]

    try:
        intervals = parseTextgridStr(text)["tiers"][-1]["entries"]
        (interval,) = intervals
    except (PraatioException, LookupError, ValueError, TypeError):
        return None
    return str(interval[-1]).strip()


EKK = AnnotatedCorpus(
    card=CorpusCard(
        id="ekk",
        title="Estonian Emotional Speech Corpus (ekorpus)",
        language="Estonian",
        language_code="est",
        speech="read",
        licence=None,
        access="open",
        homepage="https://peeter.eki.ee:5000/",
        citation=(
            "Altrov, Pajupuu: Estonian Emotional Speech Corpus. HLT - The Baltic Perspective 2010, "
            "pp. 25-32; data: Pajupuu, Eesti Emotsionaalse Kõne Korpus V5, 2012, "
            "doi:10.15155/EKI.000A"
        ),
        folders=("ekorpus", "EKK"),
        obtain=(
            "Download the corpus from the Center of Estonian Language Resources "
            "(doi:10.15155/EKI.000A) and unpack the wav and TextGrid files into a folder "
            "'ekorpus' of the data folder."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=1,
        sets=("paper",),
        cluster="four-class",
    ),
    pattern=r"(?P<id>(?P<text_id>\d{2,6}))\.wav",
    labels={
        "anger": Emotion.ANGER,
        "joy": Emotion.HAPPINESS,
        "neutral": Emotion.NEUTRAL,
        "sadness": Emotion.SADNESS,
    },
    side_files=("*.TextGrid",),
    complete=lambda _: {"speaker": ("female-1",), "gender": "female"},
    annotations=_annotations,
)


@hookimpl
def sercore_corpora() -> list[AnnotatedCorpus]:
    return [EKK]
