"""Compare a copy of a corpus with a fingerprint: is it the published one, and if not, how not?"""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.audio.measures import envelope_distance
from sercore.corpora.problems import Problem

if TYPE_CHECKING:
    from sercore.diagnostics.fingerprint import Fingerprint
    from sercore.diagnostics.fingerprint import Print

LENGTH_TOLERANCE_S = 0.1
"""Resampling and containers change a length by less than this; cutting changes it by more."""

ENVELOPE_TOLERANCE_DB = 2.0
"""Mean difference of envelopes up to which two recordings sound the same. See docs/corpora.md."""

_UNIFORM_SHARE = 0.9
_SAME = ("identical", "same audio")

VERDICTS = {
    "identical": "bit-identical",
    "same audio": "the same samples in other files",
    "resampled": "resampled",
    "mixed": "with another number of channels",
    "re-encoded": "re-encoded",
    "same length": "of the same length",
    "trimmed": "shorter",
    "lengthened": "longer",
    "other audio": "of the same length with other audio",
}
"""How a recording compares with the published one, the closest first, and how that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How a copy compares with a fingerprint."""

    corpus: str
    source: str
    """The copy that the fingerprint was made of."""
    compared: int
    """Utterances that are here and in the fingerprint."""
    kinds: Mapping[str, tuple[str, ...]]
    """Ids of the utterances by verdict, one of `VERDICTS`; only verdicts that occur."""
    absent: tuple[str, ...]
    """Ids that are in the fingerprint and not here."""
    unknown: tuple[str, ...]
    """Ids that are here and not in the fingerprint."""
    rates: tuple[int, int] | None = None
    """Published rate and rate here in hertz, if they differ and are each the same everywhere."""
    uniform_s: float | None = None
    """The length of nearly all recordings here, where the published ones differ in length."""

    @property
    def is_same(self) -> bool:
        """Whether every compared recording has the published samples."""
        return set(self.kinds) <= set(_SAME)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values; ids only of recordings that differ."""
        same = (*_SAME, "same length")
        return {
            "source": self.source,
            "message": str(self),
            "compared": self.compared,
            "counts": {name: len(ids) for name, ids in self.kinds.items()},
            "differing": {name: list(ids) for name, ids in self.kinds.items() if name not in same},
            "absent": list(self.absent),
            "unknown": list(self.unknown),
        }

    @property
    def problem(self) -> Problem | None:
        """What a user should know; None if the audio is that of the fingerprint."""
        if not self.compared or set(self.kinds) <= {*_SAME, "same length"}:
            return None
        hint = "scores from it are not those of the published recordings"
        return Problem(kind="altered", where=self.corpus, message=str(self), hint=hint)

    def __str__(self) -> str:
        if not self.compared:
            return f"no recording can be compared with {self.source}"
        if set(self.kinds) == {"identical"}:
            return f"all {self.compared} recordings are bit-identical to {self.source}"
        parts = [
            f"{len(self.kinds[verdict])} {words}{self._example(verdict)}"
            for verdict, words in VERDICTS.items()
            if verdict in self.kinds
        ]
        text = f"{self.compared} recordings compared with {self.source}: {', '.join(parts)}"
        if self.rates is not None:
            text += f"; the sampling rate is {self.rates[1]} Hz, not {self.rates[0]} Hz"
        if self.uniform_s is not None:
            text += f"; nearly all last {self.uniform_s:.2f} s: they were cut or padded"
        return text

    def _example(self, verdict: str) -> str:
        """Return the first recording that differs; it is the file to look at."""
        return "" if verdict in (*_SAME, "same length") else f" (such as {self.kinds[verdict][0]})"


def compare(fingerprint: Fingerprint, prints: Mapping[str, Print]) -> Identity:
    """Compare a copy at hand with a fingerprint.

    Args:
        fingerprint: of the published copy, or of a colleague's.
        prints: of the copy at hand, see `sercore.diagnostics.fingerprint.prints_of`.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    shared = [utterance_id for utterance_id in prints if utterance_id in fingerprint.prints]
    for utterance_id in shared:
        published, here = fingerprint.prints[utterance_id], prints[utterance_id]
        verdict = verdict_of(published, here)
        if verdict is not None:
            kinds[verdict].append(utterance_id)
    return Identity(
        corpus=fingerprint.corpus,
        source=fingerprint.source,
        compared=sum(map(len, kinds.values())),
        kinds={name: tuple(kinds[name]) for name in VERDICTS if name in kinds},
        absent=tuple(sorted(set(fingerprint.prints) - set(prints))),
        unknown=tuple(sorted(set(prints) - set(fingerprint.prints))),
        rates=_change_of_rate([(fingerprint.prints[one].rate, prints[one].rate) for one in shared]),
        uniform_s=_uniform_length(
            [prints[utterance_id].duration_s for utterance_id in shared],
            [fingerprint.prints[utterance_id].duration_s for utterance_id in shared],
        ),
    )


def verdict_of(published: Print, here: Print) -> str | None:
    """Return how a recording compares with the published one, one of `VERDICTS`.

    None if the fingerprint says nothing that can be compared.
    """
    return next(_verdicts(published, here), None)


def _verdicts(published: Print, here: Print) -> Iterator[str]:
    """Yield what can be said, the most certain first."""
    if published.sha256 is not None and published.sha256 == here.sha256:
        yield "identical"
    if published.audio is not None and published.audio == here.audio:
        yield "same audio"
    if published.duration_s is not None and here.duration_s is not None:
        change_s = here.duration_s - published.duration_s
        if abs(change_s) > LENGTH_TOLERANCE_S:
            yield "trimmed" if change_s < 0 else "lengthened"
    if published.envelope is not None and here.envelope is not None:
        envelopes = bytes.fromhex(published.envelope), bytes.fromhex(here.envelope)
        if envelope_distance(*envelopes) > ENVELOPE_TOLERANCE_DB:
            yield "other audio"
    if published.rate is not None and published.rate != here.rate:
        yield "resampled"
    if published.channels is not None and published.channels != here.channels:
        yield "mixed"
    if published.envelope is not None:
        yield "re-encoded"
    if published.duration_s is not None:
        yield "same length"


def _change_of_rate(pairs: Sequence[tuple[int | None, int | None]]) -> tuple[int, int] | None:
    """Return the rate as published and here, if that is the same change everywhere."""
    (published, here), count = Counter(pairs).most_common(1)[0] if pairs else ((None, None), 0)
    if count < len(pairs) or published is None or here is None or published == here:
        return None
    return published, here


def _uniform_length(
    here_s: Sequence[float | None], published_s: Sequence[float | None]
) -> float | None:
    """Return the length that nearly all recordings have here and do not have as published."""
    if not here_s:
        return None
    (length, count) = Counter(here_s).most_common(1)[0]
    if length is None or count < _UNIFORM_SHARE * len(here_s):
        return None
    equal = sum(one is not None and abs(one - length) <= LENGTH_TOLERANCE_S for one in published_s)
    return length if equal < _UNIFORM_SHARE * len(published_s) else None
