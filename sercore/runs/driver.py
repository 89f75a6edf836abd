"""The driver of a run: hands the tasks of a plan to the executor, and scores what they leave.

What is to do is decided in `sercore.runs.agenda` and `sercore.runs.backbone_work`. What fails is
recorded, and the rest is computed.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SercoreError
from sercore.runs.agenda import Agenda
from sercore.runs.backbone_work import BackboneWork
from sercore.runs.events import RunResult
from sercore.runs.interrupts import stop_on_signals
from sercore.runs.journal import Journal
from sercore.runs.notifier import Notifier
from sercore.runs.record import problems_of
from sercore.runs.run_files import RunFiles
from sercore.runs.scoring import CellScorer
from sercore.runs.tools import execution_context
from sercore.runs.tools import run_tools

if TYPE_CHECKING:
    from sercore.executors.interface import ExecutionContext
    from sercore.executors.interface import Executor
    from sercore.plugins.registry import Registry
    from sercore.runs.backbone_work import RunTools
    from sercore.runs.events import Observer
    from sercore.runs.frame_space import Space
    from sercore.runs.naming import RunName
    from sercore.runs.planned import Plan
    from sercore.runs.spec import RunSpec
    from sercore.storage.workspace import Workspace


class Driver:
    """Carries out one plan.

    Args:
        plan: what to do.
        spec: what its tasks have in common.
        workspace: where everything is read and written.
        registry: metrics and trackers.
        executor: where tasks run.
        observer: the screen.
        chosen: the name of the run.
        overlap: whether probes are trained while the next corpus is extracted.
        options: those of the executor.
        space: decides when the frames of another backbone may be extracted.
    """

    def __init__(
        self,
        plan: Plan,
        spec: RunSpec,
        workspace: Workspace,
        registry: Registry,
        executor: Executor,
        observer: Observer,
        chosen: RunName,
        *,
        overlap: bool,
        options: Any = None,
        space: Space | None = None,
    ) -> None:
        self._plan = plan
        self._spec = spec
        self._workspace = workspace
        self._registry = registry
        self._executor = executor
        self._observer = observer
        self._chosen = chosen
        self._overlap = overlap
        self._options = options
        self._space = space
        self._journal = Journal(workspace, chosen.name)
        self._notifier = Notifier(plan, chosen.name, observer, registry)
        self._files = RunFiles(workspace, chosen.name, plan, spec, registry, self._notifier)
        self._scorer = CellScorer(
            workspace, self._files.scorebook, self._notifier, self._files.explainer.explain
        )
        self._stopping = threading.Event()
        """Set when running tasks are not wanted any more."""

    def run(self) -> RunResult:
        """Carry the plan out.

        The caller holds the lease of the run.

        Raises:
            WorkspaceError: nothing can be written.
            SercoreError: the executor cannot be used.
        """
        started = time.monotonic()
        interrupted = False
        with stop_on_signals(self._stopping):
            self._announce_start()
            tools = self._tools()
            try:
                self._execute(tools)
            except KeyboardInterrupt:
                interrupted = True
            except SercoreError:
                self._finish(tools, time.monotonic() - started, interrupted=True)
                raise
            return self._finish(tools, time.monotonic() - started, interrupted=interrupted)

    def announce(self, result: RunResult) -> None:
        """Show the end of the run and send it to trackers."""
        self._notifier.finished(result)

    def _announce_start(self) -> None:
        self._files.start()
        self._observer.started(
            self._plan, self._chosen.name, self._workspace.path(self._files.folder)
        )
        if self._chosen.note is not None:
            self._notifier.note(self._chosen.note)
        for text in self._plan.repairs:
            self._notifier.note(text)
        for text in problems_of(self._plan):
            self._notifier.problem(text)

    def _tools(self) -> RunTools:
        return run_tools(
            self._chosen.name,
            self._spec,
            self._workspace,
            journal=self._journal,
            explainer=self._files.explainer,
            speaker=self._notifier,
            scorer=self._scorer,
            cut=self._executor.parallel,
        )

    def _context(self) -> ExecutionContext:
        return execution_context(
            self._chosen.name,
            self._workspace,
            self._registry,
            stage=self._observer.stage,
            note=self._notifier.note,
            say=self._observer.note,
            stopping=self._stopping,
            overlap=self._overlap,
            options=self._options,
        )

    def _execute(self, tools: RunTools) -> None:
        works = [
            BackboneWork(
                backbone, [job for job in self._plan.jobs if job.backbone is backbone], tools
            )
            for backbone in self._plan.backbones
        ]
        before = self._files.scorebook.n_new

        def ended(work: BackboneWork) -> None:
            nonlocal before
            del work
            if self._files.scorebook.n_new > before:
                self._files.write_unfinished_scores()
            before = self._files.scorebook.n_new

        agenda = Agenda(works, self._journal, space=self._space, ended=ended)
        with closing(self._executor.run(agenda.tasks(), self._context())) as outcomes:
            try:
                for outcome in outcomes:
                    agenda.done(outcome)
            except BaseException:
                self._stopping.set()
                raise
        agenda.give_up(f"the executor '{self._executor.id}' ended without doing it")

    def _finish(self, tools: RunTools, seconds: float, *, interrupted: bool) -> RunResult:
        if self._scorer.n_computed:
            tools.computed["score"] = self._scorer.n_computed
        scores, record, overview = self._files.finish(interrupted=interrupted)
        try:
            self._journal.compact()
        except SercoreError as error:
            self._notifier.problem(str(error))
        return RunResult(
            name=self._chosen.name,
            folder=self._workspace.path(self._files.folder),
            scores=scores,
            counts=self._notifier.counts,
            problems=tuple(self._notifier.problems),
            notes=tuple(self._files.notes),
            computed=tools.computed,
            missing=tuple(self._plan.missing),
            interrupted=interrupted,
            seconds=seconds,
            record=record,
            overview=overview,
        )
