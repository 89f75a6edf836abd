"""Telling the screen and the trackers what happens in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from sercore.plugins.events import CellEvent
from sercore.plugins.events import RunEvent
from sercore.runs.events import CellResult

if TYPE_CHECKING:
    from sercore.plugins.events import Status
    from sercore.plugins.registry import Registry
    from sercore.runs.events import Observer
    from sercore.runs.events import RunResult
    from sercore.runs.planned import Plan
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet


class Notifier:
    """Counts cells and problems, and passes them on to the observer and to tracker plugins.

    A tracker that raises costs one warning, never a cell or the run.

    Args:
        plan: names the matrices.
        run: the run's name.
        observer: the screen.
        registry: the tracker plugins.
    """

    def __init__(self, plan: Plan, run: str, observer: Observer, registry: Registry) -> None:
        self._plan = plan
        self._run = run
        self._observer = observer
        self._registry = registry
        self.counts: Counter[str] = Counter()
        """Cells by status."""
        self.problems: list[str] = []
        """What failed the run: one sentence per fault."""
        self.warnings: list[str] = []
        """What a reader should know and is no failure: one sentence per note."""

    def note(self, text: str) -> None:
        """Show a sentence that fails nothing, and keep it for the record."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._observer.note(text)

    def problem(self, text: str) -> None:
        """Report a sentence about something that failed, once."""
        if text not in self.problems:
            self.problems.append(text)
            self._observer.problem(text)

    def cell(
        self,
        job: ProbeJob,
        test_set: TestSet,
        status: Status,
        *,
        values: Mapping[str, float | None],
        record: Mapping[str, Any],
        reason: str | None = None,
    ) -> None:
        """Report that a cell is done or has failed: once for each rule and once to trackers.

        Args:
            job: the probe.
            test_set: what it was tested on.
            status: how it ended.
            values: the headline value by class rule.
            record: the columns that the cell fixes under every rule (keys, counts).
            reason: one sentence, where it failed.
        """
        for rule in test_set.rules:
            self.counts[status] += 1
            self._observer.cell(
                CellResult(
                    matrix=self._plan.matrix_name(job),
                    train=job.train.id,
                    test=test_set.corpus.id,
                    rule=rule.name,
                    status=status,
                    value=values.get(rule.name),
                    reason=reason,
                )
            )
        event = CellEvent(
            run=self._run,
            backbone=job.backbone.name,
            probe=job.probe.id,
            layer=job.layer_name,
            train_corpus=job.train.id,
            test_corpus=test_set.corpus.id,
            fold=job.fold.index,
            split_seed=job.split_seed,
            status=status,
            reason=reason,
            scores={rule: value for rule, value in values.items() if value is not None},
            record=dict(record),
        )
        self._warn(self._registry.cell_finished(event))

    def finished(self, result: RunResult) -> None:
        """Report that the run has ended.

        Args:
            result: how it ended.
        """
        self._observer.finished(result)
        if self._registry.hears_run_finished:
            event = RunEvent(
                run=result.name,
                folder=result.folder,
                counts=dict(result.counts),
                interrupted=result.interrupted,
                record=result.record,
                reductions=tuple(one.reductions for one in result.overview.matrices),
            )
            for text in self._registry.run_finished(event):
                self._observer.problem(text)

    def _warn(self, texts: tuple[str, ...]) -> None:
        for text in texts:
            if text not in self.warnings:
                self.warnings.append(text)
                self._observer.problem(text)
