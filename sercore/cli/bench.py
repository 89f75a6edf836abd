"""``sercore bench``."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from sercore.diagnostics.cost_model import FullScaleCost
    from sercore.diagnostics.cost_model import Machine

_POSITIVE = click.FloatRange(0, min_open=True)
_SHARE = click.FloatRange(0, 1, min_open=True)


@click.group()
def bench() -> None:
    """Estimate what the full benchmark costs."""


@bench.command("full-scale")
@click.option(
    "--gpus",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Estimate for one GPU and for this many.",
)
@click.option(
    "--gpu-tflops",
    type=_POSITIVE,
    default=100.0,
    show_default=True,
    help="Assumed peak of a GPU at the precision of the encoder.",
)
@click.option(
    "--gpu-probe-tflops",
    type=_POSITIVE,
    default=15.0,
    show_default=True,
    help="Assumed float32 peak of a GPU.",
)
@click.option(
    "--utilisation",
    type=_SHARE,
    default=0.3,
    show_default=True,
    help="Assumed share of a GPU's peak that is reached.",
)
@click.option(
    "--link-gbs",
    type=_POSITIVE,
    default=10.0,
    show_default=True,
    help="Assumed GB/s from memory to a GPU.",
)
@click.option(
    "--cpu-utilisation",
    type=_SHARE,
    default=0.7,
    show_default=True,
    help="Assumed share of the measured matrix rate that an encoder reaches on this CPU.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=2, show_default=True, help="Epochs to measure."
)
@click.option(
    "--utterances",
    type=click.IntRange(32),
    default=320,
    show_default=True,
    help="Utterances to measure with, with 20 to 450 random frames per utterance.",
)
@shared.json_option
def full_scale(
    epochs: int,
    utterances: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
    **rates: Any,
) -> None:
    """Estimate the time and disk space of the full benchmark.

    Corpora have the sizes of the paper's Table 1; backbones are those installed. Times on this CPU
    are scaled from rates that this command measures first. Times on GPUs follow from the assumed
    rates below and are not measured.
    """
    from sercore.diagnostics.cost_model import estimate_full_scale
    from sercore.diagnostics.cost_model import installed_cards
    from sercore.diagnostics.cost_model import measure_rates

    assumed = _Assumptions(**rates)
    cards = installed_cards()
    measured = measure_rates((card.width for card in cards), epochs=epochs, utterances=utterances)
    cost = estimate_full_scale(cards, measured, assumed.machines(measured.flops))
    if as_json:
        shared.print_json(asdict(cost) | {"assumptions": assumed.as_dict()})
    else:
        _print(cost, assumed.as_dict())


@dataclass(frozen=True, kw_only=True)
class _Assumptions:
    """The rates that the user assumes; see the options of `full_scale`."""

    gpus: int
    gpu_tflops: float
    gpu_probe_tflops: float
    utilisation: float
    link_gbs: float
    cpu_utilisation: float

    def machines(self, cpu_flops: float) -> list[Machine]:
        """Return this CPU, one GPU and several GPUs.

        Args:
            cpu_flops: measured rate of matrix products on this CPU.
        """
        from sercore.diagnostics.cost_model import Machine

        cpu = Machine(
            name="this processor",
            count=1,
            encoder_flops=cpu_flops * self.cpu_utilisation,
            probe_flops=None,
            link_bytes=None,
            measured=True,
        )
        gpus = (
            Machine(
                name=name,
                count=count,
                encoder_flops=self.gpu_tflops * 1e12 * self.utilisation,
                probe_flops=self.gpu_probe_tflops * 1e12 * self.utilisation,
                link_bytes=self.link_gbs * 1e9,
                measured=False,
            )
            for name, count in {"one GPU": 1, f"{self.gpus} GPUs": self.gpus}.items()
        )
        return [cpu, *gpus]

    def as_dict(self) -> dict[str, str]:
        """Return the assumed rates as text, by what they apply to."""
        gpu = f"{self.utilisation:.0%} of"
        return {
            "encoder on the processor": f"{self.cpu_utilisation:.0%} of its measured matrix rate",
            "encoder on a GPU": f"{gpu} {self.gpu_tflops:g} TFLOP/s",
            "probe on a GPU": (
                f"{gpu} {self.gpu_probe_tflops:g} TFLOP/s, frames at {self.link_gbs:g} GB/s"
            ),
        }


def _print(cost: FullScaleCost, assumptions: Mapping[str, str]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(
        f"{cost.utterances:,} utterances, {cost.hours:.0f} hours, {cost.fits} probes of"
        f" {cost.epochs} epochs, {cost.cells} cells",
        markup=False,
    )
    _print_stages(console, cost)
    largest = max(cost.frame_bytes, key=lambda name: cost.frame_bytes[name])
    memory = cost.sampled.peak_memory_mb
    peak = "unknown" if memory is None else f"{memory:.0f} MB"
    lines = [
        (
            f"frames on disk: {_gb(sum(cost.frame_bytes.values()))} for all backbones,"
            f" {_gb(cost.frame_bytes[largest])} at a time (for {largest}, the largest)"
        ),
        f"predictions: {_gb(cost.prediction_bytes)} without compression",
        (
            f"measured: {cost.sampled.flops / 1e9:.0f} GFLOP/s of float32 matrix products,"
            f" peak memory {peak}"
        ),
        *(f"assumed: {name}: {rate}" for name, rate in assumptions.items()),
    ]
    for line in lines:
        console.print(plain(line), soft_wrap=True)


def _print_stages(console: Console, cost: FullScaleCost) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("machine")
    table.add_column("stage")
    table.add_column("wall time", justify="right")
    table.add_column("basis")
    for stage in cost.stages:
        basis = "assumed rates"
        if stage.measured:
            basis = "measured matrix rate" if stage.stage == "extract" else "measured epochs"
        add_row(table, stage.machine, stage.stage, _duration(stage.seconds), basis)
    print_table(console, table)


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _gb(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
