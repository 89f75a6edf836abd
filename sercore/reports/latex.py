"""The report's tables as LaTeX (booktabs), to be put into a paper as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sercore.results.text import MISSING
from sercore.results.text import number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from sercore.reports.views import Content
    from sercore.reports.views import Family
    from sercore.reports.views import Row
    from sercore.results.reductions import Average

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
    r"""Return text that LaTeX sets as it is, on one line.

    >>> latex_text("a_b & 5 %")
    'a\\_b \\& 5 \\%'
    """
    one_line = " ".join(str(text).split())
    return _PATTERN.sub(lambda found: _SPECIAL[found[0]], one_line)


def latex_page(content: Content) -> str:
    """Return Table 3, Figure 2 and Figure 3 of every family as tables.

    They need the packages booktabs and graphicx. Nothing is left out of a caption that a reader
    of the numbers must know: what is incomplete and what is demo data stands in it.
    """
    lines = ["% Written by sercore. Needs \\usepackage{booktabs} and \\usepackage{graphicx}."]
    for family in content.families:
        lines += ["", *_averages(family)]
        for which, what in (("rows", "trained on"), ("columns", "tested on")):
            if family.clusters:
                lines += ["", *_by_corpus(family, which, what)]
    return "\n".join(lines) + "\n"


def _averages(family: Family) -> list[str]:
    best = {
        name: max(
            (value for value in (_values(row)[name] for row in family.rows) if value is not None),
            default=None,
        )
        for name in ("id", "ood", "weighted")
    }
    ranked = family.refusal is None and len(family.rows) > 1
    rows = []
    for row in family.rows:
        values, cells = _values(row), [latex_text(row.title)]
        for name, average in (("id", row.reductions.in_domain), ("ood", _outside(row))):
            text = number(values[name])
            if ranked and values[name] is not None and values[name] == best[name]:
                text = f"\\textbf{{{text}}}"
            cells += [_marked(text, average), latex_text(number(average.sd if average else None))]
        text = latex_text(number(values["weighted"]))
        if ranked and values["weighted"] is not None and values["weighted"] == best["weighted"]:
            text = f"\\textbf{{{text}}}"
        rows.append([*cells, text])
    chance = [
        latex_text(number(each.random)) if each else ""
        for each in (family.chance.in_domain, family.chance.out_of_domain)
    ]
    foot = [["random answers", chance[0], "", chance[1], "", ""]] if any(chance) else []
    header = [
        r" & \multicolumn{2}{c}{In-domain} & \multicolumn{2}{c}{Out-of-domain} & Weighted \\",
        r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}",
        r"Backbone & mean & dev. & mean & dev. & average \\",
    ]
    caption = f"Averages per backbone: {family.title}.{_caution(family)}"
    return _table(caption, f"tab:{family.id}-averages", "lrrrrr", header, rows, foot)


def _by_corpus(family: Family, which: str, what: str) -> list[str]:
    corpora = family.clusters[0]
    rows = []
    for row in family.rows:
        outside = row.reductions.out_of_domain
        if outside is None:
            continue
        averages = getattr(outside, which)
        cells = [
            _marked(number(average.mean), average) if (average := averages.get(name)) else "---"
            for name in corpora
        ]
        rows.append([latex_text(row.title), *cells])
    names = " & ".join(f"\\rotatebox{{60}}{{{latex_text(name)}}}" for name in corpora)
    caption = (
        f"Out-of-domain mean over the other corpora, {what} the corpus: {family.title}."
        f"{_caution(family)}"
    )
    label = f"tab:{family.id}-{what.replace(' ', '-')}"
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


def _values(row: Row) -> dict[str, float | None]:
    outside = _outside(row)
    return {
        "id": row.reductions.in_domain.mean,
        "ood": outside.mean if outside else None,
        "weighted": row.reductions.weighted,
    }


def _outside(row: Row) -> Average | None:
    outside = row.reductions.out_of_domain
    return outside.average if outside else None


def _marked(text: str, average: Average | None) -> str:
    """Return a mean with the mark of an incomplete average."""
    text = "---" if text == MISSING else text
    if average is None or average.complete or average.mean is None:
        return text
    return f"{text}$^\\ast$"


def _caution(family: Family) -> str:
    text = ""
    if any(not row.reductions.complete for row in family.rows):
        text += " Averages marked with an asterisk lack cells."
    if family.refusal:
        text += " The backbones do not share all cells and are not ranked."
    if family.setting.demo:
        text += " Synthetic data: these are not results."
    return text
