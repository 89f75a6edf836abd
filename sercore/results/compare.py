"""Compare two runs: which cells differ, by how much, and whether by more than noise.

Noise is what new speakers and new seeds of training would change. With fewer than three seeds the
noise of training is not known, so there is an interval and no verdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.bundles.public_record import public_record
from sercore.errors import ProtocolError
from sercore.results.averages import difference_intervals
from sercore.results.record_differences import record_differences
from sercore.results.sides import Choice
from sercore.results.sides import two_sides
from sercore.results.stored_run import reduce_of
from sercore.statistics.differences import paired_difference
from sercore.statistics.differences import unpaired_difference
from sercore.statistics.paired import MIN_SEEDS
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    from sercore.results.averages import AverageName
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Pair
    from sercore.results.record_differences import RecordDifference
    from sercore.results.reductions import Reductions
    from sercore.results.sides import MatrixKey
    from sercore.results.sides import Side
    from sercore.results.sides import SideCell
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.intervals import Interval
    from sercore.statistics.jackknife import CellEstimate

Verdict = Literal[
    "equal", "noise", "differs", "not-decided", "unknown", "only-first", "only-second"
]
"""``noise``: the interval of the difference contains zero; ``differs``: it does not;
``not-decided``: a cell has fewer than three seeds; ``unknown``: there is no interval, because
neither predictions nor confusion counts are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """One cell of two runs."""

    title: str
    """The backbone, with probe and layer where a run has several."""
    backbone: str
    probe: str | None
    """None where each run has one: then they can differ."""
    layer: str | None
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

    title: str
    """The backbone, with probe and layer where a run has several."""
    backbone: str
    class_rule: str | None
    corpora: str | None
    """The set of corpora that the average is over."""
    name: AverageName
    first: float | None
    second: float | None
    same_cells: bool
    """Whether both cover the same cells; if not, their difference means little."""
    verdict: Verdict
    interval: Interval | None
    """Of second minus first; None unless both cover the same cells."""

    @property
    def difference(self) -> float | None:
        """Second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Everything that differs between two runs."""

    first: str
    second: str
    cells: tuple[CellDifference, ...]
    averages: tuple[AverageDifference, ...]
    record: tuple[RecordDifference, ...]
    unrecorded: str | None = None
    """The run without a record, if the published matrices are compared."""

    def count(self, verdict: Verdict) -> int:
        """Return how many cells got a verdict."""
        return sum(cell.verdict == verdict for cell in self.cells)


def compare_runs(
    first: StoredRun,
    second: StoredRun,
    *,
    metric: str | None = None,
    choices: tuple[Choice, Choice] = (Choice(), Choice()),
) -> RunComparison:
    """Compare two runs, or two parts of one run, cell by cell.

    Cells with the same backbone, class rule, train and test corpus are compared, and with the same
    probe and layer where a run has several. Backbones of different names are the same if they have
    the same checkpoint. Everything else that differs (protocol, revision, seeds) is listed under
    the differences of the records.

    Args:
        first: one run.
        second: the other, or the same; differences are second minus first.
        metric: of whole cells; that of the headline if None.
        choices: which adjustment, probe and layer of each run.

    Raises:
        ProtocolError: no cell is in both, a choice has no scores, or a run has several matrices
            that cannot be told apart.
    """
    one, other = two_sides((first, second), choices, metric)
    cells = _compared_cells(one, other)
    if not any(cell.first is not None and cell.second is not None for cell in cells):
        raise ProtocolError(
            f"no cell is in both '{first.name}' and '{second.name}'",
            hint=f"{one.describe()}; {other.describe()}",
        )
    shared = sorted(one.matrices.keys() & other.matrices.keys(), key=str)
    titles = (choices[0].differing(choices[1]), choices[1].differing(choices[0]))
    return RunComparison(
        first=f"{first.name} ({titles[0]})" if titles[0] else first.name,
        second=f"{second.name} ({titles[1]})" if titles[1] else second.name,
        cells=cells,
        averages=tuple(average for key in shared for average in _averages(key, one, other)),
        record=tuple(record_differences(*_records(first, second))),
        unrecorded=next((run.name for run in (first, second) if run.is_published), None),
    )


