"""All drawing in the terminal: the live matrix, plain lines, JSON, and the closing summary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn
from rich.text import Text

from sercore.cli.closing import headline_rows
from sercore.cli.closing import plan_line
from sercore.cli.closing import print_summary
from sercore.cli.matrix_view import MatrixView
from sercore.cli.text import printable
from sercore.runs.observers import SilentObserver

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sercore.runs.events import CellResult
    from sercore.runs.events import RunResult
    from sercore.runs.events import StageProgress
    from sercore.runs.planned import Plan

_STAGES = {"extract": "extracting", "fit": "training", "predict": "scoring"}
_UNITS = {"extract": "clips", "fit": "steps", "predict": "clips"}
_LINE_EVERY_S = 30.0


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
        self._console.print(
            Text.assemble("run ", (printable(name), "bold"), f" · {printable(plan_line(plan))}"),
            Text(printable(f"results in {folder}")),
            sep="\n",
        )
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
        task = self._progress.add_task(
            escape(printable(label)), total=None, stage=_STAGES[kind], rate=""
        )
        began = time.monotonic()

        def show(done: int, total: int, seconds: float | None = None) -> None:
            rate = _rate(kind, done, seconds, time.monotonic() - began)
            self._progress.update(task, completed=done, total=total, rate=rate)

        try:
            yield show
        finally:
            self._progress.remove_task(task)

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""
        assert self._view is not None
        self._view.add(result)

    def note(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(Text(printable(text)))

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(Text(printable(f"! {text}"), style="red"))

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        if self._live is not None:
            self._live.update(self._screen(), refresh=True)
            self._live.stop()
        print_summary(self._console, result)

    def _screen(self) -> RenderableType:
        assert self._view is not None
        return Group(*self._view.tables(self._console.width), self._progress)


class LineObserver:
    """Prints one plain line per event, and the matrix at the end. For logs and pipes."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(
            width=200, force_terminal=False, color_system=None, highlight=False
        )
        self._view: MatrixView | None = None

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._view = MatrixView(plan)
        self._print(f"run {name}: {plan_line(plan)}")
        self._print(f"results in {folder}")

    @contextmanager
    def stage(self, kind: str, label: str) -> Iterator[StageProgress]:
        """See `sercore.runs.events.Observer`."""
        began = last = time.monotonic()
        if kind != "predict":
            self._print(f"{_STAGES[kind]} {label}")

        def show(done: int, total: int, seconds: float | None = None) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _LINE_EVERY_S:
                return
            last = now
            elapsed = now - began
            left = elapsed / max(done, 1) * (total - done)
            rate = _rate(kind, done, seconds, elapsed)
            self._print(f"{_STAGES[kind]} {label}: {done} of {total}, {rate}, {left:.0f} s left")

        yield show

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""
        value = "-" if result.value is None else f"{result.value:.4f}"
        line = f"{result.status} {result.matrix} {result.train} -> {result.test} {result.rule}"
        self._print(f"{line} {value}" + (f" ({result.reason})" if result.reason else ""))
        assert self._view is not None
        self._view.add(result)

    def note(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._print(f"note: {text}")

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._print(f"problem: {text}")

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        if self._view is not None:
            self._console.print(*self._view.tables(self._console.width), sep="\n")
        print_summary(self._console, result)

    def _print(self, line: str) -> None:
        self._console.print(Text(printable(line)), soft_wrap=True)


class QuietObserver(SilentObserver):
    """Prints errors only, to standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def problem(self, text: str) -> None:
        """See `sercore.runs.events.Observer`."""
        self._console.print(Text(printable(f"sercore: {text}")), soft_wrap=True)


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


def _rate(kind: str, done: int, seconds: float | None, elapsed: float) -> str:
    if elapsed <= 0 or not done:
        return ""
    text = f"{done / elapsed:.1f} {_UNITS[kind]}/s"
    return f"{text}, {seconds / elapsed:.0f}x real time" if seconds else text
