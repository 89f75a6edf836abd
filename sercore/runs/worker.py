"""A worker: does one task after the other, from the workspace alone.

It rebuilds corpus, backbone and options from the run's specification, derives the key again and
refuses a task whose key differs: then its code, plugins, weights or corpora are not those that the
run was planned with. Results and reports are written to the workspace and nowhere else.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.devices import set_threads
from sercore.devices import thread_count
from sercore.devices import wait_passively
from sercore.environment import peak_memory_mb
from sercore.errors import SercoreError
from sercore.errors import TaskError
from sercore.errors import WorkspaceError
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.predictions import predictions_path
from sercore.evaluation.predictions import write_predictions
from sercore.executors.task import TaskReport
from sercore.features.part_list import DamagedFeaturesError
from sercore.probes.batched_inference import batched_logits
from sercore.probes.store import ProbeRecord
from sercore.probes.store import StoredSplit
from sercore.probes.store import probe_record_path
from sercore.probes.store import read_probe
from sercore.probes.store import read_probe_record
from sercore.probes.store import read_split
from sercore.probes.store import write_probe
from sercore.runs.explainer import describe
from sercore.runs.parts import LoadedParts
from sercore.runs.planned import ProbeJob
from sercore.runs.planned import labelled_rows
from sercore.runs.planned import prediction_identity
from sercore.runs.tasks import extracted_parts
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.executors.task import Task
    from sercore.executors.task import TaskStatus
    from sercore.features.layer_means import LayerMeans
    from sercore.features.packed import PackedFrames
    from sercore.features.store import FeatureStore
    from sercore.plugins.registry import Registry
    from sercore.runs.events import StageProgress
    from sercore.runs.planned import PlannedCorpus
    from sercore.storage.workspace import Workspace

    Stage = Callable[[str, str], AbstractContextManager[StageProgress]]

LOG_VARIABLE = "SERCORE_WORKER_LOG"
"""Environment variable by which an executor says where it keeps the output of a worker."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What doing a task came to."""

    status: TaskStatus
    failures: Mapping[str, str]
    """What failed, by key, though the task did not."""


_COMPUTED = _Done("computed", {})
_FOUND = _Done("found", {})


