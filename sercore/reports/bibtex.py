"""Entries for a bibliography: the report, the benchmark, and the corpora of its runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sercore.__about__ import __version__
from sercore.reports.latex import latex_text
from sercore.results.record import corpora_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    from sercore.reports.views import Content

_BENCHMARK = {
    "author": "Osman and Kaplan and Nadeem",
    "title": "{SER Evals}: In-domain and Out-of-domain benchmarking for speech emotion recognition",
    "year": "2024",
}


def bibtex_entries(content: Content) -> str:
    """Return the BibTeX entries of a report. Corpora without a citation have none."""
    runs = ", ".join(run.name for run in content.runs)
    written = [str(run.record["written"])[:10] for run in content.runs if run.record.get("written")]
    entries = [
        _entry(
            "misc",
            "sercore-report",
            {
                "author": "{The sercore authors}",
                "title": latex_text(f"Report of {runs}, written by sercore {__version__}"),
                "note": latex_text(f"computed {', '.join(written)}" if written else ""),
            },
        ),
        _entry("misc", "ser-evals-2024", _BENCHMARK),
        *_corpora(content),
    ]
    return "\n\n".join(entries) + "\n"


def _corpora(content: Content) -> Iterator[str]:
    found = {
        name: corpus
        for run in content.runs
        for name, corpus in corpora_of(run.record).items()
        if corpus.citation
    }
    for name, corpus in sorted(found.items()):
        key = re.sub(r"[^A-Za-z0-9-]+", "-", name)
        fields = {"title": latex_text(corpus.title), "note": latex_text(corpus.citation)}
        yield _entry("misc", f"corpus-{key}", fields)


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
