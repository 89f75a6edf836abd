"""``sercore doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared

if TYPE_CHECKING:
    from rich.console import Console

    from sercore.doctor import CorpusCheck
    from sercore.doctor import Diagnosis

_STYLES = {
    "complete": "green",
    "found": "green",
    "differs": "yellow",
    "problems": "red",
    "unusable": "red",
}
_MOST = 8
"""Problems of one corpus that are shown in full."""


@click.command()
@shared.data_option
@shared.dataset_option
@click.option("--reading", type=click.Choice(["paper", "corrected"]), default="corrected")
@click.option("--deep", is_flag=True, help="Decode every recording: finds damage and copies.")
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    data: tuple[Path, ...],
    datasets: tuple[str, ...],
    reading: str,
    deep: bool,  # noqa: FBT001 - click passes flags so
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Check plugins, libraries, corpora and backbones.

    Exit status 1 if something is broken; what is merely not there does not count.
    """
    from sercore.doctor import examine
    from sercore.plugins import registry

    settings = shared.load_settings(config)
    diagnosis = examine(
        registry(),
        settings,
        shared.open_workspace(workspace, settings),
        shared.data_folders(data, settings),
        shared.parse_datasets(datasets),
        reading=reading,
        deep=deep,
    )
    if as_json:
        shared.print_json(diagnosis.as_dict())
    else:
        from rich.console import Console

        _print(Console(highlight=False), diagnosis)
    ctx.exit(0 if diagnosis.is_well else 1)


def _print(console: Console, diagnosis: Diagnosis) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title="corpora", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("corpus", "verdict", "files", "utterances", "expected", "classes", "where"):
        table.add_column(name, overflow="fold")
    for corpus in diagnosis.corpora:
        style = _STYLES.get(corpus.verdict, "dim")
        table.add_row(
            corpus.id,
            Text(corpus.verdict, style=style),
            *(
                "-" if each is None else str(each)
                for each in (corpus.files, corpus.utterances, corpus.expected)
            ),
            _classes(corpus),
            corpus.root or "-",
        )
    console.print(table)
    for corpus in diagnosis.corpora:
        shown = () if corpus.verdict == "not found" else corpus.problems
        for text in shown[:_MOST]:
            console.print(Text(f"{corpus.id}: {text}", style="yellow"), soft_wrap=True)
        if len(shown) > _MOST:
            console.print(f"{corpus.id}: and {len(shown) - _MOST} more (--json lists all)")
    table = Table(title="backbones", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("backbone", "verdict", "where"):
        table.add_column(name, overflow="fold")
    for backbone in diagnosis.backbones:
        style = _STYLES.get(backbone.verdict, "dim")
        place = backbone.place or (backbone.reason if backbone.verdict == "unusable" else "-")
        table.add_row(backbone.id, Text(backbone.verdict, style=style), place)
    console.print(table)
    libraries = ", ".join(f"{each.name} {each.version}" for each in diagnosis.libraries)
    console.print(f"libraries: {libraries}", soft_wrap=True)
    free = diagnosis.workspace["free_gb"]
    console.print(
        f"workspace: {diagnosis.workspace['root']}"
        + ("" if free is None else f", {free:.0f} GB free"),
        soft_wrap=True,
    )
    broken = [f"library {each.name}: {each.error}" for each in diagnosis.libraries if each.error]
    broken += [
        f"plugin {each['name']} ({each['distribution']}): {each['error']}"
        for each in diagnosis.plugins
        if each["error"]
    ]
    broken += [diagnosis.workspace["error"]] if diagnosis.workspace["error"] else []
    for text in broken:
        console.print(Text(text, style="red"), soft_wrap=True)
    verdict = "all is well" if diagnosis.is_well else "something needs repair"
    console.print(Text(verdict, style="green" if diagnosis.is_well else "bold red"))


def _classes(corpus: CorpusCheck) -> str:
    if corpus.classes is None:
        return "-"
    return " ".join(f"{name[:3]} {n}" for name, n in corpus.classes.items())
