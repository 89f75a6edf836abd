"""Send the scores of runs to Trackio: a folder of this machine, a server or a Space."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from sercore import CellEvent
from sercore import RunEvent
from sercore import SercoreError
from sercore import hookimpl

if TYPE_CHECKING:
    from trackio import Run

SERCORE_API = 1

PLACES = ("TRACKIO_DIR", "TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID")
"""Variables that say where Trackio keeps its data; without any of them nothing is tracked."""

PROJECT = "TRACKIO_PROJECT"


class _Listener:
    """Keeps what Trackio warns of: it warns, often from a thread, where other libraries raise."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._show: Any = warnings.showwarning
        warnings.showwarning = cast("Any", self._hear)

    def stop(self) -> None:
        """Show warnings as before."""
        warnings.showwarning = self._show

    def _hear(self, message: Warning | str, category: Any, filename: str, *more: Any) -> None:
        if _PACKAGE in filename:
            self.texts.append(str(message))
        else:
            self._show(message, category, filename, *more)


@dataclass
class _Execution:
    """One run of sercore, as a run of Trackio."""

    run: Run
    listener: _Listener
    steps: Counter[str] = field(default_factory=Counter)
    """Values sent so far, by name: one for each fold and seed."""


_executions: dict[str, _Execution | None] = {}
"""The runs that were begun, by name; None where Trackio could not begin one."""

_PACKAGE = f"{os.sep}trackio{os.sep}"


@hookimpl
def sercore_cell_finished(event: CellEvent) -> None:
    if not _is_wanted():
        return
    execution = _execution(event.run)
    if execution is None or not event.scores:
        return
    with redirect_stdout(StringIO()):  # the document of --json goes there
        execution.run.log(event.named_scores, step=execution.steps[event.place])
    execution.steps[event.place] += 1


@hookimpl
def sercore_run_finished(event: RunEvent) -> None:
    if not _is_wanted():
        return
    execution = _execution(event.run)
    del _executions[event.run]
    if execution is None:
        return  # the user was warned when it could not be begun
    import trackio

    try:
        with redirect_stdout(StringIO()):
            cells = {f"cells {status}": count for status, count in event.counts.items()}
            execution.run.log({**cells, **event.averages}, step=0)
            trackio.finish()
    finally:
        execution.listener.stop()
    if execution.listener.texts:
        raise SercoreError("; ".join(dict.fromkeys(execution.listener.texts)))


def _is_wanted() -> bool:
    return any(os.environ.get(name) for name in PLACES)


def _execution(run: str) -> _Execution | None:
    """Return the run of Trackio, which the first event begins; None if that failed before."""
    if run not in _executions:
        _executions[run] = None
        _executions[run] = _begin(run)
    return _executions[run]


def _begin(run: str) -> _Execution:
    listener = _Listener()
    try:
        with redirect_stdout(StringIO()):
            import trackio

            begun = trackio.init(
                project=os.environ.get(PROJECT, "sercore"),
                name=f"{run} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
                group=run,
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
    except BaseException:
        listener.stop()
        raise
    return _Execution(begun, listener)
