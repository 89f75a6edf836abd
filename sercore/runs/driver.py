"""Walk a plan: extract, fit, predict, score, and write down how it went.

Backbone by backbone, so that at most one backbone's frames are in use at a time; within one, the
probes of a corpus are trained as soon as its frames are there, on request while the next corpus is
extracted. Whatever is already there under its key is not done again; whatever fails is recorded and
the rest goes on.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.audio.audit import repeated_audio
from sercore.devices import available_processors
from sercore.devices import set_threads
from sercore.environment import peak_memory_mb
from sercore.errors import SercoreError
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.predictions import predictions_path
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.predictions import write_predictions
from sercore.executors import Task
from sercore.plugins.events import CellEvent
from sercore.plugins.events import RunEvent
from sercore.probes.batched_inference import logits_in_one_pass
from sercore.probes.store import probe_record_path
from sercore.probes.store import read_probe
from sercore.probes.store import write_probe
from sercore.runs.events import CellResult
from sercore.runs.events import Observer
from sercore.runs.events import RunOptions
from sercore.runs.events import RunResult
from sercore.runs.events import StageProgress
from sercore.runs.ledger import CellRecord
from sercore.runs.ledger import FitRecord
from sercore.runs.ledger import Ledger
from sercore.runs.prefetch import Ahead
from sercore.runs.scorebook import Scorebook
from sercore.runs.scorebook import cell_columns
from sercore.runs.scorebook import headline_of
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.corpora.problems import Problem
    from sercore.executors import Executor
    from sercore.executors import Outcome
    from sercore.features.layer_means import LayerMeans
    from sercore.features.store import FeatureStore
    from sercore.plugins.events import Status
    from sercore.plugins.registry import Registry
    from sercore.probes.interface import FittedProbe
    from sercore.runs.plan import Fit
    from sercore.runs.plan import Plan
    from sercore.runs.plan import PlannedBackbone
    from sercore.runs.plan import PlannedCorpus
    from sercore.runs.plan import Target
    from sercore.storage.workspace import Workspace


@dataclass
class _FitState:
    """What is known about one fit while its backbone is worked on."""

    fit: Fit
    key: str | None = None
    reason: str | None = None
    fitted: FittedProbe | None = None
    seconds: float | None = None
    n_train: int = 0
    cells: dict[str, CellRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class _Cell:
    """A trained probe and what it is tested on."""

    state: _FitState
    target: Target
    store: FeatureStore | LayerMeans
    probe_key: str

    @cached_property
    def key(self) -> str:
        """The prediction key."""
        return digest_of(_prediction_identity(self.probe_key, self.target, self.store))

    @property
    def label(self) -> str:
        return f"{self.state.fit.label} → {self.target.corpus.id}"


class Run:
    """One walk over a plan.

    Args:
        plan: what to do.
        workspace: where everything is read and written.
        registry: metrics and trackers.
        executor: where stages run.
        observer: told what happens.
        options: name, threads, frame budget.
    """

    def __init__(
        self,
        plan: Plan,
        workspace: Workspace,
        registry: Registry,
        executor: Executor,
        observer: Observer,
        options: RunOptions,
    ) -> None:
        self._plan = plan
        self._workspace = workspace
        self._registry = registry
        self._executor = executor
        self._observer = observer
        self._options = options
        self._folder = f"runs/{options.name}"
        self._ledger = Ledger(workspace, options.name)
        self._counts: Counter[str] = Counter()
        self._computed: Counter[str] = Counter()
        self._problems: list[str] = []
        self._heard: set[str] = set()
        """Corpora whose recordings were compared with each other."""
        self._probed_budgets: dict[str, int] = {}
        on_cpu = plan.selection.device == "cpu"
        self._overlaps = not on_cpu if options.overlap is None else options.overlap
        self._threads = options.threads
        if self._threads is None and self._overlaps and on_cpu:
            self._threads = max(1, available_processors() // 2)
        self._stopping = threading.Event()
        """Set when the extraction that runs ahead is not wanted any more."""

    def __call__(self) -> RunResult:
        """Do it.

        Raises:
            WorkspaceError: another process works on a run of this name, or nothing can be written.
        """
        started = time.monotonic()
        interrupted = False
        with self._workspace.claim(self._folder, f"the run '{self._options.name}'"):
            self._scorebook = Scorebook(
                self._workspace,
                self._folder,
                self._plan.selection.protocol,
                tuple(self._registry.metrics),
            )
            self._write_record("running")
            self._observer.started(
                self._plan, self._options.name, self._workspace.path(self._folder)
            )
            for text in self._plan_problems():
                self._note_problem(text)
            try:
                for backbone in self._plan.backbones:
                    fits = [fit for fit in self._plan.fits if fit.backbone is backbone]
                    self._run_backbone(backbone, fits)
            except KeyboardInterrupt:
                interrupted = True
            result = self._finish(time.monotonic() - started, interrupted=interrupted)
        self._observer.finished(result)
        self._registry.run_finished(
            RunEvent(
                run=result.name,
                folder=result.folder,
                counts=dict(result.counts),
                interrupted=interrupted,
            )
        )
        return result

    def _run_backbone(self, backbone: PlannedBackbone, fits: Sequence[Fit]) -> None:
        states = [_FitState(fit) for fit in fits]
        stores, broken = self._extract_and_fit(backbone, states)
        try:
            self._predict(states, stores, broken)
        finally:
            for state in states:
                self._ledger.write(_record_of(state))
            self._write_scores(self._scorebook.table())

    # Features

    def _extract_and_fit(
        self, backbone: PlannedBackbone, states: Sequence[_FitState]
    ) -> tuple[dict[str, FeatureStore], dict[str, str]]:
        """Return the store of every corpus of a backbone, and why some have none."""
        corpora = {
            target.corpus.id: target.corpus for state in states for target in state.fit.targets
        }
        protocol = states[0].fit.protocol
        stores = {
            name: backbone.features(corpus, self._workspace, protocol)
            for name, corpus in sorted(corpora.items())
        }
        wanted = [
            Task(
                "extract",
                f"{backbone.name} · {name}",
                name,
                partial(self._extract_one, backbone, corpora[name]),
            )
            for name, store in stores.items()
            if store.missing_parts(layer_means=self._options.layer_means)
        ]
        missing = {task.key for task in wanted}
        broken: dict[str, str] = {}
        with self._outcomes(wanted) as outcomes:
            self._fit([each for each in states if each.fit.train.id not in missing], stores, broken)
            for outcome in outcomes:
                name = outcome.task.key
                if outcome.error is not None:
                    broken[name] = self._reason(outcome.error)
                    self._note_problem(f"{backbone.name} on {name}: {broken[name]}")
                else:
                    stores[name] = outcome.value
                    self._computed["extract"] += 1
                self._fit([each for each in states if each.fit.train.id == name], stores, broken)
        self._note_recordings(corpora, stores, broken)
        return stores, broken

    def _outcomes(self, tasks: Sequence[Task]) -> AbstractContextManager[Iterable[Outcome]]:
        """Run tasks as their outcomes are asked for, or ahead of that."""
        outcomes = self._executor.run(tasks)
        return (
            Ahead(outcomes, self._stopping) if self._overlaps and tasks else nullcontext(outcomes)
        )

    def _note_recordings(
        self,
        corpora: dict[str, PlannedCorpus],
        stores: dict[str, FeatureStore],
        broken: dict[str, str],
    ) -> None:
        """Tell which recordings have no features, and which are the same as others."""
        for name, store in stores.items():
            for failure in store.failures() if name not in broken else ():
                self._note_problem(f"{name}: {failure}")
        for name in sorted(set(stores) - set(broken) - self._heard):
            self._heard.add(name)
            ids = corpora[name].manifest.utterance_ids
            digests = stores[name].audio().column("audio_digest").to_pylist()
            for copy in repeated_audio(ids, digests):
                self._note_problem(f"{name}: {copy}")

    def _extract_one(self, backbone: PlannedBackbone, corpus: PlannedCorpus) -> FeatureStore:
        from sercore.features.extract import extract

        with self._stage("extract", f"{backbone.name} · {corpus.id}") as progress:
            return extract(
                backbone=backbone.backbone,
                checkpoint=backbone.checkpoint,
                options=backbone.options,
                manifest=corpus.manifest,
                files=corpus.files,
                workspace=self._workspace,
                audio_path=self._plan.selection.protocol.audio_path,
                frame_budget=self._frame_budget(backbone),
                layer_means=self._options.layer_means,
                progress=progress,
            )

    def _frame_budget(self, backbone: PlannedBackbone) -> int | None:
        from sercore.features.extract import probe_frame_budget

        chosen = self._options.frame_budget
        if chosen != "auto":
            return chosen
        if backbone.name not in self._probed_budgets:
            encoder = backbone.backbone.load(backbone.checkpoint, backbone.options)
            self._probed_budgets[backbone.name] = probe_frame_budget(
                encoder, backbone.backbone.card.sample_rate, backbone.options.device
            )
        return self._probed_budgets[backbone.name]

    # Probes

    def _fit(
        self,
        states: Sequence[_FitState],
        stores: dict[str, FeatureStore],
        broken: dict[str, str],
    ) -> None:
        wanted: list[Task] = []
        for state in states:
            train = state.fit.train.id
            if train in broken:
                state.reason = broken[train]
                continue
            store = state.fit.source(stores[train])
            state.key = digest_of(state.fit.identity(store))
            if self._workspace.exists(probe_record_path(state.key)):
                state.n_train = int(
                    self._workspace.read_json(probe_record_path(state.key))["n_train"]
                )
            else:
                task = partial(self._fit_one, state, store)
                wanted.append(Task("fit", state.fit.label, state, task))
        for outcome in self._executor.run(wanted):
            state = outcome.task.key
            if outcome.error is not None:
                state.reason = self._reason(outcome.error)
                self._note_problem(f"{state.fit.label}: {state.reason}")
            else:
                self._computed["fit"] += 1

    def _fit_one(self, state: _FitState, store: FeatureStore | LayerMeans) -> None:
        started = time.monotonic()
        fit = state.fit
        frames = store.open()
        rows = fit.fold.train[frames.length[fit.fold.train] > 0]
        if not len(rows):
            raise SercoreError(
                f"{fit.train.id} has no training utterance with features",
                hint="repair its recordings",
            )
        with self._stage("fit", fit.label) as progress:
            fitted = fit.probe.fit(
                frames,
                rows,
                fit.train.labels[rows].astype(np.int64),
                n_classes=len(fit.train.mapper.classes),
                seed=fit.seed,
                device=fit.backbone.options.device,
                progress=progress,
            )
        state.n_train = len(rows)
        state.seconds = time.monotonic() - started
        assert state.key is not None
        write_probe(self._workspace, state.key, fit, store, fitted, n_train=len(rows))
        state.fitted = fitted

    # Predictions and scores

    def _predict(
        self,
        states: Sequence[_FitState],
        stores: dict[str, FeatureStore],
        broken: dict[str, str],
    ) -> None:
        """Score what is predicted, and predict the rest: one pass a test corpus for all probes."""
        columns: dict[tuple[str, str], list[_Cell]] = defaultdict(list)
        pairs = [(state, target) for state in states for target in state.fit.targets]
        for state, target in sorted(pairs, key=lambda pair: pair[1].corpus.id):
            reason = state.reason or broken.get(target.corpus.id)
            if reason is not None or state.key is None:
                self._cell_failed(state, target, reason or "its probe was not trained")
                continue
            cell = _Cell(state, target, state.fit.source(stores[target.corpus.id]), state.key)
            if self._workspace.exists(predictions_path(cell.key)):
                self._score(cell)
            else:
                columns[target.corpus.id, cell.store.key].append(cell)
        wanted = [
            Task(
                "predict",
                f"{cells[0].state.fit.backbone.name} → {test}",
                cells,
                partial(self._predict_column, cells),
            )
            for (test, _), cells in columns.items()
        ]
        for outcome in self._executor.run(wanted):
            failed = outcome.value or {}
            for cell in outcome.task.key:
                error = outcome.error or failed.get(cell.key)
                if error is not None:
                    reason = self._reason(error)
                    self._note_problem(f"{cell.label}: {reason}")
                    self._cell_failed(cell.state, cell.target, reason)
                    continue
                self._computed["predict"] += 1
                self._score(cell)

    def _predict_column(self, cells: Sequence[_Cell]) -> dict[str, Exception]:
        """Ask all probes that wait for one test corpus; return what went wrong by cell key."""
        failed: dict[str, Exception] = {}
        asked = {}
        corpus = cells[0].target.corpus
        with self._stage("predict", f"{cells[0].state.fit.backbone.name} → {corpus.id}") as tell:
            frames = cells[0].store.open()
            for cell in cells:
                rows = _test_rows(cell.state.fit, cell.target)
                try:
                    asked[cell.key] = (self._fitted(cell.state), rows[frames.length[rows] > 0])
                except Exception as error:  # noqa: BLE001 - a probe is a plugin
                    failed[cell.key] = error
            answers = logits_in_one_pass(frames, asked, tell) if asked else {}
        ids = corpus.manifest.utterance_ids
        for key, answer in answers.items():
            if isinstance(answer, Exception):
                failed[key] = answer
                continue
            rows = asked[key][1]
            predictions = Predictions(
                rows=rows,
                utterance_ids=[ids[row] for row in rows],
                labels=corpus.labels[rows].astype(np.int64),
                logits=answer,
                classes=corpus.mapper.classes,
            )
            try:
                write_predictions(self._workspace, key, predictions)
            except SercoreError as error:
                failed[key] = error
        return failed

    def _fitted(self, state: _FitState) -> FittedProbe:
        """Return the probe of a fit, read from the workspace if an earlier run trained it."""
        if state.fitted is None:
            assert state.key is not None
            fit = state.fit
            state.fitted = read_probe(
                self._workspace, state.key, fit.probe, device=fit.backbone.options.device
            )
        return state.fitted

    def _score(self, cell: _Cell) -> None:
        state, target = cell.state, cell.target
        n_all = len(_test_rows(state.fit, target))
        try:
            n_test = self._score_rules(cell)
        except Exception as error:  # noqa: BLE001 - a metric is a plugin: its failure is the cell's
            reason = self._reason(error)
            self._note_problem(f"{cell.label}: {reason}")
            self._cell_failed(state, target, reason)
            return
        state.cells[target.corpus.id] = CellRecord(
            test_corpus=target.corpus.id,
            class_rules=tuple(rule.name for rule in target.rules),
            status="done",
            prediction_key=cell.key,
            n_test=n_test,
            n_missing=n_all - n_test,
        )

    def _score_rules(self, cell: _Cell) -> int:
        """Score a cell under each of its rules, or find its scores; return its test utterances."""
        state, target = cell.state, cell.target
        predictions: Predictions | None = None
        values: dict[str, float] = {}
        n_test = 0
        for rule in target.rules:
            stored = self._scorebook.take_over(cell.key, rule)
            if stored is not None:
                n_test = stored.column("n_test")[0].as_py() + stored.column("n_dropped")[0].as_py()
                value = headline_of(stored)
            else:
                predictions = predictions or read_predictions(self._workspace, cell.key)
                n_test = len(predictions)
                columns = cell_columns(
                    state.fit,
                    target,
                    cell.store,
                    probe_key=cell.probe_key,
                    prediction_key=cell.key,
                    n_train=state.n_train,
                    n_test=n_test,
                    n_missing=len(_test_rows(state.fit, target)) - n_test,
                )
                value = self._scorebook.add(columns, predictions, rule, state.fit, target)
                self._computed["score"] += 1
            self._announce(state, target, rule.name, "done", value=value)
            if value is not None:
                values[rule.name] = value
        self._tell_trackers(state, target, "done", None, values)
        return n_test

    def _cell_failed(self, state: _FitState, target: Target, reason: str) -> None:
        state.cells[target.corpus.id] = CellRecord(
            test_corpus=target.corpus.id,
            class_rules=tuple(rule.name for rule in target.rules),
            status="failed",
            reason=reason,
        )
        for rule in target.rules:
            self._scorebook.add_failure(state.fit, target, rule, reason)
            self._announce(state, target, rule.name, "failed", reason=reason)
        self._tell_trackers(state, target, "failed", reason, {})

    def _announce(
        self,
        state: _FitState,
        target: Target,
        rule: str,
        status: Status,
        *,
        value: float | None = None,
        reason: str | None = None,
    ) -> None:
        self._counts[status] += 1
        self._observer.cell(
            CellResult(
                matrix=self._plan.matrix_name(state.fit),
                train=state.fit.train.id,
                test=target.corpus.id,
                rule=rule,
                status=status,
                value=value,
                reason=reason,
            )
        )

    def _tell_trackers(
        self,
        state: _FitState,
        target: Target,
        status: Status,
        reason: str | None,
        values: dict[str, float],
    ) -> None:
        self._registry.cell_finished(
            CellEvent(
                run=self._options.name,
                backbone=state.fit.backbone.name,
                train_corpus=state.fit.train.id,
                test_corpus=target.corpus.id,
                fold=state.fit.fold.index,
                split_seed=state.fit.split_seed,
                status=status,
                reason=reason,
                scores=values,
            )
        )

    # Results

    def _write_scores(self, scores: pa.Table) -> None:
        try:
            self._workspace.write_table(f"{self._folder}/scores.parquet", scores)
        except SercoreError as error:
            self._note_problem(str(error))

    def _pooled_scores(self) -> pa.Table:
        try:
            return self._scorebook.pooled_table()
        except Exception as error:  # noqa: BLE001 - a metric is a plugin: the folds' scores stay
            self._note_problem(f"the folds' predictions were not pooled: {self._reason(error)}")
            return self._scorebook.table()

    def _finish(self, seconds: float, *, interrupted: bool) -> RunResult:
        from sercore.results.summary import summary_markdown

        # Folds that an interruption left out would make a part look like the whole corpus.
        scores = self._scorebook.table() if interrupted else self._pooled_scores()
        result = RunResult(
            name=self._options.name,
            folder=self._workspace.path(self._folder),
            scores=scores,
            counts=self._counts,
            problems=tuple(self._problems),
            notes=tuple(self._notes()),
            computed=self._computed,
            missing=tuple(self._plan.missing),
            interrupted=interrupted,
            seconds=seconds,
            record=self._record("interrupted" if interrupted else "ended"),
        )
        self._write_scores(scores)
        try:
            self._workspace.write_json(f"{self._folder}/run.json", result.record)
            self._workspace.write_bytes(
                f"{self._folder}/summary.md",
                summary_markdown(scores, result.record).encode(),
            )
            self._ledger.compact()
        except SercoreError as error:
            self._note_problem(str(error))
        return result

    def _write_record(self, status: str) -> None:
        self._workspace.write_json(f"{self._folder}/run.json", self._record(status))

    def _record(self, status: str) -> dict[str, Any]:
        from sercore.runs.record import run_record

        return run_record(
            self._plan,
            self._options,
            threads=self._threads,
            status=status,
            scoring=self._scorebook.rules_digest,
            problems=self._problems,
            notes=self._notes(),
            counts=self._counts,
        )

    def _plan_problems(self) -> list[str]:
        """Return what the plan already knows to be wrong, one sentence each."""
        found = [str(each) for each in self._plan.missing if each.failed or each.named]
        for corpus in self._plan.corpora:
            found += [
                _told_of(corpus, problem)
                for problem in corpus.manifest.problems
                if not problem.is_note
            ]
        if not self._plan.fits:
            found.append(_nothing_to_run(self._plan))
        return found

    def _notes(self) -> list[str]:
        found = [str(each) for each in self._plan.missing if not (each.failed or each.named)]
        for corpus in self._plan.corpora:
            found += [
                _told_of(corpus, problem) for problem in corpus.manifest.problems if problem.is_note
            ]
        return found

    def _note_problem(self, text: str) -> None:
        if text not in self._problems:
            self._problems.append(text)
            self._observer.problem(text)

    def _reason(self, error: Exception) -> str:
        """Return one sentence for an error; what was not foreseen leaves its traceback behind."""
        if isinstance(error, SercoreError):
            return str(error)
        trace = "".join(traceback.format_exception(error))
        relative = f"{self._folder}/errors/{digest_of(trace)[:12]}.txt"
        text = " ".join(str(error).split())
        sentence = f"{type(error).__name__}: {text}" if text else type(error).__name__
        try:
            self._workspace.write_bytes(relative, trace.encode())
        except SercoreError:
            return sentence
        return f"{sentence}; the traceback is in {self._workspace.path(relative)}"

    @contextmanager
    def _stage(self, kind: str, label: str) -> Iterator[StageProgress]:
        """Do a stage within this: its threads are set, and it ends early if nobody wants it."""
        set_threads(self._threads)
        with self._observer.stage(kind, label) as progress:

            def tell(done: int, total: int, seconds: float | None = None) -> None:
                if self._stopping.is_set():
                    raise KeyboardInterrupt
                progress(done, total, seconds)

            yield tell


def _nothing_to_run(plan: Plan) -> str:
    """Return why a plan is empty: a run without a cell must not pass for a good one."""
    # A plan keeps the backbones of its rows alone: without rows only what is missing tells of them.
    missing = {each.kind for each in plan.missing}
    absent = [] if plan.corpora else ["corpus"]
    if "backbone" in missing and "row" not in missing:
        absent.append("backbone")
    return (
        f"there is nothing to run: no {' and no '.join(absent) or 'row'} could be had; "
        "'sercore doctor' says what is found, and '--all --demo' runs without data"
    )


def _told_of(corpus: PlannedCorpus, problem: Problem) -> str:
    """Return a problem with its corpus, which is the place of some problems already."""
    return str(problem) if problem.where == corpus.id else f"{corpus.id}: {problem}"


def _test_rows(fit: Fit, target: Target) -> Any:
    """Return the rows of the test manifest that a cell is tested on."""
    if target.in_domain:
        return fit.fold.test
    return np.flatnonzero(target.corpus.labels >= 0).astype(np.int64)


def _prediction_identity(
    probe_key: str, target: Target, store: FeatureStore | LayerMeans
) -> dict[str, Any]:
    return {
        "probe": probe_key,
        "features": store.key,
        "missing": sorted(problem.where for problem in store.failures()),
        "labels": target.corpus.labels_digest,
        "in_domain": target.in_domain,
    }


def _record_of(state: _FitState) -> FitRecord:
    fit = state.fit
    whole = len(state.cells) == len(fit.targets)
    status: Status = "failed" if state.reason else "done" if whole else "skipped"
    return FitRecord(
        backbone=fit.backbone.name,
        checkpoint=fit.backbone.checkpoint.name,
        train_corpus=fit.train.id,
        split=fit.protocol.split,
        fold=fit.fold.index,
        split_seed=fit.split_seed,
        status=status,
        reason=state.reason or (None if whole else "the run was interrupted"),
        probe_key=state.key,
        n_train=state.n_train,
        shared_speakers=fit.shared_speakers,
        shared_texts=fit.shared_texts,
        seconds=state.seconds,
        peak_memory_mb=peak_memory_mb(),
        cells=tuple(state.cells[name] for name in sorted(state.cells)),
    )
