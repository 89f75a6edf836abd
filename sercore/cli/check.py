"""``sercore check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from sercore.diagnostics.precision_parity import PrecisionParity


@click.command()
@click.argument("backbone", metavar="BACKBONE")
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float16"]),
    default="bfloat16",
    show_default=True,
    help="Reduced precision to compare with float32.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--offline", is_flag=True, help="Use only weights that are on this machine.")
@shared.config_option
@shared.json_option
@click.pass_context
def check(
    ctx: click.Context,
    /,
    backbone: str,
    dtype: str,
    device: str,
    offline: bool,  # noqa: FBT001 - click passes flags so
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Compare a backbone's frames in reduced precision with float32.

    BACKBONE is a registered name or hf:PATH_OR_REPO; a variant follows after a colon. The command
    also compares the frames of an utterance alone and in a batch.

    Exit status: 0 the same, 1 error, or a difference exceeds its limit, 2 usage.
    """
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import split_name
    from sercore.devices import set_threads
    from sercore.devices import usable_device
    from sercore.diagnostics.precision_parity import measure_parity
    from sercore.plugins.registry import registry

    settings = shared.load_settings(config)
    offline = offline or settings.offline or shared.hub_is_offline()
    found = registry().backbone(backbone, offline=offline)
    checkpoint = found.resolve(offline=offline)
    set_threads()
    _, variant = split_name(backbone)
    options = EncoderOptions(variant=variant, dtype=dtype, device=usable_device(device))
    parity = measure_parity(backbone, found, checkpoint, options)
    if as_json:
        shared.print_json(parity.as_dict())
    else:
        _print(parity)
    ctx.exit(0 if parity.passed else 1)


def _print(parity: PrecisionParity) -> None:
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
