"""The progress of reading audio for its digests, while a run is planned."""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn
from rich.progress import DownloadColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

_WORTH_A_LINE = 50_000_000
"""Bytes. Less is read before anybody wonders what takes so long."""


@contextmanager
def show_reading(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how much audio is read; a bar in a terminal, a line a corpus elsewhere.

    Args:
        quiet: show nothing.

    Yields:
        The callback for `sercore.runs.api.prepare`, or None.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as progress:
            task = progress.add_task("reading audio", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        yield _line_a_corpus()


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _line_a_corpus() -> Callable[[int, int], None]:
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        if total >= _WORTH_A_LINE and total != shown:
            shown = total
            print(f"sercore: reading {decimal(total)} of audio", file=sys.stderr)  # noqa: T201
        if done >= total:
            shown = -1

    return show
