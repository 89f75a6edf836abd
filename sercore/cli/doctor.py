"""``sercore doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.corpora.interface import READINGS
from sercore.corpora.problems import summarized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sercore.diagnostics.doctor import CorpusCheck
    from sercore.diagnostics.doctor import Diagnosis
    from sercore.diagnostics.recognized import Recognized
    from sercore.settings import Settings

_STYLES = {
    "complete": "green",
    "found": "green",
    "differs": "yellow",
    "problems": "red",
    "unusable": "red",
}
_MOST = 8
"""Problems of one corpus that are printed."""
_SEVERITIES = {"note": "dim", "warning": "yellow", "fault": "red"}


@click.command()
@shared.data_option
@shared.dataset_option
@click.option(
    "--reading",
    type=click.Choice(READINGS),
    default="corrected",
    show_default=True,
    help="Which utterances are counted.",
)
@click.option("--deep", is_flag=True, help="Decode every recording to find damage and duplicates.")
@click.option(
    "--write",
    is_flag=True,
    help="Add the places of all corpora that were found to sercore.toml.",
)
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
    write: bool,  # noqa: FBT001
    workspace: str | None,
    config: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Check plugins, libraries, corpora and backbones.

    A corpus is found by its usual names, at most two levels below a data folder. Other folders
    and archives, at most three levels below, are recognized by the names of their files.

    Exit status: 0 all is well, 1 something is broken, 2 usage. Missing corpora and weights are no
    fault.
    """
    from sercore.diagnostics.doctor import examine
    from sercore.plugins.registry import registry

    settings = shared.load_settings(config)
    folders = shared.data_folders(data, settings)
    named, settings = shared.parse_datasets(datasets, settings)
    diagnosis = examine(
        registry(),
        settings,
        shared.open_workspace(workspace, settings),
        folders,
        named,
        reading=reading,
        deep=deep,
    )
    if as_json:
        shared.print_json(diagnosis.as_dict())
    else:
        from rich.console import Console

        _print(Console(highlight=False), diagnosis, folders)
    if write:
        _write(settings, diagnosis)
    ctx.exit(0 if diagnosis.is_well else 1)


def _write(settings: Settings, diagnosis: Diagnosis) -> None:
    """Add what was found to the settings, and print what was added."""
    from sercore.diagnostics.recognized import write_settings

    found = [
        (
            check.id,
            check.place,
            tuple(problem.where for problem in check.problems if problem.kind == "stray-file"),
        )
        for check in diagnosis.corpora
        if check.place is not None and check.verdict != "unusable"
    ]
    found += [
        (one.corpus, one.place, one.strays) for one in diagnosis.recognized if one.reason is None
    ]
    target, added = write_settings(settings, found)
    what = f"added {', '.join(added)}" if added else "nothing to add"
    click.echo(f"{printable(target)}: {what}", err=True)


def _print(console: Console, diagnosis: Diagnosis, folders: Sequence[Path]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    _print_corpora(console, diagnosis.corpora, folders)
    _print_recognized(console, diagnosis.recognized)
    table = Table(title="backbones", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("backbone", "verdict", "where"):
        table.add_column(name, overflow="fold")
    for backbone in diagnosis.backbones:
        style = _STYLES.get(backbone.verdict, "dim")
        place = backbone.place or (backbone.reason if backbone.verdict == "unusable" else "-")
        table.add_row(plain(backbone.id), Text(backbone.verdict, style=style), plain(place))
    console.print(table)
    libraries = ", ".join(f"{library.name} {library.version}" for library in diagnosis.libraries)
    console.print(f"libraries: {libraries}", soft_wrap=True)
    free = diagnosis.workspace["free_gb"]
    place = f"workspace: {diagnosis.workspace['root']}"
    console.print(
        plain(place + ("" if free is None else f", {free:.0f} GB free")),
        soft_wrap=True,
    )
    broken = [
        f"library {library.name}: {library.error}"
        for library in diagnosis.libraries
        if library.error
    ]
    broken += [
        f"plugin {plugin['name']} ({plugin['distribution']}): {plugin['error']}"
        for plugin in diagnosis.plugins
        if plugin["error"]
    ]
    broken += diagnosis.conflicts
    broken += [diagnosis.workspace["error"]] if diagnosis.workspace["error"] else []
    for text in broken:
        console.print(Text(printable(text), style="red"), soft_wrap=True)
    verdict = "all is well" if diagnosis.is_well else "something needs repair"
    console.print(Text(verdict, style="green" if diagnosis.is_well else "bold red"))


def _print_corpora(
    console: Console, corpora: Sequence[CorpusCheck], folders: Sequence[Path]
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title="corpora",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    numbers = ("files", "utterances", "expected", "classes")
    for name in ("corpus", "found", *numbers, "verdict", "where"):
        table.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=name != "where",
            overflow="fold",
        )
    for corpus in corpora:
        counts = (corpus.files, corpus.utterances, corpus.expected)
        table.add_row(
            plain(corpus.id),
            "yes" if corpus.found else "no",
            *("-" if count is None else str(count) for count in counts),
            _classes(corpus),
            Text(corpus.verdict, style=_STYLES.get(corpus.verdict, "dim")),
            plain(_place(corpus, folders)),
        )
    console.print(table)
    for corpus in corpora:
        problems = list(summarized(corpus.problems))
        for problem in problems[:_MOST]:
            text = str(problem) if problem.where == corpus.id else f"{corpus.id}: {problem}"
            console.print(
                Text(printable(text), style=_SEVERITIES[problem.severity]), soft_wrap=True
            )
        if len(problems) > _MOST:
            console.print(plain(f"{corpus.id}: and {len(problems) - _MOST} more (--json has all)"))
    if any(corpus.verdict == "not found" for corpus in corpora):
        console.print("'sercore fetch ID' downloads a missing corpus or prints how to get it.")


def _print_recognized(console: Console, recognized: Sequence[Recognized]) -> None:
    from rich.text import Text

    for one in recognized:
        style = "green" if one.reason is None else "yellow"
        console.print(Text(printable(one), style=style), soft_wrap=True)
    if any(one.reason is None for one in recognized):
        console.print(
            "Use them with --dataset ID=PATH, or add them to sercore.toml: sercore doctor --write",
            soft_wrap=True,
        )


def _place(corpus: CorpusCheck, folders: Sequence[Path]) -> str:
    """Return the place of a corpus, relative to its data folder if it is in one."""
    if corpus.root is None:
        return "-"
    root = Path(corpus.root)
    for folder in folders:
        if folder in root.parents:
            return str(root.relative_to(folder))
    return corpus.root


def _classes(corpus: CorpusCheck) -> str:
    """Return the number of classes that were found and expected, as 7/7."""
    if corpus.classes is None:
        return "-"
    expected = corpus.expected_classes
    return f"{len(corpus.classes)}/{len(expected)}" if expected else str(len(corpus.classes))
