"""What ``sercore run --shard`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.runs.api import Prepared
    from sercore.runs.events import RunOptions
    from sercore.runs.without_driver import ShareResult


def run_share(prepared: Prepared, share: str, options: RunOptions, given: dict[str, Any]) -> int:
    """Do a share of a run, print how it ended, and return the exit status."""
    from sercore.cli.observers import LineObserver
    from sercore.cli.observers import QuietObserver
    from sercore.runs.shard import Share
    from sercore.runs.without_driver import execute_share

    quiet = given["quiet"] or given["as_json"]
    observer = QuietObserver() if quiet else LineObserver()
    result = execute_share(prepared, Share.parse(share), observer, options)
    if given["as_json"]:
        shared.print_json(_plain(result))
    elif not given["quiet"]:
        _print(result)
    return result.exit_status


def _plain(result: ShareResult) -> dict[str, Any]:
    return {
        "run": result.name,
        "shard": result.share,
        "exit_status": result.exit_status,
        "interrupted": result.interrupted,
        "computed": dict(sorted(result.computed.items())),
        "problems": list(result.problems),
    }


def _print(result: ShareResult) -> None:
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(result.computed.items()))
    done = f"share {result.share} of the run {result.name}: {counts or 'nothing'} computed"
    if result.interrupted:
        click.echo(printable(f"{done}; interrupted, run the same command again to continue"))
    else:
        click.echo(printable(f"{done}; the same command without --shard scores all shares"))
