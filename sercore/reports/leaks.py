"""How much an in-domain score owes to speakers and texts that stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sercore.reports.views import LeakGap
from sercore.reports.views import LeakTable

if TYPE_CHECKING:
    from sercore.reports.views import Family
    from sercore.reports.views import Row

_LEAKY = "random"
_CLEAN = "speaker-disjoint"


def leak_tables(families: Sequence[Family]) -> Iterator[LeakTable]:
    """Yield a table for every split over files that has a speaker-disjoint counterpart.

    Only in-domain cells are compared: out of domain both sides are different corpora anyway. Of
    several class rules of one protocol the first stands for all, since they share these cells.
    """
    seen = set()
    for leaky in families:
        for clean in families:
            if leaky.setting.split != _LEAKY or clean.setting.split != _CLEAN:
                continue
            if leaky.setting.metric != clean.setting.metric:
                continue
            if leaky.setting.demo != clean.setting.demo:
                continue
            key = tuple(
                (each.run, each.setting.protocol, each.setting.probe, each.setting.demo)
                for each in (leaky, clean)
            )
            gaps = _gaps(leaky.rows, clean.rows)
            if gaps and key not in seen:
                seen.add(key)
                yield LeakTable(leaky=leaky, clean=clean, gaps=gaps)


def _gaps(leaky: Sequence[Row], clean: Sequence[Row]) -> tuple[LeakGap, ...]:
    others = {(row.backbone, row.matrix.setting.weights): row for row in clean}
    found = []
    for row in leaky:
        other = others.get((row.backbone, row.matrix.setting.weights))
        if other is None:
            continue
        found += [
            LeakGap(
                backbone=row.backbone,
                title=row.title,
                corpus=pair[0],
                leaky=view,
                clean=other.cells[pair],
            )
            for pair, view in row.cells.items()
            if view.cell.in_domain and pair in other.cells
        ]
    return tuple(sorted(found, key=lambda gap: (gap.corpus, gap.backbone)))
