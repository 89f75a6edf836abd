"""Do or list the tasks of a run without a driver, for people with a scheduler of their own."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError
from sercore.runs.api import threads_of
from sercore.runs.backbone_work import BackboneWork
from sercore.runs.events import exit_status
from sercore.runs.journal import Journal
from sercore.runs.naming import choose_name
from sercore.runs.naming import recorded_threads
from sercore.runs.notifier import Notifier
from sercore.runs.record import problems_of
from sercore.runs.run_files import RunFiles
from sercore.runs.shard import SharedJournal
from sercore.runs.shard import Unscored
from sercore.runs.shard import do_share
from sercore.runs.spec import spec_of
from sercore.runs.tools import execution_context
from sercore.runs.tools import run_tools

if TYPE_CHECKING:
    from sercore.executors.task import Task
    from sercore.executors.task import TaskReport
    from sercore.runs.api import Prepared
    from sercore.runs.backbone_work import RunTools
    from sercore.runs.events import Observer
    from sercore.runs.events import RunOptions
    from sercore.runs.naming import RunName
    from sercore.runs.planned import Missing
    from sercore.runs.shard import Share
    from sercore.runs.spec import RunSpec


@dataclass(frozen=True, kw_only=True)
class ShareResult:
    """How a share of a run ended."""

    name: str
    """Name of the run."""
    share: str
    computed: Counter[str]
    """Tasks that this process did, by kind; what it found does not count."""
    problems: tuple[str, ...]
    missing: tuple[Missing, ...]
    interrupted: bool

    @property
    def exit_status(self) -> int:
        """See `sercore.runs.events.exit_status`."""
        failed = bool(self.problems)
        return exit_status(self.missing, interrupted=self.interrupted, failed=failed)


def execute_share(
    prepared: Prepared, share: Share, observer: Observer, options: RunOptions
) -> ShareResult:
    """Do one share of a plan in this process. What fails is in the result; it is not raised.

    Args:
        prepared: as `prepare` returns it.
        share: which share.
        observer: shows what happens; its `finished` is not called.
        options: name of the run, threads, frame budget.

    Raises:
        SettingsError: the number of threads is not stated, or not that of the other shares.
        WorkspaceError: the workspace cannot be used.
    """
    plan, workspace = prepared.plan, prepared.workspace
    chosen = choose_name(plan, workspace, options.name, replace=options.replace)
    spec = _shared_spec(prepared, options, chosen)
    key = f"runs/{chosen.name}/shard-{share.number}-of-{share.of}"
    with workspace.lease(key, f"share {share} of the run '{chosen.name}'", wait=observer.note):
        notifier = Notifier(plan, chosen.name, observer, prepared.registry)
        tools, files = _tools(prepared, spec, chosen, notifier, SharedJournal)
        if not workspace.exists(f"{files.folder}/run.json"):
            files.start()
        observer.started(plan, chosen.name, workspace.path(files.folder))
        for text in problems_of(plan):
            notifier.problem(text)
        computed: Counter[str] = Counter()

        def hear(report: TaskReport) -> None:
            computed[report.kind] += report.status == "computed"

        stopping = threading.Event()
        context = execution_context(
            chosen.name,
            workspace,
            prepared.registry,
            stage=observer.stage,
            note=notifier.note,
            say=observer.note,
            stopping=stopping,
            hear=hear,
            keep_reports=True,
        )
        ended = do_share(plan, share, tools, context, stopping)
    return ShareResult(
        name=chosen.name,
        share=str(share),
        computed=+computed,
        problems=tuple(notifier.problems),
        missing=tuple(plan.missing),
        interrupted=not ended,
    )


@dataclass(frozen=True, kw_only=True)
class TaskListing:
    """The tasks of a plan whose results are missing."""

    run: str
    """Name of the run."""
    tasks: tuple[Task, ...]
    """Those whose inputs are there, so that they can be done now, in any order."""
    waiting: dict[str, int]
    """Probes and test corpora that can be listed after these tasks, by kind."""


def list_tasks(prepared: Prepared, observer: Observer, options: RunOptions) -> TaskListing:
    """Return the tasks of a plan that can be done now, and store what workers need for them.

    Args:
        prepared: as `prepare` returns it.
        observer: shows sentences about damaged results.
        options: name of the run, threads, frame budget.

    Raises:
        SettingsError: the number of threads is not stated, or not that of the run so far.
        WorkspaceError: the workspace cannot be used.
    """
    plan = prepared.plan
    chosen = choose_name(plan, prepared.workspace, options.name, replace=options.replace)
    spec = _shared_spec(prepared, options, chosen)
    notifier = Notifier(plan, chosen.name, observer, prepared.registry)
    tools, files = _tools(prepared, spec, chosen, notifier, Journal)
    if not prepared.workspace.exists(f"{files.folder}/run.json"):
        files.start()
    tasks: list[Task] = []
    waiting: Counter[str] = Counter()
    for backbone in plan.backbones:
        jobs = [job for job in plan.jobs if job.backbone is backbone]
        work = BackboneWork(backbone, jobs, tools)
        tasks += sorted(work.begin(), key=lambda task: -work.weight(task))
        waiting.update(work.n_waiting)
    return TaskListing(run=chosen.name, tasks=tuple(tasks), waiting=dict(waiting))


def _shared_spec(prepared: Prepared, options: RunOptions, chosen: RunName) -> RunSpec:
    """Return the specification that all processes of a run must agree on.

    Raises:
        SettingsError: the number of threads is not stated, or not that of the run so far.
    """
    before = recorded_threads(prepared.workspace, chosen)
    given = options.threads
    if given is None and before is None:
        raise SettingsError(
            "processes that share a run need the same number of threads, and none is stated",
            hint="give all of them the same --threads N",
        )
    if None not in (given, before) and given != before:
        raise SettingsError(
            f"the run '{chosen.name}' computes with --threads {before}, and {given} would give "
            "other results",
            hint=f"give --threads {before}, or another --name",
        )
    threads = threads_of(prepared, replace(options, threads=given or before), chosen)
    return spec_of(prepared.plan, prepared.settings, options, threads)


def _tools(
    prepared: Prepared, spec: RunSpec, chosen: RunName, notifier: Notifier, kind: type[Journal]
) -> tuple[RunTools, Any]:
    files = RunFiles(
        prepared.workspace, chosen.name, prepared.plan, spec, prepared.registry, notifier
    )
    tools = run_tools(
        chosen.name,
        spec,
        prepared.workspace,
        journal=kind(prepared.workspace, chosen.name),
        explainer=files.explainer,
        speaker=notifier,
        scorer=Unscored(),
        cut=True,
    )
    return tools, files
