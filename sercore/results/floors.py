"""Floors that score above an encoder in domain: a corpus can be solved without hearing emotion."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from sercore.evaluation.metrics import MEASURES
from sercore.evaluation.protocols import SplitScheme
from sercore.results.text import bracketed
from sercore.results.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.shortcuts import Shortcut
    from sercore.statistics.intervals import Interval

FLOOR_MARK = " (floor)"
"""Follows the name of a backbone without pre-training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A backbone whose in-domain scores are compared with floors."""

    title: str
    is_floor: bool
    matrix: Matrix
    intervals: Mapping[Pair, Interval]


class InDomainScore(NamedTuple):
    """The in-domain score of a backbone, or of a shortcut, on one corpus."""

    title: str
    value: float
    interval: Interval | None

    @property
    def text(self) -> str:
        """The name, and the score with its interval."""
        name = self.title.removesuffix(FLOOR_MARK)
        return f"'{name}' {bracketed(self.value, self.interval)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorFinding:
    """A corpus on which a floor scores above encoders, in domain."""

    corpus: str
    floors: tuple[InDomainScore, ...]
    """The floors above the lowest encoder, the highest first."""
    below: tuple[InDomainScore, ...]
    """The encoders below the highest floor, the lowest first."""
    n_encoders: int
    metric: str
    split: str | None

    @property
    def text(self) -> str:
        """Both scores with their intervals."""
        more = len(self.below) - 1
        others = f" and above {more} more of {self.n_encoders} encoders" if more else ""
        floors = ", ".join(floor.text for floor in self.floors)
        return f"on {self.corpus} {floors} above {self.below[0].text}{others}"


def findings_title(findings: Sequence[FloorFinding]) -> str:
    """Return the title of a notice about findings of one comparison."""
    corpora = plural(len(findings), "corpus")
    return f"A floor scores above an encoder on {corpora}"


def findings_text(findings: Sequence[FloorFinding]) -> str:
    """Return what findings of one comparison mean, and what to do; at least one finding."""
    which = "this corpus" if len(findings) == 1 else "these corpora"
    places = "; ".join(finding.text for finding in findings)
    text = (
        f"In-domain {findings[0].metric}, floor above encoder: {places}. "
        f"So the classes of {which} can be told apart without what encoders learn: by "
        "recordings, speakers or texts."
    )
    if findings[0].split == SplitScheme.SPEAKER_DISJOINT:
        return f"{text} In this split no speaker is on both sides."
    return f"{text} 'sercore run --protocol speaker-disjoint' tests on new speakers."


def floor_findings(
    contestants: Sequence[Contestant], shortcuts: Sequence[Shortcut]
) -> Iterator[FloorFinding]:
    """Yield the corpora on which the best floor is above an encoder, in domain.

    Args:
        contestants: the backbones of one comparison, floors among them.
        shortcuts: of the same comparison; they are floors, too.
    """
    if not contestants or contestants[0].matrix.setting.metric not in MEASURES:
        return
    corpora = sorted({name for one in contestants for name in one.matrix.in_domain})
    for corpus in corpora:
        scored = [
            (one.is_floor, _score(one, corpus))
            for one in contestants
            if (corpus, corpus) in one.matrix.cells
        ]
        encoders = [score for is_floor, score in scored if not is_floor]
        floors = [score for is_floor, score in scored if is_floor]
        floors += [
            InDomainScore(shortcut.title, own.cell.value, own.interval)
            for shortcut in shortcuts
            if (own := shortcut.cells.get(corpus)) is not None
        ]
        if not encoders or not floors:
            continue
        highest = max(score.value for score in floors)
        below = sorted(
            (score for score in encoders if score.value < highest), key=lambda score: score.value
        )
        if below:
            above = [score for score in floors if score.value > below[0].value]
            setting = contestants[0].matrix.setting
            yield FloorFinding(
                corpus=corpus,
                floors=tuple(sorted(above, key=lambda score: -score.value)),
                below=tuple(below),
                n_encoders=len(encoders),
                metric=setting.metric,
                split=setting.split,
            )


def _score(one: Contestant, corpus: str) -> InDomainScore:
    pair = (corpus, corpus)
    return InDomainScore(one.title, one.matrix.cells[pair].value, one.intervals.get(pair))
