"""What the documents say is true: code runs, links lead somewhere, commands exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from sercore.cli import _COMMANDS
from sercore.cli import cli
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


def command_lines(text):
    """Return the words of every sercore command of a page, in code blocks and inline."""
    joined = re.sub(r" *\\\n *", " ", text)
    lines = re.findall(r"(?:^ {4}(?:\$ )?|^\$ |`)(sercore [^`\n]*)", joined, re.MULTILINE)
    for line in lines:
        yield shlex.split(re.split(r"\s#|[|;&>]", line)[0])


def refused(words):
    """Return the first option of a command line that its command does not have, or None."""
    command, rest = cli, words[1:]
    context = click.Context(cli)
    while isinstance(command, click.Group) and rest and rest[0] in command.list_commands(context):
        command, rest = command.get_command(context, rest[0]), rest[1:]
    known = {"-h", "--help", "--version"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    options = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return next((option for option in options if option not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_options_of_commands_in_pages_exist(page):
    for words in command_lines(page.read_text()):
        assert refused(words) is None, words


def test_an_option_that_does_not_exist_is_found():
    (words,) = command_lines("    $ sercore cache gc --cache-budget 5GB \\\n      --budget 3 # x")

    assert refused(words) == "--budget"
    assert refused(words[:5]) is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_python_and_toml_in_pages_can_be_read(page):
    fence = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for language, code in fence.findall(page.read_text()):
        if language == "python":
            compile(code, str(page), "exec")
        if language == "toml":
            tomllib.loads(code)


def python_block(page, containing):
    """Return what the only Python example of a page that contains a text defines."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), re.DOTALL)
    (block,) = [block for block in blocks if containing in block]
    namespace = {}
    exec(block, namespace)
    return namespace


def test_the_corpus_of_the_plugin_guide_reads_the_file_that_it_names(tmp_path):
    namespace = python_block("docs/plugins.md", "sercore_corpora")
    (corpus,) = namespace["sercore_corpora"]()
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna/angry_01.wav").write_bytes(b"RIFF")

    (utterance,) = corpus.scan(CorpusFiles(tmp_path), "corrected").utterances

    assert namespace["SERCORE_API"] == API_VERSION
    assert (utterance.native_label, *utterance.speaker) == ("angry", "anna")


def test_the_function_of_the_encoder_guide_returns_frames():
    namespace = python_block("docs/own-encoder.md", "def energy")

    frames = namespace["energy"](namespace["np"].ones(16_000, dtype="float32"), 16_000)

    assert frames.shape == (50, 1)


def test_the_folds_of_the_protocol_page_are_folds():
    (folds,) = python_block("docs/protocols.md", "sercore_folds")["sercore_folds"]()

    assert (folds.corpus, len(folds.test)) == ("emovo", 2)


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
