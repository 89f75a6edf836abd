"""Leak gaps: how much higher in-domain scores are if the split shares speakers and texts."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sercore.evaluation.protocols import SplitScheme
from sercore.reports.views import LeakGap
from sercore.reports.views import LeakTable

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup


def leak_tables(groups: Sequence[ComparisonGroup]) -> Iterator[LeakTable]:
    """Yield a table for every group on a split over files with a speaker-disjoint counterpart.

    Only in-domain cells are compared: out of domain both sides are different corpora. Groups that
    differ only in the class rule share these cells, so the first of them is used.
    """
    seen = set()
    for leaky in groups:
        for clean in groups:
            if not _is_pair(leaky, clean):
                continue
            key = tuple(
                (side.run, side.setting.protocol, side.setting.probe, side.setting.demo)
                for side in (leaky, clean)
            )
            gaps = _gaps(leaky.backbones, clean.backbones)
            if gaps and key not in seen:
                seen.add(key)
                yield LeakTable(leaky=leaky, clean=clean, gaps=gaps)


def _is_pair(leaky: ComparisonGroup, clean: ComparisonGroup) -> bool:
    one, other = leaky.setting, clean.setting
    splits = (one.split, other.split) == (SplitScheme.RANDOM, SplitScheme.SPEAKER_DISJOINT)
    return splits and (one.metric, one.demo) == (other.metric, other.demo)


def _gaps(leaky: Sequence[BackboneResult], clean: Sequence[BackboneResult]) -> tuple[LeakGap, ...]:
    others = {(result.backbone, result.matrix.setting.weights): result for result in clean}
    found = []
    for result in leaky:
        other = others.get((result.backbone, result.matrix.setting.weights))
        if other is None:
            continue
        found += [
            LeakGap(
                backbone=result.backbone,
                title=result.title,
                corpus=pair[0],
                leaky=view,
                clean=other.cells[pair],
            )
            for pair, view in result.cells.items()
            if view.cell.in_domain and pair in other.cells
        ]
    return tuple(sorted(found, key=lambda gap: (gap.corpus, gap.backbone)))
