"""What a run reports while it runs and when it has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.plugins.events import Status
    from sercore.results.overview import RunOverview
    from sercore.runs.planned import Missing
    from sercore.runs.planned import Plan


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell of one probe job, as shown while a run is on."""

    matrix: str
    """The backbone, with layer and probe where there are several (`Plan.matrix_name`)."""
    train: str
    test: str
    rule: str
    """``in-domain`` or a class rule."""
    status: Status
    value: float | None = None
    """Headline macro-F1."""
    reason: str | None = None


class StageProgress(Protocol):
    """Called with the progress of one stage."""

    def __call__(self, done: int, total: int, seconds: float | None = None) -> None:
        """Show how much of it is done; `seconds` of audio for an extraction."""


class Observer(Protocol):
    """Shows a run. Every method must be quick and must not raise."""

    def started(self, plan: Plan, name: str, folder: str) -> None:
        """Show that a run begins."""

    def stage(self, kind: str, label: str) -> AbstractContextManager[StageProgress]:
        """Show that a stage (``extract``, ``fit``, ``predict``) begins and ends with the context.

        Two stages may run at once, in threads of their own.
        """

    def cell(self, result: CellResult) -> None:
        """Show that a cell is done, has failed or is unavailable."""

    def note(self, text: str) -> None:
        """Show one sentence that a reader should know, at once."""

    def problem(self, text: str) -> None:
        """Show one sentence about something that went wrong."""

    def finished(self, result: RunResult) -> None:
        """Show that the run has ended."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run works. Only `threads` changes what it computes, by the last bits of a probe."""

    name: str | None = None
    """Name of the run; None for ``default``, or the next free name where that would lose cells."""
    replace: bool = False
    """Whether a run of this name may be replaced by one with fewer cells."""
    threads: int | None = None
    """Threads of numerical code in each task. When None, as the run of this name was computed
    before; for a new one the processors that this process may use, or half of them where two stages
    share the CPU."""
    overlap: bool | None = None
    """Whether probes are trained while the next corpus is extracted. When None, yes unless the
    device is the CPU, where both would wait for the same processors."""
    frame_budget: int | Literal["auto"] | None = None
    """Frames in one encoder batch; ``auto`` tries out what the device's memory holds."""
    layer_means: bool = True
    cache_budget: int | None = None
    """Bytes of frames that may be in the workspace. The frames of backbones that are finished are
    removed to keep to it; None keeps all."""


def exit_status(missing: Iterable[Missing], *, interrupted: bool, failed: bool) -> int:
    """Return 0: all well; 1: something failed; 3: something named is missing; 130: interrupted."""
    if interrupted:
        return 130
    if any(thing.named for thing in missing):
        return 3
    return 1 if failed else 0


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    name: str
    folder: str
    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    counts: Counter[str]
    """Cells of all jobs by status."""
    problems: tuple[str, ...]
    """What failed the run: one sentence per fault."""
    notes: tuple[str, ...]
    """What a reader should know: one sentence per note."""
    computed: Counter[str]
    """Stages that were computed rather than found: extract, fit, predict, score."""
    missing: tuple[Missing, ...]
    """What is missing, named by the user or not; also among the problems or notes."""
    interrupted: bool
    seconds: float
    record: dict[str, Any]
    overview: RunOverview
    """The averages, and what they stand between."""

    @property
    def exit_status(self) -> int:
        """See `exit_status`."""
        failed = bool(self.problems or self.counts["failed"])
        return exit_status(self.missing, interrupted=self.interrupted, failed=failed)
