"""Everything that a report says, before anything is drawn: one structure for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.errors import ProtocolError
from sercore.evaluation.confusion import MEASURES
from sercore.evaluation.statistics import N_DRAWS
from sercore.evaluation.statistics import Interval
from sercore.evaluation.statistics import chance
from sercore.evaluation.statistics import interval
from sercore.published import DEFECTIVE_TRAIN_CORPUS
from sercore.published import published_matrices
from sercore.published import published_summaries
from sercore.reports.leaks import leak_tables
from sercore.reports.notices import notices_of
from sercore.reports.views import CellView
from sercore.reports.views import ChanceRow
from sercore.reports.views import Content
from sercore.reports.views import Family
from sercore.reports.views import Row
from sercore.reports.views import RunContent
from sercore.results.cell_statistics import Evidence
from sercore.results.matrices import common_cells
from sercore.results.reductions import reduce_values
from sercore.results.reductions import require_comparable
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of
from sercore.results.summary import problem_text
from sercore.statistics.ranks import compare_over_corpora

if TYPE_CHECKING:
    from sercore.evaluation.statistics import Chance
    from sercore.evaluation.statistics import Values
    from sercore.reports.views import Notice
    from sercore.results.cell_statistics import Confusion
    from sercore.results.cell_statistics import Estimate
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.matrices import Setting
    from sercore.results.reductions import OutOfDomain
    from sercore.results.reductions import Reductions
    from sercore.results.stored_run import StoredRun
    from sercore.statistics.ranks import Comparison


def build_content(
    runs: Sequence[StoredRun],
    *,
    metric: str | None = None,
    adjustment: str | None = None,
    common: bool = False,
    n_draws: int = N_DRAWS,
) -> Content:
    """Gather everything that a report says.

    Args:
        runs: at least one; their cells never share an average.
        metric: which metric of whole cells; the headline's when None.
        adjustment: which out-of-domain adjustment; the headline's when None.
        common: restrict backbones of a family to the cells that all of them have.
        n_draws: draws per interval.
    """
    taken: set[str] = set()
    told: list[RunContent] = []
    notices: list[Notice] = []
    families: list[Family] = []
    for run in runs:
        record = run.record
        content = RunContent(
            name=str(record.get("name") or run.name),
            record=record,
            problems=tuple(problem_text(each) for each in record.get("problems") or ()),
            notes=tuple(problem_text(each) for each in record.get("notes") or ()),
        )
        grouped: dict[tuple[Any, ...], list[Matrix]] = {}
        for matrix in matrices_of(run.scores, record, metric=metric, adjustment=adjustment):
            grouped.setdefault(matrix.setting.family, []).append(matrix)
        groups = [list(common_cells(each)) if common else each for each in grouped.values()]
        groups = [[matrix for matrix in group if matrix.cells] for group in groups]
        evidence = Evidence(run, n_draws)
        estimates = evidence.estimates([matrix for group in groups for matrix in group])
        own = [
            _family(group, content, evidence, estimates, taken, common=common)
            for group in groups
            if group
        ]
        told.append(content)
        families += own
        found = notices_of(run, own, content.problems, content.notes)
        notices += [each for each in found if each not in notices]
    return Content(
        runs=tuple(told),
        notices=tuple(notices),
        families=tuple(families),
        leaks=tuple(leak_tables(families)),
    )


def _family(
    group: Sequence[Matrix],
    run: RunContent,
    evidence: Evidence,
    estimates: Mapping[tuple[Setting, Pair], Estimate],
    taken: set[str],
    *,
    common: bool,
) -> Family:
    rows = _told_apart([_row(matrix, run.record, evidence, estimates) for matrix in group])
    rows.sort(key=lambda row: (-row.rank_value, row.backbone))
    reductions = [row.reductions for row in rows]
    refusal = None
    try:
        require_comparable(reductions)
    except ProtocolError as error:
        refusal = str(error)
    setting = rows[0].matrix.setting
    clusters = sorted(
        {
            each.corpora
            for found in reductions
            for each in ((found.out_of_domain,) if found.out_of_domain else ())
            + found.small_clusters
        },
        key=lambda corpora: (-len(corpora), corpora),
    )
    parts = (setting.protocol, setting.class_rule, setting.adjustment, "demo" * setting.demo)
    slug = "-".join(part for part in parts if part)
    name = next(
        name for name in (slug, *(f"{slug}-{n}" for n in range(2, 1000))) if name not in taken
    )
    taken.add(name)
    return Family(
        id="".join(letter if letter.isalnum() else "-" for letter in name.lower()),
        run=run.name,
        setting=setting,
        rows=tuple(rows),
        in_domain_corpora=tuple(sorted({c for row in rows for c in row.matrix.in_domain})),
        clusters=tuple(clusters),
        refusal=refusal,
        chance=_chance_row(rows),
        in_domain_comparison=_compare(rows, _in_domain_values),
        out_of_domain_comparison=_compare(rows, _trained_on_values),
        common=common,
    )


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Return rows whose titles differ: those that share one are named as the user named them."""
    shared = Counter(row.title for row in rows)
    return [replace(row, title=row.backbone) if shared[row.title] > 1 else row for row in rows]


