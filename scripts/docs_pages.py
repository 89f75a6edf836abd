"""Write the source of the documentation site: the pages of docs, and generated ones.

Everything goes to ``build/docs``, and nothing into a tracked folder::

    python -m scripts.docs_pages                 # make docs does this, then builds the site
    python -m scripts.docs_pages --no-execute    # leave the notebooks without output
    zensical build --strict --clean -f build/docs/zensical.toml

The settings of the site are in ``zensical.toml``. The navigation is added from the pages that
exist; a page that no section names is a guide.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path

from scripts.distributions import ROOT
from scripts.docs_catalogue import catalogue_pages
from scripts.docs_catalogue import plugin_page
from scripts.docs_reference import reference_pages

BUILD = ROOT / "build" / "docs"
SECTIONS: Mapping[str, Sequence[str]] = {
    "Start": ("index.md", "install.md", "tutorials/*.md", "glossary.md", "cite.md"),
    "Benchmark": (
        "benchmark.md",
        "protocols.md",
        "statistics.md",
        "backbones.md",
        "fast-probe.md",
    ),
    "Guides": ("*.md",),
    "Catalogue": ("catalogue/index.md", "catalogue/*/*.md"),
    "Reference": ("reference/*.md", "json.md"),
    "Development": (
        "plugins.md",
        "contributing.md",
        "architecture.md",
        "identity.md",
        "storage.md",
        "performance.md",
        "releasing.md",
        "changelog.md",
    ),
}
"""Patterns of pages by section; a page is in the first section that names it, Guides come last."""
FALLBACK = "Guides"
SOURCES: Mapping[str, str] = {
    "README.md": "index.md",
    "CITATION.cff": "cite.md",
    "plugins": "catalogue/index.md",
    "sercore/cli": "reference/cli.md",
    "sercore/plugins/hookspecs.py": "reference/hooks.md",
    "sercore/settings.py": "reference/settings.md",
    "sercore/__init__.py": "reference/python.md",
}
"""Generated pages by what a link in the repository names instead."""
LINK = re.compile(
    r"(?P<picture>!?)\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)"
)
FRONT_MATTER = re.compile(r"\A---\n.*?^---\n+", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Write the source of the site; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the source of the documentation site.")
    parser.add_argument("--no-execute", action="store_true", help="do not execute the notebooks")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder that is replaced")
    options = parser.parse_args(arguments)
    write_source(options.output, execute=not options.no_execute)
    return 0


def write_source(output: Path, *, execute: bool) -> None:
    """Write pages and settings of the site.

    Args:
        output: folder that is replaced; pages go to ``pages``, settings to ``zensical.toml``.
        execute: whether notebooks are executed; otherwise they have no output.
    """
    shutil.rmtree(output, ignore_errors=True)
    pages = output / "pages"
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.md", "*.py"))
    origins = page_origins()
    for source, page in origins.items():
        text = (
            _notebook(ROOT / source, execute=execute) if source.endswith(".py") else _text(source)
        )
        _write(pages / page, plugin_page(source, rewritten(text, source, origins)))
    for page, text in {**reference_pages(), **catalogue_pages()}.items():
        _write(pages / page, text)
    found = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.md"))
    _write(output / "zensical.toml", configuration(navigation(found)))


def page_origins() -> dict[str, str]:
    """Return the page of every file of the repository that becomes one, both relative."""
    written = sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "docs/tutorials").glob("*.py"))
    docs = {path.relative_to(ROOT).as_posix(): path for path in written}
    origins = {
        name: path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        for name, path in docs.items()
    }
    for card in sorted(ROOT.glob("plugins/*/*/README.md")):
        kind, name = card.parent.parent.name, card.parent.name
        origins[card.relative_to(ROOT).as_posix()] = f"catalogue/{kind}/{name}.md"
    return {**origins, "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def rewritten(text: str, source: str, origins: Mapping[str, str]) -> str:
    """Return the text of a page with links that lead to pages of the site.

    A link to a file that is no page becomes plain text, because the site holds no such file.

    Args:
        text: Markdown.
        source: the file that it is from, relative to the repository.
        origins: pages by file.
    """
    here = posixpath.dirname(origins[source])
    known = {**origins, **SOURCES}

    def replaced(link: re.Match[str]) -> str:
        target = link["target"]
        if link["picture"] or not target or re.match(r"[a-z]+:", target):
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        page = known.get(path) or known.get(f"{path}/README.md")
        if page is None:
            return link["text"]
        return f"[{link['text']}]({posixpath.relpath(page, here)}{link['anchor'] or ''})"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(replaced, part) for part in parts)


def navigation(pages: Iterable[str]) -> dict[str, list[str]]:
    """Return the pages of every section; each page is in one."""
    left = list(pages)
    sections: dict[str, list[str]] = {}
    for section in [*(name for name in SECTIONS if name != FALLBACK), FALLBACK]:
        chosen = [page for pattern in SECTIONS[section] for page in _matching(left, pattern)]
        sections[section] = list(dict.fromkeys(chosen))
        left = [page for page in left if page not in sections[section]]
    sections[FALLBACK] += left
    return {section: sections[section] for section in SECTIONS if sections[section]}


def configuration(sections: Mapping[str, Sequence[str]]) -> str:
    """Return ``zensical.toml`` with the navigation and the folders of the build."""
    entries = [
        f'  {{ "{section}" = [{", ".join(_entries(pages))}] }},'
        for section, pages in sections.items()
    ]
    added = ['docs_dir = "pages"', 'site_dir = "site"', "nav = [", *entries, "]"]
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    return text.replace("[project]\n", "\n".join(["[project]", *added, ""]), 1)


def _entries(pages: Sequence[str]) -> Iterator[str]:
    """Yield the entries of a section.

    Pages two folders deep get a heading of their folder, and the name of the file as title.
    """
    for folder, group in groupby(pages, posixpath.dirname):
        if "/" in folder:
            names = ", ".join(f'{{ "{Path(page).stem}" = "{page}" }}' for page in group)
            yield f'{{ "{posixpath.basename(folder).capitalize()}" = [{names}] }}'
        else:
            yield from (f'"{page}"' for page in group)


def _matching(pages: Sequence[str], pattern: str) -> list[str]:
    folder, _, name = pattern.rpartition("/")
    inside = [page for page in pages if fnmatch(posixpath.dirname(page), folder)]
    return [page for page in inside if fnmatch(posixpath.basename(page), name)]


def _text(source: str) -> str:
    return (ROOT / source).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _notebook(source: Path, *, execute: bool) -> str:
    """Return a notebook as Markdown, with its output if it is executed."""
    with tempfile.TemporaryDirectory() as folder:
        page, notebook = Path(folder) / "page.md", Path(folder) / "page.ipynb"
        if execute:
            _run("jupytext", "--quiet", "--to", "ipynb", str(source), "--output", str(notebook))
            _run("nbconvert", "--log-level=WARN", "--to=markdown", "--execute", str(notebook))
        else:
            _run("jupytext", "--quiet", "--to", "md", str(source), "--output", str(page))
        return FRONT_MATTER.sub("", page.read_text(encoding="utf-8"), count=1)


def _run(module: str, *arguments: str) -> None:
    # The Python that runs this script is the one of the project, whatever PATH says.
    environment = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
