"""The classes of the benchmark, and the mappers from native labels to classes.

Source: the eight classes and their order are those of SER Evals (Osman, Kaplan, Nadeem 2024) as
its published code numbers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Emotion(StrEnum):
    """The eight classes of the benchmark, in the published order."""

    HAPPINESS = "happiness"
    SADNESS = "sadness"
    DISGUST = "disgust"
    FEAR = "fear"
    SURPRISE = "surprise"
    ANGER = "anger"
    OTHER = "other"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Label:
    """The meaning of a native label.

    In a corpus's table a bare `Emotion` is short for ``Label(emotion)``.
    """

    paper: Emotion
    """The class in the benchmark's paper."""
    corrected: Emotion | None = None
    """The right class where the paper made a mistake; None where the paper is right."""
    concept: str | None = None
    """A finer concept (``boredom``, ``contempt``, ``calm``, ``excitement``, ...) that has no
    class of its own among the eight; the mapper `consistent` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMapper:
    """A named rule that turns native labels into classes.

    Args:
        id: the name that `--labels` takes.
        summary: one sentence for listings.
        classes: the class space in the order of the logits; `other` is banned out of domain.
        map: from a `Label` to a class, or None to leave the utterance out.
    """

    id: str
    summary: str
    classes: tuple[str, ...]
    map: Callable[[Label], str | None]


CLASSES: tuple[str, ...] = tuple(emotion.value for emotion in Emotion)

# One rule for every corpus; where the paper was inconsistent (boredom was sadness in one corpus,
# other in the second and neutral in the third), a state without a class of its own is `other`.
CONCEPTS: dict[str, Emotion] = {
    "boredom": Emotion.OTHER,
    "contempt": Emotion.OTHER,
    "guilt": Emotion.OTHER,
    "awe": Emotion.OTHER,
    "calm": Emotion.NEUTRAL,
    "excitement": Emotion.HAPPINESS,
}

_SPELLINGS: dict[Emotion, tuple[str, ...]] = {
    Emotion.HAPPINESS: ("happy", "hap", "joy", "joyful"),
    Emotion.SADNESS: ("sad",),
    Emotion.DISGUST: ("dis", "disgusted"),
    Emotion.FEAR: ("fea", "fearful", "afraid", "scared"),
    Emotion.SURPRISE: ("sur", "surprised"),
    Emotion.ANGER: ("ang", "angry"),
    Emotion.OTHER: ("oth", "others"),
    Emotion.NEUTRAL: ("neu", "neutrality"),
}
"""Well-known spellings of classes, which messages suggest. They are not read unasked."""


def suggested_class(label: str) -> Emotion | None:
    """Return the class that a label probably means, or None."""
    folded = label.strip().casefold()
    for emotion, spellings in _SPELLINGS.items():
        if folded == emotion or folded in spellings:
            return emotion
    return None


_VALENCE = {
    Emotion.HAPPINESS: "positive",
    Emotion.NEUTRAL: "neutral",
    Emotion.SADNESS: "negative",
    Emotion.DISGUST: "negative",
    Emotion.FEAR: "negative",
    Emotion.ANGER: "negative",
}
_FOUR = (Emotion.HAPPINESS, Emotion.SADNESS, Emotion.ANGER, Emotion.NEUTRAL)


def _corrected(label: Label) -> Emotion:
    return label.corrected or label.paper


def _consistent(label: Label) -> Emotion:
    if label.concept is None:
        return _corrected(label)
    return CONCEPTS.get(label.concept, Emotion.OTHER)


def _four_class(label: Label) -> str | None:
    emotion = _consistent(label)
    return emotion if emotion in _FOUR else None


MAPPERS: tuple[LabelMapper, ...] = (
    LabelMapper(
        id="paper",
        summary="the mapping of the published benchmark, with its mistakes",
        classes=CLASSES,
        map=lambda label: label.paper,
    ),
    LabelMapper(
        id="corrected",
        summary="the published mapping with its mistakes corrected (shemo's fear)",
        classes=CLASSES,
        map=_corrected,
    ),
    LabelMapper(
        id="consistent",
        summary="boredom, contempt, guilt, awe, calm and excitement map to the same class in every "
        "corpus",
        classes=CLASSES,
        map=_consistent,
    ),
    LabelMapper(
        id="four-class",
        summary="anger, happiness, neutral and sadness; the rest is left out",
        classes=tuple(_FOUR),
        map=_four_class,
    ),
    LabelMapper(
        id="valence",
        summary="negative, neutral, positive; surprise and other have no valence and are left out",
        classes=("negative", "neutral", "positive"),
        map=lambda label: _VALENCE.get(_consistent(label)),
    ),
)
