"""What is to do for one backbone: from its frames over its probes to its predictions.

Every task that is done makes others possible. The probes of a corpus are trained as soon as its
frames are there. A test corpus is predicted as soon as all probes that are tested on it are there,
because its frames are read once for all of them. Whether a task succeeded is read from the
workspace, and what is there under its key is not computed again.
"""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Protocol

from sercore.audio.audit import repeated_audio
from sercore.features.completed import note_complete
from sercore.features.part_list import DamagedFeaturesError
from sercore.runs.spared import spared_corpora
from sercore.runs.tasks import CellJob
from sercore.runs.tasks import extracted_parts
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.evaluation.protocols import Protocol as EvaluationProtocol
    from sercore.executors.interface import Outcome
    from sercore.executors.task import Task
    from sercore.features.store import FeatureStore
    from sercore.runs.explainer import Explainer
    from sercore.runs.journal import Journal
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.spec import RunSpec
    from sercore.runs.stored import StoredResults
    from sercore.runs.tasks import TaskMaker
    from sercore.storage.workspace import Workspace


class Scorer(Protocol):
    """What happens with cells, such as `sercore.runs.scoring.CellScorer`."""

    def score(self, cell: CellJob) -> None:
        """Score a cell, whose predictions are stored."""

    def fail(self, job: ProbeJob, test_set: TestSet, reason: str) -> None:
        """Note that a cell cannot be scored, and why."""


class Speaker(Protocol):
    """Who hears sentences, such as `sercore.runs.notifier.Notifier`."""

    def note(self, text: str) -> None:
        """Show a sentence that fails nothing."""

    def problem(self, text: str) -> None:
        """Show a sentence about something that failed."""


@dataclass(frozen=True, kw_only=True)
class RunTools:
    """What the work of all backbones of a run has in common."""

    spec: RunSpec
    workspace: Workspace
    tasks: TaskMaker
    stored: StoredResults
    journal: Journal
    explainer: Explainer
    speaker: Speaker
    scorer: Scorer
    computed: Counter[str] = field(default_factory=Counter)
    """Stages that were computed rather than found, by kind; an extracted corpus counts once."""
    audited: dict[str, list[str]] = field(default_factory=dict)
    """Corpora whose recordings were compared with each other, and what was found."""


