"""What a run prints when it begins and when it ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.results.text import plural

if TYPE_CHECKING:
    from rich.console import Console

    from sercore.results.averages import AverageIntervals
    from sercore.results.overview import RunOverview
    from sercore.results.reductions import Average
    from sercore.runs.events import RunResult
    from sercore.runs.planned import Plan
    from sercore.statistics.intervals import Interval


def headline_rows(result: RunResult) -> list[dict[str, Any]]:
    """Return the headline score of every cell as plain values."""
    import pyarrow.compute as pc

    columns = [
        *("backbone", "layer", "probe", "protocol", "train_corpus", "test_corpus", "class_rule"),
        "adjustment",
        *("metric", "fold", "split_seed", "value", "n_classes", "n_train", "n_test", "n_dropped"),
        *("n_missing", "complete", "shared_speakers", "shared_texts", "status", "reason"),
        *("probe_key", "prediction_key", "demo"),
    ]
    table = result.scores
    mask = pc.and_(table.column("headline"), pc.is_null(table.column("class")))
    rows: list[dict[str, Any]] = table.filter(mask).select(columns).to_pylist()
    return rows


def plan_line(plan: Plan) -> str:
    """Return one line with the size of a run."""
    return (
        f"{plural(len(plan.backbones), 'backbone')}, {plural(len(plan.corpora), 'corpus')}, "
        f"{plural(len(plan.jobs), 'probe fit')}, {plural(plan.n_cells, 'cell')} · "
        f"protocol {plan.selection.protocol.id}"
    )


def print_summary(console: Console, result: RunResult) -> None:
    """Print notes, averages, problems, and where the results are."""
    _print_sentences(console, "notes", _short_notes(result), "dim")
    overview = result.overview
    if overview.matrices:
        console.print()
        console.print(averages_table(overview))
    _print_sentences(console, "floors above encoders", overview.findings, "yellow")
    _print_sentences(console, "problems", result.problems, "red")
    counts = ", ".join(f"{n} {status}" for status, n in sorted(result.counts.items()))
    did = ", ".join(f"{n} {_DID[kind]}" for kind, n in sorted(result.computed.items()))
    idle = _idle(result)
    verb = "interrupted after" if result.interrupted else "took"
    console.print(
        Text(f"\n{verb} {result.seconds:.1f} s · results: {counts or 'no cell'} · {did or idle}"),
        soft_wrap=True,
    )
    if result.interrupted:
        console.print("run the same command again to continue: finished work is kept")
    console.print(
        Text(
            printable(
                f"scores: {result.folder}/scores.parquet · intervals: "
                f"{result.folder}/intervals.parquet · summary: {result.folder}/summary.md"
            )
        ),
        soft_wrap=True,
    )


def _idle(result: RunResult) -> str:
    """Return why a run computed nothing."""
    if result.counts["failed"] or not result.counts:
        return "nothing was computed"
    return "nothing to compute: all results were stored already"


def _print_sentences(console: Console, title: str, sentences: Sequence[str], style: str) -> None:
    if sentences:
        console.print(Text(f"\n{title}", style=f"bold {style}"))
    for sentence in sentences:
        if console.is_terminal:
            console.print(Padding(Text(printable(sentence), style=style), (0, 0, 0, 2)))
        else:  # a log keeps one line a sentence
            console.print(Text(printable(f"  {sentence}"), style=style), soft_wrap=True)


def _short_notes(result: RunResult) -> list[str]:
    """Return the notes, with everything that is not installed or found in one line."""
    absent = [missing for missing in result.missing if not (missing.named or missing.failed)]
    listed = {str(missing) for missing in absent}
    notes = [note for note in result.notes if note not in listed]
    names = defaultdict(list)
    for missing in absent:
        names[missing.kind].append(missing.name)
    for kind, group in names.items():
        notes.append(f"not found: {plural(len(group), kind)} ({', '.join(group)})")
    if absent:
        notes.append("'sercore run --all --dry-run' explains how to get them")
    return notes


_DID = {
    "extract": "extracted",
    "fit": "trained",
    "predict": "predicted",
    "score": "scored",
}


def averages_table(overview: RunOverview) -> Table:
    """Return the averages of a run with their 95 % intervals below them, chance and shortcuts."""
    from sercore.results.floors import FLOOR_MARK
    from sercore.results.labels import MatrixLabels

    labels = MatrixLabels(one.matrix.setting for one in overview.matrices)
    table = Table(title="macro-F1", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("backbone", no_wrap=True)
    table.add_column("corpora")
    table.add_column("class rule")
    for name in ("in-domain", "out-of-domain", "weighted"):
        table.add_column(name, justify="right")
    table.add_column("complete")
    for one in overview.matrices:
        setting, averages, around = one.matrix.setting, one.reductions, one.intervals
        outside = averages.out_of_domain
        title = labels.title(setting) + FLOOR_MARK * one.is_floor
        table.add_row(
            plain(title + (" (demo)" if setting.demo else "")),
            setting.corpora or "-",
            setting.class_rule or "-",
            _spread(averages.in_domain) + _ends(around.in_domain),
            (_spread(outside.average) if outside else "-") + _ends(around.out_of_domain),
            _value(averages.weighted) + _ends(around.weighted),
            f"{averages.in_domain.coverage} in-domain"
            + (f", {outside.coverage}" if outside else ""),
        )
    _add_levels(table, overview)
    intervals = [one.intervals for one in overview.matrices]
    if any(around.in_domain for around in intervals):
        table.caption = _caption(intervals)
        table.caption_justify = "left"
    return table


def _add_levels(table: Table, overview: RunOverview) -> None:
    """Add chance and shortcuts below the backbones."""
    table.add_section()
    for level in overview.level_rows:
        table.add_row(
            plain(level.title + (" (demo)" if level.demo else "")),
            level.corpora or "-",
            level.class_rule or "-",
            _value(level.in_domain) + _ends(level.interval),
            _value(level.out_of_domain),
            "",
            f"{level.coverage} in-domain" if level.coverage else "",
        )


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _caption(intervals: Sequence[AverageIntervals]) -> str:
    from sercore.statistics.intervals import NOTE_TEXTS
    from sercore.statistics.intervals import Note

    text = "below: 95 % intervals over speakers and seeds"
    single = any(
        around.in_domain and Note.ONE_PROBE in around.in_domain.notes for around in intervals
    )
    return f"{text}, {NOTE_TEXTS[Note.ONE_PROBE]}" if single else text


def _ends(interval: Interval | None) -> str:
    return f"\n{interval.low:.3f} to {interval.high:.3f}" if interval is not None else ""


def _spread(average: Average) -> str:
    if average.mean is None:
        return "-"
    return f"{average.mean:.3f}" + ("" if average.sd is None else f" ± {average.sd:.3f}")
