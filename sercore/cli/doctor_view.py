"""What ``sercore doctor`` prints."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.corpora.problems import summarized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sercore.diagnostics.corpus_check import CorpusCheck
    from sercore.diagnostics.doctor import Diagnosis
    from sercore.diagnostics.recognized import Recognized

_STYLES = {
    "complete": "green",
    "found": "green",
    "differs": "yellow",
    "problems": "red",
    "unusable": "red",
}
_MOST = 8
"""Problems and places of one corpus that are printed."""
_SEVERITIES = {"note": "dim", "warning": "yellow", "fault": "red"}


def print_diagnosis(console: Console, diagnosis: Diagnosis, folders: Sequence[Path]) -> None:
    """Print what `sercore doctor` found."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    _print_corpora(console, diagnosis.corpora, folders)
    _print_audio(console, diagnosis.corpora)
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


def _print_audio(console: Console, corpora: Sequence[CorpusCheck]) -> None:
    """Print how decoded recordings compare with the published ones, and what is remarkable."""
    from rich.text import Text

    for corpus in corpora:
        for identity in corpus.identity:
            if identity.problem is None:  # else it is among the problems
                style = "green" if identity.is_same else "dim"
                text = printable(f"{corpus.id}: {identity}")
                console.print(Text(text, style=style), soft_wrap=True)
        for finding in corpus.health.findings if corpus.health is not None else ():
            text = printable(f"{corpus.id}: {finding.text}")
            console.print(Text(text, style=_SEVERITIES[finding.severity]), soft_wrap=True)


def _print_recognized(console: Console, recognized: Sequence[Recognized]) -> None:
    from rich.text import Text

    shown: dict[str, int] = defaultdict(int)
    for one in recognized:
        shown[one.corpus] += 1
        if shown[one.corpus] <= _MOST:
            style = "green" if one.reason is None else "yellow"
            console.print(Text(printable(one), style=style), soft_wrap=True)
    for corpus, n in shown.items():
        if n > _MOST:
            more = f"{corpus}: {n - _MOST} more places have names like it (--json has all)"
            console.print(plain(more), soft_wrap=True)
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
