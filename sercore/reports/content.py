"""Gather everything that a report says, once for all formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.errors import ProtocolError
from sercore.published import DEFECTIVE_TRAIN_CORPUS
from sercore.reports.backbone_results import backbone_result
from sercore.reports.leaks import leak_notices
from sercore.reports.leaks import leak_tables
from sercore.reports.notices import notices_of
from sercore.reports.recovery import Recoveries
from sercore.reports.verdicts import verdicts_of
from sercore.reports.views import ComparisonGroup
from sercore.reports.views import Content
from sercore.reports.views import RunContent
from sercore.results.calibration import Calibrations
from sercore.results.cell_statistics import CellStatistics
from sercore.results.chance_levels import chance_row
from sercore.results.floors import FLOOR_MARK
from sercore.results.floors import Contestant
from sercore.results.floors import floor_findings
from sercore.results.labels import MatrixLabels
from sercore.results.matched import MatchedMatrices
from sercore.results.matrices import common_cells
from sercore.results.record import corpora_of
from sercore.results.record import sentences
from sercore.results.reductions import require_comparable
from sercore.results.shortcuts import Shortcuts
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import require_adjustment
from sercore.statistics.posterior import ROPE

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import Notice
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Setting
    from sercore.results.reductions import Reductions
    from sercore.results.stored_run import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What decides how groups are built."""

    common: bool
    rope: float
    rank_tests: bool
    metric: str | None
    adjustment: str | None
    labels: MatrixLabels


def build_content(
    runs: Sequence[StoredRun],
    *,
    metric: str | None = None,
    adjustment: str | None = None,
    common: bool = False,
    rope: float = ROPE,
    rank_tests: bool = False,
) -> Content:
    """Gather everything that a report says.

    Args:
        runs: at least one; cells of different runs never share an average.
        metric: which metric of whole cells; that of the headline if None.
        adjustment: which out-of-domain adjustment; that of the headline if None.
        common: whether to use only the cells that all backbones of a group have.
        rope: half the width of the region of practical equivalence.
        rank_tests: whether to add the classical tests with ranks.

    Raises:
        ProtocolError: the adjustment does not exist, or a run has no score with it.
    """
    for run in runs:
        require_adjustment(run, adjustment)
    matrices = [
        matrices_of(run.whole_cells, run.record, metric=metric, adjustment=adjustment)
        for run in runs
    ]
    labels = MatrixLabels(matrix.setting for found in matrices for matrix in found)
    options = _Options(
        common=common,
        rope=rope,
        rank_tests=rank_tests,
        metric=metric,
        adjustment=adjustment,
        labels=labels,
    )
    contents: list[RunContent] = []
    notices: list[Notice] = []
    groups: list[ComparisonGroup] = []
    for run, found in zip(runs, matrices, strict=True):
        content = RunContent(
            name=str(run.record.get("name") or run.name),
            record=run.record,
            problems=sentences(run.record, "problems"),
            notes=sentences(run.record, "notes"),
        )
        own = _groups_of_run(run, content, found, options)
        contents.append(content)
        groups += own
        new = notices_of(run, own, content.problems, content.notes)
        notices += [notice for notice in new if notice not in notices]
    notices += leak_notices(groups)
    groups = _with_ids(groups)
    return Content(
        runs=tuple(contents),
        notices=tuple(notices),
        groups=tuple(groups),
        leaks=tuple(leak_tables(groups)),
    )


def published_note(group: ComparisonGroup) -> str:
    """Return what a reader must know about every comparison with the paper."""
    note = (
        f"In the matrices of the paper the row of {DEFECTIVE_TRAIN_CORPUS} is that of a constant "
        "predictor (a defect of the published adjustment)."
    )
    if group.setting.protocol != "paper":
        note += (
            " The published numbers follow the protocol paper, these the protocol "
            f"{group.setting.protocol}: splits, masking, adjustment and averaging differ."
        )
    return note


