"""The documentation site: built strictly, complete, without dead links, searched in a browser."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from urllib.parse import urljoin
from urllib.parse import urlsplit

import pytest
from headless import browser
from headless import find_browser

from scripts import docs_pages
from scripts.docs_pages import SOURCES
from scripts.docs_pages import navigation
from scripts.docs_pages import page_origins
from scripts.docs_pages import rewritten
from scripts.docs_pages import write_source
from scripts.docs_reference import command_contexts
from scripts.docs_reference import hook_names
from scripts.docs_reference import settings_keys
from sercore.settings import DatasetSettings
from sercore.settings import Settings

pytest.importorskip("zensical", reason="zensical is not installed: pip install -e '.[dev]'")

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))
CHROMIUM = find_browser()
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

ANSWERS = {
    "How do I use my own CSV?": "your-corpus/",
    "Why is my score starred?": "reading-a-report/",
    "How much disk do I need?": "disk-space/",
    "How do I install only one corpus?": "install/",
    "How do I evaluate my own encoder?": "own-encoder/",
    "no GPU": "gpu/",
    "Where are results stored?": "results/",
    "How do I run on Slurm?": "cluster-slurm/",
    "What is out-of-domain?": "benchmark/",
    "How do I cite?": "cite/",
}
"""The page that answers a question of a newcomer."""


class Html(HTMLParser):
    """The ids of a page, and what it links to."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        key = {"a": "href", "link": "href", "img": "src", "script": "src"}.get(tag)
        if values.get(key):
            self.links.append((tag, values[key]))


def build(output):
    """Build the site of a source, strictly."""
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "zensical.toml"],
        cwd=output,
        capture_output=True,
        text=True,
        check=False,
        env={**docs_pages.os.environ, "NO_COLOR": "1"},
    )


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    output = tmp_path_factory.mktemp("docs")
    write_source(output, execute=False)
    return output


@pytest.fixture(scope="session")
def site(source):
    done = build(source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stderr + done.stdout
    return source / "site"


@pytest.fixture(scope="session")
def pages(site):
    return {path.relative_to(site).as_posix(): Html(path) for path in site.rglob("index.html")}


@pytest.fixture(scope="session")
def address(site):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def tab(address):
    with browser(CHROMIUM) as page:
        page.size(1400, 900)
        visit(page, address)
        yield page


def visit(page, url):
    page.call("Page.navigate", url=url)
    wait(page, f"document.readyState === 'complete' && location.href === {json.dumps(url)}")


def wait(page, condition):
    """Wait until an expression is true, and return its value."""
    deadline = time.monotonic() + 30
    while not (value := page.run(condition)):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)
    return value


SEARCH = "[...document.querySelectorAll('div')].find(node => node.shadowRoot)?.shadowRoot"


def search(page, question):
    """Type a question into the search of the site, and return the pages of the hits in order."""
    if not page.run(f"!!{SEARCH}?.querySelector('input')"):
        page.click(".md-search__button")
        wait(page, f"!!{SEARCH}?.querySelector('dialog[open] input')")
    page.run(f"(() => {{ const i = {SEARCH}.querySelector('input'); i.focus(); i.select(); }})()")
    page.type(question)
    # The query is in the address of every hit, so hits of the question before are not taken.
    links = f"[...{SEARCH}.querySelectorAll('ol[role=listbox] a')].map(node => node.href)"
    word = json.dumps(question.split()[-1].rstrip("?"))
    hits = wait(page, f"(() => {{ const hits = {links};"
                f"return hits.length && hits[0].includes({word}) && hits; }})()")  # fmt: skip
    return [urlsplit(hit).path.lstrip("/") for hit in hits]


def test_every_page_of_docs_is_in_one_section(source):
    written = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    found = [path.relative_to(source / "pages").as_posix() for path in source.rglob("*.md")]
    chosen = [page for pages in navigation(sorted(found)).values() for page in pages]

    assert sorted(chosen) == sorted(found)
    assert {page_origins()[name] for name in written} <= set(chosen)


def test_a_page_that_no_section_names_is_a_guide():
    sections = navigation(["index.md", "news.md", "deep/folder/page.md", "reference/cli.md"])

    assert sections["Guides"] == ["news.md", "deep/folder/page.md"]
    assert sections["Start"] == ["index.md"]


def test_sections_name_pages_that_exist(source):
    for section, patterns in docs_pages.SECTIONS.items():
        for pattern in patterns:
            assert list((source / "pages").glob(pattern)), (section, pattern)


def test_links_between_files_become_links_between_pages():
    origins = {**page_origins(), "docs/deep/page.md": "deep/page.md"}
    text = "[a](../storage.md#seals) [b](../../plugins) [c](../../Makefile) ![d](../images/x.png)"

    assert rewritten(text, "docs/deep/page.md", origins) == (
        "[a](../storage.md#seals) [b](../catalogue/index.md) c ![d](../images/x.png)"
    )
    assert rewritten("```\n[a](b.md)\n```", "docs/deep/page.md", origins) == "```\n[a](b.md)\n```"


