"""``sercore plan``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.run import chosen_options
from sercore.cli.run import prepare_run
from sercore.cli.run import run
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.runs.without_driver import TaskListing

_NOT_OURS = {"overlap", "executor", "shard", "dry_run", "quiet", "cache_budget", "as_json"}
"""Options of ``sercore run`` that say how tasks are done, not which there are."""


@click.command(
    params=[option for option in run.params if option.name not in _NOT_OURS],
    context_settings={"auto_envvar_prefix": "SERCORE_RUN"},
)
@click.option("--lines", is_flag=True, help="Print one task per line, for 'sercore work'.")
@shared.json_option
def plan(**given: Any) -> None:
    """List the tasks of a run that can be done now.

    For schedulers of your own. Takes the options of 'sercore run'. Give the lines to 'sercore
    work', in any order, on any machine that has the workspace and the corpora. Then plan again,
    because probes follow frames and predictions follow probes. When no task is left, 'sercore run'
    scores the results.
    """
    from sercore.cli.observers import QuietObserver
    from sercore.runs.without_driver import list_tasks

    prepared = prepare_run(given, quiet=True)
    listing = list_tasks(prepared, QuietObserver(), chosen_options(given))
    if given["lines"]:
        for task in listing.tasks:
            click.echo(task.to_json())
    elif given["as_json"]:
        shared.print_json(
            {
                "run": listing.run,
                "workspace": prepared.workspace.root,
                "tasks": [{"id": task.id, **task.to_plain()} for task in listing.tasks],
                "waiting": listing.waiting,
            }
        )
    else:
        _print(listing)


def _print(listing: TaskListing) -> None:
    for task in listing.tasks:
        click.echo(printable(f"{task.kind} {task.label}"))
    kinds = Counter(task.kind for task in listing.tasks)
    now = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "nothing"
    later = ", ".join(f"{number} {kind}" for kind, number in listing.waiting.items() if number)
    click.echo(f"{now} now" + (f", then {later}" if later else ""))
