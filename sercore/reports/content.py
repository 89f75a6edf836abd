"""Gather everything that a report says, once for all formats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.errors import ProtocolError
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.published import DEFECTIVE_TRAIN_CORPUS
from sercore.reports.backbone_results import backbone_result
from sercore.reports.leaks import leak_notices
from sercore.reports.leaks import leak_tables
from sercore.reports.notices import notices_of
from sercore.reports.recovery import Recoveries
from sercore.reports.skill import skill_result
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
from sercore.results.matrices import MatrixSource
from sercore.results.matrices import by_set
from sercore.results.matrices import common_cells
from sercore.results.record import corpora_of
from sercore.results.record import corpus_sets
from sercore.results.record import sentences
from sercore.results.reductions import require_comparable
from sercore.results.shortcuts import Shortcuts
from sercore.results.stored_run import computed_adjustments
from sercore.results.stored_run import expected_cells
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import require_adjustment
from sercore.statistics.posterior import ROPE

if TYPE_CHECKING:
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import Notice
    from sercore.reports.views import Recovery
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

    @property
    def measured(self) -> str:
        """The metric with intervals and verdicts."""
        return self.metric or MAIN_METRIC


class _OneRun:
    """A run, and what all of its comparisons are computed from."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self.statistics = CellStatistics(run)
        self.content = RunContent(
            name=str(run.record.get("name") or run.name),
            record=run.record,
            problems=sentences(run.record, "problems"),
            notes=sentences(run.record, "notes"),
        )


class _OwnParts:
    """What only the comparisons of the report's own metric and adjustment have."""

    def __init__(self, run: StoredRun, options: _Options) -> None:
        self.calibrations = Calibrations(run, options.adjustment)
        self.recoveries = Recoveries(run, options.metric)
        self.shortcuts = Shortcuts(run)


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
    sources = [_OneRun(run) for run in runs]
    notices: list[Notice] = []
    groups: list[ComparisonGroup] = []
    for source, found in zip(sources, matrices, strict=True):
        own = _groups_of_run(source, found, options, _OwnParts(source.run, options))
        groups += own
        content = source.content
        new = notices_of(source.run, own, content.problems, content.notes)
        notices += [notice for notice in new if notice not in notices]
    notices += leak_notices(groups)
    groups = _with_ids(groups)
    return Content(
        runs=tuple(source.content for source in sources),
        notices=tuple(notices),
        groups=tuple(groups),
        leaks=tuple(leak_tables(groups)),
        switched=lambda: _switched(sources, groups, options),
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
    source: _OneRun, found: Iterable[Matrix], options: _Options, own: _OwnParts | None = None
) -> list[ComparisonGroup]:
    together: dict[object, list[Matrix]] = {}
    for matrix in found:
        together.setdefault(matrix.setting.comparison_key, []).append(matrix)
    comparable = [common_cells(group) if options.common else group for group in together.values()]
    groups = [[matrix for matrix in group if matrix.cells] for group in comparable]
    measured = [
        matrix for group in groups for matrix in group if matrix.setting.metric == options.measured
    ]
    matched = MatchedMatrices(source.run, measured, options.metric)
    estimates = source.statistics.estimates([*measured, *matched.matrices])
    calibrations = own.calibrations if own else None
    results = [
        [
            backbone_result(
                matrix, source.run.record, source.statistics, estimates, matched, calibrations
            )
            for matrix in group
        ]
        for group in groups
    ]
    return [_group(group, source.content, options, own) for group in results if group]


def _switched(
    sources: Sequence[_OneRun], groups: Sequence[ComparisonGroup], options: _Options
) -> tuple[ComparisonGroup, ...]:
    """Return the comparisons of a report under every other adjustment and metric, and as skill.

    Those of the metric of the report have intervals and verdicts, the others have values alone.
    """
    known = {result.matrix.setting for group in groups for result in group.backbones}
    found: list[ComparisonGroup] = []
    for source in sources:
        run, sets = source.run, corpus_sets(source.run.record)
        matrices = MatrixSource(run.whole_cells, expected_cells(run.record))
        adjustments = (None, *computed_adjustments(run))
        others = {
            matrix.setting: matrix
            for metric in matrices.metrics
            for adjustment in adjustments
            for matrix in by_set(matrices.matrices(metric, adjustment), sets)
            if matrix.setting not in known
        }
        scores = _groups_of_run(source, others.values(), options)
        found += scores
        for group in (*groups, *scores):
            if group.run == source.content.name:
                found += _as_skill(group, source.content, options)
    return tuple(found)


def _as_skill(
    group: ComparisonGroup, run: RunContent, options: _Options
) -> Iterator[ComparisonGroup]:
    """Yield a group on the scale of skill, if chance is known for all of its cells."""
    results = [skill_result(result, run.record) for result in group.backbones]
    known = [result for result in results if result is not None]
    if len(known) == len(results):
        skill = _group(known, run, options, None, titles=False)
        yield replace(skill, scale="skill", details=group.details)


def _group(
    results: Sequence[BackboneResult],
    run: RunContent,
    options: _Options,
    own: _OwnParts | None,
    *,
    titles: bool = True,
) -> ComparisonGroup:
    named = _distinct(results, options.labels) if titles else results
    ranked = sorted(named, key=lambda result: (-result.rank_value, result.title))
    setting = ranked[0].matrix.setting
    reductions = [result.reductions for result in ranked]
    in_domain = sorted({corpus for result in ranked for corpus in result.matrix.in_domain})
    fullest = max(ranked, key=lambda result: len(result.reductions.cells))
    without_sound = own.shortcuts.of(setting, in_domain) if own else ()
    chances = {pair: view.chance for pair, view in fullest.cells.items()}
    return ComparisonGroup(
        id="",
        run=run.name,
        setting=setting,
        backbones=tuple(ranked),
        in_domain_corpora=tuple(in_domain),
        clusters=_clusters(reductions),
        refusal=_refusal(reductions),
        chance=chance_row(chances, fullest.reductions.cells),
        verdicts=verdicts_of(ranked, rope=options.rope, rank_tests=options.rank_tests)
        if setting.metric == options.measured
        else (),
        shortcuts=without_sound,
        findings=tuple(floor_findings([_contestant(result) for result in ranked], without_sound))
        if own
        else (),
        human_accuracy={
            name: corpus.human_accuracy
            for name, corpus in corpora_of(run.record).items()
            if corpus.human_accuracy is not None and name in in_domain
        },
        recoveries=tuple(_recoveries(own.recoveries, ranked)) if own else (),
        details=options.labels.shared(setting),
        common=options.common,
    )


def _recoveries(recoveries: Recoveries, results: Sequence[BackboneResult]) -> Iterator[Recovery]:
    for result in results:
        found = recoveries.of(result.matrix.setting, result.title)
        if found is not None:
            yield found


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
