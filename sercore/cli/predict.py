"""``sercore predict``."""

from __future__ import annotations

from pathlib import Path

import click

from sercore.cli import options as shared
from sercore.cli.text import printable


@click.command()
@click.argument("probe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--backbone", metavar="NAME", help="Name or hf:PATH of the backbone, if its weights were moved."
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    probe: str,
    files: tuple[Path, ...],
    backbone: str | None,
    device: str,
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Predict the emotion of FILES with a stored probe.

    PROBE is the key of a stored probe, or the first letters of it; 'sercore status --probes' lists
    the keys. If a file cannot be decoded, the command prints the error and continues with the
    other files.

    Exit status: 0 done, 1 error, or some file cannot be decoded, 2 usage.
    """
    from sercore.devices import usable_device
    from sercore.plugins.registry import registry
    from sercore.runs.inference import predict_files

    settings = shared.load_settings(config)
    predictions = predict_files(
        shared.open_workspace(workspace, settings),
        registry(),
        probe,
        files,
        backbone=backbone,
        device=usable_device(device),
    )
    if as_json:
        shared.print_json([prediction.as_dict() for prediction in predictions])
    else:
        for prediction in predictions:
            if prediction.error is not None:
                click.echo(f"sercore: {printable(prediction.error)}", err=True)
                continue
            ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:3]
            shares = ", ".join(f"{name} {share:.2f}" for name, share in ranked)
            click.echo(
                f"{printable(prediction.file)}\t{printable(prediction.label)}\t{printable(shares)}"
            )
    ctx.exit(1 if any(prediction.error for prediction in predictions) else 0)
