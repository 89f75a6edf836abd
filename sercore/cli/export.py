"""``sercore export``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from sercore.cli import options as shared
from sercore.cli.completion import complete
from sercore.cli.completion import complete_runs
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.bundles.layout import BundleFacts
    from sercore.exports.manifests import ExportedCorpus
    from sercore.exports.results import MatrixResult

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def export() -> None:
    """Write results, manifests and splits for other groups and other tools."""


@export.command("bundle")
@click.argument("run", default="default", shell_complete=complete_runs)
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


_FORMATS = ("csv", "audformat", "hf", "croissant")
_RESULT_FORMATS = ("eval-results", "every-eval-ever")


def _corpus_options(function: F) -> F:
    """Add the options that say which corpora and splits are read."""
    for add in (
        shared.json_option,
        shared.config_option,
        shared.workspace_option,
        click.option(
            "--seeds",
            "n_seeds",
            type=click.IntRange(min=1),
            metavar="N",
            help="Split seeds. [default: those of a run of the protocol]",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            metavar="N",
            help="First split seed. [default: 34]",
        ),
        click.option(
            "--protocol",
            metavar="NAME",
            shell_complete=complete("protocols"),
            help="Whose labels and splits. [default: standard]",
        ),
        shared.data_option,
    ):
        function = add(function)
    return function


@export.command("manifest")
@click.argument(
    "datasets",
    nargs=-1,
    required=True,
    metavar="DATASET[=PATH]...",
    shell_complete=complete("corpora"),
)
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="csv", show_default=True)
@click.option(
    "--output", metavar="DIR", help="Receives <DATASET>-<FORMAT>. [default: the current folder]"
)
@click.option("--replace", is_flag=True, help="Replace folders that are there.")
@_corpus_options
def manifest(datasets: tuple[str, ...], format_: str, **given: Any) -> None:
    """Write labels, speakers and splits of corpora for other tools. No audio is copied."""
    from sercore.exports.formats import require_library
    from sercore.exports.formats import write_manifests

    require_library(format_)
    corpora = _corpora(datasets, given)
    folders = write_manifests(
        corpora, format_, Path(given["output"] or "."), replace=given["replace"]
    )
    if given["as_json"]:
        shared.print_json(
            [
                {"dataset": corpus.id, "folder": str(folder), "utterances": len(corpus.emotions)}
                for corpus, folder in zip(corpora, folders, strict=True)
            ]
        )
        return
    for folder in folders:
        click.echo(printable(folder))


@export.command("splits")
@click.argument(
    "datasets",
    nargs=-1,
    required=True,
    metavar="DATASET[=PATH]...",
    shell_complete=complete("corpora"),
)
@click.option("--output", metavar="FILE", help="The table. [default: splits.csv]")
@_corpus_options
def splits(datasets: tuple[str, ...], **given: Any) -> None:
    """Write who trains and who tests as CSV, without labels and paths."""
    from sercore.exports.manifests import csv_of
    from sercore.exports.manifests import splits_table

    table = splits_table(_corpora(datasets, given))
    path = _write(given["output"] or "splits.csv", csv_of(table))
    if given["as_json"]:
        shared.print_json({"file": str(path), "rows": len(table)})
        return
    click.echo(printable(path))


@export.command("results")
@click.argument("run", default="default", shell_complete=complete_runs)
@click.option("--format", "format_", type=click.Choice(_RESULT_FORMATS), required=True)
@click.option(
    "--output", metavar="DIR", help="Receives the files. [default: <FORMAT> in the current folder]"
)
@click.option(
    "--benchmark",
    metavar="OWNER/NAME",
    help="Benchmark data set on the Hugging Face hub, for eval-results.",
)
@click.option("--source-url", metavar="URL", help="Where the results are shown, for eval-results.")
@click.option(
    "--organization", metavar="NAME", help="Who computed them. [default: the group of the bundle]"
)
@click.option(
    "--relationship",
    type=click.Choice(("first_party", "third_party", "collaborative", "other")),
    default="third_party",
    show_default=True,
    help="Of them to who made the backbone, for every-eval-ever.",
)
@shared.workspace_option
@shared.config_option
@shared.json_option
def results(run: str, format_: str, **given: Any) -> None:
    """Write the results of RUN for the Hub or for Every Eval Ever."""
    from sercore.errors import SettingsError
    from sercore.exports.results import results_of
    from sercore.results.stored_run import read_run
    from sercore.storage.workspace import Workspace

    workspace = shared.open_workspace(given["workspace"], shared.load_settings(given["config"]))
    stored = read_run(workspace, run)
    found = results_of(stored)
    if not found:
        raise SettingsError(
            f"the run '{stored.name}' has no result of real corpora",
            hint="demo data are no results",
        )
    group = stored.bundle.group if stored.bundle else None
    files = _result_files(format_, found, {**given, "group": group})
    if not files:
        raise SettingsError(
            f"no backbone of the run '{stored.name}' is on the Hugging Face hub",
            hint="choose --format every-eval-ever",
        )
    place = Workspace(given["output"] or format_)
    for name, data in files.items():
        place.write_bytes(name, data)
    if given["as_json"]:
        shared.print_json({"files": [place.path(name) for name in files]})
        return
    for name in files:
        click.echo(printable(place.path(name)))


def _result_files(
    format_: str, found: list[MatrixResult], given: dict[str, Any]
) -> dict[str, bytes]:
    if format_ == "eval-results":
        from sercore.exports.eval_results import eval_results_files

        if given["benchmark"] is None:
            raise click.UsageError(
                "--format eval-results needs --benchmark OWNER/NAME: a result on the hub belongs "
                "to a benchmark data set there."
            )
        return eval_results_files(found, given["benchmark"], given["source_url"])
    from sercore.exports.every_eval_ever import every_eval_ever_files

    organization = given["organization"] or given["group"]
    if organization is None:
        raise click.UsageError("--format every-eval-ever needs --organization NAME.")
    return every_eval_ever_files(found, organization, given["relationship"])


def _corpora(datasets: tuple[str, ...], given: dict[str, Any]) -> list[ExportedCorpus]:
    from sercore.cli.reading import show_reading
    from sercore.exports.manifests import read_corpora
    from sercore.plugins.registry import registry
    from sercore.runs.selection import BASE_SEED

    settings = shared.load_settings(given["config"])
    chosen, settings = shared.parse_datasets(datasets, settings)
    protocol = registry().protocols.get(given["protocol"] or "standard")
    first = BASE_SEED if given["seed"] is None else given["seed"]
    with show_reading(quiet=given["as_json"]) as progress:
        return read_corpora(
            chosen,
            protocol,
            range(first, first + (given["n_seeds"] or protocol.n_seeds)),
            data=shared.data_folders(given["data"], settings),
            settings=settings,
            registry=registry(),
            workspace=shared.open_workspace(given["workspace"], settings),
            progress=progress,
            note=lambda text: click.echo(f"sercore: {printable(text)}", err=True),
        )
