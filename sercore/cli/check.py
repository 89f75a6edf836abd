"""``sercore check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared

if TYPE_CHECKING:
    from sercore.diagnostics.precision_parity import Parity


@click.command()
@click.argument("backbone", metavar="ID")
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float16"]),
    default="bfloat16",
    show_default=True,
    help="The precision that is compared with float32.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--offline", is_flag=True, help="Never ask the network.")
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

    ID is a backbone's name or hf:PATH_OR_REPO, with a variant after a colon. Frames alone and in a
    batch are compared too. Exit status 1 if a difference is beyond its limit.
    """
    from sercore.backbones.interface import EncoderOptions
    from sercore.backbones.interface import split_name
    from sercore.devices import choose_device
    from sercore.devices import set_threads
    from sercore.diagnostics.precision_parity import check_parity
    from sercore.plugins.registry import registry

    settings = shared.load_settings(config)
    offline = offline or settings.offline or shared.hub_is_offline()
    found = registry().backbone(backbone, offline=offline)
    checkpoint = found.resolve(offline=offline)
    set_threads()
    _, variant = split_name(backbone)
    options = EncoderOptions(variant=variant, dtype=dtype, device=choose_device(device))
    parity = check_parity(backbone, found, checkpoint, options)
    if as_json:
        shared.print_json(parity.as_dict())
    else:
        _print(parity)
    ctx.exit(0 if parity.is_well else 1)


def _print(parity: Parity) -> None:
    revision = f" at {parity.revision}" if parity.revision else ""
    click.echo(f"{parity.backbone}: {parity.checkpoint}{revision}, digest {parity.digest[:16]}")
    if parity.difference is None:
        click.echo(f"{parity.dtype} on {parity.device}: frames are not finite")
    else:
        click.echo(
            f"{parity.dtype} on {parity.device}: frames differ from float32 by "
            f"{parity.difference:.1e} (at most {parity.limit:.0e} wanted), "
            f"least cosine {parity.least_cosine:.4f}"
        )
    click.echo(
        f"in a batch: frames differ by {parity.batch_difference:.1e} "
        f"(at most {parity.batch_limit:.0e} wanted)"
    )
    times = ", ".join(f"{name} {value:.1f}" for name, value in parity.real_time.items())
    click.echo(f"times real time: {times}")
    click.echo(f"largest value {parity.largest_value:.4g} (float16 holds 65504)")
    click.echo("all is well" if parity.is_well else "a difference is beyond its limit")
