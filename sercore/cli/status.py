"""``sercore status``."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete_runs
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import print_table
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


@click.command()
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option("--probes", is_flag=True, help="List the stored probes instead.")
@click.option("--watch", is_flag=True, help="Show what a run does now, until it ends.")
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two refreshes of --watch.",
)
@click.option(
    "--cell",
    nargs=3,
    metavar="BACKBONE TRAIN TEST",
    help="Show why a cell failed: its scores, and the reports of its tasks with their tracebacks.",
)
@shared.workspace_option
@shared.config_option
@shared.json_option
def status(
    run: str | None,
    probes: bool,  # noqa: FBT001 - click passes flags so
    watch: bool,  # noqa: FBT001
    every: float,
    cell: tuple[str, str, str] | None,
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show the runs of a workspace, or the probes and cells of one RUN.

    --watch shows the progress of RUN, or of the run that is running: what works where, how much is
    left, and what failed. It reads the workspace, so it works from any machine and disturbs
    nothing. Piped, it prints one line for each refresh; with --json, one JSON object per line.
    """
    settings = shared.load_settings(config)
    place = shared.open_workspace(workspace, settings)
    if sum((probes, watch, cell is not None)) > 1:
        raise click.UsageError("Use only one of --probes, --watch and --cell.")
    if watch:
        from sercore.cli.watch import watch as show_progress
        from sercore.runs.progress import RunWatcher

        name = run or _running(place)
        with suppress(KeyboardInterrupt):  # the usual way to stop looking
            show_progress(RunWatcher(place, name), every=every, as_json=as_json)
    elif cell is not None:
        from sercore.cli.cell import show_cell

        show_cell(place, run or "default", cell, as_json=as_json)
    else:
        _show_tables(place, run, probes=probes, as_json=as_json)


def _show_tables(workspace: Workspace, run: str | None, *, probes: bool, as_json: bool) -> None:
    columns: tuple[str, ...]
    if probes:
        columns = ("key", "backbone", "train_corpus", "protocol", "fold", "split_seed", "n_train")
        _show("probes", columns, _probes(workspace), workspace, as_json=as_json)
    elif run is None:
        columns = ("run", "status", "written", "protocol", "done", "failed", "problems")
        _show("runs", columns, _runs(workspace), workspace, as_json=as_json)
    else:
        columns = (
            *("backbone", "layer", "probe", "train_corpus", "fold", "split_seed", "status"),
            *("cells", "reason"),
        )
        _show(f"run {run}", columns, _jobs(workspace, run), workspace, as_json=as_json)


def _running(workspace: Workspace) -> str:
    """Return the name of the run that is running.

    Raises:
        SettingsError: there is none, or several.
    """
    from sercore.runs.progress import running

    names = running(workspace)
    if len(names) != 1:
        many = f"{', '.join(names)} are running" if names else "no run is running"
        raise SettingsError(
            f"{many} in {workspace.root}", hint="name the run: sercore status RUN --watch"
        )
    return names[0]


def _runs(workspace: Workspace) -> list[dict[str, Any]]:
    rows = []
    for name in workspace.list("runs"):
        path = f"runs/{name}/run.json"
        if not workspace.exists(path):
            continue
        record = workspace.read_json(path)
        rows.append(
            {
                "run": name,
                "status": record["status"],
                "written": record["written"],
                "protocol": record["protocol"]["id"],
                "datasets": sorted(record["corpora"]),
                "backbones": sorted(record["backbones"]),
                "done": record["counts"].get("done", 0),
                "failed": record["counts"].get("failed", 0),
                "problems": len(record["problems"]),
            }
        )
    return rows


def _jobs(workspace: Workspace, run: str) -> list[dict[str, Any]]:
    """Return one row for each probe job of a run: how many of its cells are done."""
    from sercore.results.stored_run import read_run

    columns = ("backbone", "layer", "probe", "train_corpus", "fold", "split_seed")
    jobs: dict[tuple[Any, ...], dict[tuple[str, str | None], tuple[str, str | None]]]
    jobs = defaultdict(dict)
    for row in read_run(workspace, run).headline_rows():
        if row.cell.fold is None:
            continue  # over the predictions of all folds
        place = tuple(getattr(row.cell, name) for name in columns)
        jobs[place][row.cell.test_corpus, row.class_rule] = (row.status, row.reason)
    rows = []
    for place, cells in sorted(jobs.items(), key=lambda item: tuple(map(str, item[0]))):
        reasons = [reason for status, reason in cells.values() if status != "done"]
        done = len(cells) - len(reasons)
        rows.append(
            {
                **dict(zip(columns, place, strict=True)),
                "status": "failed" if reasons else "done",
                "cells": f"{done} of {len(cells)} done",
                "reason": next((reason for reason in reasons if reason), None),
            }
        )
    return rows


def _probes(workspace: Workspace) -> list[dict[str, Any]]:
    from sercore.probes.store import read_probe_record
    from sercore.probes.store import stored_probes

    columns = (
        *("key", "backbone", "train_corpus", "protocol", "fold", "split_seed", "n_train"),
        "classes",
    )
    return [
        {name: getattr(read_probe_record(workspace, key), name) for name in columns}
        for key in stored_probes(workspace)
    ]


def _show(
    title: str,
    columns: tuple[str, ...],
    rows: list[dict[str, Any]],
    workspace: Workspace,
    *,
    as_json: bool,
) -> None:
    if as_json:
        shared.print_json({"workspace": workspace.root, title.split(maxsplit=1)[0]: rows})
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(
        title=plain(f"{title} in {workspace.root}"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    shared.add_columns(table, *columns, whole=("run", "key", "backbone", "train_corpus"))
    for row in rows:
        shown = {**row, "key": str(row.get("key"))[:16]}
        add_row(table, *(shown[name] for name in columns))
    print_table(console, table)
