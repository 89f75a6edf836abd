"""The tables of a report as LaTeX (booktabs), ready for a paper."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.evaluation.metrics import MEASURES
from sercore.reports.group_tables import supporting_tables
from sercore.reports.views import NO_INTERVAL
from sercore.results.matched import MATCHED_NOTE
from sercore.results.text import MISSING
from sercore.results.text import number
from sercore.statistics.intervals import NOTE_TEXTS
from sercore.statistics.intervals import Note

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from sercore.reports.tables import PlainTable
    from sercore.reports.views import BackboneResult
    from sercore.reports.views import ComparisonGroup
    from sercore.reports.views import Content
    from sercore.reports.views import Side
    from sercore.results.reductions import Average
    from sercore.statistics.intervals import Interval

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MISSING: "---",
    "\u2212": "$-$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
_PATTERN = re.compile("|".join(map(re.escape, _SPECIAL)))


def latex_text(text: object) -> str:
    r"""Return text that LaTeX prints as it is, on one line.

    >>> latex_text("a_b & 5 %")
    'a\\_b \\& 5 \\%'
    """
    one_line = " ".join(str(text).split())
    return _PATTERN.sub(lambda found: _SPECIAL[found[0]], one_line)


def latex_page(content: Content) -> str:
    """Return the tables of every group: averages, means by corpus, levels and calibration.

    They need the packages booktabs and graphicx. Captions say what is incomplete and what is demo
    data.
    """
    lines = ["% Written by sercore. Needs \\usepackage{booktabs} and \\usepackage{graphicx}."]
    several = len(content.runs) > 1
    for found in content.groups:
        group = replace(found, details=(*found.details, f"run {found.run}")) if several else found
        lines += ["", *_averages(group)]
        if group.has_matched:
            lines += ["", *_matched(group)]
        if group.clusters:
            lines += ["", *_by_corpus(group, "rows", "trained on")]
            lines += ["", *_by_corpus(group, "columns", "tested on")]
        for place, table in enumerate(supporting_tables(group), 1):
            lines += ["", *_plain(group, table, place)]
    return "\n".join(lines) + "\n"


def _averages(group: ComparisonGroup) -> list[str]:
    ranked = _is_ranked(group)
    best = _best(group) if ranked else {}
    header = [
        (
            r" & \multicolumn{3}{c}{In-domain} & \multicolumn{3}{c}{Out-of-domain} "
            r"& \multicolumn{2}{c}{Weighted} \\"
        ),
        r"\cmidrule(lr){2-4}\cmidrule(lr){5-7}\cmidrule(lr){8-9}",
        r"Backbone & mean & 95\,\% & dev. & mean & 95\,\% & dev. & average & 95\,\% \\",
    ]
    caption = f"Averages per backbone: {group.title}.{_intervals(group)}{_caution(group)}"
    rows = [_average_cells(result, best) for result in group.backbones]
    foot = list(_foot(group))
    return _table(caption, f"tab:{group.id}-averages", "lrrrrrrrr", header, rows, foot)


def _foot(group: ComparisonGroup) -> Iterator[list[str]]:
    """Yield the lines of chance and of the shortcuts below the averages."""
    for title, *values in group.chance.levels():
        inside, outside = ("" if value is None else number(value) for value in values)
        yield [title, inside, "", "", outside, "", "", "", ""]
    for shortcut in group.shortcuts:
        mean, ends = number(shortcut.mean), _ends(shortcut.interval)
        yield [shortcut.title, mean, ends, "", "", "", "", "", ""]


def _matched(group: ComparisonGroup) -> list[str]:
    """Return the weighted averages beside those with one adjustment on both sides."""
    rows = []
    for result in group.backbones:
        found = result.matched
        rows.append(
            [
                latex_text(result.title),
                latex_text(number(result.reductions.weighted)),
                _ends(result.intervals.weighted),
                latex_text(number(found.weighted if found else None)),
                _ends(found.interval if found else None),
            ]
        )
    header = r"Backbone & weighted & 95\,\% & matched & 95\,\% \\"
    caption = f"Weighted averages: {group.title}. {MATCHED_NOTE}{_caution(group)}"
    return _table(caption, f"tab:{group.id}-matched", "lrrrr", [header], rows, [])


def _plain(group: ComparisonGroup, table: PlainTable, place: int) -> list[str]:
    """Return a table of texts; its sentences stand in the caption."""
    header = " & ".join(map(latex_text, table.columns)) + r" \\"
    rows = [[latex_text(cell.text) for cell in line] for line in table.lines]
    columns = "ll" + "r" * (len(table.columns) - 2)
    caption = " ".join((f"{table.title}: {group.title}.", table.text, *table.sentences))
    return _table(caption, f"tab:{group.id}-{place}", columns, [header], rows, [])


def _intervals(group: ComparisonGroup) -> str:
    """Return the sentence about the intervals of a table."""
    found = [result.intervals.in_domain for result in group.backbones]
    known = [interval for interval in found if interval is not None]
    if not known:
        return f" {NO_INTERVAL}"
    text = " Intervals are over speakers and seeds, corrected for the bias of averages"
    single = any(Note.ONE_PROBE in interval.notes for interval in known)
    return f"{text}; {NOTE_TEXTS[Note.ONE_PROBE]}." if single else f"{text}."


def _average_cells(result: BackboneResult, best: dict[str, float]) -> list[str]:
    values, around = _values(result), result.intervals
    cells = [latex_text(result.title)]
    for name, average, interval in (
        ("id", result.reductions.in_domain, around.in_domain),
        ("ood", result.out_of_domain, around.out_of_domain),
    ):
        cells.append(_marked(_bold(values[name], best.get(name)), average))
        cells += [_ends(interval), latex_text(number(average.sd if average else None))]
    return [*cells, _bold(values["weighted"], best.get("weighted")), _ends(around.weighted)]


def _ends(interval: Interval | None) -> str:
    if interval is None:
        return latex_text(MISSING)
    return f"[{number(interval.low)}, {number(interval.high)}]"


def _by_corpus(group: ComparisonGroup, side: Side, what: str) -> list[str]:
    corpora = group.clusters[0]
    best = _best_by_corpus(group, side)
    rows = []
    for result in group.backbones:
        means, _ = result.means(side)
        if means:
            cells = []
            for name in corpora:
                average = means.get(name)
                mean = average.mean if average else None
                cells.append(_marked(_bold(mean, best.get(name)), average))
            rows.append([latex_text(result.title), *cells])
    names = " & ".join(f"\\rotatebox{{60}}{{{latex_text(name)}}}" for name in corpora)
    caption = (
        f"Out-of-domain mean over the other corpora, {what} the corpus: {group.title}."
        f"{_caution(group)}"
    )
    label = f"tab:{group.id}-{what.replace(' ', '-')}"
    return _table(caption, label, "l" + "r" * len(corpora), [f"Backbone & {names} \\\\"], rows, [])


def _table(
    caption: str,
    label: str,
    columns: str,
    header: Iterable[str],
    rows: Sequence[Sequence[str]],
    foot: Sequence[Sequence[str]],
) -> list[str]:
    body = [f"{' & '.join(cells)} \\\\" for cells in rows]
    if foot:
        body += [r"\midrule", *(f"{' & '.join(cells)} \\\\" for cells in foot)]
    return [
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{latex_text(caption)}}}",
        f"\\label{{{label}}}",
        f"\\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *header,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _values(result: BackboneResult) -> dict[str, float | None]:
    outside = result.out_of_domain
    return {
        "id": result.reductions.in_domain.mean,
        "ood": outside.mean if outside else None,
        "weighted": result.reductions.weighted,
    }


def _best(group: ComparisonGroup) -> dict[str, float]:
    best: dict[str, float] = {}
    for result in group.backbones:
        for name, value in _values(result).items():
            if value is not None:
                best[name] = max(value, best.get(name, value))
    return best


def _is_ranked(group: ComparisonGroup) -> bool:
    """Return whether the best backbone is printed in bold letters."""
    measured = group.setting.metric in MEASURES
    return group.refusal is None and len(group.backbones) > 1 and measured


def _best_by_corpus(group: ComparisonGroup, side: Side) -> dict[str, float]:
    """Return the best mean of each corpus; nothing where backbones are not ranked."""
    if not _is_ranked(group):
        return {}
    best: dict[str, float] = {}
    for result in group.backbones:
        means, _ = result.means(side)
        for name, average in means.items():
            if average.mean is not None:
                best[name] = max(average.mean, best.get(name, average.mean))
    return best


def _bold(value: float | None, best: float | None) -> str:
    """Return a value, in bold letters if it is the best."""
    text = latex_text(number(value))
    return f"\\textbf{{{text}}}" if value is not None and value == best else text


def _marked(text: str, average: Average | None) -> str:
    """Return a mean, with an asterisk if the average is incomplete."""
    if average is None or average.complete or average.mean is None:
        return text
    return f"{text}$^\\ast$"


def _caution(group: ComparisonGroup) -> str:
    text = ""
    if any(not result.reductions.complete for result in group.backbones):
        text += " Averages with an asterisk lack cells."
    if group.refusal:
        text += " The backbones do not have the same cells and are not ranked."
    if group.setting.demo:
        text += " Synthetic data: these are not results."
    return text
