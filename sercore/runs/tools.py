"""What the driver and shards of a run build alike."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from sercore.executors.interface import ExecutionContext
from sercore.runs.backbone_work import RunTools
from sercore.runs.queue import WorkspaceQueue
from sercore.runs.spec import write_spec
from sercore.runs.stored import StoredResults
from sercore.runs.tasks import TaskMaker
from sercore.runs.worker import Worker

if TYPE_CHECKING:
    from sercore.executors.task import Task
    from sercore.executors.task import TaskReport
    from sercore.plugins.registry import Registry
    from sercore.runs.backbone_work import Scorer
    from sercore.runs.backbone_work import Speaker
    from sercore.runs.explainer import Explainer
    from sercore.runs.journal import Journal
    from sercore.runs.spec import RunSpec
    from sercore.runs.worker import Stage
    from sercore.storage.workspace import Workspace


def run_tools(
    run: str,
    spec: RunSpec,
    workspace: Workspace,
    *,
    journal: Journal,
    explainer: Explainer,
    speaker: Speaker,
    scorer: Scorer,
    cut: bool,
) -> RunTools:
    """Store the specification of a run, and return what the work of its backbones needs.

    Args:
        run: the run's name.
        spec: what its tasks have in common.
        workspace: where everything is read and written.
        journal: how its tasks went.
        explainer: stores tracebacks.
        speaker: hears sentences.
        scorer: hears of cells.
        cut: whether large corpora are extracted by several tasks.
    """
    tasks = TaskMaker(
        run=run,
        spec=write_spec(workspace, spec),
        threads=spec.threads,
        layer_means=spec.layer_means,
        cut=cut,
    )
    return RunTools(
        spec=spec,
        workspace=workspace,
        tasks=tasks,
        stored=StoredResults(workspace, speaker.note),
        journal=journal,
        explainer=explainer,
        speaker=speaker,
        scorer=scorer,
    )


def execution_context(
    run: str,
    workspace: Workspace,
    registry: Registry,
    *,
    stage: Stage,
    note: Callable[[str], None],
    say: Callable[[str], None],
    stopping: threading.Event,
    overlap: bool = False,
    options: Any = None,
    hear: Callable[[TaskReport], None] = lambda _: None,
    keep_reports: bool = False,
) -> ExecutionContext:
    """Return how the tasks of a run can be done.

    Args:
        run: the run's name.
        workspace: where everything is read and written.
        registry: what is installed.
        stage: shows the progress of tasks in this process.
        note: shows a sentence that belongs to the results.
        say: shows a sentence about where tasks run, which does not.
        stopping: set when running tasks are not wanted any more.
        overlap: whether stages overlap in this process.
        options: those of the executor.
        hear: called with the report of every task that was done in this process.
        keep_reports: as `sercore.runs.worker.Worker` takes it.
    """
    worker = Worker(
        workspace,
        registry,
        stage=stage,
        note=note,
        stopping=stopping,
        keep_reports=keep_reports,
    )

    def work(task: Task) -> None:
        try:
            hear(worker.work(task))
        except BaseException:  # nobody waits for the tasks beside it any more
            stopping.set()
            raise

    command = (sys.executable, "-m", "sercore", "work", "--workspace", workspace.root)
    return ExecutionContext(
        workspace=workspace.root,
        run=run,
        options=options,
        overlap=overlap,
        work=work,
        command=command,
        queue=WorkspaceQueue(workspace, run),
        pull_command=(*command, "--run", run),
        note=say,
    )
