"""Intervals of averages, and of differences between averages, from the estimates of cells."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from itertools import combinations
from typing import TYPE_CHECKING
from typing import Literal

import numpy as np

from sercore.errors import ProtocolError
from sercore.results.reductions import reduce_values
from sercore.statistics.averages import MatrixLayout
from sercore.statistics.averages import seed_strata
from sercore.statistics.averages import speaker_strata
from sercore.statistics.averages import stratified_jackknife
from sercore.statistics.intervals import Note

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Pair
    from sercore.results.reductions import Reduced
    from sercore.results.reductions import Reductions
    from sercore.statistics.intervals import Interval

    Values = npt.NDArray[np.float64]

AverageName = Literal["in-domain", "out-of-domain", "weighted"]
AVERAGES: tuple[AverageName, ...] = ("in-domain", "out-of-domain", "weighted")

_BOUNDS = (-1.0, 1.0)  # a weighted average can be negative
_ABOUT_UNITS = (Note.UNKNOWN_SPEAKERS, Note.ONE_SPEAKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageIntervals:
    """Intervals of the averages of a backbone, over speakers and seeds."""

    in_domain: Interval | None = None
    out_of_domain: Interval | None = None
    weighted: Interval | None = None
    rows: Mapping[str, Interval] = field(default_factory=dict)
    """Of the out-of-domain means by train corpus."""
    columns: Mapping[str, Interval] = field(default_factory=dict)
    """Of the out-of-domain means by test corpus."""


class CellVector:
    """The cells of one or several backbones in one vector, and what is left out of them.

    Args:
        cells: by backbone, the estimates of its cells.
        in_domain: the corpora of the diagonal.
        out_of_domain: the corpora of the out-of-domain averages.
    """

    def __init__(
        self,
        cells: Mapping[str, Mapping[Pair, Estimate]],
        in_domain: Sequence[str],
        out_of_domain: Sequence[str],
    ) -> None:
        self.layout = MatrixLayout(
            backbones=tuple(cells),
            in_domain=tuple(in_domain),
            out_of_domain=tuple(out_of_domain),
        )
        placed = {
            self.layout.position(backbone, train, test): (train, test, estimate)
            for backbone, own in cells.items()
            for (train, test), estimate in own.items()
            if self._holds(train, test)
        }
        self.values: Values = np.full(self.layout.size, np.nan)
        for position, (_, _, estimate) in placed.items():
            self.values[position] = estimate.cell.value
        by_test = {
            position: (f"{test} {estimate.manifest[:12]}".strip(), estimate.cell)
            for position, (_, test, estimate) in placed.items()
        }
        by_train = {
            position: (train, estimate.by_seed) for position, (train, _, estimate) in placed.items()
        }
        self.strata = [*speaker_strata(by_test), *seed_strata(by_train)]
        found = [estimate for _, _, estimate in placed.values()]
        self.n_seeds = min((len(estimate.seeds) for estimate in found), default=0)
        self._notes = _notes(found, self.n_seeds)

    def reduced(self, values: Values) -> Reduced:
        """Return the averages of every backbone, each float64 (..., backbones).

        Args:
            values: float64 (..., cells).
        """
        return reduce_values(*self.layout.unpack(values))

    def intervals(self, statistic: Callable[[Values], Values]) -> list[Interval | None]:
        """Return the intervals of quantities; None where one is undefined or has one unit.

        Args:
            statistic: maps float64 (..., cells) to float64 (..., quantities).
        """
        defined = np.isfinite(statistic(self.values))

        def kept(values: Values) -> Values:
            return np.asarray(statistic(values)[..., defined])

        found: list[Interval | None] = [None] * len(defined)
        if not defined.any():
            return found
        try:
            intervals = stratified_jackknife(
                kept, self.values, self.strata, bounds=_BOUNDS, notes=self._notes
            )
        except ProtocolError:
            return found
        for place, interval in zip(np.flatnonzero(defined), intervals, strict=True):
            found[place] = interval
        return found

    def _holds(self, train: str, test: str) -> bool:
        if train == test:
            return train in self.layout.in_domain
        return train in self.layout.out_of_domain and test in self.layout.out_of_domain


def average_intervals(
    reductions: Reductions, estimates: Mapping[Pair, Estimate]
) -> AverageIntervals:
    """Return the intervals of the averages of one backbone.

    Args:
        reductions: its averages.
        estimates: of its cells; without one for every cell of the averages there is no interval.
    """
    if not reductions.cells or not reductions.cells <= estimates.keys():
        return AverageIntervals()
    outside = reductions.out_of_domain
    corpora = outside.corpora if outside else ()
    diagonal = sorted(train for train, test in reductions.cells if train == test)
    own = {pair: estimates[pair] for pair in reductions.cells}
    vector = CellVector({"": own}, diagonal, corpora)

    def averages(values: Values) -> Values:
        found = vector.reduced(values)
        means = [found.in_domain_mean, found.out_of_domain_mean, found.weighted]
        parts = [np.concatenate(means, axis=-1), found.rows[..., 0, :], found.columns[..., 0, :]]
        return np.concatenate(parts, axis=-1)

    inside, across, weighted, *others = vector.intervals(averages)
    rows, columns = others[: len(corpora)], others[len(corpora) :]
    return AverageIntervals(
        in_domain=inside,
        out_of_domain=across,
        weighted=weighted,
        rows=_present(corpora, rows),
        columns=_present(corpora, columns),
    )


def difference_intervals(
    cells: Mapping[str, Mapping[Pair, Estimate]],
    in_domain: Sequence[str],
    out_of_domain: Sequence[str],
) -> dict[AverageName, dict[tuple[str, str], Interval]]:
    """Return the intervals of the paired differences, first minus second, of every average.

    Args:
        cells: by backbone, the estimates of its cells; all have the same cells.
        in_domain: the corpora of the diagonal.
        out_of_domain: the corpora of the out-of-domain averages.
    """
    vector = CellVector(cells, in_domain, out_of_domain)
    pairs = list(combinations(range(len(cells)), 2))
    first, second = (np.array([pair[side] for pair in pairs], dtype=int) for side in (0, 1))

    def differences(values: Values) -> Values:
        found = vector.reduced(values)
        means = (found.in_domain_mean, found.out_of_domain_mean, found.weighted)
        return np.concatenate([mean[..., first] - mean[..., second] for mean in means], axis=-1)

    names = list(cells)
    intervals = vector.intervals(differences)
    found: dict[AverageName, dict[tuple[str, str], Interval]] = {}
    for place, name in enumerate(AVERAGES):
        own = intervals[place * len(pairs) : (place + 1) * len(pairs)]
        found[name] = {
            (names[i], names[j]): interval
            for (i, j), interval in zip(pairs, own, strict=True)
            if interval is not None
        }
    return found


def _present(names: Sequence[str], found: Sequence[Interval | None]) -> dict[str, Interval]:
    return {
        name: interval for name, interval in zip(names, found, strict=True) if interval is not None
    }


def _notes(estimates: Sequence[Estimate], n_seeds: int) -> tuple[Note, ...]:
    """Return the notes of an average: one probe, and what holds for the units of all its cells."""
    if not estimates:
        return ()
    shared = set.intersection(*(set(estimate.cell.notes) for estimate in estimates))
    about_units = tuple(note for note in _ABOUT_UNITS if note in shared)
    return (Note.ONE_PROBE, *about_units) if n_seeds < 2 else about_units
