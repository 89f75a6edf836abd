"""The summary of a run in Markdown: matrices, averages, problems."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from sercore.results.floors import FLOOR_MARK
from sercore.results.interval_table import interval_table
from sercore.results.labels import MatrixLabels
from sercore.results.matched import MATCHED_NOTE
from sercore.results.matched import MATCHED_TITLE
from sercore.results.overview import RunOverview
from sercore.results.overview import run_overview
from sercore.results.record import sentences
from sercore.results.stored_run import StoredRun
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import reduce_of
from sercore.results.text import MISSING
from sercore.results.text import bracketed
from sercore.results.text import markdown_cell
from sercore.results.text import markdown_table
from sercore.results.text import number
from sercore.results.text import plural
from sercore.results.text import range_text
from sercore.statistics.intervals import NOTE_TEXTS
from sercore.statistics.intervals import Note

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.results.averages import AverageIntervals
    from sercore.results.matrices import Matrix
    from sercore.results.matrices import Pair
    from sercore.results.overview import MatrixOverview
    from sercore.results.reductions import Average
    from sercore.results.reductions import OutOfDomain
    from sercore.statistics.intervals import Interval
    from sercore.storage.workspace import Workspace

_MOST_PROBLEMS = 50
_INTERVALS = (
    "Intervals are 95 %, over speakers and seeds, corrected for the bias of averages of finite "
    "test sets."
)


def write_summary(run: StoredRun, overview: RunOverview) -> None:
    """Write the summary of a run in Markdown, and the intervals of its cells as a table.

    Args:
        run: the run.
        overview: of all its matrices.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    text = _markdown(overview, run.record)
    run.workspace.write_bytes(f"{run.folder}/summary.md", text.encode())
    run.workspace.write_table(f"{run.folder}/intervals.parquet", interval_table(overview))


def summary_markdown(
    scores: pa.Table, record: Mapping[str, Any], workspace: Workspace | None = None
) -> str:
    """Return the summary of a run as Markdown.

    Args:
        scores: rows as in `sercore.evaluation.scores.SCORE_SCHEMA`.
        record: of the run.
        workspace: holds its predictions; numbers have intervals only with it.
    """
    if workspace is None:
        found = matrices_of(scores, record)
        reductions = [reduce_of(matrix, record) for matrix in found]
        return _markdown(RunOverview.without_intervals(found, reductions), record)
    name = str(record.get("name") or "")
    run = StoredRun(name=name, record=record, scores=scores, workspace=workspace)
    return _markdown(run_overview(run), record)


def _markdown(overview: RunOverview, record: Mapping[str, Any]) -> str:
    found = [one.matrix for one in overview.matrices]
    lines = [f"# {markdown_cell(record.get('name') or 'Run')}", ""]
    if not found:
        lines += ["No cell is done.", ""]
    labels = MatrixLabels(matrix.setting for matrix in found)
    for one in overview.matrices:
        lines += [*matrix_lines(one.matrix, matrix_title(one.matrix, labels), one.cells), ""]
    if found:
        lines += [*_reduction_lines(overview, labels), ""]
    lines += _finding_lines(overview)
    lines += _missing_lines(found)
    lines += _problem_lines(sentences(record, "problems"))
    return "\n".join(lines).rstrip() + "\n"


def matrix_title(matrix: Matrix, labels: MatrixLabels) -> str:
    """Return one line that says what a matrix holds."""
    setting = matrix.setting
    parts = [labels.title(setting), f"protocol {setting.protocol}", setting.metric]
    if setting.class_rule:
        parts.append(f"class rule {setting.class_rule}, adjustment {setting.adjustment}")
    if setting.corpora:
        parts.append(f"corpora {setting.corpora}")
    if setting.demo:
        parts.append("demo data: these are not results")
    return " · ".join(parts)


def matrix_lines(
    matrix: Matrix,
    title: str,
    intervals: Mapping[Pair, Interval | None] | None = None,
    *,
    level: int = 2,
) -> list[str]:
    """Return a matrix as Markdown, under a heading of a level; cells with their intervals."""
    around = intervals or {}
    trains = sorted({train for train, _ in (*matrix.cells, *matrix.missing)})
    tests = sorted({test for _, test in (*matrix.cells, *matrix.missing)})

    def text(train: str, test: str) -> str:
        done = matrix.cells.get((train, test))
        if done is not None:
            text = bracketed(done.value, around.get((train, test)))
            return text + ("" if done.complete else "*")
        return "missing" if (train, test) in matrix.missing else ""

    rows = [[train, *(text(train, test) for test in tests)] for train in trains]
    lines = [f"{'#' * level} {markdown_cell(title)}", ""]
    lines += markdown_table(["train \\ test", *tests], rows)
    if not all(cell.complete for cell in matrix.cells.values()):
        lines += ["", "\\* a corpus was not whole, or some of its audio could not be used."]
    return lines


