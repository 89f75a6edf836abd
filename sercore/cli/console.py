"""All drawing in the terminal: the live matrix, plain lines, JSON, and the closing summary."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from statistics import fmean
from typing import TYPE_CHECKING
from typing import Any

from rich.console import Console
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sercore.evaluation.class_rules import IN_DOMAIN

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sercore.runs.events import CellResult
    from sercore.runs.events import RunResult
    from sercore.runs.events import StageProgress
    from sercore.runs.planned import Plan

_STAGES = {"extract": "extracting", "fit": "training", "predict": "scoring"}
_UNITS = {"extract": "clips", "fit": "steps", "predict": "clips"}
_LINE_EVERY_S = 30.0
_FULL_HEADERS = 9
"""Up to so many columns carry whole corpus names."""


class MatrixView:
    """What is known of every cell so far, as one table per matrix and class rule.

    Args:
        plan: names the rows, columns and cells.
    """

    def __init__(self, plan: Plan) -> None:
        self._demo: dict[str, bool] = {}
        self._rules: dict[str, list[str]] = defaultdict(list)
        self._cells: dict[tuple[str, str], dict[tuple[str, str], list[CellResult]]] = {}
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._trains: dict[str, list[str]] = defaultdict(list)
        for job in plan.jobs:
            name = plan.matrix_name(job)
            self._demo[name] = job.backbone.backbone.card.demo
            if job.train.id not in self._trains[name]:
                self._trains[name].append(job.train.id)
            for test_set in job.test_sets:
                self._tests[name].add(test_set.corpus.id)
                for rule in test_set.rules:
                    if rule.name != IN_DOMAIN and rule.name not in self._rules[name]:
                        self._rules[name].append(rule.name)
                    cells = self._cells.setdefault((name, rule.name), {})
                    cells[job.train.id, test_set.corpus.id] = []

    def add(self, result: CellResult) -> None:
        """Take in one result; folds and seeds of a cell are averaged."""
        self._cells[result.matrix, result.rule][result.train, result.test].append(result)

    def tables(self) -> list[Table]:
        """Return one table per backbone and out-of-domain rule."""
        return [
            self._table(name, rule)
            for name in self._trains
            for rule in (self._rules[name] or [IN_DOMAIN])
        ]

    def _table(self, name: str, rule: str) -> Table:
        tests = sorted(self._tests[name])
        note = " (demo: not a result)" if self._demo[name] else ""
        title = f"{name}{note}" if rule == IN_DOMAIN else f"{name}{note} · {rule}"
        table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
        table.add_column("train ╲ test", no_wrap=True, style="dim")
        for test in tests:
            header = test if len(tests) <= _FULL_HEADERS else test[:4]
            table.add_column(header, justify="right", no_wrap=True)
        for train in self._trains[name]:
            cells = [self._cell(name, rule, train, test) for test in tests]
            table.add_row(train, *cells)
        return table

    def _cell(self, name: str, rule: str, train: str, test: str) -> Text:
        place = IN_DOMAIN if train == test else rule
        results = self._cells.get((name, place), {}).get((train, test))
        if results is None:
            return Text("")
        if not results:
            return Text("·", style="dim")
        values = [result.value for result in results if result.value is not None]
        if not values:
            return Text("failed", style="bold red")
        mean = fmean(values)
        return Text(f"{mean:.3f}", style=_colour(mean, in_domain=train == test))


class LiveObserver:
    """Draws the matrix while it fills. For a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._progress = Progress(
            TextColumn("[bold]{task.fields[stage]}[/] {task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._live: Live | None = None
        self._view: MatrixView | None = None

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(f"run [bold]{name}[/] · {plan_line(plan)}\nresults in {folder}\n")
        self._view = MatrixView(plan)
        self._live = Live(
            self._screen(),
            console=self._console,
            refresh_per_second=4,
            get_renderable=self._screen,
            vertical_overflow="crop",
        )
        self._live.start()

    @contextmanager
    def stage(self, kind: str, label: str) -> Iterator[StageProgress]:
        """See `sercore.runs.events.Observer`."""
        task = self._progress.add_task(label, total=None, stage=_STAGES[kind], rate="")
        began = time.monotonic()

        def tell(done: int, total: int, seconds: float | None = None) -> None:
            rate = _rate(kind, done, seconds, time.monotonic() - began)
            self._progress.update(task, completed=done, total=total, rate=rate)

        try:
            yield tell
        finally:
            self._progress.remove_task(task)

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""
        assert self._view is not None
        self._view.add(result)

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(Text(f"! {text}", style="red"))

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        if self._live is not None:
            self._live.update(self._screen(), refresh=True)
            self._live.stop()
        print_summary(self._console, result)

    def _screen(self) -> RenderableType:
        assert self._view is not None
        return Group(*self._view.tables(), self._progress)


class LineObserver:
    """Prints one plain line an event. For logs and pipes."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(
            width=200, force_terminal=False, color_system=None, highlight=False
        )

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._print(f"run {name}: {plan_line(plan)}")
        self._print(f"results in {folder}")

    @contextmanager
    def stage(self, kind: str, label: str) -> Iterator[StageProgress]:
        """See `sercore.runs.events.Observer`."""
        began = last = time.monotonic()
        if kind != "predict":
            self._print(f"{_STAGES[kind]} {label}")

        def tell(done: int, total: int, seconds: float | None = None) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _LINE_EVERY_S:
                return
            last = now
            elapsed = now - began
            left = elapsed / max(done, 1) * (total - done)
            rate = _rate(kind, done, seconds, elapsed)
            self._print(f"{_STAGES[kind]} {label}: {done} of {total}, {rate}, {left:.0f} s left")

        yield tell

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""
        value = "-" if result.value is None else f"{result.value:.4f}"
        line = f"{result.status} {result.matrix} {result.train} -> {result.test} {result.rule}"
        self._print(f"{line} {value}" + (f" ({result.reason})" if result.reason else ""))

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._print(f"problem: {text}")

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        print_summary(self._console, result)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


class QuietObserver:
    """Prints only what went wrong, to standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """See `sercore.runs.events.Observer`."""

    def stage(self, kind: str, label: str) -> AbstractContextManager[StageProgress]:
        """See `sercore.runs.events.Observer`."""
        del kind, label
        return nullcontext(_tell_nobody)

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(f"sercore: {text}", markup=False, soft_wrap=True)

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""


class JsonObserver(QuietObserver):
    """Prints one JSON document at the end; the fields are documented in docs/json.md."""

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        from sercore.cli.options import print_json

        print_json(
            {
                "run": result.name,
                "folder": result.folder,
                "exit_status": result.exit_status,
                "interrupted": result.interrupted,
                "seconds": round(result.seconds, 3),
                "cells": dict(sorted(result.counts.items())),
                "computed": dict(sorted(result.computed.items())),
                "scores": headline_rows(result),
                "problems": list(result.problems),
                "notes": list(result.notes),
            }
        )


def _tell_nobody(done: int, total: int, seconds: float | None = None) -> None:
    """Ignore how far a stage is."""


def headline_rows(result: RunResult) -> list[dict[str, Any]]:
    """Return the headline score of every cell as plain values."""
    import pyarrow.compute as pc

    columns = [
        *("backbone", "protocol", "train_corpus", "test_corpus", "class_rule", "adjustment"),
        *("metric", "fold", "split_seed", "value", "n_classes", "n_train", "n_test", "n_dropped"),
        *("n_missing", "complete", "shared_speakers", "shared_texts", "status", "reason"),
        *("probe_key", "prediction_key", "demo"),
    ]
    table = result.scores
    mask = pc.and_(table.column("headline"), pc.is_null(table.column("class")))
    rows: list[dict[str, Any]] = table.filter(mask).select(columns).to_pylist()
    return rows


def plan_line(plan: Plan) -> str:
    """Return one line that says how much there is to do."""
    return (
        f"{_count(len(plan.backbones), 'backbone')}, {_count(len(plan.corpora), 'corpus')}, "
        f"{_count(len(plan.jobs), 'probe fit')}, {_count(plan.n_cells, 'cell')} · "
        f"protocol {plan.selection.protocol.id}"
    )


def print_summary(console: Console, result: RunResult) -> None:
    """Print what is missing, the three reductions, what failed, and where everything lies."""
    from sercore.results.reductions import reduce_scores

    _print_sentences(console, "notes", _short_notes(result), "dim")
    reductions = reduce_scores(result.scores)
    if reductions:
        console.print()
        console.print(_reductions_table(reductions))
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
        Text(f"scores: {result.folder}/scores.parquet · summary: {result.folder}/summary.md"),
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
            console.print(Padding(Text(sentence, style=style), (0, 0, 0, 2)))
        else:  # a log keeps one line a sentence
            console.print(Text(f"  {sentence}", style=style), soft_wrap=True)


def _short_notes(result: RunResult) -> list[str]:
    """Return the notes, with what is simply not here in one line instead of one line each."""
    absent = [each for each in result.missing if not (each.named or each.failed)]
    told = {str(each) for each in absent}
    notes = [note for note in result.notes if note not in told]
    names = defaultdict(list)
    for each in absent:
        names[each.kind].append(each.name)
    for kind, those in names.items():
        notes.append(f"not here: {_count(len(those), kind)} ({', '.join(those)})")
    if absent:
        notes.append("'sercore run --all --dry-run' says how to get each of them")
    return notes


_DID = {
    "extract": "extracted",
    "fit": "trained",
    "predict": "predicted",
    "score": "scored",
}


def _reductions_table(reductions: Sequence[Any]) -> Table:
    table = Table(title="macro-F1", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("backbone", no_wrap=True)
    table.add_column("class rule")
    for name in ("in-domain", "out-of-domain", "weighted"):
        table.add_column(name, justify="right")
    table.add_column("complete")
    for each in reductions:
        outside = each.out_of_domain
        table.add_row(
            each.setting.backbone + (" (demo)" if each.setting.demo else ""),
            each.setting.class_rule or "-",
            _spread(each.in_domain),
            _spread(outside.average) if outside else "-",
            "-" if each.weighted is None else f"{each.weighted:.3f}",
            f"{each.in_domain.coverage} in-domain" + (f", {outside.coverage}" if outside else ""),
        )
    return table


def _spread(average: Any) -> str:
    if average.mean is None:
        return "-"
    return f"{average.mean:.3f}" + ("" if average.sd is None else f" ± {average.sd:.3f}")


def _rate(kind: str, done: int, seconds: float | None, elapsed: float) -> str:
    if elapsed <= 0 or not done:
        return ""
    text = f"{done / elapsed:.1f} {_UNITS[kind]}/s"
    return f"{text}, {seconds / elapsed:.0f}x real time" if seconds else text


def _colour(value: float, *, in_domain: bool) -> str:
    """Return a style from red over yellow to green; cells of the diagonal are bold."""
    red = round(255 * min(1.0, 2 * (1 - value)))
    green = round(255 * min(1.0, 2 * value))
    weight = "bold " if in_domain else ""
    return f"{weight}rgb({red},{green},80)"


def _count(n: int, noun: str) -> str:
    plurals = {"corpus": "corpora"}
    return f"{n} {noun if n == 1 else plurals.get(noun, noun + 's')}"