def _compared_cells(first: Side, second: Side) -> tuple[CellDifference, ...]:
    ones, others = first.cells(), second.cells()
    intervals = _intervals(ones, others)
    found = []
    for place in sorted({*ones, *others}, key=str):
        key, pair = place
        one, other = ones.get(place), others.get(place)
        difference = CellDifference(
            title=key.title,
            backbone=key.backbone,
            probe=key.probe,
            layer=key.layer,
            class_rule=key.class_rule,
            train=pair[0],
            test=pair[1],
            first=one.cell.value if one else None,
            second=other.cell.value if other else None,
            verdict="only-first" if one else "only-second",
        )
        if one is not None and other is not None:
            around, paired = intervals.get(place, (None, False))
            keys = one.cell.prediction_keys
            difference = replace(
                difference,
                verdict=_verdict(
                    other.cell.value - one.cell.value,
                    around,
                    _n_seeds(one.estimate, other.estimate),
                ),
                interval=around,
                paired=paired,
                same_predictions=bool(keys) and keys == other.cell.prediction_keys,
            )
        found.append(difference)
    return tuple(found)


_Place = tuple["MatrixKey", "Pair"]


def _intervals(
    ones: Mapping[_Place, SideCell], others: Mapping[_Place, SideCell]
) -> dict[_Place, tuple[Interval, bool]]:
    """Return the intervals of second minus first, and whether speakers are paired.

    The variances over seeds of all paired cells of one kind are moderated together.
    """
    found: dict[_Place, tuple[Interval, bool]] = {}
    kinds: dict[object, dict[_Place, CellEstimate]] = defaultdict(dict)
    for place in ones.keys() & others.keys():
        one, other = ones[place].estimate, others[place].estimate
        if one is None or other is None:
            continue
        if one.cell.unit == other.cell.unit and one.manifest == other.manifest != "":
            difference = paired_difference(one.cell, other.cell)
            kinds[place[0].class_rule, len(difference.by_seed)][place] = difference
        else:
            found[place] = unpaired_difference(one.interval, other.interval), False
    for cells in kinds.values():
        places = sorted(cells, key=str)
        intervals = cell_intervals([cells[place] for place in places], bounds=(-1.0, 1.0))
        found |= {place: (around, True) for place, around in zip(places, intervals, strict=True)}
    return found


def _n_seeds(*estimates: Estimate | None) -> int:
    return min(len(estimate.seeds) if estimate else 0 for estimate in estimates)


def _verdict(difference: float, around: Interval | None, n_seeds: int) -> Verdict:
    if difference == 0:
        return "equal"
    if around is None:
        return "unknown"
    if n_seeds < MIN_SEEDS:
        return "not-decided"
    return "differs" if around.excludes_zero else "noise"


def _averages(key: MatrixKey, first: Side, second: Side) -> Iterator[AverageDifference]:
    one, other = (reduce_of(side.matrices[key], side.run.record) for side in (first, second))
    ones, others = _named_averages(one), _named_averages(other)
    same_cells = one.cells == other.cells
    estimates = first.estimates[key], second.estimates[key]
    intervals = _average_intervals(one, *estimates) if same_cells else {}
    n_seeds = min(
        (len(own[pair].seeds) for own in estimates for pair in one.cells if pair in own), default=0
    )
    for name, value in ones.items():
        ours = others[name]
        if value is None and ours is None:
            continue
        around = intervals.get(name)
        difference = 1.0 if value is None or ours is None else ours - value
        yield AverageDifference(
            title=key.title,
            backbone=key.backbone,
            class_rule=key.class_rule,
            corpora=key.corpora,
            name=name,
            first=value,
            second=ours,
            same_cells=same_cells,
            verdict=_verdict(difference, around, n_seeds),
            interval=around,
        )


def _average_intervals(
    reductions: Reductions, first: Mapping[Pair, Estimate], second: Mapping[Pair, Estimate]
) -> dict[AverageName, Interval]:
    """Return the intervals of second minus first; none where a cell has no estimate."""
    cells = reductions.cells
    if not cells or not (cells <= first.keys() and cells <= second.keys()):
        return {}
    outside = reductions.out_of_domain
    found = difference_intervals(
        {
            "second": {pair: second[pair] for pair in cells},
            "first": {pair: first[pair] for pair in cells},
        },
        sorted(train for train, test in cells if train == test),
        outside.corpora if outside else (),
    )
    return {name: around for name, pairs in found.items() for around in pairs.values()}


def _named_averages(reductions: Reductions) -> dict[AverageName, float | None]:
    outside = reductions.out_of_domain
    return {
        "in-domain": reductions.in_domain.mean,
        "out-of-domain": outside.average.mean if outside else None,
        "weighted": reductions.weighted,
    }


def _records(first: StoredRun, second: StoredRun) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the records, as far as both can have the same entries."""
    if first.is_published or second.is_published:
        return {}, {}
    if first.bundle is None and second.bundle is None:
        return first.record, second.record
    return public_record(first.record), public_record(second.record)
