"""``sercore status``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete_runs
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import print_table

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


@click.command()
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option("--probes", is_flag=True, help="List the stored probes instead.")
@shared.workspace_option
@shared.config_option
@shared.json_option
def status(
    run: str | None,
    probes: bool,  # noqa: FBT001 - click passes flags so
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show the runs of a workspace, or the probes and cells of one RUN."""
    settings = shared.load_settings(config)
    place = shared.open_workspace(workspace, settings)
    columns: tuple[str, ...]
    if probes:
        columns = ("key", "backbone", "train_corpus", "protocol", "fold", "split_seed", "n_train")
        _show("probes", columns, _probes(place), place, as_json=as_json)
    elif run is None:
        columns = ("run", "status", "written", "protocol", "done", "failed", "problems")
        _show("runs", columns, _runs(place), place, as_json=as_json)
    else:
        columns = (
            *("backbone", "layer", "probe", "train_corpus", "fold", "split_seed", "status"),
            *("cells", "reason"),
        )
        _show(f"run {run}", columns, _jobs(place, run), place, as_json=as_json)


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
