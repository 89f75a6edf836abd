"""The report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.published import PAPER
from sercore.reports.content import published_note
from sercore.reports.group_tables import group_tables
from sercore.reports.tables import leak_board
from sercore.reports.views import NO_INTERVAL
from sercore.results.matched import MATCHED_NOTE
from sercore.results.matched import MATCHED_TITLE
from sercore.results.summary import matrix_lines
from sercore.results.summary import with_deviation
from sercore.results.text import MISSING
from sercore.results.text import bracketed
from sercore.results.text import markdown_cell
from sercore.results.text import markdown_table
from sercore.results.text import number
from sercore.results.text import range_text
from sercore.results.text import signed

if TYPE_CHECKING:
    from sercore.reports.tables import PlainTable
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.reports.views import Side
    from sercore.results.reductions import Average
    from sercore.statistics.intervals import Interval

_PAPER_COLUMNS = [
    *("paper: in-domain", "out-of-domain", "weighted"),
    *("measured minus paper: in-domain", "out-of-domain", "weighted"),
]


def markdown_page(content: Content) -> str:
    """Return the report."""
    lines = [f"# {markdown_cell(content.title)}", ""]
    for notice in content.notices:
        lines += [f"> **{markdown_cell(notice.title)}.** {markdown_cell(notice.text)}", ""]
    if not content.groups:
        lines += ["No cell is done, so there is nothing to report yet.", ""]
    for group in content.groups:
        lines += _group_lines(group, several=len(content.runs) > 1)
    if content.leaks:
        lines += ["## Leak gap", ""]
    for leak in content.leaks:
        lines += _plain_lines(leak_board(leak))
    for run in content.runs:
        for title, sentences in (("Problems", run.problems), ("Notes", run.notes)):
            if sentences:
                lines += [f"## {title} of {markdown_cell(run.name)}", ""]
                lines += [*(f"- {markdown_cell(sentence)}" for sentence in sentences), ""]
    return "\n".join(lines).rstrip() + "\n"


def _group_lines(group: ComparisonGroup, *, several: bool) -> list[str]:
    prefix = f"{group.run}: " if several else ""
    lines = [f"## {markdown_cell(prefix + group.title)}", ""]
    if group.refusal:
        lines += [f"Not ranked: {markdown_cell(group.refusal)}.", ""]
    lines += [*_board_lines(group), ""]
    if not group.has_intervals:
        lines += [NO_INTERVAL, ""]
    if group.has_published:
        lines += [markdown_cell(published_note(group)), ""]
    if group.clusters:
        title = f"### Out-of-domain mean by training corpus (as Figure 2 of {PAPER})"
        lines += [title, "", *_corpus_lines(group, "rows"), ""]
        title = f"### Out-of-domain mean by test corpus (as Figure 3 of {PAPER})"
        lines += [title, "", *_corpus_lines(group, "columns"), ""]
    for table in group_tables(group):
        lines += _plain_lines(table)
    for result in group.backbones:
        title = f"Matrix of {result.title}"
        intervals = {pair: view.interval for pair, view in result.cells.items()}
        lines += [*matrix_lines(result.matrix, title, intervals, level=3), ""]
    return lines


def _plain_lines(table: PlainTable) -> list[str]:
    rows = [[cell.text for cell in line] for line in table.lines]
    title, text = markdown_cell(table.title), markdown_cell(table.text)
    lines = [f"### {title}", "", text, ""]
    if rows:
        lines += [*markdown_table(table.columns, rows, left=2), ""]
    if table.sentences:
        lines += [*(f"- {markdown_cell(sentence)}" for sentence in table.sentences), ""]
    return lines


def _board_lines(group: ComparisonGroup) -> list[str]:
    header = ["backbone", "in-domain", "interval", "of", "out-of-domain", "interval", "of"]
    header += ["weighted average", "interval"]
    header += [MATCHED_TITLE, "interval"] if group.has_matched else []
    header += _PAPER_COLUMNS if group.has_published else []
    rows = [_board_cells(result, group) for result in group.backbones]
    for title, *values in group.chance.levels():
        inside, outside = ("" if value is None else number(value) for value in values)
        cells = [title, inside, "", "", outside]
        rows.append(cells + [""] * (len(header) - len(cells)))
    for shortcut in group.shortcuts:
        known = f"{len(shortcut.cells)} of {len(group.in_domain_corpora)}"
        cells = [shortcut.title, number(shortcut.mean), range_text(shortcut.interval), known]
        rows.append(cells + [""] * (len(header) - len(cells)))
    lines = markdown_table(header, rows)
    return [*lines, "", MATCHED_NOTE] if group.has_matched else lines


def _board_cells(result: BackboneResult, group: ComparisonGroup) -> list[str]:
    inside, outside = result.reductions.in_domain, result.reductions.out_of_domain
    cells = [
        result.title,
        with_deviation(inside),
        range_text(result.intervals.in_domain),
        inside.coverage,
        with_deviation(result.out_of_domain),
        range_text(result.intervals.out_of_domain),
        outside.coverage if outside else MISSING,
        number(result.reductions.weighted),
        range_text(result.intervals.weighted),
    ]
    if group.has_matched:
        matched = result.matched
        cells += [
            number(matched.weighted if matched else None),
            range_text(matched.interval if matched else None),
        ]
    return cells + (_paper_cells(result) if group.has_published else [])


def _paper_cells(result: BackboneResult) -> list[str]:
    paper, outside = result.published, result.out_of_domain
    if paper is None:
        return [MISSING] * len(_PAPER_COLUMNS)
    published = (paper.id_mean, paper.ood_mean, paper.weighted_average)
    measured = (
        result.reductions.in_domain.mean,
        outside.mean if outside else None,
        result.reductions.weighted,
    )
    differences = [
        None if ours is None else ours - theirs
        for ours, theirs in zip(measured, published, strict=True)
    ]
    return [*map(number, published), *map(signed, differences)]


def _corpus_lines(group: ComparisonGroup, side: Side) -> list[str]:
    corpora = group.clusters[0]
    rows = []
    for result in group.backbones:
        means, intervals = result.means(side)
        if means:
            cells = (_partial(means.get(name), intervals.get(name)) for name in corpora)
            rows.append([result.title, *cells])
    return markdown_table(["backbone", *corpora], rows)


def _partial(average: Average | None, interval: Interval | None) -> str:
    if average is None or average.mean is None:
        return MISSING
    text = bracketed(average.mean, interval)
    return text + ("" if average.complete else f" ({average.coverage})")
