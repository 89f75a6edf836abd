"""Score the cells of a run from their predictions, or reuse the scores of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from sercore.evaluation.predictions import read_predictions
from sercore.runs.scorebook import scored_cell

if TYPE_CHECKING:
    from sercore.evaluation.scores import ScoredCell
    from sercore.evaluation.scores import ScoreRow
    from sercore.runs.notifier import Notifier
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.scorebook import Scorebook
    from sercore.runs.tasks import CellJob
    from sercore.storage.workspace import Workspace


class CellScorer:
    """Scores cells and reports every cell once, as done or failed.

    Args:
        workspace: where predictions are.
        scorebook: collects the scores.
        notifier: hears of every cell.
        explain: turns an error into one sentence.
    """

    def __init__(
        self,
        workspace: Workspace,
        scorebook: Scorebook,
        notifier: Notifier,
        explain: Callable[[Exception], str],
    ) -> None:
        self._workspace = workspace
        self._scorebook = scorebook
        self._notifier = notifier
        self._explain = explain
        self.n_computed = 0
        """Cells and rules that were scored, not reused."""

    def score(self, cell: CellJob) -> None:
        """Score a cell under each of its rules. A metric that raises fails the cell."""
        try:
            values, scored = self._score(cell)
        except Exception as error:  # noqa: BLE001 - a metric is a plugin: its failure is the cell's
            reason = self._explain(error)
            self._notifier.problem(f"{cell.label}: {reason}")
            self.fail(cell.job, cell.test_set, reason)
            return
        self._notifier.cell(cell.job, cell.test_set, "done", values=values, record=asdict(scored))

    def fail(self, job: ProbeJob, test_set: TestSet, reason: str) -> None:
        """Note that a cell has no score, and why."""
        for rule in test_set.rules:
            self._scorebook.add_failure(job, test_set, rule, reason)
        self._notifier.cell(job, test_set, "failed", values={}, record={}, reason=reason)

    def _score(self, cell: CellJob) -> tuple[Mapping[str, float | None], ScoredCell]:
        """Return the headline value by rule, and what all scores of the cell have in common."""
        rules = cell.test_set.rules
        stored = {rule: self._scorebook.previous(cell.key, rule) for rule in rules}
        values = {rule.name: row.value for rule, row in stored.items() if row is not None}
        scored = next((row.cell for row in stored.values() if row is not None), None)
        missing = [rule for rule, row in stored.items() if row is None]
        fresh: list[ScoreRow] = []
        if missing:
            predictions = read_predictions(self._workspace, cell.key)
            scored = scored_cell(cell, len(predictions))
            for rule in missing:
                rows = self._scorebook.score(scored, predictions, rule, cell.job, cell.test_set)
                values[rule.name] = next((row.value for row in rows if row.headline), None)
                fresh += rows
        # No score of a cell is stored before all its rules are scored.
        for rule, row in stored.items():
            if row is not None:
                self._scorebook.reuse(cell.key, rule, cell.job, cell.test_set)
        self._scorebook.add(fresh)
        self.n_computed += len(missing)
        assert scored is not None
        return values, scored
