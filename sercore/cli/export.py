"""``sercore export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.bundles.layout import BundleFacts


@click.group()
def export() -> None:
    """Write results, manifests and splits for other groups and other tools."""


@export.command("bundle")
@click.argument("run", default="default")
@click.option(
    "--output", metavar="FILE", help="The bundle. [default: <RUN>.zip in the current folder]"
)
@click.option("--group", metavar="NAME", help="Who computed the run, for leaderboards.")
@click.option("--contact", metavar="TEXT", help="How to reach them, for leaderboards.")
@shared.workspace_option
@shared.config_option
@shared.json_option
def bundle(run: str, **given: Any) -> None:
    """Write the results of RUN as one file to give to others.

    The file holds scores, predictions, the record and digests. It holds no audio, no text, no name
    of an utterance or a speaker, no path and no name of a machine. Commands that take a RUN take
    the file, too.
    """
    from sercore.bundles.write import bundle_of
    from sercore.errors import SettingsError
    from sercore.results.stored_run import PUBLISHED
    from sercore.results.stored_run import read_run

    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    stored = read_run(workspace, run)
    if stored.bundle is not None:
        raise SettingsError(f"{run} is a bundle already", hint="name a run of the workspace")
    if stored.is_published:
        raise SettingsError(
            "the published matrices are part of sercore, so they need no bundle",
            hint=f"name them: sercore report {PUBLISHED}",
        )
    written = bundle_of(
        stored.workspace,
        stored.name,
        stored.record,
        stored.scores,
        group=given["group"],
        contact=given["contact"],
    )
    path = _write(given["output"] or f"{run}.zip", written.data)
    if given["as_json"]:
        shared.print_json({"file": str(path), **_facts(written.facts, len(written.data))})
        return
    _warn(written.facts)
    click.echo(printable(path))


def _facts(facts: BundleFacts, size: int) -> dict[str, Any]:
    return {
        "bytes": size,
        "digest": facts.digest,
        "run": facts.run,
        "group": facts.group,
        "contact": facts.contact,
        "sercore": facts.sercore,
        "plugins": dict(facts.plugins),
        "predictions": facts.predictions,
        "lacking_predictions": facts.lacking,
    }


def _warn(facts: BundleFacts) -> None:
    if facts.lacking:
        click.echo(
            f"sercore: {facts.lacking} of {facts.lacking + facts.predictions} sets of predictions "
            "are not stored, so their cells have intervals over utterances",
            err=True,
        )
    if facts.group is None:
        click.echo(
            "sercore: the bundle names no group; --group NAME says who computed it on leaderboards",
            err=True,
        )


def _write(output: str, data: bytes) -> Path:
    """Write a file, whole or not at all."""
    from sercore.storage.workspace import Workspace

    path = Path(output).expanduser().absolute()
    Workspace(path.parent).write_bytes(path.name, data)
    return path
