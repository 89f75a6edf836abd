"""What a report shows, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from sercore.evaluation.statistics import Chance
    from sercore.evaluation.statistics import Interval
    from sercore.published import PublishedSummary
    from sercore.results.cell_statistics import Confusion
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Reductions
    from sercore.statistics.ranks import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """A cell with all that stands behind it."""

    cell: Cell
    interval: Interval | None
    chance: Chance | None
    confusion: Confusion | None
    published: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One backbone of a family."""

    backbone: str
    title: str
    checkpoint: str | None
    matrix: Matrix
    reductions: Reductions
    cells: Mapping[Pair, CellView]
    in_domain: Interval | None
    """Interval of the in-domain mean, over resampled test sets."""
    out_of_domain: Interval | None
    weighted: Interval | None
    trained_on: Mapping[str, Interval]
    """Intervals of the row reduction (Figure 2) by train corpus."""
    tested_on: Mapping[str, Interval]
    """Intervals of the column reduction (Figure 3) by test corpus."""
    published: PublishedSummary | None
    class_f1: Mapping[str, tuple[float | None, float | None]]
    """By class: mean F1 over the in-domain cells, and over the out-of-domain cells."""
    by_seed: tuple[Reductions, ...]
    """The reductions of each split seed that every cell has; empty where there is one seed."""

    @property
    def rank_value(self) -> float:
        """What the leaderboard sorts by at first."""
        value = self.reductions.weighted
        if value is None:
            value = self.reductions.in_domain.mean
        return -math.inf if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceRow:
    """Chance, averaged over the same cells as a backbone's scores."""

    in_domain: Chance | None
    out_of_domain: Chance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Backbones that stand side by side: one protocol, class rule, adjustment and metric."""

    id: str
    """Unique in the report; ``[a-z0-9-]``."""
    run: str
    """The run that it comes from."""
    setting: Setting
    rows: tuple[Row, ...]
    """Best first."""
    in_domain_corpora: tuple[str, ...]
    clusters: tuple[tuple[str, ...], ...]
    """The main set of corpora of the out-of-domain averages first."""
    refusal: str | None
    """Why the backbones cannot be ranked; None where they can."""
    chance: ChanceRow
    in_domain_comparison: Comparison | None
    out_of_domain_comparison: Comparison | None
    common: bool = False
    """Whether it was restricted to the cells that all backbones have."""

    @property
    def title(self) -> str:
        """One line that says what was measured."""
        setting = self.setting
        parts = [f"protocol {setting.protocol}", setting.metric]
        if setting.class_rule:
            parts.append(f"class rule {setting.class_rule}, adjustment {setting.adjustment}")
        if self.common:
            parts.append("common cells only")
        if setting.demo:
            parts.append("demo data")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContent:
    """What is told about a run as a whole."""

    name: str
    record: Mapping[str, Any]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A whole report, of one run or several."""

    runs: tuple[RunContent, ...]
    notices: tuple[Notice, ...]
    families: tuple[Family, ...]
    leaks: tuple[LeakTable, ...]

    @property
    def title(self) -> str:
        """The names of its runs."""
        return ", ".join(run.name for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakGap:
    """One backbone on one corpus, on both kinds of split."""

    backbone: str
    title: str
    corpus: str
    leaky: CellView
    """On the paper's split over files."""
    clean: CellView
    """With no speaker on both sides (texts, where a corpus has one speaker)."""

    @property
    def gap(self) -> float:
        """What the split over files adds to the score."""
        return self.leaky.cell.value - self.clean.cell.value

    @property
    def separated(self) -> bool | None:
        """Whether the intervals of the two scores are apart; None where one has none."""
        first, second = self.leaky.interval, self.clean.interval
        if first is None or second is None:
            return None
        return first.low > second.high or second.low > first.high


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTable:
    """The gaps between two families."""

    leaky: Family
    clean: Family
    gaps: tuple[LeakGap, ...]
    """By corpus, then backbone."""

    @property
    def mean(self) -> float:
        """The mean gap."""
        return sum(each.gap for each in self.gaps) / len(self.gaps)

    @property
    def differs_in(self) -> tuple[str, ...]:
        """What besides the split differs between the two."""
        names = ("reading", "mapper", "averaging", "audio_path", "probe", "probe_settings")
        return tuple(
            name
            for name in names
            if getattr(self.leaky.setting, name) != getattr(self.clean.setting, name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a reader must not overlook."""

    kind: str
    """``demo``, ``incomplete``, ``copy``, ``problem``, ``note``."""
    title: str
    text: str
