"""``sercore check``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.diagnostics.precision_parity import PrecisionParity
    from sercore.testing.checking import ContractResult

_KINDS = (*("dataset", "backbone", "mapper", "metric", "probe", "protocol", "executor", "tracker"),)


@click.command()
@click.argument("name", metavar="ID")
@click.option("--kind", type=click.Choice(_KINDS), help="Which of several plugins of this name.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="Folder or archive with files of a corpus. [default: where it is found]",
)
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float16"]),
    help="Compare the frames of a backbone in this precision with float32 instead.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--offline", is_flag=True, help="Use only weights that are on this machine.")
@shared.data_option
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def check(ctx: click.Context, /, name: str, **given: Any) -> None:
    """Check whether an installed plugin keeps its contract.

    ID is a registered name of any kind: corpus, backbone, mapper, metric, probe, protocol,
    executor; or the name of the entry point of a tracker. The contracts are pytest tests.

    With --dtype, ID is a backbone or hf:PATH_OR_REPO, a variant follows after a colon, and its
    frames in reduced precision are compared with float32, alone and in a batch.

    Exit status: 0 passed, 1 error, or a test failed or a difference exceeds its limit, 2 usage.
    """
    settings = shared.load_settings(given["config"])
    if given["dtype"] is not None:
        offline = given["offline"] or settings.offline or shared.hub_is_offline()
        parity = _parity(name, given["dtype"], given["device"], offline=offline)
        if given["as_json"]:
            shared.print_json(parity.as_dict())
        else:
            _print_parity(parity)
        ctx.exit(0 if parity.passed else 1)
    from sercore.testing.checking import check_contract
    from sercore.testing.checking import require_pytest

    require_pytest()
    from sercore.testing.contracts import find_installed

    installed = find_installed(name, given["kind"])
    folder = given["folder"]
    if installed.kind == "backbone":  # without weights there is one thing to say
        installed.thing.resolve(offline=True)
    if installed.kind == "dataset" and folder is None:
        from sercore.corpora.locate import locate

        data = shared.data_folders(given["data"], settings)
        workspace = shared.open_workspace(given["workspace"], settings)
        folder = locate(installed.thing, data, settings, workspace)
    result = check_contract(installed, folder)
    if given["as_json"]:
        shared.print_json({**asdict(result), "passed": result.passed})
    else:
        _print_verdict(result)
    ctx.exit(0 if result.passed else 1)


_MARKS = {"passed": "ok", "skipped": "skipped", "failed": "FAILED"}


def _print_verdict(result: ContractResult) -> None:
    for clause in result.clauses:
        reason = f": {clause.reason}" if clause.reason else ""
        click.echo(printable(f"{_MARKS[clause.outcome]:8}{clause.sentence}{reason}"))
    counts = ", ".join(
        f"{result.count(outcome)} {outcome}"
        for outcome in ("passed", "failed", "skipped")
        if result.count(outcome)
    )
    verdict = "keeps its contract" if result.passed else "does not keep its contract"
    click.echo(printable(f"{result.kind} {result.id} ({result.distribution}) {verdict}: {counts}"))


def _parity(name: str, dtype: str, device: str, *, offline: bool) -> PrecisionParity:
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import split_name
    from sercore.devices import set_threads
    from sercore.devices import usable_device
    from sercore.diagnostics.precision_parity import measure_parity
    from sercore.plugins.registry import registry

    found = registry().backbone(name, offline=offline)
    checkpoint = found.resolve(offline=offline)
    set_threads()
    _, variant = split_name(name)
    options = EncoderOptions(variant=variant, dtype=dtype, device=usable_device(device))
    return measure_parity(name, found, checkpoint, options)


def _print_parity(parity: PrecisionParity) -> None:
    revision = f" at {parity.revision}" if parity.revision else ""
    checkpoint = f"{parity.checkpoint}{revision}, digest {parity.digest[:16]}"
    click.echo(printable(f"{parity.backbone}: {checkpoint}"))
    if parity.difference is None:
        click.echo(f"{parity.dtype} on {parity.device}: some values are not finite")
    else:
        click.echo(
            f"{parity.dtype} on {parity.device}: frames differ from float32 by "
            f"{parity.difference:.1e} (limit {parity.limit:.0e}), "
            f"smallest cosine {parity.least_cosine:.4f}"
        )
    click.echo(
        f"in a batch: frames differ by {parity.batch_difference:.1e} "
        f"(limit {parity.batch_limit:.0e})"
    )
    speeds = ", ".join(f"{dtype} {speed:.1f}x" for dtype, speed in parity.real_time.items())
    click.echo(f"speed relative to real time: {speeds}")
    click.echo(f"largest value: {parity.largest_value:.4g} (float16 holds up to 65504)")
    click.echo("passed" if parity.passed else "failed: a difference exceeds its limit")
