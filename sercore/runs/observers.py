"""An observer that shows nothing, and the base of those that show little."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sercore.runs.events import CellResult
    from sercore.runs.events import RunResult
    from sercore.runs.events import StageProgress
    from sercore.runs.planned import Plan


class SilentObserver:
    """See `sercore.runs.events.Observer`; every method does nothing."""

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """Ignore that a run begins."""

    def stage(self, kind: str, label: str) -> AbstractContextManager[StageProgress]:
        """Return a progress that shows nothing."""
        del kind, label
        return nullcontext(_ignore)

    def cell(self, result: CellResult) -> None:
        """Ignore a cell."""

    def note(self, text: str) -> None:
        """Ignore a note."""

    def problem(self, text: str) -> None:
        """Ignore a problem; it is in the result."""

    def finished(self, result: RunResult) -> None:
        """Ignore the end."""


def _ignore(done: int, total: int, seconds: float | None = None) -> None:
    """Ignore the progress of a stage."""
