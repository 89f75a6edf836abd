"""``sercore run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal
from typing import cast
from typing import get_args

import click

from sercore.backbones.interface import AudioPath
from sercore.cli import options as shared
from sercore.cli.completion import complete
from sercore.cli.completion import complete_runs
from sercore.cli.text import printable
from sercore.corpora.interface import READINGS
from sercore.errors import SettingsError
from sercore.evaluation.protocols import ClassRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sercore.backbones.interface import BackboneCard
    from sercore.runs.api import Prepared
    from sercore.runs.events import Observer
    from sercore.runs.events import RunOptions
    from sercore.runs.selection import Selection
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every corpus found x every backbone.")
@click.option(
    "--demo", is_flag=True, help="Include the synthetic corpora and the baseline backbone."
)
@shared.dataset_option
@click.option(
    "--corpora",
    "sets",
    multiple=True,
    metavar="SET",
    help="Every corpus found of a named set: paper, extended; repeat for several.",
)
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    metavar="NAME",
    shell_complete=complete("backbones"),
    help="Name of a backbone, or hf:PATH_OR_REPO; repeat for several.",
)
@shared.data_option
@click.option(
    "--protocol",
    "protocol_name",
    default="standard",
    show_default=True,
    metavar="NAME",
    shell_complete=complete("protocols"),
    help="Protocol: see 'sercore list protocols'.",
)
@click.option(
    "--accept-shared-speakers",
    is_flag=True,
    help="Use published folds (official:NAME) even if a speaker is on both sides.",
)
@click.option(
    "--class-rule",
    "class_rules",
    multiple=True,
    type=click.Choice([*map(str, ClassRule)]),
    help="Classes on which a pair of corpora is scored; repeat for several. [default: cluster]",
)
@click.option(
    "--small-clusters",
    is_flag=True,
    help="Include the small clusters of corpora that the paper's tables leave out.",
)
@click.option(
    "--labels",
    "mapper",
    metavar="NAME",
    shell_complete=complete("label_mappers"),
    help="Label mapper: see 'sercore list mappers'.",
)
@click.option("--reading", type=click.Choice(READINGS), help="The subset of utterances.")
@click.option(
    "--audio-path", type=click.Choice(get_args(AudioPath)), help="How audio is resampled."
)
@click.option("--folds", "n_folds", type=click.IntRange(2), help="Folds of a k-fold protocol.")
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="NAME",
    shell_complete=complete("probes"),
    help="Probe: see 'sercore list probes'; repeat for one matrix per probe. [default: framewise]",
)
@click.option(
    "--layer",
    default="last",
    show_default=True,
    metavar="last|N|all",
    help="Layer of the frames; 'all' sweeps over stored means, for probes that pool.",
)
@click.option("--seed", type=int, default=34, show_default=True, help="Seed of the first split.")
@click.option(
    "--seeds",
    "n_seeds",
    type=click.IntRange(1),
    help="Number of splits and trainings; verdicts about backbones need three. Frames are "
    "extracted once for all seeds. [default: 3 for the protocol standard, else 1]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Where encoders and probes run.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Precision of the encoder.",
)
@click.option(
    "--frame-budget",
    metavar="N|auto",
    help="Frames in one encoder batch; 'auto' measures what the memory of the device holds.",
)
@click.option(
    "--layer-means/--no-layer-means", default=True, help="Store the mean frames of all layers."
)
@click.option(
    "--cache-budget",
    metavar="SIZE",
    help="Space for frames, for example 200GB: the frames of backbones that are finished are "
    "removed to keep to it. [default: keep all frames]",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of a task. [default: those of the earlier run of this name, else all processors]",
)
@click.option(
    "--overlap/--no-overlap",
    default=None,
    help="Train probes while the next corpus is extracted; stages then share the CPU's threads. "
    "[default: unless the device is the CPU]",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    shell_complete=complete("executors"),
    help="Where tasks run: see 'sercore list executors'.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Do the I-th of N shares of the tasks, without scores; the same command without --shard "
    "collects them.",
)
@click.option(
    "--name",
    metavar="NAME",
    shell_complete=complete_runs,
    help="Name of the run. [default: default, or the next free name if that would lose cells]",
)
@click.option(
    "--replace", is_flag=True, help="Allow a run of this name to be replaced by a smaller one."
)
@shared.workspace_option
@shared.config_option
@click.option(
    "--download",
    is_flag=True,
    help="Download the weights that are missing, and snapshots of datasets of your own from the "
    "Hub. The sizes of weights are printed first; a terminal asks without this option, too.",
)
@click.option("--offline", is_flag=True, help="Do not use the network.")
@click.option("--dry-run", is_flag=True, help="Print what a run would do, and do nothing.")
@click.option("--quiet", is_flag=True, help="Print only errors.")
@shared.json_option
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> None:
    """Evaluate corpora x backbones and draw the matrix.

    Choose what to run with --all, --corpora, --dataset and --backbone. Without --corpora and
    --dataset, every corpus that is found is used; without --backbone, every backbone that is
    installed. A second run of the same
    name computes only what is missing. Exit status: 0 all done, 1 something failed, 2 usage, 3
    something that was named is missing, 130 interrupted.
    """
    from sercore.runs.api import execute

    if given["dry_run"]:
        ctx.exit(_dry_run(given))
    quiet = given["quiet"] or given["as_json"]
    prepared = prepare_run(given, quiet=quiet)
    if given["shard"] is not None:
        from sercore.cli.shard import run_share

        ctx.exit(run_share(prepared, given["shard"], chosen_options(given), given))
    result = execute(
        prepared,
        _observer(quiet=given["quiet"], as_json=given["as_json"]),
        chosen_options(given),
        given["executor"],
    )
    ctx.exit(result.exit_status)


def _may_download(cards: Sequence[BackboneCard], given: dict[str, Any], *, quiet: bool) -> bool:
    """Print the sizes of missing weights, and return whether the user wants to download them."""
    import sys

    from sercore.cli.dry_run import download_size
    from sercore.results.text import plural

    if not given["download"] and (quiet or not (sys.stdin.isatty() and sys.stderr.isatty())):
        return False
    if not quiet:
        for card in cards:
            click.echo(f"weights of {card.id}: {printable(download_size(card))}", err=True)
    if given["download"]:
        return True
    question = f"Download the weights of {plural(len(cards), 'backbone')}?"
    return click.confirm(question, default=False, err=True)


def prepare_run(given: dict[str, Any], *, quiet: bool) -> Prepared:
    """Return the plan that the options ask for.

    Args:
        given: the options of ``sercore run``.
        quiet: show no progress while recordings are read.
    """
    from sercore.cli.reading import show_reading
    from sercore.runs.api import prepare

    selection, settings, workspace = _select(given)
    with show_reading(quiet=quiet) as progress:
        prepared = prepare(
            selection,
            settings,
            workspace,
            download=False,
            fetch=given["download"],
            progress=progress,
        )
    if prepared.plan.downloads and _may_download(prepared.plan.downloads, given, quiet=quiet):
        prepared = prepare(selection, settings, workspace, download=True)
    return prepared


def _dry_run(given: dict[str, Any]) -> int:
    from sercore.cli.dry_run import show_dry_run
    from sercore.runs.api import prepare
    from sercore.storage.trial import on_trial

    selection, settings, workspace = _select(given)
    with on_trial(workspace) as trial:
        prepared = prepare(selection, settings, trial, download=False)
        return show_dry_run(prepared, as_json=given["as_json"])


def _select(given: dict[str, Any]) -> tuple[Selection, Settings, Workspace]:
    chosen = ("everything", "demo", "datasets", "sets", "backbones")
    if not any(given[name] for name in chosen):
        raise click.UsageError(
            "Say what to run: --all for everything, --corpora, --dataset and --backbone for a "
            "part, "
            "--all --demo for a first look without data."
        )
    settings = shared.load_settings(given["config"])
    _refuse_unusable(given, settings)
    given["offline"] = given["offline"] or settings.offline or shared.hub_is_offline()
    workspace = shared.open_workspace(given["workspace"], settings)
    datasets, settings = shared.parse_datasets(given["datasets"], settings)
    selection = _selection(given, shared.data_folders(given["data"], settings), datasets)
    return selection, settings, workspace


def chosen_options(given: dict[str, Any]) -> RunOptions:
    """Return how the run works."""
    from sercore.runs.events import RunOptions

    return RunOptions(
        name=given["name"],
        replace=given["replace"],
        threads=given["threads"],
        overlap=given.get("overlap"),
        frame_budget=_frame_budget(given["frame_budget"]),
        layer_means=given["layer_means"],
        cache_budget=_cache_budget(given.get("cache_budget")),
    )


def _refuse_unusable(given: dict[str, Any], settings: Settings) -> None:
    """Refuse what cannot be used before planning, which may read much audio."""
    from sercore.executors.options import executor_options
    from sercore.plugins.registry import registry
    from sercore.storage.names import check_name

    if given["name"] is not None:
        check_name(given["name"], "the run name")
    name = given.get("executor", "local")
    executor = registry().executors.get(name)
    executor_options(executor, settings.executors.get(name, {}), settings.source)
    if given.get("shard") is not None:
        from sercore.runs.shard import Share

        Share.parse(given["shard"])
        if name != "local":
            raise SettingsError(
                "--shard does its share in this process, not through an executor",
                hint="leave out --executor",
            )


def _selection(
    given: dict[str, Any], data: tuple[Path, ...], datasets: dict[str, Path | None]
) -> Selection:
    from sercore.plugins.registry import registry
    from sercore.runs.selection import select

    plain = (
        *("everything", "demo", "sets", "backbones", "class_rules", "small_clusters", "mapper"),
        *("accept_shared_speakers", "reading"),
        *("audio_path", "n_folds", "probes", "layer", "layer_means", "seed", "n_seeds"),
        *("device", "dtype", "offline"),
    )
    return select(
        registry(),
        datasets=datasets,
        data=data,
        protocol=given["protocol_name"],
        is_local=given.get("executor") == "local",
        **{name: given[name] for name in plain},
    )


def _cache_budget(text: str | None) -> int | None:
    from sercore.storage.sizes import parse_size

    return None if text is None else parse_size(text)


def _frame_budget(text: str | None) -> int | Literal["auto"] | None:
    if text is None or text == "auto":
        return cast('Literal["auto"] | None', text)
    if not text.isdigit() or not int(text):
        raise SettingsError(f"--frame-budget takes a positive number or 'auto', not '{text}'")
    return int(text)


def _observer(*, quiet: bool, as_json: bool) -> Observer:
    import sys

    from sercore.cli import observers

    if as_json:
        return observers.JsonObserver()
    if quiet:
        return observers.QuietObserver()
    if sys.stdout.isatty():
        return observers.LiveObserver()
    return observers.LineObserver()