def _groups_of_run(
    run: StoredRun, content: RunContent, found: Sequence[Matrix], options: _Options
) -> list[ComparisonGroup]:
    together: dict[object, list[Matrix]] = {}
    for matrix in found:
        together.setdefault(matrix.setting.comparison_key, []).append(matrix)
    comparable = [common_cells(group) if options.common else group for group in together.values()]
    groups = [[matrix for matrix in group if matrix.cells] for group in comparable]
    shown = [matrix for group in groups for matrix in group]
    statistics = CellStatistics(run)
    matched = MatchedMatrices(run, shown, options.metric)
    estimates = statistics.estimates([*shown, *matched.matrices])
    calibrations = Calibrations(run, options.adjustment)
    results = [
        [
            backbone_result(matrix, run.record, statistics, estimates, matched, calibrations)
            for matrix in group
        ]
        for group in groups
    ]
    recoveries, shortcuts = Recoveries(run, options.metric), Shortcuts(run)
    return [_group(group, content, options, recoveries, shortcuts) for group in results if group]


def _group(
    results: Sequence[BackboneResult],
    run: RunContent,
    options: _Options,
    recoveries: Recoveries,
    shortcuts: Shortcuts,
) -> ComparisonGroup:
    named = _distinct(results, options.labels)
    ranked = sorted(named, key=lambda result: (-result.rank_value, result.title))
    reductions = [result.reductions for result in ranked]
    in_domain = sorted({corpus for result in ranked for corpus in result.matrix.in_domain})
    fullest = max(ranked, key=lambda result: len(result.reductions.cells))
    without_sound = shortcuts.of(ranked[0].matrix.setting, in_domain)
    contestants = [_contestant(result) for result in ranked]
    chances = {pair: view.chance for pair, view in fullest.cells.items()}
    return ComparisonGroup(
        id="",
        run=run.name,
        setting=ranked[0].matrix.setting,
        backbones=tuple(ranked),
        in_domain_corpora=tuple(in_domain),
        clusters=_clusters(reductions),
        refusal=_refusal(reductions),
        chance=chance_row(chances, fullest.reductions.cells),
        verdicts=verdicts_of(ranked, rope=options.rope, rank_tests=options.rank_tests),
        shortcuts=without_sound,
        findings=tuple(floor_findings(contestants, without_sound)),
        human_accuracy={
            name: corpus.human_accuracy
            for name, corpus in corpora_of(run.record).items()
            if corpus.human_accuracy is not None and name in in_domain
        },
        recoveries=tuple(
            found
            for result in ranked
            if (found := recoveries.of(result.matrix.setting, result.title)) is not None
        ),
        details=options.labels.shared(ranked[0].matrix.setting),
        common=options.common,
    )


def _contestant(result: BackboneResult) -> Contestant:
    return Contestant(
        title=result.title,
        is_floor=result.is_floor,
        matrix=result.matrix,
        intervals={
            pair: view.interval for pair, view in result.cells.items() if view.interval is not None
        },
    )


def _with_ids(groups: Sequence[ComparisonGroup]) -> list[ComparisonGroup]:
    """Return groups with ids that are unique in the report."""
    taken: set[str] = set()
    named = []
    for group in groups:
        slug, n = _slug(group.setting, group.details), 1
        while (name := slug if n == 1 else f"{slug}-{n}") in taken:
            n += 1
        taken.add(name)
        named.append(replace(group, id=name))
    return named


def _slug(setting: Setting, details: Sequence[str]) -> str:
    demo = "demo" * setting.demo
    corpora = setting.corpora
    parts = (setting.protocol, setting.class_rule, setting.adjustment, corpora, *details, demo)
    name = "-".join(part for part in parts if part)
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _distinct(results: Sequence[BackboneResult], labels: MatrixLabels) -> list[BackboneResult]:
    """Return results with different titles.

    Backbones with the same title show their names; matrices of one backbone show what differs.
    A floor is marked.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for result in results:
        names[result.title].add(result.backbone)
    named = []
    for result in results:
        own = labels.own(result.matrix.setting)
        title = result.backbone if len(names[result.title]) > 1 else result.title
        if result.is_floor:
            title += FLOOR_MARK
        named.append(replace(result, title=" · ".join((title, *own)), details=own))
    return named


def _clusters(reductions: Sequence[Reductions]) -> tuple[tuple[str, ...], ...]:
    found = {
        outside.corpora
        for backbone in reductions
        for outside in (backbone.out_of_domain, *backbone.small_clusters)
        if outside is not None
    }
    return tuple(sorted(found, key=lambda corpora: (-len(corpora), corpora)))


def _refusal(reductions: Sequence[Reductions]) -> str | None:
    try:
        require_comparable(reductions)
    except ProtocolError as error:
        return str(error)
    return None
