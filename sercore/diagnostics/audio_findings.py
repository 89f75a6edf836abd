"""What is remarkable about the audio of a corpus, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sercore.backbones.interface import MAX_SECONDS
from sercore.corpora.problems import Severity
from sercore.diagnostics.separation import separation

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.diagnostics.separation import Separation
    from sercore.diagnostics.sound import Sound

SHORTCUTS = {
    "level_db": ("loudness", "louder"),
    "duration_s": ("length", "longer"),
    "leading_s": ("silence at the beginning", "more"),
    "trailing_s": ("silence at the end", "more"),
    "source_rate": ("the sampling rate", "higher"),
    "clipped": ("clipping", "more"),
    "offset": ("the offset", "larger"),
}
"""Measures that a probe may use in place of the emotion: their names, and a word for more of it."""

_REMARKABLE_AUC = 0.8
_CERTAIN_AUC = 0.65
"""A separation is reported if it is above the first, and its interval above the second."""
_LEAST_RECORDINGS = 10
_COVERAGE = 0.95
_MANY_CLIPPED = 0.02
_PADDED_S = 0.05
_OFFSET = 0.01
_QUIET_DB = -50.0
_UNIFORM_SHARE = 0.9
_SPEAKER_SPAN_DB = 10.0
_SHARE_OF_SILENCE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about the audio of a corpus."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shortcut:
    """Two classes that one measure separates."""

    larger: str
    smaller: str
    n_larger: int
    n_smaller: int
    separation: Separation


def findings_of(sound: Sound) -> tuple[Finding, ...]:
    """Return what is remarkable, the most severe first."""
    found = [
        *_formats(sound),
        *_lengths(sound),
        *_defects(sound),
        *_levels(sound),
        *_shortcuts(sound),
    ]
    order = list(Severity)[::-1]
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _formats(sound: Sound) -> Iterator[Finding]:
    for name, word, unit in (
        ("source_rate", "sampling rates", " Hz"),
        ("channels", "numbers of channels", ""),
    ):
        counts = Counter(sound.columns[name].astype(int).tolist())
        if len(counts) > 1:
            parts = ", ".join(f"{n} with {value}{unit}" for value, n in counts.most_common())
            yield _warning(f"The recordings have {len(counts)} {word}: {parts}")


def _lengths(sound: Sound) -> Iterator[Finding]:
    seconds = sound.columns["duration_s"]
    length, count = Counter(np.round(seconds, 2).tolist()).most_common(1)[0]
    if count >= _UNIFORM_SHARE * len(seconds) and len(seconds) > _LEAST_RECORDINGS:
        who = "All" if count == len(seconds) else f"{count} of {len(seconds)}"
        yield _warning(f"{who} recordings last {length:.2f} s: they were probably cut or padded")
    if n := int((seconds > MAX_SECONDS).sum()):
        yield _note(
            f"{_of(n, len(seconds))} longer than {MAX_SECONDS:g} s, of which only the first "
            f"{MAX_SECONDS:g} s are used"
        )
    silence = (sound.columns["leading_s"] + sound.columns["trailing_s"]).sum() / seconds.sum()
    if silence >= _SHARE_OF_SILENCE:
        yield _warning(f"{silence:.0%} of the audio is silence before and after the speech")


def _defects(sound: Sound) -> Iterator[Finding]:
    of, n = sound.columns, len(sound)
    if clipped := int((of["clipped"] > 0).sum()):
        make = _warning if clipped >= _MANY_CLIPPED * n else _note
        most = 100 * of["clipped"].max()
        yield make(f"{_of(clipped, n)} clipped, at most {most:.2g}% of the samples of one")
    if padded := int((of["padding_s"] >= _PADDED_S).sum()):
        middle = float(np.median(of["padding_s"][of["padding_s"] >= _PADDED_S]))
        yield _note(
            f"{_of(padded, n, 'have')} exact zeros at an end, {middle:.2f} s in the median: "
            "padded, or muted by a noise gate"
        )
    if shifted := int((np.abs(of["offset"]) > _OFFSET).sum()):
        yield _note(f"{_of(shifted, n, 'have')} an offset above {_OFFSET:.0%} of full scale")


def _levels(sound: Sound) -> Iterator[Finding]:
    level = sound.columns["level_db"]
    if quiet := int((level < _QUIET_DB).sum()):
        yield _warning(f"{_of(quiet, len(sound))} nearly silent (below {_QUIET_DB:g} dBFS)")
    names = [name for name in np.unique(sound.speakers) if name]
    medians = {name: float(np.median(level[sound.speakers == name])) for name in names}
    if len(medians) > 1:
        ordered = sorted(medians, key=medians.__getitem__)
        span = medians[ordered[-1]] - medians[ordered[0]]
        if span >= _SPEAKER_SPAN_DB:
            yield _note(
                f"Speakers differ by {span:.0f} dB: from {medians[ordered[0]]:.0f} dBFS "
                f"(speaker {ordered[0]}) to {medians[ordered[-1]]:.0f} dBFS "
                f"(speaker {ordered[-1]})"
            )


def _shortcuts(sound: Sound) -> Iterator[Finding]:
    """Yield one finding for each measure that alone separates two classes."""
    counts = Counter(sound.classes.tolist())
    classes = sorted(name for name, n in counts.items() if n >= _LEAST_RECORDINGS)
    pairs = list(combinations(classes, 2))
    if not pairs:
        return
    level = 1 - (1 - _COVERAGE) / (len(pairs) * len(SHORTCUTS))  # Bonferroni
    for measure, (name, more_of_it) in SHORTCUTS.items():
        found = [_shortcut(sound.columns[measure], sound.classes, pair, level) for pair in pairs]
        strong = [one for one in found if one is not None]
        if not strong:
            continue
        best = max(strong, key=lambda one: one.separation.auc)
        auc = best.separation
        others = len(strong) - 1
        is_many = "pair of classes is" if others == 1 else "pairs of classes are"
        more = f"; {others} other {is_many} above {_REMARKABLE_AUC:g}" if others else ""
        yield _warning(
            f"{name[0].upper()}{name[1:]} alone separates {best.larger} ({more_of_it}) from "
            f"{best.smaller}: AUC {auc.auc:.2f} ({auc.low:.2f} to {auc.high:.2f}, "
            f"{best.n_larger} and {best.n_smaller} recordings){more}"
        )


def _shortcut(
    values: npt.NDArray[np.float64],
    classes: npt.NDArray[np.str_],
    pair: tuple[str, str],
    level: float,
) -> _Shortcut | None:
    larger, smaller = pair
    if np.median(values[classes == larger]) < np.median(values[classes == smaller]):
        larger, smaller = smaller, larger
    first, second = values[classes == larger], values[classes == smaller]
    result = separation(first, second, level)
    if result.auc < 0.5:
        larger, smaller, first, second = smaller, larger, second, first
        result = separation(first, second, level)
    if result.auc < _REMARKABLE_AUC or result.low < _CERTAIN_AUC:
        return None
    return _Shortcut(
        larger=larger,
        smaller=smaller,
        n_larger=len(first),
        n_smaller=len(second),
        separation=result,
    )


def _of(count: int, n: int, verb: str = "are") -> str:
    one = {"are": "is", "have": "has"}
    return f"{count} of {n} recordings {one[verb] if count == 1 else verb}"


def _warning(text: str) -> Finding:
    return Finding(severity=Severity.WARNING, text=text)


def _note(text: str) -> Finding:
    return Finding(severity=Severity.NOTE, text=text)
