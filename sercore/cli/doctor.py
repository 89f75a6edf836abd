"""``sercore doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.doctor_view import print_diagnosis
from sercore.cli.text import printable
from sercore.corpora.interface import READINGS
from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.diagnostics.doctor import Diagnosis
    from sercore.diagnostics.fingerprint import Fingerprint
    from sercore.plugins.registry import Registry
    from sercore.settings import Settings


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
@click.option(
    "--deep",
    is_flag=True,
    help="Decode every recording: find damage and duplicates, measure the audio, and compare it "
    "with the published copy. Only recordings that changed are decoded the next time.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page about the audio of all corpora; implies --deep.",
)
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Compare a corpus with another copy, by a file of 'sercore fingerprint'; repeat for "
    "several.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Add the places of all corpora that were found to sercore.toml.",
)
@shared.workspace_option
@shared.config_option
@shared.json_option
@click.pass_context
def doctor(ctx: click.Context, /, **given: Any) -> None:
    """Check plugins, libraries, corpora and backbones.

    A corpus is found by its usual names, at most two levels below a data folder. Other folders
    and archives, at most three levels below, are recognized by the names of their files.

    Exit status: 0 all is well, 1 something is broken, 2 usage. Missing corpora and weights are no
    fault.
    """
    from sercore.diagnostics.corpus_check import CorpusChecker
    from sercore.diagnostics.doctor import examine
    from sercore.plugins.registry import registry

    page: Path | None = given["html"]
    if page is not None:
        from sercore.diagnostics.health_page import require_libraries

        require_libraries()
    settings = shared.load_settings(given["config"])
    found = registry()
    folders = shared.data_folders(given["data"], settings)
    named, settings = shared.parse_datasets(given["datasets"], settings)
    with shared.progress_bars(shown=not given["as_json"]) as progress:
        checker = CorpusChecker(
            data=folders,
            settings=settings,
            workspace=shared.open_workspace(given["workspace"], settings),
            reading=given["reading"],
            deep=given["deep"] or page is not None,
            fingerprints=_fingerprints(given["fingerprints"], found, named),
            progress=progress,
        )
        diagnosis = examine(found, checker, named)
    if given["as_json"]:
        shared.print_json(diagnosis.as_dict())
    else:
        from rich.console import Console

        print_diagnosis(Console(highlight=False), diagnosis, folders)
    if page is not None:
        _write_page(page, diagnosis)
    if given["write"]:
        _write(settings, diagnosis)
    ctx.exit(0 if diagnosis.is_well else 1)


def _fingerprints(
    files: tuple[Path, ...], found: Registry, named: dict[str, Path | None]
) -> tuple[Fingerprint, ...]:
    """Read the fingerprints that the user named.

    Raises:
        CorpusError: a file is no fingerprint.
        SettingsError: its corpus is not checked.
    """
    from sercore.diagnostics.fingerprint import read_fingerprint

    read = tuple(read_fingerprint(file) for file in files)
    for file, one in zip(files, read, strict=True):
        if one.corpus not in (named or found.corpora.items):
            raise SettingsError(
                f"the fingerprint {file} belongs to '{one.corpus}', which is not checked",
                hint="install its plugin, or name it with --dataset",
            )
    return read


def _write_page(page: Path, diagnosis: Diagnosis) -> None:
    """Write the page about the audio, and print where it is.

    Raises:
        WorkspaceError: it cannot be written.
    """
    from sercore.diagnostics.health_page import health_page
    from sercore.storage.workspace import Workspace

    Workspace(page.parent).write_bytes(page.name, health_page(diagnosis.corpora).encode())
    click.echo(printable(page), err=True)


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
