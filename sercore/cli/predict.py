"""``sercore predict``."""

from __future__ import annotations

from pathlib import Path

import click

from sercore.cli import options as shared


@click.command()
@click.argument("probe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--backbone", metavar="NAME", help="The backbone's weights, if they were moved.")
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
    """Label FILES with the stored PROBE (the first letters of its key suffice).

    'sercore status --probes' lists the probes. A file that cannot be decoded is named, the others
    are labelled, and the exit status is 1.
    """
    from sercore.devices import choose_device
    from sercore.plugins.registry import registry
    from sercore.runs.inference import label_files

    settings = shared.load_settings(config)
    answers = label_files(
        shared.open_workspace(workspace, settings),
        registry(),
        probe,
        files,
        backbone=backbone,
        device=choose_device(device),
    )
    if as_json:
        shared.print_json([answer.as_dict() for answer in answers])
    else:
        for answer in answers:
            if answer.error is not None:
                click.echo(f"sercore: {answer.error}", err=True)
                continue
            ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])[:3]
            shares = ", ".join(f"{name} {share:.2f}" for name, share in ranked)
            click.echo(f"{answer.file}\t{answer.label}\t{shares}")
    ctx.exit(1 if any(answer.error for answer in answers) else 0)
