"""The report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.reports.boards import leak_board
from sercore.reports.boards import test_tables
from sercore.reports.content import published_note
from sercore.results.summary import matrix_lines
from sercore.results.text import MISSING
from sercore.results.text import markdown_cell
from sercore.results.text import markdown_table
from sercore.results.text import number
from sercore.results.text import signed

if TYPE_CHECKING:
    from sercore.evaluation.statistics import Interval
    from sercore.reports.views import Content
    from sercore.reports.views import Family
    from sercore.results.reductions import Average


def markdown_page(content: Content) -> str:
    """Return the report; the single cells' intervals are in the CSV and HTML formats."""
    lines = [f"# {markdown_cell(content.title)}", ""]
    for notice in content.notices:
        lines += [f"> **{markdown_cell(notice.title)}.** {markdown_cell(notice.text)}", ""]
    if not content.families:
        lines += ["No cell is done, so there is nothing to report yet.", ""]
    for family in content.families:
        lines += _family_lines(family, several=len(content.runs) > 1)
    if content.leaks:
        lines += ["## Leak gap", ""]
    for table in content.leaks:
        board = leak_board(table)
        lines += [f"### {markdown_cell(board['title'])}", "", markdown_cell(board["text"]), ""]
        rows = [[text for text, _ in line] for line in board["lines"]]
        lines += [*markdown_table(board["columns"], rows, left=2), ""]
    for run in content.runs:
        for title, sentences in (("Problems", run.problems), ("Notes", run.notes)):
            if sentences:
                lines += [f"## {title} of {markdown_cell(run.name)}", ""]
                lines += [*(f"- {markdown_cell(each)}" for each in sentences), ""]
    return "\n".join(lines).rstrip() + "\n"


def _family_lines(family: Family, *, several: bool) -> list[str]:
    prefix = f"{family.run}: " if several else ""
    lines = [f"## {markdown_cell(prefix + family.title)}", ""]
    if family.refusal:
        lines += [f"Not ranked: {markdown_cell(family.refusal)}.", ""]
    lines += [*_board_lines(family), ""]
    if any(row.published is not None for row in family.rows):
        lines += [markdown_cell(published_note(family)), ""]
    for which, title in (
        ("rows", "Out-of-domain mean by training corpus (Figure 2)"),
        ("columns", "Out-of-domain mean by test corpus (Figure 3)"),
    ):
        if family.clusters:
            lines += [f"### {title}", "", *_corpus_lines(family, which), ""]
    for test in test_tables(family):
        rows = [[text for text, _ in line] for line in test["lines"]]
        lines += [f"### {test['title']}", "", markdown_cell(test["text"]), ""]
        lines += [*markdown_table(test["columns"], rows, left=2), ""]
    for row in family.rows:
        lines += [*matrix_lines(row.matrix, level=3), ""]
    return lines


def _board_lines(family: Family) -> list[str]:
    paper = any(row.published is not None for row in family.rows)
    header = ["backbone", "in-domain", "interval", "of", "out-of-domain", "interval", "of"]
    header += ["weighted average"]
    if paper:
        header += [
            "paper: in-domain",
            "out-of-domain",
            "weighted",
            "measured minus paper: in-domain",
        ]
        header += ["out-of-domain", "weighted"]
    rows = []
    for row in family.rows:
        inside, outside = row.reductions.in_domain, row.reductions.out_of_domain
        average = outside.average if outside else None
        cells = [row.title, _spread(inside), _range(row.in_domain), inside.coverage]
        cells += [_spread(average), _range(row.out_of_domain)]
        cells += [outside.coverage if outside else MISSING, number(row.reductions.weighted)]
        if paper:
            known = row.published
            theirs = (known.id_mean, known.ood_mean, known.weighted_average) if known else ()
            ours = (inside.mean, average.mean if average else None, row.reductions.weighted)
            pairs = list(zip(ours, theirs, strict=False))
            cells += [number(their) for _, their in pairs] or [MISSING] * 3
            cells += [signed(None if our is None else our - their) for our, their in pairs] or [
                MISSING
            ] * 3
        rows.append(cells)
    chance_in, chance_out = family.chance.in_domain, family.chance.out_of_domain
    if chance_in or chance_out:
        for name, title in (("majority", "chance: majority"), ("random", "chance: random")):
            values = [
                number(getattr(each, name)) if each else "" for each in (chance_in, chance_out)
            ]
            cells = [title, values[0], "", "", values[1], "", "", ""]
            rows.append(cells + [""] * (len(header) - len(cells)))
    return markdown_table(header, rows)


def _corpus_lines(family: Family, which: str) -> list[str]:
    corpora = family.clusters[0]
    rows = []
    for row in family.rows:
        outside = row.reductions.out_of_domain
        if outside is None:
            continue
        averages = getattr(outside, which)
        rows.append([row.title, *(_partial(averages.get(name)) for name in corpora)])
    return markdown_table(["backbone", *corpora], rows)


def _partial(average: Average | None) -> str:
    if average is None or average.mean is None:
        return MISSING
    return number(average.mean) + ("" if average.complete else f" ({average.coverage})")


def _spread(average: Average | None) -> str:
    if average is None or average.mean is None:
        return MISSING
    return number(average.mean) + ("" if average.sd is None else f" ± {number(average.sd)}")


def _range(interval: Interval | None) -> str:
    if interval is None:
        return MISSING
    return f"{number(interval.low)} to {number(interval.high)}"
