"""What ``sercore status --cell`` prints: why a cell is as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable
from sercore.cli.watch import duration
from sercore.errors import UnknownNameError

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


def show_cell(workspace: Workspace, run: str, cell: tuple[str, str, str], *, as_json: bool) -> None:
    """Print the scores of a cell and the reports of the tasks behind it.

    Args:
        workspace: where the run is.
        run: its name.
        cell: backbone, train corpus and test corpus.
        as_json: print JSON.

    Raises:
        UnknownNameError: the run has no such cell.
    """
    from sercore.results.stored_run import read_run
    from sercore.runs.progress import RunWatcher

    backbone, train, test = cell
    scores = []
    if workspace.exists(f"runs/{run}/scores.parquet"):
        scores = [
            {
                "probe": row.cell.probe,
                "layer": row.cell.layer,
                "fold": row.cell.fold,
                "split_seed": row.cell.split_seed,
                "class_rule": row.class_rule,
                "status": row.status,
                "value": row.value,
                "reason": row.reason,
            }
            for row in read_run(workspace, run).headline_rows()
            if (row.cell.backbone, row.cell.train_corpus, row.cell.test_corpus) == cell
        ]
    reports = [
        one.to_plain() for one in RunWatcher(workspace, run).reports_of(backbone, {train, test})
    ]
    if not scores and not reports:
        raise UnknownNameError(
            f"the run '{run}' has no cell {backbone} {train} {test}",
            hint=f"'sercore status {run}' lists its cells",
        )
    if as_json:
        shared.print_json({"run": run, "cell": list(cell), "scores": scores, "reports": reports})
        return
    for score in scores:
        value = "" if score["value"] is None else f" {score['value']:.4f}"
        reason = f": {score['reason']}" if score["reason"] else ""
        place = ", ".join(
            f"{name} {score[name]}" for name in ("probe", "layer", "fold", "split_seed")
        )
        click.echo(printable(f"{score['status']} {score['class_rule']}{value} ({place}){reason}"))
    for report in reports:
        _print_report(report)


def _print_report(report: dict[str, Any]) -> None:
    took = f"{duration(report['seconds'])} on {report['host']}:{report['pid']}"
    click.echo(printable(f"{report['kind']} {report['label']}: {report['status']}, {took}"))
    for reason in filter(None, (report["reason"], *dict.fromkeys(report["failures"].values()))):
        click.echo(printable(f"  {reason}"))
    if report.get("log"):
        click.echo(printable(f"  the output of its worker is in {report['log']}"))
    if report["trace"]:
        click.echo(printable(report["trace"], keep="\n"))
