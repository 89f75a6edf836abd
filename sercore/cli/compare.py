"""``sercore compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import printable

if TYPE_CHECKING:
    from rich.table import Table

    from sercore.results.compare import CellDifference
    from sercore.results.compare import RunComparison

_MOST = 20
_PIPED_WIDTH = 140


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--all", "everything", is_flag=True, help="Also show cells that do not differ.")
@click.option("--metric", metavar="NAME", help="Compare this metric. [default: macro-f1]")
@click.option(
    "--adjustment",
    metavar="NAME",
    help="Compare this adjustment out of domain. [default: the headline of each run]",
)
@shared.workspace_option
@click.option(
    "--other-workspace", metavar="DIR", help="Workspace of SECOND. [default: the same workspace]"
)
@shared.config_option
@shared.json_option
def compare(first: str, second: str, **given: Any) -> None:
    """Show which cells of two runs differ, by how much, and what else differs.

    Differences are SECOND minus FIRST. A cell differs if the 95 % interval of the difference, over
    resampled speakers, does not contain zero.
    """
    from sercore.errors import SettingsError
    from sercore.results.compare import compare_runs
    from sercore.results.stored_run import read_run
    from sercore.storage.workspace import Workspace

    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    other = Workspace(given["other_workspace"]) if given["other_workspace"] else workspace
    result = compare_runs(
        read_run(workspace, first),
        read_run(other, second),
        metric=given["metric"],
        adjustment=given["adjustment"],
    )
    if not result.cells:
        raise SettingsError(
            f"neither '{first}' nor '{second}' has a score with this metric and adjustment",
            hint="'sercore score' computes more scores from stored predictions",
        )
    if given["as_json"]:
        shared.print_json(_as_json(result))
    else:
        _show(result, everything=given["everything"])


def _as_json(result: RunComparison) -> dict[str, Any]:
    return {
        "first": result.first,
        "second": result.second,
        "counts": {verdict: count for verdict, count in _counts(result) if count},
        "cells": [
            {
                "backbone": cell.backbone,
                "class_rule": cell.class_rule,
                "train_corpus": cell.train,
                "test_corpus": cell.test,
                "first": cell.first,
                "second": cell.second,
                "difference": cell.difference,
                "low": cell.interval.low if cell.interval else None,
                "high": cell.interval.high if cell.interval else None,
                "interval_unit": cell.interval.unit if cell.interval else None,
                "paired": cell.paired,
                "same_predictions": cell.same_predictions,
                "verdict": cell.verdict,
            }
            for cell in result.cells
        ],
        "averages": [
            {
                "backbone": average.backbone,
                "class_rule": average.class_rule,
                "average": average.name,
                "first": average.first,
                "second": average.second,
                "same_cells": average.same_cells,
            }
            for average in result.averages
        ],
        "record": [
            {"path": entry.path, "first": entry.first, "second": entry.second}
            for entry in result.record
        ],
    }


def _counts(result: RunComparison) -> list[tuple[str, int]]:
    from typing import get_args

    from sercore.results.compare import Verdict

    return [(verdict, result.count(verdict)) for verdict in get_args(Verdict)]


def _show(result: RunComparison, *, everything: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    shown = [cell for cell in result.cells if everything or cell.verdict != "equal"]
    shown.sort(key=lambda cell: -abs(cell.difference or 0.0))
    cut = shown if everything else shown[:_MOST]
    if cut:
        console.print(_cell_table(result, cut))
    if len(cut) < len(shown):
        console.print(f"and {len(shown) - len(cut)} smaller differences: --all shows them\n")
    if result.averages:
        console.print(_average_table(result))
    compared = sum(n for verdict, n in _counts(result) if not verdict.startswith("only"))
    counts = ", ".join(f"{n} {verdict}" for verdict, n in _counts(result) if n)
    console.print(Text(f"{compared} cells in both runs: {counts}"))
    differing = result.count("differs")
    if differing:
        console.print(
            Text(
                f"if no cell truly differed, about {0.05 * compared:.0f} of {compared} would still "
                "be marked 'differs'"
            )
        )
    if not result.record:
        console.print("the records are the same")
        return
    console.print(Text("\nthe records differ:", style="bold"))
    for entry in result.record:
        console.print(
            Text(printable(f"  {entry.path}: {_short(entry.first)} -> {_short(entry.second)}")),
            soft_wrap=True,
        )


def _cell_table(result: RunComparison, cells: list[CellDifference]) -> Table:
    from sercore.results.text import number
    from sercore.results.text import signed

    table = _table("backbone", "train", "test", "rule")
    for name in (result.first, result.second, "difference", "95 % interval", "verdict"):
        table.add_column(plain(name), justify="right")
    for cell in cells:
        around = cell.interval
        add_row(
            table,
            cell.backbone,
            cell.train,
            cell.test,
            cell.class_rule or "in-domain",
            number(cell.first),
            number(cell.second),
            signed(cell.difference),
            f"{signed(around.low)} to {signed(around.high)}" if around else "-",
            cell.verdict,
        )
    return table


def _average_table(result: RunComparison) -> Table:
    from sercore.results.text import number
    from sercore.results.text import signed

    table = _table("backbone", "rule", "average")
    for name in (result.first, result.second, "difference", "same cells"):
        table.add_column(plain(name), justify="right")
    for average in result.averages:
        add_row(
            table,
            average.backbone,
            average.class_rule or "-",
            average.name,
            number(average.first),
            number(average.second),
            "-" if average.difference is None else signed(average.difference),
            "yes" if average.same_cells else "no",
        )
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _short(value: object) -> str:
    text = "(missing)" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
