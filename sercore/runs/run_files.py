"""The files of one run: its record, its scores and its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SercoreError
from sercore.plugins.identity import plugin_code
from sercore.runs.explainer import Explainer
from sercore.runs.journal import Journal
from sercore.runs.journal import costs_of
from sercore.runs.record import notes_of
from sercore.runs.record import run_record
from sercore.runs.record import used_plugins
from sercore.runs.scorebook import Scorebook

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.plugins.registry import Registry
    from sercore.results.overview import RunOverview
    from sercore.results.stored_run import StoredRun
    from sercore.runs.notifier import Notifier
    from sercore.runs.planned import Plan
    from sercore.runs.spec import RunSpec
    from sercore.storage.workspace import Workspace


class RunFiles:
    """Writes the files of a run. A file that cannot be written is a problem, not an error.

    Args:
        workspace: where the run is.
        name: of the run.
        plan: what the run does.
        spec: what its tasks have in common.
        registry: the metrics.
        notifier: counts cells, and hears of problems.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        plan: Plan,
        spec: RunSpec,
        registry: Registry,
        notifier: Notifier,
    ) -> None:
        self.folder = f"runs/{name}"
        self.explainer = Explainer(workspace, self.folder)
        self._workspace = workspace
        self._name = name
        self._plan = plan
        self._spec = spec
        self._notifier = notifier
        self._plugins = used_plugins(plan, registry)
        metrics = registry.metrics
        code = {metric.id: plugin_code(metrics.owners[metric.id], metric) for metric in metrics}
        self.scorebook = Scorebook(
            workspace, self.folder, plan.selection.protocol, tuple(metrics), code
        )

    @property
    def notes(self) -> list[str]:
        """What a reader of the results should know, one sentence each."""
        return [*notes_of(self._plan), *self._notifier.warnings]

    def start(self) -> None:
        """Write that the run has started.

        Raises:
            DiskFullError, WorkspaceError: nothing can be written.
        """
        self._workspace.write_json(f"{self.folder}/run.json", self._record("running"))

    def write_unfinished_scores(self) -> None:
        """Write the scores so far, and earlier ones of cells that the run has not reached."""
        self._write_scores(self.scorebook.unfinished_table(self._plan.jobs))

    def finish(self, *, interrupted: bool) -> tuple[pa.Table, dict[str, Any], RunOverview]:
        """Write scores, intervals, record and summary; return scores, record and averages."""
        from sercore.results.stored_run import StoredRun
        from sercore.results.summary import write_summary

        # Folds that an interruption left out would make a part look like the whole corpus.
        unfinished = self.scorebook.unfinished_table
        scores = unfinished(self._plan.jobs) if interrupted else self._scores_over_folds()
        self._write_scores(scores)
        record = self._record("interrupted" if interrupted else "ended")
        record["costs"] = costs_of(Journal(self._workspace, self._name).reports())
        run = StoredRun(name=self._name, record=record, scores=scores, workspace=self._workspace)
        overview = self._overview(run)
        try:
            self._workspace.write_json(f"{self.folder}/run.json", record)
            write_summary(run, overview)
        except SercoreError as error:
            self._notifier.problem(str(error))
        return scores, record, overview

    def _overview(self, run: StoredRun) -> RunOverview:
        from sercore.results.overview import RunOverview
        from sercore.results.overview import run_overview

        try:
            return run_overview(run)
        except SercoreError as error:
            self._notifier.problem(str(error))
            return RunOverview(matrices=(), levels=())

    def _scores_over_folds(self) -> pa.Table:
        try:
            return self.scorebook.table_with_out_of_fold()
        except Exception as error:  # noqa: BLE001 - a metric is a plugin: the folds' scores stay
            reason = self.explainer.explain(error)
            self._notifier.problem(f"the predictions of the folds were not joined: {reason}")
            return self.scorebook.table()

    def _write_scores(self, scores: pa.Table) -> None:
        try:
            self._workspace.write_table(f"{self.folder}/scores.parquet", scores)
        except SercoreError as error:
            self._notifier.problem(str(error))

    def _record(self, status: str) -> dict[str, Any]:
        return run_record(
            self._plan,
            self._spec,
            name=self._name,
            status=status,
            scoring=self.scorebook.rules_digest,
            problems=self._notifier.problems,
            notes=self.notes,
            counts=self._notifier.counts,
            plugins=self._plugins,
        )