class Worker:
    """Does tasks, and keeps between them what is expensive to load.

    Args:
        workspace: where everything is read and written.
        registry: what is installed.
        stage: shows the progress of a task (kind and label), for workers beside a screen.
        note: shows a sentence, such as that another worker is waited for.
        stopping: set when the running task is not wanted any more.
        keep_reports: whether the report of the worker that computed a result stays when this one
            finds it.
    """

    def __init__(
        self,
        workspace: Workspace,
        registry: Registry,
        *,
        stage: Stage | None = None,
        note: Callable[[str], None] | None = None,
        stopping: threading.Event | None = None,
        keep_reports: bool = False,
    ) -> None:
        self._workspace = workspace
        self._registry = registry
        self._stage = stage or _no_stage
        self._note = note
        self._stopping = stopping or threading.Event()
        self._keep = keep_reports
        self._parts = LoadedParts(workspace, registry)

    def work(self, task: Task) -> TaskReport:
        """Do a task, and write its results and its report.

        Raises:
            WorkspaceError: not even the report can be written.
        """
        started = time.monotonic()
        reason = trace = None
        done = _Done("failed", {})
        try:
            done = self._do(task)
        except Exception as error:  # noqa: BLE001 - whatever fails is the task's failure
            reason, trace = describe(error)
        report = TaskReport(
            task=task.id,
            kind=task.kind,
            label=task.label,
            status=done.status,
            reason=reason,
            failures=done.failures,
            trace=trace,
            seconds=time.monotonic() - started,
            peak_memory_mb=peak_memory_mb(),
            host=platform.node(),
            pid=os.getpid(),
            writes=task.writes,
            log=os.environ.get(LOG_VARIABLE),
            device=task.resources.device,
        )
        self._write(report, task.report_path)
        return report

    def _write(self, report: TaskReport, path: str) -> None:
        """Write a report, unless one that says how the result was computed is to be kept."""
        if self._keep and report.status == "found" and self._workspace.exists(path):
            with suppress(WorkspaceError):
                if self._workspace.read_json(path)["status"] == "computed":
                    return
        self._workspace.write_json(path, report.to_plain())

    def _do(self, task: Task) -> _Done:
        self._require_threads(task)
        # Another worker may do the same task: wait for it, then find its result.
        key = f"tasks/{task.kind}/{digest_of([task.writes, task.parts])}"
        what = f"{task.label} ({task.kind})"
        with (
            self._workspace.lease(key, what, wait=self._note),
            self._progress(task) as progress,
        ):
            if task.kind == "extract":
                return self._extract(task, progress)
            if task.kind == "fit":
                return self._fit(task, progress)
            return self._predict(task, progress)

    def _require_threads(self, task: Task) -> None:
        """Set the threads that the run was planned with: others would give other bits.

        Raises:
            TaskError: this worker cannot or would not use as many.
        """
        planned = self._parts.spec(task.spec).threads
        set_threads(task.resources.threads)
        used = min(thread_count(), int(os.environ.get("OMP_THREAD_LIMIT") or planned))
        if not planned == task.resources.threads == used:
            raise TaskError(
                f"this worker would compute with {_threads(used)} and the run was planned with "
                f"{_threads(planned)}",
                hint="remove the limit of threads in the worker's environment, or run with "
                f"--threads {used}",
            )

    @contextmanager
    def _progress(self, task: Task) -> Iterator[StageProgress]:
        """Show how far a task is, and end it early if nobody waits for it."""
        with self._stage(task.kind, task.label) as shown:

            def advance(done: int, total: int, seconds: float | None = None) -> None:
                if self._stopping.is_set():
                    raise KeyboardInterrupt
                shown(done, total, seconds)

            yield advance

    def _extract(self, task: Task, progress: StageProgress) -> _Done:
        spec = self._parts.spec(task.spec)
        backbone = self._parts.backbone(task)
        corpus = self._parts.corpus(task.spec, task.corpus)
        store = backbone.features(corpus, self._workspace, spec.protocol)
        _require_key(task, store.key)
        parts = extracted_parts(task, store)
        if not store.missing_parts(parts, layer_means=spec.layer_means):
            return _FOUND
        self._extract_missing(task, progress)
        return _COMPUTED

    def _extract_missing(self, task: Task, progress: StageProgress) -> None:
        from sercore.features.extract import extract

        spec = self._parts.spec(task.spec)
        backbone = self._parts.backbone(task)
        corpus = self._parts.corpus(task.spec, task.corpus)
        extract(
            backbone=backbone.backbone,
            checkpoint=backbone.checkpoint,
            options=backbone.options,
            manifest=corpus.manifest,
            files=corpus.files,
            workspace=self._workspace,
            audio_path=spec.protocol.audio_path,
            frame_budget=self._parts.frame_budget(task),
            layer_means=spec.layer_means,
            parts=None if task.parts is None else range(*task.parts),
            load=lambda: self._parts.encoder(backbone),
            progress=progress,
            note=self._note,
        )

    def _open(
        self, task: Task, features: FeatureStore | LayerMeans, progress: StageProgress
    ) -> PackedFrames:
        """Return the frames of a task's corpus; damaged parts are extracted again first."""
        try:
            return features.open()
        except DamagedFeaturesError as error:
            if self._note is not None:
                for sentence in error.damage:
                    self._note(sentence)
            self._extract_missing(task, progress)
            return features.open()

    def _fit(self, task: Task, progress: StageProgress) -> _Done:
        job = self._parts.job(task)
        features = self._parts.features(task)
        identity = job.identity(features, threads=task.resources.threads)
        key = digest_of(identity)
        _require_key(task, key)
        if self._workspace.exists(probe_record_path(key)):
            return _FOUND
        frames = self._open(task, features, progress)
        rows = job.fold.train[frames.length[job.fold.train] > 0]
        if not len(rows):
            raise SercoreError(
                f"{task.corpus} has no training utterance with features",
                hint="repair its recordings",
            )
        fitted = job.probe.fit(
            frames,
            rows,
            job.train.labels[rows].astype(np.int64),
            n_classes=len(job.train.mapper.classes),
            seed=job.seed,
            device=job.backbone.options.device,
            progress=progress,
        )
        write_probe(
            self._workspace,
            _probe_record(job, key, identity, n_train=len(rows)),
            fitted,
            StoredSplit(job.fold.train, job.fold.test),
            job.train.manifest.utterance_ids,
        )
        return _COMPUTED

    def _predict(self, task: Task, progress: StageProgress) -> _Done:
        """Ask all probes of a task about its corpus, in one pass over the frames."""
        self._parts.release_encoder()  # all frames of this backbone are extracted
        features = self._parts.features(task)
        _require_key(task, features.key)
        pairs = dict(zip(task.writes, task.reads, strict=True))
        wanted = {
            key: probe
            for key, probe in pairs.items()
            if not self._workspace.exists(predictions_path(key))
        }
        if not wanted:
            return _FOUND
        corpus = self._parts.corpus(task.spec, task.corpus)
        frames = self._open(task, features, progress)
        failed: dict[str, Exception] = {}
        asked = {}
        for key, probe_key in wanted.items():
            try:
                record = read_probe_record(self._workspace, probe_key)
                rows = self._test_rows(record, corpus, features, key)
                probe = self._registry.probes.get(record.probe)
                device = task.resources.device
                fitted = read_probe(self._workspace, probe_key, probe, device=device)
                asked[key] = (fitted, rows[frames.length[rows] > 0])
            except Exception as error:  # noqa: BLE001 - one probe must not cost the others
                failed[key] = error
        answers = batched_logits(frames, asked, progress) if asked else {}
        for key, answer in answers.items():
            if isinstance(answer, Exception):
                failed[key] = answer
            else:
                self._write_predictions(key, corpus, asked[key][1], answer)
        return _Done("computed", {key: describe(error)[0] for key, error in failed.items()})

    def _test_rows(
        self,
        record: ProbeRecord,
        corpus: PlannedCorpus,
        features: FeatureStore | LayerMeans,
        key: str,
    ) -> Any:
        in_domain = record.train_corpus == corpus.id
        identity = prediction_identity(record.key, features, corpus, in_domain=in_domain)
        if digest_of(identity) != key:
            raise _other_key("predictions", corpus.id)
        if in_domain:
            return read_split(self._workspace, record.key).test
        return labelled_rows(corpus)

    def _write_predictions(self, key: str, corpus: PlannedCorpus, rows: Any, logits: Any) -> None:
        ids = corpus.manifest.utterance_ids
        predictions = Predictions(
            rows=rows,
            utterance_ids=[ids[row] for row in rows],
            labels=corpus.labels[rows].astype(np.int64),
            logits=logits,
            classes=corpus.mapper.classes,
        )
        write_predictions(self._workspace, key, predictions)


