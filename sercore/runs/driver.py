"""The driver of a run: walks its plan, hands tasks to the executor, and scores what they leave.

Backbone by backbone, so that only one backbone's frames are in use at a time. The probes of a
corpus are trained as soon as its frames are there, on request while the next corpus is extracted.
Whether a task succeeded is read from the workspace. What is there under its key is not computed
again; what fails is recorded, and the rest is computed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.audio.audit import repeated_audio
from sercore.errors import SercoreError
from sercore.executors.interface import ExecutionContext
from sercore.features.part_list import DamagedFeaturesError
from sercore.runs.events import RunResult
from sercore.runs.interrupts import stop_on_signals
from sercore.runs.journal import Journal
from sercore.runs.notifier import Notifier
from sercore.runs.prefetch import Prefetcher
from sercore.runs.record import problems_of
from sercore.runs.run_files import RunFiles
from sercore.runs.scoring import CellScorer
from sercore.runs.spec import write_spec
from sercore.runs.stored import StoredResults
from sercore.runs.tasks import CellJob
from sercore.runs.tasks import TaskMaker
from sercore.runs.worker import Worker
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.executors.interface import Executor
    from sercore.executors.interface import Outcome
    from sercore.executors.task import Task
    from sercore.features.store import FeatureStore
    from sercore.plugins.registry import Registry
    from sercore.runs.events import Observer
    from sercore.runs.naming import RunName
    from sercore.runs.planned import Plan
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.spec import RunSpec
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Trained:
    """A probe that is in the workspace."""

    key: str
    n_train: int


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a probe is not."""

    reason: str


_Fitted = Mapping["ProbeJob", "_Trained | _Failed"]


