"""``sercore score``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete_runs
from sercore.cli.text import printable
from sercore.errors import SettingsError
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import ClassRule

if TYPE_CHECKING:
    from sercore.evaluation.metrics import Metric
    from sercore.runs.rescore import Rescored
    from sercore.storage.workspace import Workspace


@click.command()
@click.argument("run", default="default", shell_complete=complete_runs)
@click.option(
    "--class-rule",
    "class_rules",
    multiple=True,
    metavar="NAME",
    help=f"Score under this class rule: {', '.join(ClassRule)}. May be given several times. "
    "[default: those of the run]",
)
@click.option(
    "--adjustment",
    "adjustments",
    multiple=True,
    metavar="NAME",
    help=f"Score with this adjustment: {', '.join(Adjustment)}. May be given several times; the "
    "first one is the headline. [default: those of the run]",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compute this metric, the main metric and the confusion counts. May be given several "
    "times. [default: all metrics]",
)
@click.option(
    "--small-clusters",
    is_flag=True,
    default=None,
    help="Include the small clusters of corpora that the paper's tables leave out.",
)
@click.option("--name", metavar="NAME", help="Name of the new run. [default: <RUN>-rescored]")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def score(ctx: click.Context, /, run: str, **given: Any) -> None:
    """Rescore RUN from its predictions, without training.

    The scores become a new run that 'report' and 'compare' accept. Exit status: 0 all cells are
    scored, 1 some could not be scored.
    """
    from sercore.results.overview import run_overview
    from sercore.results.stored_run import StoredRun
    from sercore.results.stored_run import read_run
    from sercore.results.summary import write_summary
    from sercore.runs.rescore import rescore
    from sercore.runs.rescore import rescored_record
    from sercore.storage.names import run_folder

    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    stored = read_run(workspace, run)
    if stored.bundle is not None or stored.is_published:
        raise SettingsError(
            f"{run} is no run of the workspace, so it cannot be rescored there",
            hint="rescore the run that it was written from",
        )
    name = given["name"] or f"{stored.record.get('rescored_from') or run}-rescored"
    folder = run_folder(name)
    with workspace.claim(folder, f"the run '{name}'"):
        _refuse_other(workspace, name)
        result = rescore(
            stored,
            _metrics(given["metrics"]),
            class_rules=given["class_rules"],
            adjustments=given["adjustments"],
            small_clusters=given["small_clusters"],
        )
        record = rescored_record(stored, name, result)
        workspace.write_table(f"{folder}/scores.parquet", result.scores)
        workspace.write_json(f"{folder}/run.json", record)
        scored = StoredRun(name=name, record=record, scores=result.scores, workspace=workspace)
        write_summary(scored, run_overview(scored))
    if given["as_json"]:
        shared.print_json(_as_json(run, name, workspace.path(folder), result))
    else:
        _show(workspace.path(folder), result)
    ctx.exit(1 if result.problems else 0)


def _as_json(run: str, name: str, folder: str, result: Rescored) -> dict[str, Any]:
    return {
        "run": run,
        "name": name,
        "folder": folder,
        "cells": result.n_cells,
        "scores": result.scores.num_rows,
        "class_rules": list(result.protocol.class_rules),
        "adjustments": list(result.protocol.adjustments),
        "headline": result.protocol.headline,
        "without_predictions": [
            {"class_rule": pair.class_rule, "train_corpus": pair.train, "test_corpus": pair.test}
            for pair in result.without_predictions
        ],
        "problems": list(result.problems),
    }


def _show(folder: str, result: Rescored) -> None:
    from sercore.results.text import plural

    for problem in result.problems:
        click.echo(f"sercore: {printable(problem)}", err=True)
    if result.without_predictions:
        first = result.without_predictions[0]
        pairs = plural(len(result.without_predictions), "pair")
        text = (
            f"sercore: {pairs} of corpora have no stored predictions ({first.train} on "
            f"{first.test} first); run them with --class-rule {first.class_rule}"
        )
        click.echo(printable(text), err=True)
    click.echo(f"{plural(result.n_cells, 'cell')}, {plural(result.scores.num_rows, 'score')}")
    click.echo(printable(f"{folder}/scores.parquet"))


def _metrics(names: tuple[str, ...]) -> tuple[Metric, ...]:
    from sercore.evaluation.metrics import CONFUSION
    from sercore.evaluation.metrics import MAIN_METRIC
    from sercore.plugins.registry import registry

    known = registry().metrics
    if not names:
        return tuple(known)
    wanted = dict.fromkeys((MAIN_METRIC, *names, CONFUSION))
    return tuple(known.get(name) for name in wanted)


def _refuse_other(workspace: Workspace, name: str) -> None:
    """Refuse to overwrite a computed run: a resumed run reuses its scores."""
    path = f"runs/{name}/run.json"
    if workspace.exists(path) and not workspace.read_json(path).get("rescored_from"):
        raise SettingsError(
            f"the run '{name}' exists and was not made by 'sercore score'",
            hint="choose another --name",
        )
