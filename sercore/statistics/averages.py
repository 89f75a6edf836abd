"""Averages of cells, and differences between averages: a stratified jackknife.

All cells of one test corpus share its speakers, over backbones too. So one speaker at a time is
left out of every cell that has them, and the average is computed again. Each test corpus is one
stratum; strata are independent and their variances add up. Seeds of training are further strata,
one per train corpus, because the probes of one row share them.

Averages of macro-F1 are biased: small test sets make every cell's macro-F1 a little low, and the
mean of many cells has this bias but little noise. The jackknife estimates the bias, and intervals
are centred on the corrected value. What is printed as the average stays the plain arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import Interval
from sercore.statistics.intervals import Note
from sercore.statistics.intervals import add
from sercore.statistics.intervals import effective_number
from sercore.statistics.intervals import t_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.statistics.jackknife import CellEstimate

    Values = npt.NDArray[np.float64]
    Statistic = Callable[[Values], Values]
    """Maps cell values (..., cells) to quantities (..., quantities)."""

SEED = "seed"
"""Unit of the strata of training seeds; they do not count as units of test sets."""

_NUDGE = 1e-3  # how far a cell is moved to see which quantities depend on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stratum:
    """Units that are left out one at a time, and what that does to cells."""

    name: str
    cells: npt.NDArray[np.int64]
    """int64 (changed cells,): their positions among all cells."""
    without: Values
    """float64 (units, changed cells): their values without each unit; NaN where a cell does not
    contain the unit."""
    sizes: Values
    """float64 (units,): the weight of each unit in degrees of freedom."""
    unit: str = ""
    """What the units are, for the reader: ``speaker``, ``utterance``, or `SEED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLayout:
    """Where each cell of several backbones stands in one flat vector.

    Args:
        backbones: their names.
        in_domain: the corpora of the diagonal.
        out_of_domain: the corpora between which there are out-of-domain cells.
    """

    backbones: tuple[str, ...]
    in_domain: tuple[str, ...]
    out_of_domain: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many cells the vector has; those on the out-of-domain diagonal stay NaN."""
        return len(self.backbones) * (len(self.in_domain) + len(self.out_of_domain) ** 2)

    def position(self, backbone: str, train: str, test: str) -> int:
        """Return where a cell stands.

        Raises:
            ValueError: the layout does not have it.
        """
        row = len(self.in_domain) + len(self.out_of_domain) ** 2
        start = self.backbones.index(backbone) * row
        if train == test:
            return start + self.in_domain.index(train)
        inside = self.out_of_domain.index(train) * len(self.out_of_domain)
        return start + len(self.in_domain) + inside + self.out_of_domain.index(test)

    def unpack(self, values: Values) -> tuple[Values, Values]:
        """Return (..., backbones, corpora) in domain and (..., backbones, train, test) outside.

        Args:
            values: float64 (..., `size`).
        """
        lead, n = values.shape[:-1], len(self.out_of_domain)
        rows = values.reshape(*lead, len(self.backbones), -1)
        outside = rows[..., len(self.in_domain) :]
        return rows[..., : len(self.in_domain)], outside.reshape(*lead, len(self.backbones), n, n)


def speaker_strata(cells: Mapping[int, tuple[str, CellEstimate]]) -> list[Stratum]:
    """Return one stratum per test corpus and kind of unit.

    Args:
        cells: by position, the test corpus and the estimate; its `unit_ids` are those of one
            manifest of the corpus in all cells.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, (test, estimate) in cells.items():
        groups[test, estimate.unit].append(position)
    return [
        _aligned(
            f"{unit}s of {test}",
            positions,
            [cells[position][1].unit_ids for position in positions],
            [cells[position][1].without for position in positions],
            [cells[position][1].sizes for position in positions],
            unit,
        )
        for (test, unit), positions in groups.items()
    ]


def seed_strata(cells: Mapping[int, tuple[str, Mapping[int, float]]]) -> list[Stratum]:
    """Return one stratum per train corpus whose cells have several seeds.

    Args:
        cells: by position, the train corpus and the cell's value by seed.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for position, (train, by_seed) in cells.items():
        if len(by_seed) > 1:
            groups[train].append(position)
    strata = []
    for train, positions in groups.items():
        ids = [np.array(sorted(cells[position][1])) for position in positions]
        values = [
            np.array([cells[position][1][int(seed)] for seed in seeds])
            for position, seeds in zip(positions, ids, strict=True)
        ]
        without = [(own.sum() - own) / (len(own) - 1) for own in values]
        ones = [np.ones(len(seeds)) for seeds in ids]
        strata.append(_aligned(f"seeds of {train}", positions, ids, without, ones, SEED))
    return strata


def stratified_jackknife(
    statistic: Statistic,
    values: Values,
    strata: Sequence[Stratum],
    *,
    bounds: tuple[float, float] | None = None,
    level: float = LEVEL,
    notes: tuple[Note, ...] = (),
) -> list[Interval]:
    """Return the intervals of quantities that are computed from many cells.

        V_c = (S_c - 1) / S_c * sum_i (g_(ci) - mean_i g_(ci))^2,  b_c = (S_c - 1)(mean g_(ci) - g)
        V = sum V_c,  b = sum b_c,  df = V^2 / sum (V_c^2 / df_c),  interval (g - b) -+ t sqrt(V)

    Source: the jackknife over clusters, Field and Welsh (2007),
    doi:10.1111/j.1467-9868.2007.00593.x, one stratum per test corpus; df after Satterthwaite
    (1946), doi:10.2307/3002019.

    Args:
        statistic: maps (..., cells) to (..., quantities); NaN cells are missing ones.
        values: float64 (cells,).
        strata: as from `speaker_strata` and `seed_strata`.
        bounds: the smallest and the largest possible value of all quantities.
        level: the nominal coverage.
        notes: carried into all intervals.

    Raises:
        ProtocolError: a quantity rests on a stratum with one unit only.
    """
    point = np.asarray(statistic(values), dtype=np.float64)
    parts: list[list[tuple[Component, float]]] = [[] for _ in point]
    counts: list[Counter[str]] = [Counter() for _ in point]
    for stratum in strata:
        moved = _without(statistic, values, stratum)
        used = _units_used(statistic, values, point, stratum)
        for place in np.flatnonzero(used.any(axis=0)):
            units = used[:, place]
            counts[place][stratum.unit] += int(units.sum())
            parts[place].append(
                _of_stratum(
                    moved[units, place], float(point[place]), stratum.sizes[units], stratum.name
                )
            )
    found = []
    for value, strata_parts, units_by_kind in zip(point, parts, counts, strict=True):
        variance = add(component for component, _ in strata_parts)
        bias = sum(shift for _, shift in strata_parts)
        around = t_interval(
            float(value), variance, bias=bias, bounds=bounds, level=level, notes=notes
        )
        found.append(replace(around, **_units_named(units_by_kind)))
    return found


def _units_named(counts: Counter[str]) -> dict[str, Any]:
    """Return the fields of an interval that name what was left out, seeds apart."""
    kinds = sorted(kind for kind in counts if kind != SEED)
    total = sum(counts[kind] for kind in kinds)
    return {"unit": " or ".join(kinds), "n_units": total, "effective_units": float(total)}


def _of_stratum(moved: Values, point: float, sizes: Values, name: str) -> tuple[Component, float]:
    n_units = len(moved)
    if n_units < 2:
        raise ProtocolError(
            f"{name}: one unit cannot be left out",
            hint="use utterances as units where a test set has one speaker",
        )
    mean = float(moved.mean())
    variance = (n_units - 1) / n_units * float(((moved - mean) ** 2).sum())
    df = max(1.0, effective_number(sizes) - 1)
    return Component(variance=variance, df=df), (n_units - 1) * (mean - point)


def _without(statistic: Statistic, values: Values, stratum: Stratum) -> Values:
    """Return (units, quantities): the statistic without each unit."""
    replaced = np.repeat(values[np.newaxis], len(stratum.without), axis=0)
    present = np.isfinite(stratum.without)
    replaced[:, stratum.cells] = np.where(present, stratum.without, values[stratum.cells])
    return statistic(replaced)


def _units_used(
    statistic: Statistic, values: Values, point: Values, stratum: Stratum
) -> npt.NDArray[np.bool_]:
    """Return (units, quantities): whether a unit is in a cell that the quantity depends on."""
    nudged = np.repeat(values[np.newaxis], len(stratum.cells), axis=0)
    nudged[np.arange(len(stratum.cells)), stratum.cells] += _NUDGE
    depends = statistic(nudged) != point
    return np.asarray(np.isfinite(stratum.without).astype(int) @ depends.astype(int) > 0)


def _aligned(
    name: str,
    positions: Sequence[int],
    ids: Sequence[npt.NDArray[np.int64]],
    without: Sequence[Values],
    sizes: Sequence[Values],
    unit: str,
) -> Stratum:
    """Return a stratum over the units of all cells; a unit's size is its largest in a cell."""
    known = np.unique(np.concatenate(ids))
    table = np.full((len(known), len(positions)), np.nan)
    largest = np.zeros(len(known))
    for column, (own, deleted, weight) in enumerate(zip(ids, without, sizes, strict=True)):
        places = np.searchsorted(known, own)
        table[places, column] = np.where(weight > 0, deleted, np.nan)
        largest[places] = np.maximum(largest[places], weight)
    return Stratum(name=name, cells=np.array(positions), without=table, sizes=largest, unit=unit)
