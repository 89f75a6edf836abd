"""``sercore status``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


@click.command()
@click.argument("run", required=False)
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
    """Show the runs of a workspace, or the probe fits and cells of one RUN."""
    settings = shared.load_settings(config)
    place = shared.open_workspace(workspace, settings)
    if probes:
        columns = ("key", "backbone", "train_corpus", "protocol", "fold", "split_seed", "n_train")
        _show("probes", columns, _probes(place), place, as_json=as_json)
    elif run is None:
        columns = ("run", "status", "written", "protocol", "done", "failed", "problems")
        _show("runs", columns, _runs(place), place, as_json=as_json)
    else:
        columns = ("backbone", "train_corpus", "fold", "split_seed", "status", "cells", "reason")
        _show(f"run {run}", columns, _fits(place, run), place, as_json=as_json)


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


def _fits(workspace: Workspace, run: str) -> list[dict[str, Any]]:
    from sercore.errors import UnknownNameError
    from sercore.runs.ledger import Ledger

    if not workspace.exists(f"runs/{run}/run.json"):
        raise UnknownNameError(
            f"there is no run named '{run}' in {workspace.root}",
            hint="'sercore status' lists the runs",
        )
    rows = []
    for record in Ledger(workspace, run).records():
        done = sum(cell["status"] == "done" for cell in record["cells"])
        rows.append({**record, "cells": f"{done} of {len(record['cells'])} done"})
    return rows


def _probes(workspace: Workspace) -> list[dict[str, Any]]:
    from sercore.probes.store import probe_record_path

    columns = (
        *("key", "backbone", "train_corpus", "protocol", "fold", "split_seed", "n_train"),
        "classes",
    )
    return [
        {name: record[name] for name in columns}
        for key in workspace.list("probes")
        if workspace.exists(probe_record_path(key))
        for record in [workspace.read_json(probe_record_path(key))]
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
        title=f"{title} in {workspace.root}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    shared.add_columns(table, *columns, whole=("run", "key", "backbone", "train_corpus"))
    for row in rows:
        shown = {**row, "key": str(row.get("key"))[:16]}
        table.add_row(*("-" if shown[name] is None else str(shown[name]) for name in columns))
    console.print(table)
