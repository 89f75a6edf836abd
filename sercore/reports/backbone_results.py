"""The result of one backbone: its matrix, averages, intervals and classes."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.metrics import f1
from sercore.evaluation.protocols import ClassRule
from sercore.published import published_matrices
from sercore.published import published_summaries
from sercore.reports.views import BackboneResult
from sercore.reports.views import CellView
from sercore.reports.views import ClassF1
from sercore.results.averages import average_intervals
from sercore.results.chance_levels import chance_of
from sercore.results.record import backbones_of
from sercore.results.stored_run import reduce_of

if TYPE_CHECKING:
    from sercore.results.calibration import Calibrations
    from sercore.results.cell_statistics import CellStatistics
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matched import MatchedMatrices
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting


def backbone_result(
    matrix: Matrix,
    record: Mapping[str, Any],
    statistics: CellStatistics,
    estimates: Mapping[tuple[Setting, Pair], Estimate],
    matched: MatchedMatrices,
    calibrations: Calibrations | None,
) -> BackboneResult:
    """Return everything that a report says about one matrix.

    Args:
        matrix: the cells of the backbone.
        record: of the run.
        statistics: confusion counts of the cells of the run.
        estimates: of the cells of the run, and of the matched matrices.
        matched: matrices with one adjustment in and out of domain.
        calibrations: of the run; None for a report without them.
    """
    setting = matrix.setting
    own = {pair: estimates[setting, pair] for pair in matrix.cells if (setting, pair) in estimates}
    comparable = _is_comparable(setting, record)
    cells = _cell_views(matrix, statistics, own, comparable=comparable)
    reductions = reduce_of(matrix, record)
    described = backbones_of(record).get(setting.backbone)
    seeds = matrix.seeds if len(matrix.seeds) > 1 else ()
    return BackboneResult(
        title=described.title if described else setting.backbone,
        matrix=matrix,
        reductions=reductions,
        cells=cells,
        intervals=average_intervals(reductions, own),
        published=published_summaries().get(setting.checkpoint or "") if comparable else None,
        class_f1=_class_f1(cells),
        statistics=statistics,
        estimates=own,
        by_seed=tuple(reduce_of(matrix.at_seed(seed), record) for seed in seeds),
        is_floor=described.floor if described else False,
        matched=matched.average(setting, estimates),
        calibration=calibrations.of(matrix) if calibrations else None,
    )


def _is_comparable(setting: Setting, record: Mapping[str, Any]) -> bool:
    """Return whether the paper has numbers of this kind, and these are not the paper's own."""
    return setting.metric == MAIN_METRIC and not setting.demo and not record.get("published")


def _cell_views(
    matrix: Matrix,
    statistics: CellStatistics,
    estimates: Mapping[Pair, Estimate],
    *,
    comparable: bool,
) -> dict[Pair, CellView]:
    setting = matrix.setting
    published = published_matrices().get(setting.checkpoint or "", {}) if comparable else {}
    views = {}
    for pair, cell in matrix.cells.items():
        confusion = statistics.confusion(cell, setting)
        estimate = estimates.get(pair)
        as_in_paper = cell.in_domain or setting.class_rule in (None, ClassRule.CLUSTER)
        views[pair] = CellView(
            cell=cell,
            interval=estimate.interval if estimate else None,
            chance=chance_of(confusion, setting) if confusion else None,
            confusion=confusion,
            published=published.get(pair) if as_in_paper else None,
        )
    return views


def _class_f1(cells: Mapping[Pair, CellView]) -> dict[str, ClassF1]:
    inside: dict[str, list[float]] = {}
    outside: dict[str, list[float]] = {}
    for view in cells.values():
        if view.confusion is None:
            continue
        classes, counts = view.confusion.square()
        values = f1(counts)
        for name in view.confusion.labels:
            side = inside if view.cell.in_domain else outside
            side.setdefault(name, []).append(float(values[classes.index(name)]))
    return {
        name: ClassF1(
            in_domain=_mean(inside.get(name, [])), out_of_domain=_mean(outside.get(name, []))
        )
        for name in sorted({*inside, *outside})
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
