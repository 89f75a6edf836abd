"""``sercore fingerprint``."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from sercore.cli import options as shared
from sercore.cli.text import printable
from sercore.errors import CorpusMissingError

if TYPE_CHECKING:
    from sercore.corpora.problems import Problem
    from sercore.diagnostics.fingerprint import Fingerprint


@click.command()
@click.argument("dataset", metavar="ID[=PATH]")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write. [default: standard output]",
)
@click.option(
    "--source",
    metavar="TEXT",
    help="Which copy this is, for those who compare theirs with it. [default: its folder's name "
    "and the date]",
)
@shared.data_option
@shared.workspace_option
@shared.config_option
@click.pass_context
def fingerprint(
    ctx: click.Context, /, dataset: str, output: Path | None, source: str | None, **given: Any
) -> None:
    """Write the fingerprint of a corpus: lengths and digests of its recordings, no audio.

    Others compare their copy with it: sercore doctor --fingerprint FILE.

    The file has one line per utterance: length, sampling rate, channels, the digests of the
    encoded and of the decoded recording, and 16 bytes that recognize it after resampling.

    Exit status 1 if a recording cannot be decoded; it is not in the file.
    """
    from sercore.diagnostics.fingerprint import fingerprint_text

    made, problems = _fingerprint(dataset, source, **given)
    for problem in problems:
        click.echo(printable(problem), err=True)
    text = fingerprint_text(made)
    if output is None:
        click.echo(text, nl=False)
    else:
        from sercore.storage.workspace import Workspace

        Workspace(output.parent).write_bytes(output.name, text.encode())
        click.echo(printable(f"{output}: {len(made.prints)} recordings of {made.corpus}"), err=True)
    ctx.exit(1 if problems else 0)


def _fingerprint(
    dataset: str,
    source: str | None,
    *,
    data: tuple[Path, ...],
    workspace: str | None,
    config: Path | None,
) -> tuple[Fingerprint, list[Problem]]:
    """Decode a corpus and return its fingerprint, and what is wrong with its recordings.

    Raises:
        CorpusError: the corpus is not found, or cannot be read.
    """
    from sercore.audio.kept_audits import audited
    from sercore.corpora.locate import locate
    from sercore.corpora.locate import open_files
    from sercore.diagnostics.fingerprint import fingerprint_of
    from sercore.plugins.declared import all_corpora
    from sercore.plugins.declared import named_corpora
    from sercore.plugins.registry import registry

    settings = shared.load_settings(config)
    chosen, settings = shared.parse_datasets((dataset,), settings)
    ((corpus, place),) = named_corpora(all_corpora(registry(), settings), chosen)
    name = corpus.card.id
    kept = shared.open_workspace(workspace, settings)
    root = place or locate(corpus, shared.data_folders(data, settings), settings, kept)
    if root is None:
        raise CorpusMissingError(
            f"{corpus.card.title} was not found",
            hint=f"name its folder: {name}=PATH, or --data DIR",
        )
    files = open_files(corpus, root, settings, kept)
    with shared.progress_bars(shown=True) as bars:
        manifest, audit, problems = audited(
            corpus, files, "corrected", kept, progress=lambda done, total: bars(name, done, total)
        )
    faults = [problem for problem in problems if problem.makes_incomplete]
    named = source or f"the copy '{Path(root).name}' of {datetime.now(UTC).date().isoformat()}"
    return fingerprint_of(manifest, audit, named), faults
