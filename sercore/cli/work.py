"""``sercore work``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.executors.task import TaskReport
    from sercore.storage.workspace import Workspace


@click.command()
@click.argument("tasks", type=click.Path(path_type=Path), default="-")
@click.option(
    "--run",
    "run_name",
    metavar="NAME",
    help="Do the queued tasks of this run instead, until its end.",
)
@click.option(
    "--idle",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="With --run: seconds without a task after which to end.",
)
@shared.workspace_option
@shared.config_option
@click.pass_context
def work(
    ctx: click.Context,
    tasks: Path,
    run_name: str | None,
    idle: float,
    workspace: str | None,
    config: Path | None,
) -> None:
    """Do TASKS of a run: a file with one line of JSON per task, or standard input.

    For executors and schedulers: a task needs only the workspace, and writes its results and its
    report there. 'sercore plan --lines' prints tasks. Exit status: 0 done, 1 a task failed (its
    report has the reason). With --run the exit status is 0 also if tasks failed, because their
    reports are in the workspace; 130 if it was stopped.
    """
    settings = shared.load_settings(config)
    place = shared.open_workspace(workspace, settings)
    if run_name is not None:
        ctx.exit(0 if _pull(place, run_name, idle) else 130)
    ctx.exit(_work_through(place, tasks))


def _pull(workspace: Workspace, run: str, idle_s: float) -> bool:
    from sercore.plugins.registry import registry
    from sercore.runs.pull import pull
    from sercore.runs.queue import WorkspaceQueue
    from sercore.runs.worker import Worker
    from sercore.storage.names import check_name

    check_name(run, "the run name")
    stopping = threading.Event()
    worker = Worker(workspace, registry(), note=_note, stopping=stopping)
    queue = WorkspaceQueue(workspace, run)
    return pull(queue, worker, idle_s=idle_s, stopping=stopping, show=_show)


def _work_through(workspace: Workspace, place: Path) -> int:
    from sercore.errors import TaskError
    from sercore.executors.task import Task
    from sercore.plugins.registry import registry
    from sercore.runs.worker import Worker

    try:
        text = sys.stdin.read() if str(place) == "-" else place.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskError(
            f"the task {place} cannot be read: {error.strerror}", hint="name a file of JSON"
        ) from None
    tasks = [Task.from_json(line) for line in text.splitlines() if line.strip()]
    if not tasks:
        raise TaskError("there is no task", hint="'sercore plan --lines' prints one per line")
    worker = Worker(workspace, registry(), note=_note)
    reports = [worker.work(task) for task in tasks]
    for report in reports:
        if report.status == "failed":
            _note(f"{report.label}: {report.reason}")
    return int(any(report.status == "failed" for report in reports))


def _note(text: str) -> None:
    click.echo(f"sercore: {printable(text)}", err=True)


def _show(report: TaskReport) -> None:
    """Print a line for the log of a worker, which nobody reads before something failed."""
    line = f"{report.status} {report.kind} {report.label} in {report.seconds:.1f} s"
    _note(f"{line}: {report.reason}" if report.reason else line)
    if report.trace:
        click.echo(printable(report.trace, keep="\n"), err=True)
