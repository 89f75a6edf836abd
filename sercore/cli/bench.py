"""``sercore bench``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared

if TYPE_CHECKING:
    from sercore.diagnostics.cost_model import FullScale


@click.group()
def bench() -> None:
    """Estimate what a full-scale run takes."""


_POSITIVE = click.FloatRange(0, min_open=True)


@bench.command("full-scale")
@click.option("--gpus", type=click.IntRange(1), default=8, show_default=True, help="Many GPUs.")
@click.option(
    "--gpu-tflops",
    type=_POSITIVE,
    default=100.0,
    show_default=True,
    help="Assumed peak of one GPU at the precision of the encoder.",
)
@click.option(
    "--gpu-probe-tflops",
    type=_POSITIVE,
    default=15.0,
    show_default=True,
    help="Assumed float32 peak of one GPU.",
)
@click.option(
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.3,
    show_default=True,
    help="Assumed share of a GPU's peak that is reached.",
)
@click.option(
    "--link-gbs",
    type=_POSITIVE,
    default=10.0,
    show_default=True,
    help="Assumed GB/s from memory to one GPU.",
)
@click.option(
    "--cpu-utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.7,
    show_default=True,
    help="Assumed share of this processor's measured matrix rate that an encoder reaches.",
)
@click.option("--epochs", type=click.IntRange(1), default=2, show_default=True, help="Sampled.")
@click.option(
    "--utterances",
    type=click.IntRange(32),
    default=320,
    show_default=True,
    help="Sampled utterances of 20 to 450 random frames.",
)
@shared.json_option
def full_scale(
    gpus: int,
    gpu_tflops: float,
    gpu_probe_tflops: float,
    utilisation: float,
    link_gbs: float,
    cpu_utilisation: float,
    epochs: int,
    utterances: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Extrapolate the full benchmark from epochs sampled on this machine.

    Shapes are those of the paper's Table 1 and of the installed backbones. The processor's times
    are scaled from measurements; those of GPUs follow from the rates given here and were measured
    by nobody.
    """
    from sercore.diagnostics.cost_model import Device
    from sercore.diagnostics.cost_model import extrapolate
    from sercore.diagnostics.cost_model import installed_cards
    from sercore.diagnostics.cost_model import sample

    cards = installed_cards()
    sampled = sample((card.width for card in cards), epochs=epochs, utterances=utterances)
    devices = [
        Device(
            name="this processor",
            count=1,
            encoder_flops=sampled.flops * cpu_utilisation,
            probe_flops=None,
            link_bytes=None,
            measured=True,
        ),
        *(
            Device(
                name=name,
                count=count,
                encoder_flops=gpu_tflops * 1e12 * utilisation,
                probe_flops=gpu_probe_tflops * 1e12 * utilisation,
                link_bytes=link_gbs * 1e9,
                measured=False,
            )
            for name, count in {"one GPU": 1, f"{gpus} GPUs": gpus}.items()
        ),
    ]
    result = extrapolate(cards, sampled, devices)
    assumptions = {
        "encoder on the processor": f"{cpu_utilisation:.0%} of its measured matrix rate",
        "encoder on a GPU": f"{utilisation:.0%} of {gpu_tflops:g} TFLOP/s",
        "probe on a GPU": f"{utilisation:.0%} of {gpu_probe_tflops:g} TFLOP/s, frames at"
        f" {link_gbs:g} GB/s",
    }
    if as_json:
        shared.print_json(asdict(result) | {"assumptions": assumptions})
    else:
        _draw(result, assumptions)


def _draw(result: FullScale, assumptions: dict[str, str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"{result.utterances:,} utterances, {result.hours:.0f} hours, {result.fits} probe fits of"
        f" {result.epochs} epochs, {result.cells} cells",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("machine", "stage"):
        table.add_column(name)
    table.add_column("wall time", justify="right")
    table.add_column("how it is known")
    for stage in result.stages:
        known = "scaled from times measured now" if stage.measured else "computed, not measured"
        if stage.measured and stage.stage == "extract":
            known = "computed from the matrix rate measured now"
        table.add_row(stage.machine, stage.stage, _duration(stage.seconds), known)
    console.print(table)
    largest = max(result.frame_bytes, key=lambda name: result.frame_bytes[name])
    console.print(
        f"frames on disk: {_gb(sum(result.frame_bytes.values()))} in all;"
        f" {_gb(result.frame_bytes[largest])} for the largest backbone ({largest}), which is what"
        f" is needed at once\npredictions: {_gb(result.prediction_bytes)}, uncompressed",
        markup=False,
        soft_wrap=True,
    )
    sampled = result.sampled
    memory = "unknown" if sampled.peak_memory_mb is None else f"{sampled.peak_memory_mb:.0f} MB"
    console.print(
        f"measured now: {sampled.flops / 1e9:.0f} GFLOP/s of float32 matrix products;"
        f" largest memory of this process {memory}",
        markup=False,
        soft_wrap=True,
    )
    for what, assumed in assumptions.items():
        console.print(f"assumed: {what}: {assumed}", markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _gb(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
