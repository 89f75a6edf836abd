"""The short summary at the end of a run: matrices, the three reductions, problems."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of
from sercore.results.text import MISSING
from sercore.results.text import markdown_cell
from sercore.results.text import markdown_table
from sercore.results.text import number
from sercore.results.text import plural

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.results.matrices import Matrix
    from sercore.results.reductions import Average
    from sercore.results.reductions import Reductions

_MOST_PROBLEMS = 50


def summary_markdown(scores: pa.Table, record: Mapping[str, Any]) -> str:
    """Return the summary of a run as Markdown.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        record: the run's record; ``name``, ``versions`` and ``problems`` are read if they are
            there.
    """
    found = matrices_of(scores, record)
    lines = [f"# {markdown_cell(record.get('name') or 'Run')}", ""]
    if not found:
        lines += ["No cell is done.", ""]
    for matrix in found:
        lines += [*matrix_lines(matrix), ""]
    if found:
        lines += [*_reduction_lines([reduce_of(each, record) for each in found]), ""]
    lines += _missing_lines(found)
    lines += _problem_lines(record.get("problems") or ())
    return "\n".join(lines).rstrip() + "\n"


def matrix_title(matrix: Matrix) -> str:
    """Return one line that says what a matrix holds."""
    setting = matrix.setting
    parts = [setting.backbone, f"protocol {setting.protocol}", setting.metric]
    if setting.class_rule:
        parts.append(f"class rule {setting.class_rule}, adjustment {setting.adjustment}")
    if setting.demo:
        parts.append("demo data: these are not results")
    return " · ".join(parts)


def matrix_lines(matrix: Matrix, level: int = 2) -> list[str]:
    """Return a matrix as Markdown, under a heading of a level."""
    trains = sorted({train for train, _ in (*matrix.cells, *matrix.missing)})
    tests = sorted({test for _, test in (*matrix.cells, *matrix.missing)})

    def cell(train: str, test: str) -> str:
        there = matrix.cells.get((train, test))
        if there is not None:
            return number(there.value) + ("" if there.complete else "*")
        return "missing" if (train, test) in matrix.missing else ""

    rows = [[train, *(cell(train, test) for test in tests)] for train in trains]
    lines = [f"{'#' * level} {markdown_cell(matrix_title(matrix))}", ""]
    lines += markdown_table(["train \\ test", *tests], rows)
    if not all(each.complete for each in matrix.cells.values()):
        lines += ["", "\\* a corpus was not whole, or some of its audio could not be used."]
    return lines


def _reduction_lines(reductions: Sequence[Reductions]) -> list[str]:
    header = ["backbone", "protocol", "class rule", "in-domain", "of", "out-of-domain", "of"]
    lines = ["## Reductions", ""]
    rows = []
    for each in reductions:
        outside = each.out_of_domain
        demo = " (demo)" if each.setting.demo else ""
        rows.append(
            [
                each.setting.backbone + demo,
                each.setting.protocol,
                each.setting.class_rule or MISSING,
                with_deviation(each.in_domain),
                each.in_domain.coverage,
                with_deviation(outside.average) if outside else MISSING,
                outside.coverage if outside else MISSING,
                number(each.weighted),
            ]
        )
    lines += markdown_table([*header, "weighted average"], rows, left=3)
    for each in reductions:
        if each.out_of_domain is None:
            continue
        inside = each.out_of_domain
        lines += ["", f"Out-of-domain means of {markdown_cell(each.setting.backbone)} by corpus:"]
        lines += ["", *markdown_table(
            ["corpus", "trained on it", "of", "tested on it", "of"],
            [
                [
                    name,
                    number(inside.rows[name].mean),
                    inside.rows[name].coverage,
                    number(inside.columns[name].mean),
                    inside.columns[name].coverage,
                ]
                for name in inside.corpora
            ],
        )]  # fmt: skip
    return lines


def with_deviation(average: Average) -> str:
    """Return ``mean ± deviation``."""
    if average.mean is None:
        return MISSING
    spread = "" if average.sd is None else f" ± {number(average.sd)}"
    return number(average.mean) + spread


def _missing_lines(found: Sequence[Matrix]) -> list[str]:
    reasons: dict[tuple[str, str], int] = {}
    for matrix in found:
        for reason in matrix.missing.values():
            key = (matrix.setting.backbone, reason)
            reasons[key] = reasons.get(key, 0) + 1
    if not reasons:
        return []
    lines = [
        f"- {markdown_cell(backbone)}: {plural(count, 'cell')}: {markdown_cell(reason)}"
        for (backbone, reason), count in sorted(reasons.items())
    ]
    return ["## Missing", "", *lines, ""]


def _problem_lines(problems: Sequence[Any]) -> list[str]:
    if not problems:
        return []
    lines = [f"- {markdown_cell(problem_text(each))}" for each in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"- and {len(problems) - _MOST_PROBLEMS} more in the run's record")
    return ["## Problems", "", *lines, ""]


def problem_text(problem: Any) -> str:
    """Return one problem of a record, a sentence or a mapping as `Problem`, as a sentence."""
    if not isinstance(problem, Mapping):
        return str(problem)
    text = f"{problem.get('where', '')}: {problem.get('message', '')}".strip(": ")
    hint = problem.get("hint")
    return f"{text}; {hint}" if hint else text
