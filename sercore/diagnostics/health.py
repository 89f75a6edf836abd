"""The audio of one corpus in numbers and sentences: what people look at before they trust it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.diagnostics.audio_findings import findings_of
from sercore.diagnostics.sound import sound_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from sercore.corpora.interface import Corpus
    from sercore.corpora.manifest import Manifest
    from sercore.diagnostics.audio_findings import Finding
    from sercore.diagnostics.sound import Sound

PLOTTED = {
    "level_db": "loudness (dBFS)",
    "duration_s": "length (s)",
    "leading_s": "silence at the beginning (s)",
    "trailing_s": "silence at the end (s)",
}
"""The measures that are shown by group, with their names and units."""

_OUTLYING = 6.0
"""Deviations from the median, in standard deviations of a normal distribution with the same median
absolute deviation, beyond which a recording is an outlier."""
_LEAST_DB, _LEAST_S = 12.0, 1.0
"""An outlier in level or length differs at least this much from the median."""
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles of some values."""

    n: int
    low: float
    """5 %"""
    first: float
    """25 %"""
    median: float
    third: float
    """75 %"""
    high: float
    """95 %"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A recording that differs from the others of its corpus."""

    utterance_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The audio of one corpus."""

    corpus: str
    recordings: int
    """Recordings that were decoded."""
    hours: float
    rates: Mapping[int, int]
    """Recordings by hertz."""
    channels: Mapping[int, int]
    """Recordings by number of channels."""
    spreads: Mapping[str, Spread]
    """By measure, one of `PLOTTED`."""
    by_class: Mapping[str, Mapping[str, Spread]]
    """By measure and class under the label mapper `paper`."""
    by_speaker: Mapping[str, Mapping[str, Spread]]
    """By measure and speaker; empty if the corpus identifies none."""
    clipped: int
    padded: int
    silent_hours: float
    """Silence before and after all recordings."""
    findings: tuple[Finding, ...]
    """The most severe first."""
    outliers: tuple[Outlier, ...]


def health_of(corpus: Corpus, manifest: Manifest, audit: pa.Table) -> Health | None:
    """Return what was measured of a corpus; None if no recording was decoded.

    Args:
        corpus: the corpus.
        manifest: its utterances.
        audit: a row per utterance, see `sercore.audio.audit.SCHEMA`.
    """
    sound = sound_of(corpus, manifest, audit)
    if not len(sound):
        return None
    of = sound.columns
    return Health(
        corpus=corpus.card.id,
        recordings=len(sound),
        hours=float(of["duration_s"].sum() / 3600),
        rates=_counts(of["source_rate"]),
        channels=_counts(of["channels"]),
        spreads={name: spread_of(of[name]) for name in PLOTTED},
        by_class={name: _by_group(of[name], sound.classes) for name in PLOTTED},
        by_speaker={name: _by_group(of[name], sound.speakers) for name in PLOTTED},
        clipped=int((of["clipped"] > 0).sum()),
        padded=int((of["padding_s"] >= 0.05).sum()),
        silent_hours=float((of["leading_s"] + of["trailing_s"]).sum() / 3600),
        findings=findings_of(sound),
        outliers=tuple(_outliers(sound)),
    )


def spread_of(values: npt.NDArray[np.float64]) -> Spread:
    """Return the percentiles of some values."""
    low, first, middle, third, high = np.percentile(values, (5, 25, 50, 75, 95)).tolist()
    return Spread(n=len(values), low=low, first=first, median=middle, third=third, high=high)


def _counts(values: npt.NDArray[np.float64]) -> dict[int, int]:
    return dict(sorted(Counter(values.astype(int).tolist()).items()))


def _by_group(values: npt.NDArray[np.float64], groups: npt.NDArray[np.str_]) -> dict[str, Spread]:
    return {
        str(group): spread_of(values[groups == group]) for group in np.unique(groups[groups != ""])
    }


def _outliers(sound: Sound) -> Iterator[Outlier]:
    """Yield recordings whose level or length is far from the median, the farthest first."""
    found = []
    for name, least, unit in (("level_db", _LEAST_DB, "dB"), ("duration_s", _LEAST_S, "s")):
        # Lengths are products of many causes, so their logarithms are compared.
        values = sound.columns[name]
        scale = values if name == "level_db" else np.log(np.maximum(values, 1e-3))
        middle = np.median(scale)
        deviation = _MAD_TO_DEVIATION * np.median(np.abs(scale - middle))
        far = np.abs(scale - middle) / max(deviation, 1e-9)
        usual = float(np.median(values))
        for row in np.flatnonzero((far > _OUTLYING) & (np.abs(values - usual) > least)):
            words = f"{values[row]:.1f} {unit}, and the median is {usual:.1f} {unit}"
            what = "its loudness is" if name == "level_db" else "it lasts"
            found.append(
                (-far[row], Outlier(utterance_id=sound.ids[row], reason=f"{what} {words}"))
            )
    yield from (outlier for _, outlier in sorted(found, key=lambda one: one[0]))
