"""Evaluation protocols, class rules and logit adjustments.

Everything here is a pure function of stored logits and label sets, so that one trained probe can be
scored under every rule. Definitions: the benchmark's paper and published code (SER Evals, Osman,
Kaplan, Nadeem 2024) for what is called `paper` or `published`; the corrected rules are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named bundle of everything that decides how a matrix is computed."""

    id: str
    summary: str
    reading: str
    """Which utterances (`sercore.corpora.interface.READINGS`)."""
    mapper: str
    """Which label mapper."""
    split: str
    """Which division for in-domain cells (`sercore.evaluation.splits.SPLITS`)."""
    n_folds: int = 1
    class_rules: tuple[str, ...] = ("cluster",)
    adjustments: tuple[str, ...]
    headline: str
    """The adjustment that stands in tables."""
    averaging: Literal["supported", "occurring"]
    """See `sercore.evaluation.metrics.Evaluation.averaging`."""
    audio_path: AudioPath


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        id="standard",
        summary="the benchmark with its defects corrected: 80/20 over files, masked classes, "
        "no knowledge about the test corpus",
        reading="corrected",
        mapper="corrected",
        split="random",
        adjustments=("uniform", "oracle", "none", "published"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
    Protocol(
        id="paper",
        summary="the benchmark as published, defects included",
        reading="paper",
        mapper="paper",
        split="random",
        adjustments=("published", "uniform", "oracle", "none"),
        headline="published",
        averaging="occurring",
        audio_path="paper",
    ),
    Protocol(
        id="speaker-disjoint",
        summary="as standard, with no speaker on both sides of a split (k folds)",
        reading="corrected",
        mapper="corrected",
        split="speaker-disjoint",
        n_folds=5,
        adjustments=("uniform", "oracle", "none"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
    Protocol(
        id="official",
        summary="as standard, on the split that the corpus's authors published",
        reading="corrected",
        mapper="corrected",
        split="official",
        adjustments=("uniform", "oracle", "none"),
        headline="uniform",
        averaging="supported",
        audio_path="direct",
    ),
)
