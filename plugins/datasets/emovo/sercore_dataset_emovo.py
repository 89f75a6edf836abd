"""EMOVO: six actors read fourteen Italian sentences in seven emotions."""

from __future__ import annotations

from pathlib import Path

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import PublishedFolds
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=588,
    classes={
        Emotion.HAPPINESS: 84,
        Emotion.SADNESS: 84,
        Emotion.DISGUST: 84,
        Emotion.FEAR: 84,
        Emotion.SURPRISE: 84,
        Emotion.ANGER: 84,
        Emotion.NEUTRAL: 84,
    },
)

EMOVO = FileNameCorpus(
    card=CorpusCard(
        id="emovo",
        title="EMOVO",
        language="Italian",
        language_code="ita",
        speech="acted",
        licence="free for research; no explicit licence was found",
        access="open",
        homepage="http://voice.fub.it/activities/corpora/emovo/index.html",
        citation=(
            "Costantini, Iaderola, Paoloni, Todisco: EMOVO Corpus: an Italian Emotional Speech "
            "Database. LREC 2014, pp. 3501-3504"
        ),
        folders=("EMOVO",),
        obtain=(
            "Download EMOVO.zip from the home page (often unreachable) and unpack it into the "
            "data folder as EMOVO."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=6,
        fingerprint=Path(__file__).with_name("sercore_dataset_emovo_fingerprint.tsv"),
        sets=("paper",),
        cluster="seven-class",
        ood_eligible=True,
    ),
    pattern=(
        r"(?P<speaker>(?P<gender>[fm])\d)/(?P<label>[a-z]{3})-(?P=speaker)"
        r"-(?P<text_id>[a-z]\d)\.wav"
    ),
    labels={
        "neu": Emotion.NEUTRAL,
        "dis": Emotion.DISGUST,
        "gio": Emotion.HAPPINESS,
        "pau": Emotion.FEAR,
        "rab": Emotion.ANGER,
        "sor": Emotion.SURPRISE,
        "tri": Emotion.SADNESS,
    },
    side_files=("*.doc*", "*.pdf", "*.txt", "*.xls*"),
)

FOLDS = (
    PublishedFolds(
        corpus="emovo",
        name="emobox",
        source="emo-box/EmoBox, data/emovo/fold_1 to fold_6",
        test=(("f2",), ("m3",), ("m2",), ("f3",), ("f1",), ("m1",)),
    ),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [EMOVO]


@hookimpl
def sercore_folds() -> tuple[PublishedFolds, ...]:
    return FOLDS
