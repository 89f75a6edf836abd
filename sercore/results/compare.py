"""Compare two runs: which cells differ, by how much, and whether by more than noise.

Noise is what new speakers and new seeds of training would change. With fewer than three seeds the
noise of training is not known, so there is an interval and no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import NamedTuple

from sercore.errors import ProtocolError
from sercore.results.cell_statistics import CellStatistics
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of
from sercore.statistics.differences import paired_difference
from sercore.statistics.differences import unpaired_difference
from sercore.statistics.paired import MIN_SEEDS
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.reductions import Reductions
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval

Verdict = Literal[
    "equal", "noise", "differs", "not-decided", "unknown", "only-first", "only-second"
]
"""``noise``: the interval of the difference contains zero; ``differs``: it does not;
``not-decided``: a cell has fewer than three seeds; ``unknown``: there is no interval, because
neither predictions nor confusion counts are stored."""

_PASSING = frozenset(
    {
        "name",
        "written",
        "status",
        "counts",
        "problems",
        "notes",
        "scoring",
        "schema",
        "rescored_from",
    }
)
"""Parts of a record that say how a run went, not what its scores depend on."""

AverageName = Literal["in-domain", "out-of-domain", "weighted"]


class MatrixKey(NamedTuple):
    """What names a matrix in both runs."""

    backbone: str
    class_rule: str | None
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """One cell of two runs."""

    backbone: str
    class_rule: str | None
    """None in domain."""
    train: str
    test: str
    first: float | None
    second: float | None
    verdict: Verdict
    interval: Interval | None = None
    """Of second minus first."""
    paired: bool = False
    """Whether a speaker is left out of both at once: both were tested on the same corpus."""
    same_predictions: bool = False

    @property
    def difference(self) -> float | None:
        """Second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageDifference:
    """One average of two runs, over the cells that each run has."""

    backbone: str
    class_rule: str | None
    name: AverageName
    first: float | None
    second: float | None
    same_cells: bool
    """Whether both cover the same cells; if not, their difference means little."""

    @property
    def difference(self) -> float | None:
        """Second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDifference:
    """An entry of the records that differs; None if a run lacks it."""

    path: str
    first: Any
    second: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Everything that differs between two runs."""

    first: str
    second: str
    cells: tuple[CellDifference, ...]
    averages: tuple[AverageDifference, ...]
    record: tuple[RecordDifference, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many cells got a verdict."""
        return sum(cell.verdict == verdict for cell in self.cells)


def compare_runs(
    first: StoredRun,
    second: StoredRun,
    *,
    metric: str | None = None,
    adjustment: str | None = None,
) -> RunComparison:
    """Compare two runs cell by cell.

    Cells with the same backbone, class rule, train and test corpus are compared. Everything else
    that differs (protocol, revision, seeds) is listed under the differences of the records.

    Args:
        first: one run.
        second: the other; differences are second minus first.
        metric: of whole cells; that of the headline if None.
        adjustment: of out-of-domain cells; the headline of each run if None.

    Raises:
        ProtocolError: a run has two matrices of one backbone under one class rule.
    """
    sides = [_Side(run, metric, adjustment) for run in (first, second)]
    cells: list[CellDifference] = []
    averages: list[AverageDifference] = []
    for key in sorted({*sides[0].matrices, *sides[1].matrices}, key=str):
        cells += _cells(key, *sides)
        averages += _averages(key, *sides)
    # In-domain cells are in the matrix of every class rule; one of them is enough.
    unique = {(cell.backbone, cell.class_rule, cell.train, cell.test): cell for cell in cells}
    return RunComparison(
        first=first.name,
        second=second.name,
        cells=tuple(unique.values()),
        averages=tuple(averages),
        record=tuple(_record_differences(first.record, second.record)),
    )


class _Side:
    """The matrices of one run, and the estimates of their cells."""

    def __init__(self, run: StoredRun, metric: str | None, adjustment: str | None) -> None:
        self.run = run
        self.matrices: dict[MatrixKey, Matrix] = {}
        for matrix in matrices_of(run.scores, run.record, metric=metric, adjustment=adjustment):
            setting = matrix.setting
            key = MatrixKey(setting.backbone, setting.class_rule, setting.demo)
            if key in self.matrices:
                raise ProtocolError(
                    f"the run '{run.name}' has several matrices of {setting.backbone} that differ "
                    "in more than the class rule",
                    hint="compare runs with one protocol, one probe and one checkpoint",
                )
            self.matrices[key] = matrix
        self._estimates = CellStatistics(run).estimates(self.matrices.values())

    def cells(self, key: MatrixKey) -> Mapping[Pair, Cell]:
        matrix = self.matrices.get(key)
        return matrix.cells if matrix else {}

    def estimate(self, key: MatrixKey, pair: Pair) -> Estimate | None:
        matrix = self.matrices.get(key)
        return None if matrix is None else self._estimates.get((matrix.setting, pair))


def _cells(key: MatrixKey, first: _Side, second: _Side) -> Iterator[CellDifference]:
    ones, others = first.cells(key), second.cells(key)
    for pair in sorted({*ones, *others}):
        one, other = ones.get(pair), others.get(pair)
        found = CellDifference(
            backbone=key.backbone,
            class_rule=None if pair[0] == pair[1] else key.class_rule,
            train=pair[0],
            test=pair[1],
            first=one.value if one else None,
            second=other.value if other else None,
            verdict="only-first" if one else "only-second",
        )
        if one is None or other is None:
            yield found
            continue
        estimates = first.estimate(key, pair), second.estimate(key, pair)
        around, paired = _difference(*estimates)
        yield replace(
            found,
            verdict=_verdict(other.value - one.value, around, *estimates),
            interval=around,
            paired=paired,
            same_predictions=bool(one.prediction_keys)
            and one.prediction_keys == other.prediction_keys,
        )


def _difference(first: Estimate | None, second: Estimate | None) -> tuple[Interval | None, bool]:
    """Return the interval of second minus first, and whether speakers are paired."""
    if first is None or second is None:
        return None, False
    one, other = first.cell, second.cell
    if one.unit == other.unit and first.manifest == second.manifest != "":
        (around,) = cell_intervals([paired_difference(one, other)], bounds=(-1.0, 1.0))
        return around, True
    return unpaired_difference(first.interval, second.interval), False


def _verdict(
    difference: float, around: Interval | None, first: Estimate | None, second: Estimate | None
) -> Verdict:
    if difference == 0:
        return "equal"
    if around is None or first is None or second is None:
        return "unknown"
    if min(len(first.seeds), len(second.seeds)) < MIN_SEEDS:
        return "not-decided"
    return "differs" if around.excludes_zero else "noise"


def _averages(key: MatrixKey, first: _Side, second: _Side) -> Iterator[AverageDifference]:
    if key not in first.matrices or key not in second.matrices:
        return
    one, other = (reduce_of(side.matrices[key], side.run.record) for side in (first, second))
    ones, others = _named_averages(one), _named_averages(other)
    for name, value in ones.items():
        if value is not None or others[name] is not None:
            yield AverageDifference(
                backbone=key.backbone,
                class_rule=key.class_rule,
                name=name,
                first=value,
                second=others[name],
                same_cells=one.cells == other.cells,
            )


def _named_averages(reductions: Reductions) -> dict[AverageName, float | None]:
    outside = reductions.out_of_domain
    return {
        "in-domain": reductions.in_domain.mean,
        "out-of-domain": outside.average.mean if outside else None,
        "weighted": reductions.weighted,
    }


def _record_differences(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[RecordDifference]:
    one, other = (
        dict(_flat({name: value for name, value in record.items() if name not in _PASSING}))
        for record in (first, second)
    )
    for path in sorted({*one, *other}):
        if one.get(path) != other.get(path):
            yield RecordDifference(path=path, first=one.get(path), second=other.get(path))


def _flat(value: Any, path: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _flat(entry, (*path, str(name)))
    else:
        yield ".".join(path), value