def _probe_record(
    job: ProbeJob, key: str, identity: Mapping[str, Any], *, n_train: int
) -> ProbeRecord:
    options = job.backbone.options
    return ProbeRecord(
        key=key,
        identity=identity,
        backbone=job.backbone.name,
        checkpoint=job.backbone.checkpoint.name,
        location=job.backbone.checkpoint.location,
        weights=job.backbone.checkpoint.digest,
        options={
            "layer": options.layer if job.layer is None else job.layer,
            "variant": options.variant,
            "dtype": options.dtype,
        },
        audio_path=job.protocol.audio_path,
        probe=job.probe.id,
        classes=tuple(job.train.mapper.classes),
        train_counts=tuple(job.train.counts(job.fold.train).astype(int).tolist()),
        train_corpus=job.train.id,
        protocol=job.protocol.id,
        fold=job.fold.index,
        split_seed=job.split_seed,
        n_train=n_train,
    )


@cache
def _worker(workspace: str) -> Worker:
    from sercore.plugins.registry import registry
    from sercore.storage.workspace import Workspace

    wait_passively()
    return Worker(Workspace(workspace), registry(), note=_to_stderr)


def do_task(task: Task, workspace: str) -> TaskReport:
    """Do a task in this process, and write its results and its report to the workspace.

    For executors whose workers are Python processes. What is expensive to load stays loaded for
    the next task of the same workspace.

    Args:
        task: the task.
        workspace: folder or URL of the workspace.

    Returns:
        How it went. A task that fails does not raise.

    Raises:
        WorkspaceError: not even the report can be written.
    """
    return _worker(workspace).work(task)


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"sercore: {text}\n")


def _require_key(task: Task, key: str) -> None:
    if key != task.key:
        raise _other_key(task.kind, task.corpus)


def _other_key(kind: str, corpus: str) -> TaskError:
    return TaskError(
        f"this worker would compute another result ({kind} of {corpus}) than the run planned",
        hint="its sercore, plugins, weights and corpora must be those of the driver",
    )


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _no_stage(kind: str, label: str) -> AbstractContextManager[StageProgress]:
    del kind, label
    return nullcontext(_ignore_progress)


def _ignore_progress(done: int, total: int, seconds: float | None = None) -> None:
    """Show nothing."""