@dataclass(frozen=True, slots=True)
class _Trained:
    """A probe that is in the workspace."""

    key: str
    n_train: int


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a probe is missing."""

    reason: str


_URGENCY = {"predict": 0, "fit": 1, "extract": 2}

_Column = tuple[str, int | None]
"""A test corpus and a layer."""


class BackboneWork:
    """The work of one backbone.

    Args:
        backbone: whose frames are needed.
        jobs: its probe jobs, or some of them.
        tools: what all backbones of the run have in common.
    """

    def __init__(
        self, backbone: PlannedBackbone, jobs: Sequence[ProbeJob], tools: RunTools
    ) -> None:
        self.backbone = backbone
        self._jobs = tuple(jobs)
        self._tools = tools
        self.corpora = corpora_of(jobs)
        """All corpora whose frames are needed, by name."""
        self.stores: dict[str, FeatureStore] = {}
        """Their frames."""
        self._broken: dict[str, str] = {}
        self._ready: set[str] = set()
        self._extracting: dict[str, set[str]] = defaultdict(set)
        self._extracted: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._repaired: set[str] = set()
        self._spared: dict[str, list[str]] = {}
        self._fits: dict[str, ProbeJob] = {}
        self._fitted: dict[ProbeJob, _Trained | _Failed] = {}
        self._columns: dict[_Column, list[tuple[ProbeJob, TestSet]]] = defaultdict(list)
        for job in self._jobs:
            for test_set in job.test_sets:
                self._columns[test_set.corpus.id, job.layer].append((job, test_set))
        self._unfitted = {column: len(cells) for column, cells in self._columns.items()}
        self._cells: dict[str, CellJob] = {}
        self._outstanding: set[str] = set()

    @property
    def protocol(self) -> EvaluationProtocol:
        """The protocol of the run."""
        return self._tools.spec.protocol

    @property
    def is_done(self) -> bool:
        """Whether every cell was scored or has failed."""
        return not self._outstanding

    @property
    def n_waiting(self) -> dict[str, int]:
        """Probes and cells that wait for others, by kind of their task."""
        unfitted = len(self._jobs) - len(self._fitted) - len(self._fits)
        return {"fit": unfitted, "predict": sum(map(bool, self._unfitted.values()))}

    def urgency(self, task: Task) -> int:
        """Return the rank of a task: what is nearly done frees frames first."""
        return _URGENCY[task.kind]

    def weight(self, task: Task) -> int:
        """Return about how large a task is, in bytes of audio."""
        return self.corpora[task.corpus].n_bytes

    def begin(self) -> list[Task]:
        """Return the tasks that can be done now."""
        tasks: list[Task] = []
        for corpus in self.corpora.values():
            store = self._open(corpus)
            store.verify_changed()
            for sentence in store.damage:
                self._tools.speaker.note(sentence)
        self._spare()
        for name in self.corpora:
            tasks += self._extract(name)
        for name in self.corpora:
            if name not in self._extracting:
                tasks += self._frames_ended(name)
        return self._started(tasks)

    def done(self, outcome: Outcome) -> list[Task]:
        """Take over what a task left in the workspace, and return what can be done now."""
        self._outstanding.discard(outcome.task.id)
        after = {
            "extract": self._extraction_done,
            "fit": self._fit_done,
            "predict": self._prediction_done,
        }
        return self._started(list(after[outcome.task.kind](outcome)))

    def _started(self, tasks: list[Task]) -> list[Task]:
        self._outstanding |= {task.id for task in tasks}
        return tasks

    # Frames

    def _open(self, corpus: PlannedCorpus) -> FeatureStore:
        store = self.backbone.features(corpus, self._tools.workspace, self.protocol)
        self.stores[corpus.id] = store
        return store

    def _spare(self) -> None:
        """Leave out frames that were removed, where all that follows from them is stored."""
        self._spared = spared_corpora(
            self._jobs,
            self.stores,
            self._tools.workspace,
            threads=self._tools.spec.threads,
            layer_means=self._tools.spec.layer_means,
        )
        self._tools.audited.update(self._spared)
        for name, copies in self._spared.items():
            for copy in copies:
                self._tools.speaker.problem(f"{name}: {copy}")

    def _extract(self, name: str) -> list[Task]:
        if name in self._spared:
            return []
        tasks = self._tools.tasks.extract(self.backbone, name, self.stores[name])
        if tasks:
            self._extracting[name] = {task.id for task in tasks}
        return tasks

    def _extraction_done(self, outcome: Outcome) -> Iterator[Task]:
        task, name = outcome.task, outcome.task.corpus
        store = self.stores[name]
        is_there = all(store.parts.has(part) for part in extracted_parts(task, store))
        reason = self._failure(outcome, done=is_there)
        if reason is not None:
            self._reasons.setdefault(name, reason)
        self._extracting[name].discard(task.id)
        if not self._extracting[name]:
            self._open(self.corpora[name])  # records of parts that failed before are out of date
            yield from self._frames_ended(name)

    def _frames_ended(self, name: str) -> Iterator[Task]:
        """Continue with a corpus whose extraction has ended."""
        reason = self._reasons.get(name)
        if reason is not None:
            self._broken[name] = reason
            self._tools.speaker.problem(f"{self.backbone.name} on {name}: {reason}")
        else:
            again = self._audit(name)
            if again:
                yield from again
                return
        for job in self._jobs:
            if job.train.id == name:
                yield from self._fit(job)
        self._ready.add(name)
        for column, waiting in self._unfitted.items():
            if column[0] == name and not waiting:
                yield from self._predict(column)

    def _audit(self, name: str) -> list[Task]:
        """Report recordings without features, and recordings that are the same as others.

        Returns:
            The tasks that extract damaged parts again, after which the corpus is audited again.
        """
        store, speaker, audited = self.stores[name], self._tools.speaker, self._tools.audited
        failures = store.failures()
        for failure in failures:
            speaker.problem(f"{name}: {failure}")
        if name not in audited:
            try:
                digests = store.audio().column("audio_digest").to_pylist()
            except DamagedFeaturesError as error:
                return self._repair(name, error)
            copies = repeated_audio(self.corpora[name].manifest.utterance_ids, digests)
            audited[name] = list(map(str, copies))
            for copy in audited[name]:
                speaker.problem(f"{name}: {copy}")
        if not failures and name not in self._spared:
            note_complete(self._tools.workspace, store, audited[name])
        return []

    def _repair(self, name: str, error: DamagedFeaturesError) -> list[Task]:
        """Return the tasks that extract damaged parts again; none if they are damaged again."""
        for sentence in error.damage:
            self._tools.speaker.note(sentence)
        if name in self._repaired:
            self._broken[name] = str(error)
            self._tools.speaker.problem(f"{self.backbone.name} on {name}: {error}")
            return []
        self._repaired.add(name)
        return self._extract(name)

    # Probes

    def _fit(self, job: ProbeJob) -> Iterator[Task]:
        """Train the probe of a job, unless it is stored."""
        name = job.train.id
        if name in self._broken:
            yield from self._resolve(job, _Failed(self._broken[name]))
            return
        features = job.source(self.stores[name])
        key = digest_of(job.identity(features, threads=self._tools.spec.threads))
        record = self._tools.stored.probe(key, job.label)
        if record is not None:
            yield from self._resolve(job, _Trained(key, record.n_train))
            return
        task = self._tools.tasks.fit(job, features, key)
        self._fits[task.id] = job
        yield task

    def _fit_done(self, outcome: Outcome) -> Iterator[Task]:
        task = outcome.task
        job = self._fits.pop(task.id)
        record = self._tools.stored.probe(task.key, job.label)
        reason = self._failure(outcome, done=record is not None)
        if reason is None and record is not None:
            yield from self._resolve(job, _Trained(task.key, record.n_train))
        else:
            self._tools.speaker.problem(f"{job.label}: {reason}")
            yield from self._resolve(job, _Failed(str(reason)))

    def _resolve(self, job: ProbeJob, fitted: _Trained | _Failed) -> Iterator[Task]:
        """Note a probe, and predict the corpora that waited for it alone."""
        self._fitted[job] = fitted
        for test_set in job.test_sets:
            column = (test_set.corpus.id, job.layer)
            self._unfitted[column] -= 1
            if not self._unfitted[column] and column[0] in self._ready:
                yield from self._predict(column)

    # Predictions

    def _predict(self, column: _Column) -> Iterator[Task]:
        """Score what is predicted, and predict the rest: one pass over the frames."""
        wanted: dict[str, CellJob] = {}
        for job, test_set in self._columns[column]:
            cell = self._cell(job, test_set)
            if isinstance(cell, _Failed):
                self._tools.scorer.fail(job, test_set, cell.reason)
            elif self._tools.stored.has_predictions(cell.key, cell.label):
                self._tools.scorer.score(cell)
            else:
                wanted[cell.key] = cell
        self._cells |= wanted
        yield from self._tools.tasks.predict(wanted.values())

    def _cell(self, job: ProbeJob, test_set: TestSet) -> CellJob | _Failed:
        probe = self._fitted[job]
        if isinstance(probe, _Failed):
            return probe
        name = test_set.corpus.id
        if name in self._broken:
            return _Failed(self._broken[name])
        features = job.source(self.stores[name])
        return CellJob(job, test_set, features, probe.key, probe.n_train)

    def _prediction_done(self, outcome: Outcome) -> list[Task]:
        report = self._tools.journal.report(outcome.task)
        failures = report.failures if report is not None else {}
        for key in outcome.task.writes:
            cell = self._cells.pop(key)
            if self._tools.stored.has_predictions(key, cell.label):
                self._tools.computed["predict"] += 1
                self._tools.scorer.score(cell)
                continue
            reason = failures.get(key) or self._failure(outcome, done=False)
            assert reason is not None
            self._tools.speaker.problem(f"{cell.label}: {reason}")
            self._tools.scorer.fail(cell.job, cell.test_set, reason)
        return []

    # Outcomes

    def _failure(self, outcome: Outcome, *, done: bool) -> str | None:
        """Return why a task left no result, in one sentence, or None if it did."""
        task = outcome.task
        report = self._tools.journal.report(task)
        if done and not (report is not None and report.status == "failed"):
            if not (report is not None and report.status == "found"):
                self._count(task)
            return None
        if report is None or report.reason is None:
            return outcome.lost or "its worker ended without a result or a report"
        reason = self._tools.explainer.with_trace(report.reason, report.trace)
        return f"{reason}; its log is {report.log}" if report.log else reason

    def _count(self, task: Task) -> None:
        if task.kind == "extract":
            if task.corpus in self._extracted:
                return
            self._extracted.add(task.corpus)
        self._tools.computed[task.kind] += 1


def corpora_of(jobs: Sequence[ProbeJob]) -> dict[str, PlannedCorpus]:
    """Return all test corpora of some jobs by name, sorted."""
    corpora = {test_set.corpus.id: test_set.corpus for job in jobs for test_set in job.test_sets}
    return dict(sorted(corpora.items()))