def _reduction_lines(overview: RunOverview, labels: MatrixLabels) -> list[str]:
    header = [
        *("backbone", "corpora", "protocol", "class rule", "in-domain", "interval", "of"),
        *("out-of-domain", "interval", "of", "weighted average", "interval"),
    ]
    matched = any(one.matched for one in overview.matrices)
    if matched:
        header += [MATCHED_TITLE, "interval"]
    rows = [_reduction_cells(one, labels, matched=matched) for one in overview.matrices]
    rows += [cells + [""] * (len(header) - len(cells)) for cells in _level_cells(overview)]
    lines = ["## Reductions", "", *markdown_table(header, rows, left=4), ""]
    lines.append(" ".join([_INTERVALS, *_one_probe(overview), *([MATCHED_NOTE] * matched)]))
    for one in overview.matrices:
        outside = one.reductions.out_of_domain
        if outside is not None:
            name = markdown_cell(labels.title(one.matrix.setting))
            table = _corpus_lines(outside, one.intervals)
            corpora = one.matrix.setting.corpora
            over = f" (corpora {corpora})" if corpora else ""
            lines += ["", f"Out-of-domain means of {name} by corpus{over}:", "", *table]
    return lines


def _one_probe(overview: RunOverview) -> Iterator[str]:
    """Yield the sentence about averages of one seed, if there are any."""
    inside = [one.intervals.in_domain for one in overview.matrices]
    if any(interval and Note.ONE_PROBE in interval.notes for interval in inside):
        yield f"Some are {NOTE_TEXTS[Note.ONE_PROBE]}."


def _level_cells(overview: RunOverview) -> Iterator[list[str]]:
    """Yield chance and shortcuts, as cells of the table of averages."""
    for level in overview.level_rows:
        yield [
            level.title + (" (demo)" if level.demo else ""),
            level.corpora or MISSING,
            level.protocol,
            level.class_rule or MISSING,
            number(level.in_domain),
            range_text(level.interval),
            level.coverage,
            number(level.out_of_domain),
        ]


def _finding_lines(overview: RunOverview) -> list[str]:
    if not overview.findings:
        return []
    lines = [f"- {markdown_cell(text)}" for text in overview.findings]
    return ["## Floors above encoders", "", *lines, ""]


def _reduction_cells(one: MatrixOverview, labels: MatrixLabels, *, matched: bool) -> list[str]:
    backbone, around = one.reductions, one.intervals
    setting, outside = backbone.setting, backbone.out_of_domain
    cells = [
        labels.title(setting) + FLOOR_MARK * one.is_floor + (" (demo)" if setting.demo else ""),
        setting.corpora or MISSING,
        setting.protocol,
        setting.class_rule or MISSING,
        with_deviation(backbone.in_domain),
        range_text(around.in_domain),
        backbone.in_domain.coverage,
        with_deviation(outside.average) if outside else MISSING,
        range_text(around.out_of_domain),
        outside.coverage if outside else MISSING,
        number(backbone.weighted),
        range_text(around.weighted),
    ]
    if matched:
        found = one.matched
        cells += [
            number(found.weighted if found else None),
            range_text(found.interval if found else None),
        ]
    return cells


def _corpus_lines(outside: OutOfDomain, around: AverageIntervals) -> list[str]:
    rows = [
        [
            name,
            bracketed(outside.rows[name].mean, around.rows.get(name)),
            outside.rows[name].coverage,
            bracketed(outside.columns[name].mean, around.columns.get(name)),
            outside.columns[name].coverage,
        ]
        for name in outside.corpora
    ]
    return markdown_table(["corpus", "trained on it", "of", "tested on it", "of"], rows)


def with_deviation(average: Average | None) -> str:
    """Return ``mean ± deviation``."""
    if average is None or average.mean is None:
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


def _problem_lines(problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    lines = [f"- {markdown_cell(problem)}" for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"- and {len(problems) - _MOST_PROBLEMS} more in the record of the run")
    return ["## Problems", "", *lines, ""]