def _row(
    matrix: Matrix,
    record: Mapping[str, Any],
    evidence: Evidence,
    estimates: Mapping[tuple[Setting, Pair], Estimate],
) -> Row:
    setting = matrix.setting
    reductions = reduce_of(matrix, record)
    comparable = setting.metric == "macro-f1" and not setting.demo
    published = published_matrices().get(setting.checkpoint or "", {}) if comparable else {}
    cells = {}
    for pair, cell in matrix.cells.items():
        confusion = evidence.confusion(cell, setting)
        estimate = estimates.get((setting, pair))
        outside = setting.class_rule in (None, "cluster")
        cells[pair] = CellView(
            cell=cell,
            interval=estimate.interval if estimate else None,
            chance=_chance_of(confusion, cell, setting) if confusion else None,
            confusion=confusion,
            published=published.get(pair) if outside or cell.in_domain else None,
        )
    own = {pair: estimates[setting, pair] for pair in cells if (setting, pair) in estimates}
    whole = own if len(own) == len(cells) else {}
    described = (record.get("backbones") or {}).get(setting.backbone) or {}
    return Row(
        backbone=setting.backbone,
        title=str(described.get("title") or setting.backbone),
        checkpoint=setting.checkpoint,
        matrix=matrix,
        reductions=reductions,
        cells=cells,
        published=published_summaries().get(setting.checkpoint or "") if comparable else None,
        class_f1=_class_f1(cells),
        by_seed=tuple(reduce_of(matrix.at_seed(seed), record) for seed in matrix.seeds)
        if len(matrix.seeds) > 1
        else (),
        **_reduction_intervals(reductions, whole),
    )


def _reduction_intervals(
    reductions: Reductions, estimates: Mapping[Pair, Estimate]
) -> dict[str, Any]:
    """Return the intervals of a backbone's averages: the draws of its cells, reduced alike."""
    nothing: dict[str, Any] = {
        "in_domain": None, "out_of_domain": None, "weighted": None, "trained_on": {},
        "tested_on": {},
    }  # fmt: skip
    if not estimates:
        return nothing
    outside = reductions.out_of_domain
    corpora = outside.corpora if outside else ()
    n_draws = len(next(iter(estimates.values())).draws)
    diagonal = [pair for pair in sorted(reductions.cells) if pair[0] == pair[1]]
    off_diagonal = [pair for pair in sorted(reductions.cells) if pair[0] != pair[1]]
    inside = np.stack([estimates[pair].draws for pair in diagonal], axis=1) if diagonal else (
        np.full((n_draws, 0), np.nan)
    )  # fmt: skip
    square = np.full((n_draws, len(corpora), len(corpora)), np.nan)
    for i, train in enumerate(corpora):
        for j, test in enumerate(corpora):
            if (train, test) in estimates and train != test:
                square[:, i, j] = estimates[train, test].draws
    reduced = reduce_values(inside, square)
    units = {estimates[pair].interval.unit for pair in reductions.cells if pair in estimates}
    unit = units.pop() if len(units) == 1 else "speaker or utterance"

    def around(point: float | None, draws: Values, pairs: Iterable[Pair]) -> Interval | None:
        n_units = sum(estimates[pair].interval.n_units for pair in pairs if pair in estimates)
        return None if point is None else interval(point, draws, unit=unit, n_units=n_units)

    def by_corpus(which: str, draws: Values) -> dict[str, Interval]:
        found = {}
        for index, name in enumerate(corpora):
            average = getattr(outside, which)[name]
            side = 0 if which == "rows" else 1
            pairs = [pair for pair in off_diagonal if pair[side] == name]
            one = around(average.mean, draws[:, index], pairs)
            if one is not None:
                found[name] = one
        return found

    return {
        "in_domain": around(reductions.in_domain.mean, reduced.in_domain_mean, diagonal),
        "out_of_domain": around(outside.average.mean, reduced.out_of_domain_mean, off_diagonal)
        if outside
        else None,
        "weighted": around(reductions.weighted, reduced.weighted, reductions.cells),
        "trained_on": by_corpus("rows", reduced.rows),
        "tested_on": by_corpus("columns", reduced.columns),
    }