@dataclass(frozen=True, slots=True)
class _Frames:
    """The stores of one backbone by corpus, and why some of them cannot be used."""

    stores: dict[str, FeatureStore]
    broken: dict[str, str]


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
    ) -> None:
        self._plan = plan
        self._spec = spec
        self._workspace = workspace
        self._registry = registry
        self._executor = executor
        self._observer = observer
        self._chosen = chosen
        self._overlap = overlap
        self._journal = Journal(workspace, chosen.name)
        self._notifier = Notifier(plan, chosen.name, observer, registry)
        self._stored = StoredResults(workspace, self._notifier.note)
        self._computed: Counter[str] = Counter()
        self._audited: set[str] = set()
        """Corpora whose recordings were compared with each other."""
        self._stopping = threading.Event()
        """Set when tasks that run ahead are not wanted any more."""

    def run(self) -> RunResult:
        """Carry the plan out.

        The caller holds the lease of the run.

        Raises:
            WorkspaceError: nothing can be written.
        """
        started = time.monotonic()
        interrupted = False
        with stop_on_signals(self._stopping):
            self._prepare()
            try:
                for backbone in self._plan.backbones:
                    jobs = [job for job in self._plan.jobs if job.backbone is backbone]
                    self._run_backbone(backbone, jobs)
            except KeyboardInterrupt:
                interrupted = True
            return self._finish(time.monotonic() - started, interrupted=interrupted)

    def announce(self, result: RunResult) -> None:
        """Show the end of the run and send it to trackers."""
        from sercore.results.stored_run import reductions_of

        self._notifier.finished(result, lambda: reductions_of(result.scores, result.record))

    def _prepare(self) -> None:
        self._tasks = TaskMaker(
            run=self._chosen.name,
            spec=write_spec(self._workspace, self._spec),
            threads=self._spec.threads,
        )
        worker = Worker(
            self._workspace,
            self._registry,
            stage=self._observer.stage,
            note=self._notifier.note,
            stopping=self._stopping,
        )
        self._context = ExecutionContext(
            workspace=self._workspace.root,
            work=lambda task: (worker.work(task), None)[1],
            command=(sys.executable, "-m", "sercore", "work", "--workspace", self._workspace.root),
        )
        self._files = RunFiles(
            self._workspace,
            self._chosen.name,
            self._plan,
            self._spec,
            self._registry,
            self._notifier,
        )
        explain = self._files.explainer.explain
        self._scorer = CellScorer(self._workspace, self._files.scorebook, self._notifier, explain)
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

    def _run_backbone(self, backbone: PlannedBackbone, jobs: Sequence[ProbeJob]) -> None:
        frames = self._find_frames(backbone, jobs)
        fitted = self._extract_and_fit(backbone, jobs, frames)
        self._audit_recordings(jobs, frames)
        before = self._files.scorebook.n_new
        try:
            self._predict(jobs, frames, fitted)
        finally:
            if self._files.scorebook.n_new > before:
                self._files.write_unfinished_scores()

    # Frames and probes

    def _find_frames(self, backbone: PlannedBackbone, jobs: Sequence[ProbeJob]) -> _Frames:
        protocol = self._plan.selection.protocol
        stores = {
            name: backbone.features(corpus, self._workspace, protocol)
            for name, corpus in _corpora_of(jobs).items()
        }
        for store in stores.values():
            store.verify_changed()
            for sentence in store.damage:
                self._notifier.note(sentence)
        return _Frames(stores, {})

    def _extract_and_fit(
        self, backbone: PlannedBackbone, jobs: Sequence[ProbeJob], frames: _Frames
    ) -> _Fitted:
        """Extract what is missing, and train the probes of each corpus as soon as it can be."""
        tasks = [
            self._tasks.extract(backbone, name, store)
            for name, store in frames.stores.items()
            if store.missing_parts(layer_means=self._spec.layer_means)
        ]
        waiting = {task.corpus for task in tasks}
        fitted: dict[ProbeJob, _Trained | _Failed] = {}
        with self._ahead(tasks) as outcomes:
            fitted |= self._fit([job for job in jobs if job.train.id not in waiting], frames)
            for outcome in outcomes:
                name = outcome.task.corpus
                frames.stores[name] = backbone.features(
                    _corpora_of(jobs)[name], self._workspace, self._plan.selection.protocol
                )
                reason = self._failure(outcome, done=frames.stores[name].is_readable)
                if reason is not None:
                    frames.broken[name] = reason
                    self._notifier.problem(f"{backbone.name} on {name}: {reason}")
                fitted |= self._fit([job for job in jobs if job.train.id == name], frames)
        return fitted

    def _fit(self, jobs: Sequence[ProbeJob], frames: _Frames) -> _Fitted:
        """Train the probes of some jobs, unless they are stored."""
        fitted: dict[ProbeJob, _Trained | _Failed] = {}
        wanted: dict[str, tuple[ProbeJob, Task]] = {}
        for job in jobs:
            if job.train.id in frames.broken:
                fitted[job] = _Failed(frames.broken[job.train.id])
                continue
            features = job.source(frames.stores[job.train.id])
            key = digest_of(job.identity(features, threads=self._spec.threads))
            record = self._stored.probe(key, job.label)
            if record is not None:
                fitted[job] = _Trained(key, record.n_train)
            else:
                task = self._tasks.fit(job, features, key)
                wanted[task.id] = (job, task)
        for outcome in self._run_tasks([task for _, task in wanted.values()]):
            job, task = wanted[outcome.task.id]
            record = self._stored.probe(task.key, job.label)
            reason = self._failure(outcome, done=record is not None)
            if reason is None and record is not None:
                fitted[job] = _Trained(task.key, record.n_train)
            else:
                self._notifier.problem(f"{job.label}: {reason}")
                fitted[job] = _Failed(str(reason))
        return fitted

    def _audit_recordings(self, jobs: Sequence[ProbeJob], frames: _Frames) -> None:
        """Report recordings without features, and recordings that are the same as others."""
        corpora = _corpora_of(jobs)
        usable = {name: store for name, store in frames.stores.items() if name not in frames.broken}
        for name, store in usable.items():
            for failure in store.failures():
                self._notifier.problem(f"{name}: {failure}")
        for name in sorted(set(usable) - self._audited):
            self._audited.add(name)
            try:
                digests = usable[name].audio().column("audio_digest").to_pylist()
            except DamagedFeaturesError as error:
                for sentence in error.damage:
                    self._notifier.note(sentence)
                list(self._run_tasks([self._tasks.extract(jobs[0].backbone, name, usable[name])]))
                digests = usable[name].audio().column("audio_digest").to_pylist()
            for copy in repeated_audio(corpora[name].manifest.utterance_ids, digests):
                self._notifier.problem(f"{name}: {copy}")

    # Predictions and scores

    def _predict(self, jobs: Sequence[ProbeJob], frames: _Frames, fitted: _Fitted) -> None:
        """Score what is predicted, and predict the rest: one pass a test corpus for all probes."""
        wanted: dict[str, CellJob] = {}
        for job, test_set in _by_test_corpus(jobs):
            cell = _cell(job, test_set, frames, fitted)
            if isinstance(cell, _Failed):
                self._scorer.fail(job, test_set, cell.reason)
            elif self._stored.has_predictions(cell.key, cell.label):
                self._scorer.score(cell)
            else:
                wanted[cell.key] = cell
        for outcome in self._run_tasks(self._tasks.predict(wanted.values())):
            report = self._journal.report(outcome.task)
            failures = report.failures if report is not None else {}
            for key in outcome.task.writes:
                cell = wanted[key]
                if self._stored.has_predictions(key, cell.label):
                    self._computed["predict"] += 1
                    self._scorer.score(cell)
                    continue
                reason = failures.get(key) or self._failure(outcome, done=False)
                assert reason is not None
                self._notifier.problem(f"{cell.label}: {reason}")
                self._scorer.fail(cell.job, cell.test_set, reason)

    # Tasks

    def _run_tasks(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            self._journal.forget(task)
        return iter(self._executor.run(tasks, self._context))

    @contextmanager
    def _ahead(self, tasks: Sequence[Task]) -> Iterator[Iterable[Outcome]]:
        """Do tasks when the caller needs their outcomes, or earlier where stages overlap."""
        outcomes = self._run_tasks(tasks)
        overlaps = self._overlap and bool(tasks)
        ahead: AbstractContextManager[Iterable[Outcome]] = (
            Prefetcher(outcomes, self._stopping) if overlaps else nullcontext(outcomes)
        )
        with ahead as prefetched:
            yield prefetched

    def _failure(self, outcome: Outcome, *, done: bool) -> str | None:
        """Return why a task left no result, in one sentence, or None if it did."""
        task = outcome.task
        report = self._journal.report(task)
        if done and not (report is not None and report.status == "failed"):
            if task.kind != "predict" and not (report is not None and report.status == "found"):
                self._computed[task.kind] += 1
            return None
        if report is None or report.reason is None:
            return outcome.lost or "its worker ended without a result or a report"
        return self._files.explainer.with_trace(report.reason, report.trace)

    # The end

    def _finish(self, seconds: float, *, interrupted: bool) -> RunResult:
        if self._scorer.n_computed:
            self._computed["score"] = self._scorer.n_computed
        scores, record = self._files.finish(interrupted=interrupted)
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
            computed=self._computed,
            missing=tuple(self._plan.missing),
            interrupted=interrupted,
            seconds=seconds,
            record=record,
        )


def _corpora_of(jobs: Sequence[ProbeJob]) -> dict[str, PlannedCorpus]:
    """Return all test corpora of some jobs by name, sorted."""
    corpora = {test_set.corpus.id: test_set.corpus for job in jobs for test_set in job.test_sets}
    return dict(sorted(corpora.items()))


def _by_test_corpus(jobs: Sequence[ProbeJob]) -> list[tuple[ProbeJob, TestSet]]:
    pairs = [(job, test_set) for job in jobs for test_set in job.test_sets]
    return sorted(pairs, key=lambda pair: pair[1].corpus.id)


def _cell(job: ProbeJob, test_set: TestSet, frames: _Frames, fitted: _Fitted) -> CellJob | _Failed:
    probe = fitted[job]
    if isinstance(probe, _Failed):
        return probe
    name = test_set.corpus.id
    if name in frames.broken:
        return _Failed(frames.broken[name])
    features = job.source(frames.stores[name])
    return CellJob(job, test_set, features, probe.key, probe.n_train)
