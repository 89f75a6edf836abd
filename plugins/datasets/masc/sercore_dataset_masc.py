"""MASC: Mandarin phrases, utterances and paragraphs by 68 speakers (LDC2007S09)."""

from __future__ import annotations

from sercore import CorpusCard
from sercore import Counts
from sercore import Emotion
from sercore import FileNameCorpus
from sercore import hookimpl

SERCORE_API = 1

_COUNTS = Counts(
    utterances=25636,
    classes={
        Emotion.HAPPINESS: 5100,
        Emotion.SADNESS: 5100,
        Emotion.FEAR: 5100,
        Emotion.ANGER: 5100,
        Emotion.NEUTRAL: 5236,
    },
)

MASC = FileNameCorpus(
    card=CorpusCard(
        id="masc",
        title="MASC (Mandarin Affective Speech)",
        language="Mandarin Chinese",
        language_code="cmn",
        licence="LDC Mandarin Affective Speech Agreement",
        access="licence",
        homepage="https://catalog.ldc.upenn.edu/LDC2007S09",
        citation=(
            "Wu, Yang, Wu, Li: MASC. IEEE Odyssey 2006. doi:10.1109/ODYSSEY.2006.248084; data: "
            "Yang et al., LDC2007S09, doi:10.35111/652a-3x97"
        ),
        folders=("LDC2007S09", "MASC"),
        obtain=(
            "Licence LDC2007S09 from the Linguistic Data Consortium and copy the medium into a "
            "folder 'LDC2007S09' of the data folder, its folder 'data' included."
        ),
        expected={"paper": _COUNTS, "corrected": _COUNTS},
        speakers=68,
        sets=("paper",),
    ),
    # Only the names of utterances are known: a sentence number from 201 on, then the repetition.
    # The names of phrases and paragraphs are unknown, so any name is read.
    pattern=(
        r"(?P<id>(?P<speaker>\d{3})/(?P<label>[^/]+)/"
        r"(?:utterance/(?P<text_id>2\d{2})(?P<take>[a-z\d_-]*)|(?!(?i:utterance)/)[^/]+/[^/]+))\.wav"
    ),
    labels={
        "neutral": Emotion.NEUTRAL,
        "anger": Emotion.ANGER,
        "elation": Emotion.HAPPINESS,
        "panic": Emotion.FEAR,
        "sadness": Emotion.SADNESS,
    },
    side_files=("doc/**", "docs/**", "*.doc", "*.htm*", "*.pdf", "*.txt"),
)


@hookimpl
def sercore_corpora() -> list[FileNameCorpus]:
    return [MASC]