def _class_f1(
    cells: Mapping[Pair, CellView],
) -> dict[str, tuple[float | None, float | None]]:
    """Return the mean F1 of each class over the cells where it has test support."""
    from sercore.evaluation.confusion import f1

    found: dict[str, tuple[list[float], list[float]]] = {}
    for pair, view in cells.items():
        if view.confusion is None:
            continue
        classes, counts = view.confusion.square()
        values = f1(counts)
        for name in view.confusion.labels:
            side = int(pair[0] != pair[1])
            found.setdefault(name, ([], []))[side].append(float(values[classes.index(name)]))
    return {
        name: (_mean(inside), _mean(outside)) for name, (inside, outside) in sorted(found.items())
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


@lru_cache(maxsize=2048)
def _chance(support: tuple[int, ...], averaging: str, metric: str) -> Chance:
    return chance(np.array(support), averaging, metric)


def _chance_of(confusion: Confusion, cell: Cell, setting: Setting) -> Chance | None:
    if setting.metric not in MEASURES:
        return None
    # The counts sum up several test sets of the same make; chance is that of one.
    times = len(cell.by_seed) if cell.pooled else max(len(cell.prediction_keys), 1)
    support = tuple(round(each / times) for each in confusion.counts.sum(axis=1))
    return _chance(support, setting.averaging or "supported", setting.metric)


def _chance_row(rows: Sequence[Row]) -> ChanceRow:
    """Return chance over the cells of the averages of the backbone that has most of them."""
    from sercore.evaluation.statistics import Chance

    fullest = max(rows, key=lambda row: len(row.reductions.cells))

    def over(pairs: Sequence[Pair]) -> Chance | None:
        found = [fullest.cells[pair].chance for pair in pairs if pair in fullest.cells]
        known = [each for each in found if each is not None]
        if not known or len(known) < len(found):
            return None
        return Chance(
            majority=float(np.mean([each.majority for each in known])),
            random=float(np.mean([each.random for each in known])),
            random_high=float(np.mean([each.random_high for each in known])),
        )

    pairs = sorted(fullest.reductions.cells)
    return ChanceRow(
        in_domain=over([pair for pair in pairs if pair[0] == pair[1]]),
        out_of_domain=over([pair for pair in pairs if pair[0] != pair[1]]),
    )


def _in_domain_values(row: Row) -> dict[str, float]:
    return {pair[0]: view.cell.value for pair, view in row.cells.items() if view.cell.in_domain}


def _trained_on_values(row: Row) -> dict[str, float]:
    outside: OutOfDomain | None = row.reductions.out_of_domain
    if outside is None:
        return {}
    return {
        name: average.mean
        for name, average in outside.rows.items()
        if average.mean is not None and average.complete
    }


def _compare(rows: Sequence[Row], values_of: Any) -> Comparison | None:
    """Compare backbones over the corpora that all of them have; None where too few."""
    values = [values_of(row) for row in rows]
    corpora = sorted(set.intersection(*(set(each) for each in values)))
    if len(rows) < 2 or len(corpora) < 2:
        return None
    table = np.array([[each[name] for each in values] for name in corpora])
    return compare_over_corpora([row.backbone for row in rows], table)


def published_note(family: Family) -> str:
    """Return the sentence that belongs beside every comparison with the paper."""
    note = (
        f"In the paper's matrices the row of {DEFECTIVE_TRAIN_CORPUS} is that of a constant "
        "predictor (a defect of the published adjustment)."
    )
    if family.setting.protocol != "paper":
        note += (
            f" The published numbers follow the protocol paper, these the protocol "
            f"{family.setting.protocol}: splits, masking, adjustment and averaging differ."
        )
    return note
