"""``sercore work``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sercore.cli import options as shared
from sercore.cli.text import printable


@click.command()
@click.argument("task", type=click.Path(path_type=Path), default="-")
@shared.workspace_option
@shared.config_option
@click.pass_context
def work(ctx: click.Context, task: Path, workspace: str | None, config: Path | None) -> None:
    """Do one TASK of a run: a file of JSON, or standard input.

    For executors: a task needs only the workspace, and writes its results and its report
    there. Exit status: 0 done, 1 failed (the report has the reason).
    """
    from sercore.errors import TaskError
    from sercore.executors.task import Task
    from sercore.plugins.registry import registry
    from sercore.runs.worker import Worker

    settings = shared.load_settings(config)
    try:
        text = sys.stdin.read() if str(task) == "-" else task.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskError(
            f"the task {task} cannot be read: {error.strerror}", hint="name a file of JSON"
        ) from None
    worker = Worker(
        shared.open_workspace(workspace, settings),
        registry(),
        note=lambda text: click.echo(f"sercore: {printable(text)}", err=True),
    )
    report = worker.work(Task.from_json(text))
    if report.status == "failed":
        click.echo(printable(f"sercore: {report.label}: {report.reason}"), err=True)
    ctx.exit(1 if report.status == "failed" else 0)
