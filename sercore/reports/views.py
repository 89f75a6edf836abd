"""The values of a report: everything that its formats show."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import NamedTuple

from sercore.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from sercore.evaluation.confusion import Confusion
    from sercore.published import PublishedSummary
    from sercore.results.averages import AverageIntervals
    from sercore.results.averages import AverageName
    from sercore.results.calibration import Calibration
    from sercore.results.cell_statistics import CellStatistics
    from sercore.results.cell_statistics import Estimate
    from sercore.results.chance_levels import ChanceRow
    from sercore.results.floors import FloorFinding
    from sercore.results.matched import MatchedAverage
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Average
    from sercore.results.reductions import Reductions
    from sercore.results.shortcuts import Shortcut
    from sercore.statistics.chance import Chance
    from sercore.statistics.intervals import Interval
    from sercore.statistics.leak import LeakGap as PairedGap
    from sercore.statistics.paired import PairedVerdict
    from sercore.statistics.ranks import Comparison
    from sercore.statistics.verdicts import CorporaComparison

_LOWER_IS_BETTER = frozenset(metric.id for metric in METRICS if metric.higher_is_better is False)

NO_INTERVAL = "No average has an interval, because predictions or confusion counts are missing."

Scale = Literal["score", "skill"]
"""``skill`` is (score - chance) / (1 - chance)."""

Side = Literal["rows", "columns"]
"""Which out-of-domain means: by train corpus (``rows``) or by test corpus (``columns``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A cell of a matrix and its statistics."""

    cell: Cell
    interval: Interval | None
    chance: Chance | None
    confusion: Confusion | None
    published: float | None
    """The value in the paper."""

    @property
    def skill(self) -> float:
        """(score - chance) / (1 - chance): 0 is the best blind guess, 1 is perfect.

        The score itself, where chance is not known.
        """
        guess = self.chance.best_blind_guess if self.chance is not None else 0.0
        return (self.cell.value - guess) / (1 - guess) if guess < 1 else self.cell.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassF1:
    """The mean F1 of a class over the cells where it has test support."""

    in_domain: float | None
    out_of_domain: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneResult:
    """The matrix of one backbone, its averages and their uncertainty."""

    title: str
    """Unique in its group."""
    matrix: Matrix
    reductions: Reductions
    cells: Mapping[Pair, CellView]
    intervals: AverageIntervals
    published: PublishedSummary | None
    """The averages in the paper."""
    class_f1: Mapping[str, ClassF1]
    statistics: CellStatistics
    """Reads the stored predictions of its run."""
    estimates: Mapping[Pair, Estimate]
    """What the intervals of its cells were computed from."""
    by_seed: tuple[Reductions, ...]
    """The averages of each split seed that every cell has; empty if there is one seed."""
    is_floor: bool = False
    """Whether its backbone is features without pre-training. The title says so."""
    matched: MatchedAverage | None = None
    """The weighted average with one adjustment in and out of domain; None if it is such."""
    calibration: Calibration | None = None
    details: tuple[str, ...] = ()
    """What tells it apart from other matrices of its backbone: ``layer 3``. Part of the title."""

    @property
    def backbone(self) -> str:
        """Its name, variant included."""
        return self.matrix.setting.backbone

    @property
    def out_of_domain(self) -> Average | None:
        """The out-of-domain average, if the matrix has out-of-domain cells."""
        outside = self.reductions.out_of_domain
        return outside.average if outside else None

    @property
    def rank_value(self) -> float:
        """The value that first sorts the leaderboard."""
        value = self.reductions.weighted
        if value is None:
            value = self.reductions.in_domain.mean
        if value is None:
            return -math.inf
        return -value if self.matrix.setting.metric in _LOWER_IS_BETTER else value

    def means(self, side: Side) -> tuple[Mapping[str, Average], Mapping[str, Interval]]:
        """Return the out-of-domain means by corpus, and their intervals."""
        outside = self.reductions.out_of_domain
        if outside is None:
            return {}, {}
        if side == "rows":
            return outside.rows, self.intervals.rows
        return outside.columns, self.intervals.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The out-of-domain mean of one backbone under several adjustments, over the same cells."""

    title: str
    means: Mapping[str, float]
    """By adjustment."""
    n_cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Which backbone is better by one average. The two scopes never share a table."""

    average: AverageName
    other_corpora: CorporaComparison | None
    """Other corpora like these, as train and as test corpora."""
    refusal: str | None
    """Why there is no comparison over other corpora."""
    these_corpora: tuple[PairedVerdict, ...]
    """Exactly these cells, new speakers and seeds; empty if cells or estimates are missing."""
    n_cells: int
    rope: float
    """Half the width of the region of practical equivalence."""
    ranks: Comparison | None
    """The classical tests with ranks, if they were asked for."""

    @property
    def has_any(self) -> bool:
        """Whether there is anything to show."""
        found = (self.other_corpora, self.refusal, self.these_corpora, self.ranks)
        return any(part not in (None, ()) for part in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonGroup:
    """Backbones that can be compared: one protocol, class rule, adjustment, metric and probe."""

    id: str
    """Unique in the report; ``[a-z0-9-]``."""
    run: str
    """The run that it comes from."""
    setting: Setting
    """Of its first backbone; the others differ in the backbone alone."""
    backbones: tuple[BackboneResult, ...]
    """Best first."""
    in_domain_corpora: tuple[str, ...]
    clusters: tuple[tuple[str, ...], ...]
    """Sets of corpora with out-of-domain averages, the main one first."""
    refusal: str | None
    """Why the backbones cannot be ranked; None if they can."""
    chance: ChanceRow
    verdicts: tuple[Verdicts, ...]
    """Which backbone is better, by average."""
    shortcuts: tuple[Shortcut, ...] = ()
    """In-domain scores without sound: from the text alone, from the speaker alone."""
    findings: tuple[FloorFinding, ...] = ()
    """Corpora on which a floor scores above an encoder."""
    human_accuracy: Mapping[str, float] = field(default_factory=dict)
    """By corpus: of human listeners, where the card of the corpus has it."""
    recoveries: tuple[Recovery, ...] = ()
    """What estimated class frequencies of the test corpora are worth."""
    details: tuple[str, ...] = ()
    """What tells it apart from other groups of the report: ``probe framewise``."""
    common: bool = False
    """Whether it has only the cells that all backbones have."""
    scale: Scale = "score"

    @property
    def title(self) -> str:
        """One line that says what was measured."""
        setting = self.setting
        parts = [f"protocol {setting.protocol}", setting.metric]
        if setting.class_rule:
            parts.append(f"class rule {setting.class_rule}, adjustment {setting.adjustment}")
        if setting.corpora:
            parts.append(f"corpora {setting.corpora}")
        parts += self.details
        if self.scale == "skill":
            parts.append("skill above chance")
        if self.common:
            parts.append("common cells only")
        if setting.demo:
            parts.append("demo data")
        return " · ".join(parts)

    @property
    def has_out_of_domain(self) -> bool:
        """Whether any backbone has out-of-domain averages."""
        return any(result.out_of_domain for result in self.backbones)

    @property
    def has_matched(self) -> bool:
        """Whether any backbone has a weighted average with one adjustment on both sides."""
        return any(result.matched for result in self.backbones)

    @property
    def has_intervals(self) -> bool:
        """Whether the averages of any backbone have an interval."""
        return any(
            interval is not None
            for result in self.backbones
            for interval in (result.intervals.in_domain, result.intervals.out_of_domain)
        )

    @property
    def has_published(self) -> bool:
        """Whether the paper has averages of any backbone."""
        return any(result.published for result in self.backbones)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContent:
    """What a report says about a run as a whole."""

    name: str
    record: Mapping[str, Any]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A whole report, of one run or several."""

    runs: tuple[RunContent, ...]
    notices: tuple[Notice, ...]
    groups: tuple[ComparisonGroup, ...]
    leaks: tuple[LeakTable, ...]
    switched: Callable[[], Sequence[ComparisonGroup]] = tuple
    """Computes the same comparisons under every other adjustment and metric, and as skill. It takes
    seconds for a full run, and the page alone needs it."""

    @property
    def title(self) -> str:
        """The names of its runs."""
        return ", ".join(run.name for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakGap:
    """One backbone on one corpus, with random and with speaker-disjoint folds."""

    backbone: str
    title: str
    corpus: str
    random: CellView
    """With folds over utterances, so that speakers are on both sides."""
    disjoint: CellView
    """With folds that share no speaker (no text, if the corpus has one speaker)."""
    paired: PairedGap
    """The gap and its interval; seeds and speakers are paired."""


class RefusedGap(NamedTuple):
    """A cell of both runs without a leak gap."""

    title: str
    corpus: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTable:
    """The leak gaps between two groups that differ in the split alone."""

    random: ComparisonGroup
    disjoint: ComparisonGroup
    gaps: tuple[LeakGap, ...]
    """By corpus, then by backbone."""
    refused: tuple[RefusedGap, ...]
    mean: Interval | None
    """Of the mean gap; None without a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a reader must know before using the numbers."""

    kind: Literal["demo", "incomplete", "copy", "problem", "note", "shortcut"]
    title: str
    text: str
