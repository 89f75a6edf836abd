"""The difference of two cells: the same test set, or two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import ProtocolError
from sercore.statistics.intervals import LEVEL
from sercore.statistics.intervals import Component
from sercore.statistics.intervals import Interval
from sercore.statistics.intervals import Note
from sercore.statistics.intervals import add
from sercore.statistics.intervals import t_interval
from sercore.statistics.jackknife import CellEstimate

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]


def paired_difference(first: CellEstimate, second: CellEstimate) -> CellEstimate:
    """Return second minus first as a cell, for `sercore.statistics.seeds.cell_intervals`.

    Both were tested on the same corpus, so a speaker is left out of both at once; seeds with the
    same place are paired as well. Without equal numbers of seeds the result has one, and says
    that it holds for these probes only. Pass ``bounds=(-1, 1)`` to `cell_intervals`.

    Args:
        first: one cell.
        second: the other; its `unit_ids` are those of the same manifest.

    Raises:
        ProtocolError: the units of one are speakers, those of the other utterances.
    """
    if first.unit != second.unit:
        raise ProtocolError(
            f"cells with {first.unit}s and {second.unit}s as units cannot be paired",
            hint="compare their intervals as those of different test sets",
        )
    ids = np.union1d(first.unit_ids, second.unit_ids)
    value = second.value - first.value
    same_seeds = len(first.by_seed) == len(second.by_seed)
    return CellEstimate(
        value=value,
        by_seed=second.by_seed - first.by_seed if same_seeds else np.array([value]),
        without=_spread(second, ids, second.without, second.value)
        - _spread(first, ids, first.without, first.value),
        sizes=np.maximum(
            _spread(first, ids, first.sizes, 0.0), _spread(second, ids, second.sizes, 0.0)
        ),
        unit_ids=ids,
        unit=first.unit,
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
    )


def unpaired_difference(first: Interval, second: Interval, *, level: float = LEVEL) -> Interval:
    """Return the interval of second minus first for independent test sets (Welch).

    Args:
        first: of one value.
        second: of the other.
        level: the nominal coverage.
    """
    total = add(
        Component(variance=interval.standard_error**2, df=interval.df)
        for interval in (first, second)
    )
    passing = {Note.FEW_UNITS, Note.UNEVEN_UNITS}
    notes = dict.fromkeys((*first.notes, *second.notes))
    return t_interval(
        second.value - first.value,
        total,
        bias=second.bias - first.bias,
        level=level,
        unit=first.unit if first.unit == second.unit else f"{first.unit} or {second.unit}",
        notes=tuple(note for note in notes if note not in passing),
    )


def _spread(cell: CellEstimate, ids: npt.NDArray[np.int64], own: Values, absent: float) -> Values:
    """Return values of a cell over more units than it has."""
    found = np.full(len(ids), absent)
    found[np.searchsorted(ids, cell.unit_ids)] = own
    return found
