"""The averages of a run with their intervals, and what they stand between: for short summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from sercore.results.averages import AverageIntervals
from sercore.results.averages import average_intervals
from sercore.results.cell_statistics import CellStatistics
from sercore.results.chance_levels import ChanceRow
from sercore.results.chance_levels import chance_of
from sercore.results.chance_levels import chance_row
from sercore.results.floors import Contestant
from sercore.results.floors import findings_text
from sercore.results.floors import floor_findings
from sercore.results.labels import MatrixLabels
from sercore.results.matched import MatchedMatrices
from sercore.results.record import backbones_of
from sercore.results.shortcuts import Shortcuts
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.results.cell_statistics import Estimate
    from sercore.results.floors import FloorFinding
    from sercore.results.matched import MatchedAverage
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Reductions
    from sercore.results.shortcuts import Shortcut
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixOverview:
    """One matrix, its averages and their intervals."""

    matrix: Matrix
    reductions: Reductions
    intervals: AverageIntervals = field(default_factory=AverageIntervals)
    cells: Mapping[Pair, Interval] = field(default_factory=dict)
    """Intervals of its cells."""
    matched: MatchedAverage | None = None
    is_floor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelsOverview:
    """What the scores of comparable backbones stand between."""

    setting: Setting
    """Of one of the backbones."""
    n_corpora: int
    """With an in-domain cell."""
    chance: ChanceRow
    shortcuts: tuple[Shortcut, ...]
    findings: tuple[FloorFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """Chance or a shortcut, averaged like the backbones."""

    title: str
    corpora: str | None
    """The set of corpora."""
    protocol: str
    class_rule: str | None
    demo: bool
    in_domain: float | None
    interval: Interval | None = None
    coverage: str = ""
    out_of_domain: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverview:
    """The matrices of a run, and the levels of each set of comparable backbones."""

    matrices: tuple[MatrixOverview, ...]
    levels: tuple[LevelsOverview, ...]

    @classmethod
    def without_intervals(
        cls, matrices: Sequence[Matrix], reductions: Sequence[Reductions]
    ) -> RunOverview:
        """Return the overview of scores whose predictions are not there."""
        found = [
            MatrixOverview(matrix=matrix, reductions=reduced)
            for matrix, reduced in zip(matrices, reductions, strict=True)
        ]
        return cls(matrices=tuple(found), levels=())

    @property
    def findings(self) -> list[str]:
        """One sentence for each comparison in which a floor scores above an encoder."""
        found = [level.findings for level in self.levels if level.findings]
        return list(dict.fromkeys(map(findings_text, found)))

    @property
    def level_rows(self) -> list[LevelRow]:
        """Chance and shortcuts, as rows below the averages; equal rows appear once."""
        return list(dict.fromkeys(row for level in self.levels for row in _level_rows(level)))


def overview_of(
    run: StoredRun, matrices: Sequence[Matrix], reductions: Sequence[Reductions]
) -> RunOverview:
    """Return the overview of some matrices of a run.

    Args:
        run: the run.
        matrices: some of its matrices.
        reductions: the averages of each.
    """
    statistics = CellStatistics(run)
    matched = MatchedMatrices(run, matrices)
    estimates = statistics.estimates([*matrices, *matched.matrices])
    described = backbones_of(run.record)
    found = []
    for matrix, reduced in zip(matrices, reductions, strict=True):
        own = _own(matrix, estimates)
        record = described.get(matrix.setting.backbone)
        found.append(
            MatrixOverview(
                matrix=matrix,
                reductions=reduced,
                intervals=average_intervals(reduced, own),
                cells={pair: estimate.interval for pair, estimate in own.items()},
                matched=matched.average(matrix.setting, estimates),
                is_floor=record.floor if record is not None else False,
            )
        )
    return RunOverview(matrices=tuple(found), levels=tuple(_levels(run, statistics, found)))


def run_overview(run: StoredRun) -> RunOverview:
    """Return the overview of all matrices of a run."""
    found = matrices_of(run.scores, run.record)
    return overview_of(run, found, [reduce_of(matrix, run.record) for matrix in found])


def _levels(
    run: StoredRun, statistics: CellStatistics, found: Sequence[MatrixOverview]
) -> list[LevelsOverview]:
    groups: dict[object, list[MatrixOverview]] = defaultdict(list)
    for one in found:
        groups[one.matrix.setting.comparison_key].append(one)
    shortcuts = Shortcuts(run)
    labels = MatrixLabels(one.matrix.setting for one in found)
    levels = []
    for group in groups.values():
        setting = group[0].matrix.setting
        corpora = {name for one in group for name in one.matrix.in_domain}
        own = shortcuts.of(setting, corpora)
        contestants = [
            Contestant(
                title=labels.title(one.matrix.setting),
                is_floor=one.is_floor,
                matrix=one.matrix,
                intervals=one.cells,
            )
            for one in group
        ]
        levels.append(
            LevelsOverview(
                setting=setting,
                n_corpora=len(corpora),
                chance=_chance(statistics, group),
                shortcuts=own,
                findings=tuple(floor_findings(contestants, own)),
            )
        )
    return levels


def _level_rows(level: LevelsOverview) -> Iterator[LevelRow]:
    own = level.setting
    inside, outside = level.chance.in_domain, level.chance.out_of_domain
    if inside or outside:
        yield LevelRow(
            title="best blind guess",
            corpora=own.corpora,
            protocol=own.protocol,
            class_rule=own.class_rule,
            demo=own.demo,
            in_domain=inside.best_blind_guess if inside else None,
            out_of_domain=outside.best_blind_guess if outside else None,
        )
    for shortcut in level.shortcuts:
        yield LevelRow(
            title=shortcut.title,
            corpora=own.corpora,
            protocol=own.protocol,
            class_rule=own.class_rule,
            demo=own.demo,
            in_domain=shortcut.mean,
            interval=shortcut.interval,
            coverage=f"{len(shortcut.cells)} of {level.n_corpora}",
        )


def _chance(statistics: CellStatistics, group: Sequence[MatrixOverview]) -> ChanceRow:
    """Return chance over the cells of the backbone that has most cells."""
    fullest = max(group, key=lambda one: len(one.reductions.cells))
    setting = fullest.matrix.setting
    levels = {}
    for pair, cell in fullest.matrix.cells.items():
        confusion = statistics.confusion(cell, setting)
        levels[pair] = None if confusion is None else chance_of(confusion, setting)
    return chance_row(levels, fullest.reductions.cells)


def _own(
    matrix: Matrix, estimates: Mapping[tuple[Setting, Pair], Estimate]
) -> dict[Pair, Estimate]:
    return {
        pair: estimates[matrix.setting, pair]
        for pair in matrix.cells
        if (matrix.setting, pair) in estimates
    }