def test_what_links_name_instead_of_generated_pages_exists(source):
    for name, page in SOURCES.items():
        assert (ROOT / name).exists(), name
        assert (source / "pages" / page).is_file(), page


def test_a_dead_link_fails_the_build(source, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/index.md").write_text("# Start\n\n[gone](gone.md)\n")
    text = (source / "zensical.toml").read_text()
    before, _, after = text.partition("nav = [")
    (tmp_path / "zensical.toml").write_text(before + after.partition("\n]\n")[2])

    assert build(tmp_path).returncode != 0


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_every_plugin_has_a_page_that_the_catalogue_links(plugin, pages):
    page = f"catalogue/{plugin.parent.name}/{plugin.name}/"

    links = [urljoin("catalogue/", link) for _, link in pages["catalogue/index.html"].links]
    assert f"{page}index.html" in pages
    assert page in links


def test_there_are_pages_of_all_plugins():
    assert len(PLUGINS) >= 35


def test_no_link_of_the_site_is_dead(site, pages):
    dead = []
    for name, page in pages.items():
        for tag, link in page.links:
            parts = urlsplit(urljoin(f"http://site/{name}", link))
            if parts.netloc != "site":
                continue
            path = unquote(parts.path).lstrip("/")
            path += "index.html" if path.endswith("/") or not path else ""
            known = pages[path].ids if path in pages else {parts.fragment}
            if not (site / path).is_file() or parts.fragment not in {"", *known}:
                dead.append((name, tag, link))

    assert dead == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_pages_load_nothing_from_elsewhere(pages):
    loaded = {link for page in pages.values() for tag, link in page.links if tag != "a"}

    assert [link for link in loaded if urlsplit(link).netloc] == []


def test_every_command_and_option_is_in_the_reference(source):
    text = (source / "pages/reference/cli.md").read_text()

    for context in command_contexts():
        assert f"# {context.command_path}\n" in text
        for parameter in context.command.params:
            if parameter.param_type_name == "option":
                assert max(parameter.opts, key=len) in text


def test_every_hook_is_in_the_reference_with_its_arguments(site, pages):
    text = (site / "reference/hooks/index.html").read_text()

    assert len(hook_names()) >= 10
    for name in hook_names():
        assert f"sercore.plugins.hookspecs.{name}" in pages["reference/hooks/index.html"].ids
    assert "CellEvent" in text
    assert "a tracker that raises" in text.lower()


def test_every_setting_has_a_meaning(source):
    text = (source / "pages/reference/settings.md").read_text()

    for table in (Settings, DatasetSettings):
        for name, _, _, meaning in settings_keys(table):
            if (table, name) == (Settings, "source"):
                continue
            assert f"`{name}`" in text or f"[{name}.NAME]" in text
            assert meaning or f"[{name}.NAME]" in text, name


def test_pictures_of_the_site_are_drawings_that_a_browser_reads():
    pictures = sorted((ROOT / "docs/images").glob("*.svg"))

    assert pictures
    for picture in pictures:
        tree = ET.parse(picture)
        assert tree.getroot().find("{http://www.w3.org/2000/svg}title") is not None
        assert "href" not in picture.read_text()


@in_browser
@pytest.mark.slow
@pytest.mark.parametrize("question", ANSWERS)
def test_search_answers_what_a_newcomer_asks_in_three_hits(question, tab, pages):
    answer = ANSWERS[question]
    if f"{answer}index.html" not in pages:
        pytest.skip(f"there is no page {answer} yet")

    assert answer in search(tab, question)[:3]


@in_browser
def test_a_browser_asks_nobody_else(tab, address):
    for page in ("", "catalogue/datasets/emodb/", "reference/hooks/", "architecture/"):
        visit(tab, address + page)

    asked = {urlsplit(url).netloc for url in tab.requests if not url.startswith("data:")}
    assert asked == {urlsplit(address).netloc}
    assert tab.errors == []


@in_browser
def test_no_page_is_wider_than_a_phone(tab, address):
    tab.size(390, 844, phone=True)
    try:
        for page in ("", "catalogue/", "catalogue/datasets/emodb/", "reference/hooks/"):
            visit(tab, address + page)
            assert tab.run("document.documentElement.scrollWidth") <= 390, page
    finally:
        tab.size(1400, 900)


@pytest.mark.slow
@pytest.mark.torch
def test_the_site_with_an_executed_notebook_builds(tmp_path):
    write_source(tmp_path, execute=True)
    text = (tmp_path / "pages/tutorials/first.md").read_text()

    assert build(tmp_path).returncode == 0
    assert "<table" in text
    assert "Traceback" not in text
