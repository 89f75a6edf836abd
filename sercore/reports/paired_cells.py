"""Cell by cell, the difference of two backbones of one run."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sercore.errors import ProtocolError
from sercore.statistics.differences import paired_difference
from sercore.statistics.seeds import cell_intervals

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.results.matrices import Pair
    from sercore.statistics.intervals import Interval
    from sercore.statistics.jackknife import CellEstimate


def paired_cells(first: BackboneResult, second: BackboneResult) -> dict[Pair, Interval]:
    """Return the intervals of second minus first for the cells that both have.

    A speaker is left out of both cells at once, and seeds are paired. Variances over seeds are
    moderated over the cells in domain and over those out of domain.

    Args:
        first: one backbone.
        second: the other, of the same run and group.
    """
    kinds: dict[tuple[bool, int], dict[Pair, CellEstimate]] = defaultdict(dict)
    for pair, one in first.estimates.items():
        other = second.estimates.get(pair)
        if other is None or one.manifest != other.manifest:
            continue
        try:
            difference = paired_difference(one.cell, other.cell)
        except ProtocolError:
            continue  # units of one are speakers, those of the other utterances
        kinds[pair[0] == pair[1], len(difference.by_seed)][pair] = difference
    found: dict[Pair, Interval] = {}
    for cells in kinds.values():
        intervals = cell_intervals(list(cells.values()), bounds=(-1.0, 1.0))
        found |= dict(zip(cells, intervals, strict=True))
    return found
