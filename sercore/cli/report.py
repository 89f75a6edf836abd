"""``sercore report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete
from sercore.cli.completion import complete_runs
from sercore.cli.text import printable
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.reports.views import Content
    from sercore.reports.views import LeakGap
    from sercore.reports.views import Verdicts


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_runs)
@click.option(
    "--output", metavar="DIR", help="Folder of the files. [default: runs/<first RUN>/report]"
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="LIST",
    help="html, md, latex, csv, parquet, png, svg, pdf or all; separate several with commas. "
    "[default: html]",
)
@click.option(
    "--metric",
    metavar="NAME",
    shell_complete=complete("metrics"),
    help="Report this metric. [default: macro-f1]",
)
@click.option(
    "--adjustment",
    metavar="NAME",
    help="Report this adjustment out of domain. [default: the headline of the run]",
)
@click.option(
    "--rope",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Differences up to this are practically zero.",
)
@click.option(
    "--rank-tests",
    is_flag=True,
    help="Add Friedman's test with Nemenyi's, and Wilcoxon's with Holm's correction.",
)
@click.option(
    "--site",
    metavar="DIR",
    help="Write a leaderboard of all RUNs into this folder, in place of a report.",
)
@click.option("--common-cells", is_flag=True, help="Use only the cells that all backbones have.")
@shared.workspace_option
@shared.config_option
@shared.json_option
def report(runs: tuple[str, ...], **given: Any) -> None:
    """Write tables, figures and an HTML page of one or several runs.

    RUN is the name of a run, the path of a bundle that 'sercore export bundle' wrote, or
    'published': the matrices of the paper. It defaults to 'default'. Two runs on the same corpora,
    one with --protocol random-kfold and one with --protocol speaker-disjoint, also show the leak
    gap between them.
    """
    if given["site"] is not None:
        _write_site(runs, given)
        return
    from sercore.reports.content import build_content
    from sercore.reports.write import require_libraries
    from sercore.reports.write import write_report
    from sercore.results.stored_run import read_run
    from sercore.storage.workspace import Workspace

    formats = _formats(given["formats"])
    require_libraries(formats)
    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    names = dict.fromkeys(runs or ("default",))
    stored = [read_run(workspace, name) for name in names]
    content = build_content(
        stored,
        metric=given["metric"],
        adjustment=given["adjustment"],
        common=given["common_cells"],
        rope=given["rope"],
        rank_tests=given["rank_tests"],
    )
    _refuse_nothing(content, given["metric"], given["adjustment"])
    if given["output"] is None:
        place, folder = workspace, stored[0].report_folder
    else:
        place, folder = Workspace(given["output"]), ""
    written = [place.path(path) for path in write_report(content, place, folder, formats)]
    if given["as_json"]:
        shared.print_json(_summary(content, written))
        return
    for notice in content.notices:
        click.echo(printable(f"{notice.title}: {notice.text}"), err=True)
    pages = [path for path in written if Path(path).parent.name != "figures"]
    for path in pages:
        click.echo(printable(path))
    if len(pages) < len(written):
        figure = next(path for path in written if path not in pages)
        click.echo(printable(f"{Path(figure).parent} ({len(written) - len(pages)} figures)"))


_OF_A_REPORT = ("output", "formats", "metric", "adjustment", "rank_tests", "common_cells")


def _write_site(runs: tuple[str, ...], given: dict[str, Any]) -> None:
    """Write a leaderboard, and say what in it needs attention."""
    from sercore.reports.site import build_site
    from sercore.results.stored_run import read_run
    from sercore.storage.workspace import Workspace

    unused = [name for name in _OF_A_REPORT if given[name]]
    if unused:
        option = {"formats": "format"}.get(unused[0], unused[0]).replace("_", "-")
        raise click.UsageError(f"--{option} does not apply to --site.")
    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    stored = [read_run(workspace, name) for name in dict.fromkeys(runs or ("default",))]
    built = build_site(stored, Workspace(given["site"]))
    if given["as_json"]:
        shared.print_json(built.summary())
        return
    if built.conflicts:
        click.echo(
            f"sercore: {built.conflicts} rows are in conflict: groups report other scores for the "
            "same weights, data and seeds; the page marks them",
            err=True,
        )
    click.echo(printable(built.page))


def _formats(values: tuple[str, ...]) -> tuple[str, ...]:
    from sercore.reports.write import FORMATS

    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if "all" in names:
        return FORMATS
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise SettingsError(
            f"there is no report format '{unknown[0]}'",
            hint=f"choose among {', '.join(FORMATS)}, all",
        )
    return tuple(dict.fromkeys(names)) or ("html",)


def _refuse_nothing(content: Content, metric: str | None, adjustment: str | None) -> None:
    """Refuse a metric or adjustment without scores: the report would look like an empty run."""
    if not content.groups and (metric or adjustment):
        asked = " and ".join(
            f"{name} '{value}'"
            for name, value in (("metric", metric), ("adjustment", adjustment))
            if value
        )
        raise SettingsError(
            f"no score of {content.title} has the {asked}",
            hint="'sercore score' computes more scores from stored predictions",
        )


def _summary(content: Content, written: list[str]) -> dict[str, Any]:
    from sercore.reports.flat import averages_table

    return {
        "runs": [run.name for run in content.runs],
        "files": written,
        "notices": [
            {"kind": notice.kind, "title": notice.title, "text": notice.text}
            for notice in content.notices
        ],
        "groups": [
            {
                "id": group.id,
                "run": group.run,
                "title": group.title,
                "not_ranked": group.refusal,
                "backbones": [result.backbone for result in group.backbones],
                "verdicts": [_verdicts(verdicts) for verdicts in group.verdicts],
            }
            for group in content.groups
        ],
        "averages": averages_table(content).to_pylist(),
        "leak_gaps": [
            {
                "random_kfold": table.random.run,
                "speaker_disjoint": table.disjoint.run,
                "mean": None if table.mean is None else table.mean.value,
                "low": None if table.mean is None else table.mean.low,
                "high": None if table.mean is None else table.mean.high,
                "cells": [_gap(gap) for gap in table.gaps],
                "refused": [refused._asdict() for refused in table.refused],
            }
            for table in content.leaks
        ],
    }


def _verdicts(verdicts: Verdicts) -> dict[str, Any]:
    """Return the verdicts about one average; each scope has a list of its own."""
    from dataclasses import asdict

    other = verdicts.other_corpora
    return {
        "average": verdicts.average,
        "rope": verdicts.rope,
        "not_compared": verdicts.refusal,
        "other_corpora": None if other is None else asdict(other),
        "these_corpora": [asdict(pair) for pair in verdicts.these_corpora],
        "rank_tests": None if verdicts.ranks is None else asdict(verdicts.ranks),
    }


def _gap(gap: LeakGap) -> dict[str, Any]:
    return {
        "backbone": gap.backbone,
        "corpus": gap.corpus,
        "random_kfold": gap.paired.random,
        "speaker_disjoint": gap.paired.disjoint,
        "gap": gap.paired.interval.value,
        "low": gap.paired.interval.low,
        "high": gap.paired.interval.high,
        "interval_notes": list(gap.paired.interval.notes),
        "shared_speakers": gap.random.cell.shared_speakers,
        "shared_texts": gap.random.cell.shared_texts,
    }
