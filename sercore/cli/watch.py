"""What ``sercore status --watch`` prints while a run is active."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.cli.text import printable_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sercore.runs.progress import RunState
    from sercore.runs.progress import RunWatcher

_DONE = {"extract": "corpora extracted", "fit": "probes trained", "predict": "corpora predicted"}
_MOST_FAILURES = 8


def watch(watcher: RunWatcher, *, every: float, as_json: bool) -> None:
    """Show the state of a run until nobody works on it any more.

    In a terminal one screen is drawn again and again; elsewhere every refresh is one line.

    Args:
        watcher: reads the state.
        every: seconds between two refreshes.
        as_json: print every state as one line of JSON.

    Raises:
        WorkspaceError: there is no such run.
    """
    if as_json or not sys.stdout.isatty():
        while not _print(watcher.state(), as_json=as_json):
            time.sleep(every)
        return
    from rich.live import Live

    state = watcher.state()
    with Live(screen(state), refresh_per_second=1, vertical_overflow="crop") as live:
        while not state.is_over:
            time.sleep(every)
            state = watcher.state()
            live.update(screen(state), refresh=True)


def _print(state: RunState, *, as_json: bool) -> bool:
    """Print a state; return whether it is the last one."""
    if as_json:
        click.echo(printable_json(json.dumps(asdict(state), ensure_ascii=False)))
    else:
        click.echo(printable(f"{datetime.now().astimezone():%H:%M:%S} {line(state)}"))
    return state.is_over


def line(state: RunState) -> str:
    """Return a state as one line."""
    stages = ", ".join(
        f"{stage.kind} {_counts(stage.done, stage.planned)}" for stage in state.stages
    )
    parts = [f"run {state.run} {state.status}: {stages}"]
    if state.status == "running":
        count = len(state.workers)
        parts.append(f"{count} worker" if count == 1 else f"{count} workers")
    if state.failures:
        parts.append(f"{len(state.failures)} failed")
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    return ", ".join(parts)


def screen(state: RunState) -> RenderableType:
    """Return a state as a screen of at most 80 columns."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    driver = f", driven by {state.driver}" if state.driver else ""
    left = state.seconds_left
    lines: list[RenderableType] = [
        Text.assemble("run ", (printable(state.run), "bold"), printable(f" {state.status}{driver}"))
    ]
    stages = Table(box=None, pad_edge=False, show_header=False, width=78)
    for stage in state.stages:
        mean = "" if stage.seconds is None else f"{duration(stage.seconds)} each"
        failed = f"{stage.failed} failed" if stage.failed else ""
        counts = _counts(stage.done, stage.planned)
        stages.add_row(_DONE[stage.kind], counts, mean, Text(failed, style="red"))
    lines.append(stages)
    if left is not None:
        lines.append(Text(f"about {duration(left)} left"))
    if state.workers:
        workers = Table("worker", "task", "for", box=box.SIMPLE_HEAD, pad_edge=False, width=78)
        for worker in state.workers:
            place = plain(f"{worker.host}:{worker.pid}")
            workers.add_row(place, plain(worker.what), duration(worker.seconds))
        lines.append(workers)
    for failure in state.failures[:_MOST_FAILURES]:
        text = f"! {failure.kind} {failure.label}: {failure.reason}"
        lines.append(Text(printable(text), style="red"))
    if len(state.failures) > _MOST_FAILURES:
        lines.append(Text(f"! and {len(state.failures) - _MOST_FAILURES} more", style="red"))
    return Group(*lines)


def duration(seconds: float) -> str:
    """Return a time span in its two largest units.

    >>> duration(4.4), duration(75), duration(7260)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def _counts(done: int, planned: int | None) -> str:
    return f"{done}" if planned is None else f"{done} of {planned}"
