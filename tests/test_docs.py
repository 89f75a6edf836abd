"""What the documents say is true: code runs, links lead somewhere, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sercore.cli import _COMMANDS
from sercore.corpora.files import CorpusFiles
from sercore.plugins.hookspecs import API_VERSION

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("plugins/*/*/*.md"),
        *REPOSITORY.glob("examples/*/*.md"),
    ]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_in_pages_exist(page):
    for name in re.findall(r"(?:^ {4}|\$ |`)sercore ([a-z]+)\b", page.read_text(), re.MULTILINE):
        assert name in _COMMANDS, name


def test_the_plugin_of_the_readme_works(tmp_path):
    text = (REPOSITORY / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (source,) = [block for block in blocks if "@hookimpl" in block]
    namespace = {}
    exec(source, namespace)
    (corpus,) = namespace["sercore_corpora"]()

    (tmp_path / "SM1_A1.wav").write_bytes(b"RIFF")
    (tmp_path / "SF2_N1.wav").write_bytes(b"RIFF")
    scan = corpus.scan(CorpusFiles(tmp_path), "corrected")

    assert namespace["SERCORE_API"] == API_VERSION
    assert {(u.native_label, *u.speaker) for u in scan.utterances} == {("A", "SM1"), ("N", "SF2")}
