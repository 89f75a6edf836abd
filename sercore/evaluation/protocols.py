"""Evaluation protocols, and the names of the choices that they bundle.

Definitions: the benchmark's paper and published code (SER Evals, Osman, Kaplan, Nadeem 2024) for
what is called `paper` or `published`; the corrected rules are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal

if TYPE_CHECKING:
    from sercore.backbones.interface import AudioPath

Averaging = Literal["supported", "occurring"]
"""Which classes an average runs over."""

SUPPORTED: Final = "supported"
"""Average over the classes with test support."""
OCCURRING: Final = "occurring"
"""Average over the classes in labels or predictions."""


class SplitScheme(StrEnum):
    """How a corpus is divided for its in-domain cell; see `sercore.evaluation.splits`."""

    RANDOM = "random"
    SPEAKER_DISJOINT = "speaker-disjoint"
    RANDOM_KFOLD = "random-kfold"
    OFFICIAL = "official"


class ClassRule(StrEnum):
    """On which classes a pair of corpora is scored; see `sercore.evaluation.class_rules`."""

    CLUSTER = "cluster"
    EXACT_CLASSES = "exact-classes"
    SHARED_CLASSES = "shared-classes"


class Adjustment(StrEnum):
    """How logits are corrected for class frequencies; see `sercore.evaluation.adjustment`."""

    UNIFORM = "uniform"
    EM = "em"
    BBSE = "bbse"
    ORACLE = "oracle"
    NONE = "none"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named bundle of everything that decides how a matrix is computed."""

    id: str
    summary: str
    reading: str
    """The subset of utterances (`sercore.corpora.interface.READINGS`)."""
    mapper: str
    """Which label mapper."""
    split: str
    """The division for in-domain cells, one of `SplitScheme`."""
    n_folds: int = 1
    n_seeds: int = 1
    """Split and training seeds of a run that does not say how many. Three are the fewest that
    give a verdict about a backbone."""
    class_rules: tuple[str, ...] = (ClassRule.CLUSTER,)
    """Some of `ClassRule`."""
    adjustments: tuple[str, ...]
    """Some of `Adjustment`."""
    headline: str
    """The adjustment that tables show."""
    averaging: Averaging
    audio_path: AudioPath


LABEL_SHIFT = (Adjustment.EM, Adjustment.BBSE)
"""Adjustments that estimate the class frequencies of the test corpus without its labels."""

_MASKED = (Adjustment.UNIFORM, *LABEL_SHIFT, Adjustment.ORACLE, Adjustment.NONE)

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        id="standard",
        summary="the benchmark with its defects corrected: 80/20 over files, masked classes, "
        "no knowledge about the test corpus",
        reading="corrected",
        mapper="corrected",
        split=SplitScheme.RANDOM,
        n_seeds=3,
        adjustments=(*_MASKED, Adjustment.PUBLISHED),
        headline=Adjustment.UNIFORM,
        averaging=SUPPORTED,
        audio_path="direct",
    ),
    Protocol(
        id="paper",
        summary="the benchmark as published, defects included",
        reading="paper",
        mapper="paper",
        split=SplitScheme.RANDOM,
        adjustments=(Adjustment.PUBLISHED, *_MASKED),
        headline=Adjustment.PUBLISHED,
        averaging=OCCURRING,
        audio_path="paper",
    ),
    Protocol(
        id="speaker-disjoint",
        summary="as standard, with no speaker on both sides of a split (k folds)",
        reading="corrected",
        mapper="corrected",
        split=SplitScheme.SPEAKER_DISJOINT,
        n_folds=5,
        adjustments=_MASKED,
        headline=Adjustment.UNIFORM,
        averaging=SUPPORTED,
        audio_path="direct",
    ),
    Protocol(
        id="random-kfold",
        summary="as speaker-disjoint, with random folds of the same number: for the leak gap",
        reading="corrected",
        mapper="corrected",
        split=SplitScheme.RANDOM_KFOLD,
        n_folds=5,
        adjustments=_MASKED,
        headline=Adjustment.UNIFORM,
        averaging=SUPPORTED,
        audio_path="direct",
    ),
    Protocol(
        id="official",
        summary="as standard, on the split that the corpus's authors published",
        reading="corrected",
        mapper="corrected",
        split=SplitScheme.OFFICIAL,
        adjustments=_MASKED,
        headline=Adjustment.UNIFORM,
        averaging=SUPPORTED,
        audio_path="direct",
    ),
)
