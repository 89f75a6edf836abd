"""Scoring the cells of a run from their predictions, or taking over the scores of before."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from sercore.evaluation.predictions import read_predictions
from sercore.runs.scorebook import cell_columns
from sercore.runs.scorebook import headline_of

if TYPE_CHECKING:
    from sercore.evaluation.predictions import Predictions
    from sercore.evaluation.scores import Rule
    from sercore.runs.notifier import Notifier
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.scorebook import Scorebook
    from sercore.runs.tasks import CellJob
    from sercore.storage.workspace import Workspace


class CellScorer:
    """Scores cells and reports each once, done or failed.

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
        """Cells and rules that were scored rather than taken over."""

    def score(self, cell: CellJob) -> None:
        """Score a cell under each of its rules. A metric that raises fails the cell."""
        try:
            values, record = self._score(cell)
        except Exception as error:  # noqa: BLE001 - a metric is a plugin: its failure is the cell's
            reason = self._explain(error)
            self._notifier.problem(f"{cell.label}: {reason}")
            self.fail(cell.job, cell.test_set, reason)
            return
        self._notifier.cell(cell.job, cell.test_set, "done", values=values, record=record)

    def fail(self, job: ProbeJob, test_set: TestSet, reason: str) -> None:
        """Note that a cell has no score, and why."""
        for rule in test_set.rules:
            self._scorebook.add_failure(job, test_set, rule, reason)
        self._notifier.cell(job, test_set, "failed", values={}, record={}, reason=reason)

    def _score(self, cell: CellJob) -> tuple[Mapping[str, float | None], Mapping[str, Any]]:
        """Return the headline value by rule, and the columns that the cell fixes."""
        stored = {
            rule.name: self._scorebook.previous(cell.key, rule) for rule in cell.test_set.rules
        }
        predictions: Predictions | None = None
        values: dict[str, float | None] = {}
        columns: dict[str, Any] = {}
        fresh: list[tuple[Rule, list[dict[str, Any]]]] = []
        for rule in cell.test_set.rules:
            table = stored[rule.name]
            if table is not None:
                values[rule.name] = headline_of(table)
                continue
            predictions = predictions or read_predictions(self._workspace, cell.key)
            columns = columns or self._columns(cell, len(predictions))
            rows = self._scorebook.score(columns, predictions, rule, cell.job, cell.test_set)
            fresh.append((rule, rows))
            values[rule.name] = next((row["value"] for row in rows if row["headline"]), None)
        # Nothing is kept of a cell before all its rules are scored.
        for table in stored.values():
            if table is not None:
                self._scorebook.keep(table)
        for _, rows in fresh:
            self._scorebook.add(rows)
        self.n_computed += len(fresh)
        return values, columns or {"probe_key": cell.probe_key, "prediction_key": cell.key}

    def _columns(self, cell: CellJob, n_test: int) -> dict[str, Any]:
        n_all = len(cell.job.test_rows(cell.test_set))
        return cell_columns(
            cell.job,
            cell.test_set,
            cell.features,
            probe_key=cell.probe_key,
            prediction_key=cell.key,
            n_train=cell.n_train,
            n_test=n_test,
            n_missing=n_all - n_test,
        )
