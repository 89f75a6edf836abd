"""The progress of `evaluate`: one line in a notebook, the matrix in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

from rich.console import Console

from sercore.cli.observers import LiveObserver
from sercore.cli.observers import QuietObserver

if TYPE_CHECKING:
    from sercore.runs.events import CellResult
    from sercore.runs.events import Observer
    from sercore.runs.events import RunResult
    from sercore.runs.events import StageProgress
    from sercore.runs.planned import Plan

_EVERY_S = 0.2
_STAGES = {"extract": "extracting", "fit": "training", "predict": "scoring"}


def choose_observer(*, progress: bool) -> Observer:
    """Return what shows an evaluation here: in a notebook, in a terminal, or nothing.

    Args:
        progress: whether to show anything but problems.
    """
    if not progress:
        return QuietObserver()
    if _is_notebook():
        return NotebookObserver()
    if sys.stderr.isatty():
        return LiveObserver(Console(stderr=True))
    return QuietObserver()


class NotebookObserver(QuietObserver):
    """Rewrites one line below the cell of a notebook; problems are printed below it.

    Needs no widgets, so that an executed notebook keeps the last line.
    """

    def __init__(self) -> None:
        super().__init__()
        self._line = _ipython().display(_html("planning"), display_id=True)
        self._shown = 0.0
        self._done = 0
        self._cells = 0

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """See `sercore.runs.events.Observer`."""
        del name, folder
        self._cells = plan.n_cells
        self._show("started", at_once=True)

    @contextmanager
    def stage(self, kind: str, label: str) -> Iterator[StageProgress]:
        """See `sercore.runs.events.Observer`."""

        def show(done: int, total: int, seconds: float | None = None) -> None:
            del seconds
            self._show(f"{_STAGES[kind]} {label}: {done} of {total}")

        self._show(f"{_STAGES[kind]} {label}", at_once=True)
        yield show

    def cell(self, result: CellResult) -> None:
        """See `sercore.runs.events.Observer`."""
        del result
        self._done += 1

    def finished(self, result: RunResult) -> None:
        """See `sercore.runs.events.Observer`."""
        verb = "interrupted after" if result.interrupted else "took"
        self._show(f"{verb} {result.seconds:.1f} s", at_once=True)

    def _show(self, text: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._line is None or (not at_once and now - self._shown < _EVERY_S):
            return
        self._shown = now
        self._line.update(_html(f"{text} · {self._done} of {self._cells} cells"))


def _html(text: str) -> Any:
    return _ipython().HTML(f"<small>sercore: {escape(text)}</small>")


def _ipython() -> Any:
    return import_module("IPython.display")


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
