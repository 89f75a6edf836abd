"""``sercore compare``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete_runs
from sercore.cli.text import plain
from sercore.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from sercore.results.compare import AverageDifference
    from sercore.results.compare import CellDifference
    from sercore.results.compare import RunComparison
    from sercore.results.sides import Choice
    from sercore.statistics.intervals import Interval

_MOST = 20
_PIPED_WIDTH = 100
_TWICE = "Given twice: of FIRST and of SECOND."


@click.command()
@click.argument("first", shell_complete=complete_runs)
@click.argument("second", required=False, shell_complete=complete_runs)
@click.option("--all", "everything", is_flag=True, help="Also show cells that do not differ.")
@click.option("--metric", metavar="NAME", help="Compare this metric. [default: macro-f1]")
@click.option(
    "--adjustment",
    "adjustments",
    multiple=True,
    metavar="NAME",
    help=f"Adjustment out of domain. {_TWICE} [default: the headline of each run]",
)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="NAME",
    help=f"Compare this probe. {_TWICE} [default: each probe with itself]",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help=f"Compare this layer. {_TWICE} [default: each layer with itself]",
)
@shared.workspace_option
@click.option(
    "--other-workspace", metavar="DIR", help="Workspace of SECOND. [default: the same workspace]"
)
@shared.config_option
@shared.json_option
def compare(first: str, second: str | None, **given: Any) -> None:
    """Show which cells of two runs differ, by how much, and what else differs.

    Differences are SECOND minus FIRST. Without SECOND, two probes, layers or adjustments of FIRST
    are compared. A run can be 'published' (the matrices of the paper) or the path of a bundle. A
    cell differs if the 95 % interval of the difference, over speakers and seeds, does not contain
    zero; with fewer than three seeds nothing is decided.
    """
    from sercore.results.compare import compare_runs
    from sercore.results.stored_run import read_run
    from sercore.storage.workspace import Workspace

    choices = _choices(given)
    if second is None:
        if choices[0] == choices[1]:
            raise click.UsageError(
                "Name a SECOND run, or give --probe, --layer or --adjustment twice."
            )
        second = first
    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    other = Workspace(given["other_workspace"]) if given["other_workspace"] else workspace
    result = compare_runs(
        read_run(workspace, first),
        read_run(other, second),
        metric=given["metric"],
        choices=choices,
    )
    if given["as_json"]:
        shared.print_json(_as_json(result))
    else:
        _show(result, everything=given["everything"])


def _choices(given: dict[str, Any]) -> tuple[Choice, Choice]:
    from sercore.results.sides import Choice

    sides: list[dict[str, str]] = [{}, {}]
    for option, name in (("adjustments", "adjustment"), ("probes", "probe"), ("layers", "layer")):
        values = given[option]
        if len(values) > 2:
            raise click.UsageError(f"--{name} can be given twice at most: of FIRST and of SECOND.")
        if values:
            sides[0][name], sides[1][name] = values[0], values[-1]
    return Choice(**sides[0]), Choice(**sides[1])


def _as_json(result: RunComparison) -> dict[str, Any]:
    return {
        "first": result.first,
        "second": result.second,
        "counts": {verdict: count for verdict, count in _counts(result) if count},
        "cells": [
            {
                "backbone": cell.backbone,
                "probe": cell.probe,
                "layer": cell.layer,
                "class_rule": cell.class_rule,
                "train_corpus": cell.train,
                "test_corpus": cell.test,
                "first": cell.first,
                "second": cell.second,
                "difference": cell.difference,
                **_interval(cell.interval),
                "paired": cell.paired,
                "same_predictions": cell.same_predictions,
                "verdict": cell.verdict,
            }
            for cell in result.cells
        ],
        "averages": [
            {
                "backbone": average.backbone,
                "title": average.title,
                "class_rule": average.class_rule,
                "corpora": average.corpora,
                "average": average.name,
                "first": average.first,
                "second": average.second,
                "difference": average.difference,
                **_interval(average.interval),
                "same_cells": average.same_cells,
                "verdict": average.verdict,
            }
            for average in result.averages
        ],
        "unrecorded": result.unrecorded,
        "record": [
            {"path": entry.path, "first": entry.first, "second": entry.second}
            for entry in result.record
        ],
    }


def _interval(around: Interval | None) -> dict[str, Any]:
    return {
        "low": around.low if around else None,
        "high": around.high if around else None,
        "interval_unit": around.unit if around else None,
        "interval_notes": list(around.notes) if around else None,
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
    console.print(Text(printable(f"first: {result.first} · second: {result.second}")))
    console.print()
    paired = [cell for cell in result.cells if cell.difference is not None]
    shown = [cell for cell in paired if everything or cell.verdict != "equal"]
    shown.sort(key=lambda cell: -abs(cell.difference or 0.0))
    cut = shown if everything else shown[:_MOST]
    alone = [cell for cell in result.cells if cell.difference is None] if everything else []
    titles = _titles(result)
    for title in dict.fromkeys(titles[cell] for cell in (*cut, *alone)):
        own = [cell for cell in (*cut, *alone) if titles[cell] == title]
        console.print(_cell_table(title, own))
    if len(cut) < len(shown):
        console.print(f"and {len(shown) - len(cut)} smaller differences: --all shows them\n")
    for title in dict.fromkeys(average.title for average in result.averages):
        averages = [average for average in result.averages if average.title == title]
        console.print(_average_table(title, averages))
    for line in _closing_lines(result, everything=everything):
        console.print(Text(line))
    _show_record(result, console)


def _show_record(result: RunComparison, console: Console) -> None:
    from rich.text import Text

    if result.unrecorded is not None:
        console.print(
            Text(f"'{result.unrecorded}' has no record: the paper states its settings in words")
        )
        return
    if not result.record:
        console.print("the records are the same")
        return
    console.print(Text("\nthe records differ:", style="bold"))
    for entry in result.record:
        console.print(
            Text(printable(f"  {entry.path}: {_short(entry.first)} -> {_short(entry.second)}")),
            soft_wrap=True,
        )


def _titles(result: RunComparison) -> dict[CellDifference, str]:
    """Return the title of the table of each cell: class rules share no table."""
    rules: dict[str, set[str]] = {}
    for cell in result.cells:
        rules.setdefault(cell.title, set()).update({cell.class_rule} - {None})  # type: ignore[arg-type]
    titles = {}
    for cell in result.cells:
        own = rules[cell.title]
        rule = cell.class_rule or "in-domain" if len(own) > 1 else next(iter(own), None)
        titles[cell] = f"{cell.title} · {rule}" if rule else cell.title
    return titles


def _closing_lines(result: RunComparison, *, everything: bool) -> list[str]:
    """Return the counts, and what they do not say."""
    counts = dict(_counts(result))
    alone = {name: counts.pop(name) for name in ("only-first", "only-second")}
    compared = sum(counts.values())
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    lines = [f"{compared} cells in both runs: {listed}"]
    if any(alone.values()):
        more = "" if everything else ": --all lists them"
        lines.append(
            f"{alone['only-first']} cells are in the first run only, {alone['only-second']} in the "
            f"second only{more}"
        )
    outside = [cell for cell in result.cells if cell.train != cell.test]
    if outside and all(cell.first is None or cell.second is None for cell in outside):
        lines.append("no out-of-domain cell is in both: class rules or corpora differ")
    if counts["unknown"]:
        lines.append(
            "unknown: there is no interval, because one run has neither predictions nor counts"
        )
    if counts["not-decided"]:
        lines.append(
            "not-decided: fewer than three seeds, so the noise of training is not known; run both "
            "with --seeds 3"
        )
    if counts["differs"]:
        lines.append(
            f"if no cell truly differed, about {0.05 * compared:.0f} of {compared} would still be "
            "marked 'differs'"
        )
    return lines


def _cell_table(title: str, cells: Sequence[CellDifference]) -> Table:
    from sercore.results.text import number

    table = _table(title, "train", "test")
    for name in ("first", "second", "difference", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in cells:
        table.add_row(
            plain(cell.train),
            plain(cell.test),
            number(cell.first),
            number(cell.second),
            _difference(cell.difference, cell.interval),
            cell.verdict,
        )
    return table


def _average_table(title: str, averages: Sequence[AverageDifference]) -> Table:
    from sercore.results.text import number

    table = _table(title, "average")
    for name in ("first", "second", "difference", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    for average in averages:
        table.add_row(
            average.name,
            number(average.first),
            number(average.second),
            _difference(average.difference, average.interval),
            average.verdict if average.same_cells else "other cells",
        )
    return table


def _difference(value: float | None, around: Interval | None) -> str:
    from sercore.results.text import interval_ends
    from sercore.results.text import signed

    if value is None:
        return "-"
    return signed(value) + (f" {interval_ends(around.low, around.high)}" if around else "")


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=plain(title),
        title_justify="left",
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _short(value: object) -> str:
    text = "(missing)" if value is None else str(value)
    if re.fullmatch(r"[0-9a-f]{40,64}", text):
        return text[:12]  # a digest or a commit
    return text if len(text) <= 80 else f"{text[:77]}..."
