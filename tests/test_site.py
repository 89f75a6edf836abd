"""The leaderboard over several groups: ranking, marks, provenance and rebuilding."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from headless import browser
from headless import find_browser

from sercore.bundles.write import bundle_of
from sercore.cli import cli
from sercore.errors import SettingsError
from sercore.reports.site import LISTING
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
ONE = ("hub/one", 0.9)
TWO = ("hub/two", 0.5)


def shape(name, utterances=90):
    return SimulatedCorpus(id=name, utterances=utterances, speakers=5, classes=SIX, eligible=True)


GROUPS = {
    # group: corpora, backbones, first seed
    "First Lab": (("a", "b", "c"), {"one": ONE, "two": TWO}, 0),
    "Same Lab": (("a", "b", "c"), {"one": ONE}, 0),
    "Odd Lab": (("a", "b", "c"), {"two": ("hub/two", 1.2)}, 0),
    "Small Lab": (("a", "b", "d"), {"three": ("hub/three", 0.7)}, 0),
    "Other Copy": (("a", "b", "c"), {"four": ("hub/four", 0.7)}, 4),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Return the bundle of each group."""
    folder = tmp_path_factory.mktemp("given")
    bundles = {}
    for group, (corpora, backbones, seed) in GROUPS.items():
        place = Workspace(folder / group)
        shapes = [shape(name) for name in corpora]
        simulate_run(place, "default", shapes, backbones, n_seeds=3, seed=seed)
        bundles[group] = folder / f"{group.split()[0]}.zip"
        run = read_run(place, "default")
        bundles[group].write_bytes(
            bundle_of(place, run.name, run.record, run.scores, group=group).data
        )
    return bundles


def build(folder, *runs, **more):
    args = ["report", "--site", folder, *runs, "--workspace", folder.parent / "none"]
    return CliRunner().invoke(cli, [*map(str, args), *more.get("args", ())])


@pytest.fixture(scope="module")
def site(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites") / "site"
    result = build(folder, *given.values(), "published")
    assert result.exit_code == 0, result.output
    assert "2 rows are in conflict" in result.stderr
    return folder


@pytest.fixture(scope="module")
def rows(site):
    return json.loads((site / "data/leaderboard.json").read_text())["rows"]


def blocks(rows, board="board-1"):
    """Return (group, title) of the rows of each block of a board, in their order."""
    found = {}
    for row in rows:
        if row["board"] == board:
            found.setdefault(row["block"], []).append((row["group"], row["backbone"]))
    return list(found.values())


def test_only_rows_over_the_same_cells_of_the_same_data_are_ranked_together(rows):
    common, *own = [set(block) for block in blocks(rows)]

    assert common == {
        ("First Lab", "one"), ("First Lab", "two"), ("Same Lab", "one"), ("Odd Lab", "two"),
        ("Small Lab", "three"),
    }  # fmt: skip
    assert own == [
        common - {("Small Lab", "three")},
        {("Other Copy", "four")},
        {("Small Lab", "three")},
    ]


def test_a_block_holds_the_same_cells_and_contents(rows):
    by_block = {}
    for row in rows:
        key = row["board"], row["block"]
        by_block.setdefault(key, set()).add((row["cells"], json.dumps(row["manifests"])))

    assert all(len(found) == 1 for found in by_block.values())
    assert {row["cells"] for row in rows if row["common_cells"]} == {4}


def test_the_average_over_common_cells_is_that_of_those_cells(given, rows):
    found = next(row for row in rows if row["common_cells"] and row["backbone"] == "three")
    run = read_run(Workspace(given["Small Lab"].parent / "Small Lab"), "default")
    values = {}
    for row in run.headline_rows():
        values.setdefault((row.cell.train_corpus, row.cell.test_corpus), []).append(row.value)
    inside = [sum(values[name, name]) / 3 for name in ("a", "b")]

    assert found["in_domain"] == pytest.approx(sum(inside) / 2)
    assert found["in_domain_low"] < found["in_domain"] < found["in_domain_high"]


def test_ranks_follow_the_weighted_average(rows):
    block = [row for row in rows if row["board"] == "board-1" and row["block"] == 1]
    values = [row["weighted"] for row in block]

    assert values == sorted(values, reverse=True)
    assert block[0]["rank"] == 1
    assert len({row["rank"] for row in block if row["backbone"] == "one"}) == 1


def test_conflicts_and_confirmations_are_marked(rows):
    marks = {
        (row["group"], row["backbone"]): row["marks"]
        for row in rows
        if row["board"] == "board-1" and not row["common_cells"]
    }

    assert marks["First Lab", "one"] == ["same scores as Same Lab"]
    assert marks["Same Lab", "one"] == ["same scores as First Lab"]
    assert re.fullmatch(
        r"conflict with Odd Lab: up to 0\.\d{3} \(\w on \w\)", marks["First Lab", "two"][0]
    )
    assert "conflict with First Lab" in marks["Odd Lab", "two"][0]
    assert marks["Other Copy", "four"] == ["other contents than most rows: a, b, c"]
    assert marks["Small Lab", "three"] == []


def test_published_rows_stay_among_themselves(rows):
    published = [row for row in rows if row["entry"] == "published"]

    assert len({(row["board"], row["block"]) for row in published}) == 1
    assert {row["group"] for row in rows if row["board"] == published[0]["board"]} == {
        "SER Evals, Osman et al. 2024"
    }
    assert all(row["in_domain_low"] is None for row in published)


def test_every_row_has_its_provenance(site, rows):
    entries = json.loads((site / "data/leaderboard.json").read_text())["entries"]
    known = {entry["id"]: entry for entry in entries}

    for row in rows:
        entry = known[row["entry"]]
        if entry["id"] == "published":
            continue
        assert re.fullmatch(r"[0-9a-f]{64}", entry["bundle_sha256"])
        assert (entry["sercore"], entry["protocol"], entry["seeds"]) == ("simulated", "standard", 3)
        assert set(row["manifests"]) <= set(entry["corpora"])
        for corpus, digest in row["manifests"].items():
            assert entry["corpora"][corpus]["manifest"] == digest
        assert entry["backbones"][row["backbone"]]["checkpoint"] == row["checkpoint"]


def test_parquet_holds_the_same_rows(site, rows):
    table = pq.read_table(site / "data/leaderboard.parquet").to_pylist()

    assert [{**row, "manifests": json.loads(row["manifests"])} for row in table] == rows
    cells = pq.read_table(site / "data/cells.parquet")
    assert len(cells) == 950 + 9 * (2 + 1 + 1 + 1 + 1)


class Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        del tag
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_links_are_relative_and_lead_to_a_file(site):
    links = Links()
    links.feed((site / "index.html").read_text())

    assert len(links.found) > 20
    for link in links.found:
        parts = urlsplit(link)
        if link == "data:,":
            continue
        assert (parts.scheme, parts.netloc, parts.path[:1] == "/") == ("", "", False), link
        assert (site / unquote(parts.path)).exists(), link


def test_the_site_is_ready_for_github_pages(site):
    assert (site / ".nojekyll").read_bytes() == b""
    assert not [path for path in site.rglob("*") if path.name.startswith(".sercore")]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_rebuild_changes_nothing_in_whatever_order(given, site, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*.html")}
    result = build(copy, "published", *reversed(given.values()), *given.values())

    assert result.exit_code == 0, result.output
    assert contents(copy) == contents(site)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.html")} == times


def test_a_removed_bundle_disappears_and_other_files_stay(given, site, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    (copy / "CNAME").write_text("example.org")
    kept = [given[name] for name in ("First Lab", "Small Lab")]
    result = build(copy, *kept, args=["--json"])
    found = json.loads(result.stdout)

    assert "runs/odd-lab-default/report.html" in found["removed"]
    assert found["conflicts"] == 0
    assert not (copy / "runs/odd-lab-default").exists()
    assert (copy / "runs/first-lab-default/report.html").exists()
    assert (copy / "CNAME").read_text() == "example.org"
    assert "Odd Lab" not in (copy / "index.html").read_text()


def test_a_changed_bundle_updates_its_row(given, site, tmp_path):
    copy, changed = tmp_path / "copy", tmp_path / "changed.zip"
    shutil.copytree(site, copy)
    place = Workspace(tmp_path / "again")
    shapes = [shape(name) for name in ("a", "b", "c")]
    simulate_run(place, "default", shapes, {"two": TWO}, n_seeds=3)
    run = read_run(place, "default")
    changed.write_bytes(bundle_of(place, run.name, run.record, run.scores, group="Odd Lab").data)
    others = [path for name, path in given.items() if name != "Odd Lab"]
    result = build(copy, changed, *others, "published")
    rows = json.loads((copy / "data/leaderboard.json").read_text())["rows"]

    assert result.exit_code == 0, result.output
    assert "conflict" not in result.stderr
    assert ["same scores as First Lab"] in [
        row["marks"] for row in rows if row["group"] == "Odd Lab"
    ]


def test_a_page_of_someone_else_is_not_replaced(given, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "index.html").write_text("my page")
    result = build(folder, given["First Lab"])

    assert isinstance(result.exception, SettingsError)
    assert "was not written by 'sercore report --site'" in str(result.exception)
    assert (folder / "index.html").read_text() == "my page"


def test_a_listing_removes_only_files_that_a_build_writes(given, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "precious.txt").write_text("keep")
    (folder / "precious.txt").write_text("keep")
    names = ["precious.txt", "../precious.txt", "", ".", "runs", "runs/../precious.txt"]
    (folder / LISTING).write_text(json.dumps({"files": dict.fromkeys(names, "0")}))
    result = build(folder, given["First Lab"])

    assert result.exit_code == 0, result.output
    assert (folder / "precious.txt").exists()
    assert (tmp_path / "precious.txt").exists()


@pytest.mark.parametrize("text", ["no json", "[]", '{"files": []}'])
def test_an_odd_listing_is_refused(given, tmp_path, text):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / LISTING).write_text(text)

    assert isinstance(build(folder, given["First Lab"]).exception, SettingsError)


def test_options_of_a_report_are_refused(given, tmp_path):
    result = build(tmp_path / "site", given["First Lab"], args=["--format", "md"])

    assert result.exit_code == 2
    assert "--format does not apply to --site" in result.output


def test_names_of_groups_are_escaped(tmp_path):
    place, path = Workspace(tmp_path / "w"), tmp_path / "evil.zip"
    simulate_run(place, "default", [shape("a"), shape("b")], {"one": ONE})
    run = read_run(place, "default")
    evil = "<script>alert(1)</script>\"'"
    path.write_bytes(bundle_of(place, run.name, run.record, run.scores, group=evil).data)
    result = build(tmp_path / "site", path)
    page = (tmp_path / "site/index.html").read_text()

    assert result.exit_code == 0, result.output
    assert "<script>alert" not in page
    assert (tmp_path / "site/runs/script-alert-1-script-default/report.html").exists()


def test_runs_of_the_workspace_are_entries_too(tmp_path):
    place = Workspace(tmp_path / "w")
    simulate_run(place, "mine", [shape("a"), shape("b")], {"one": ONE})
    args = ["report", "mine", "--site", tmp_path / "site", "--workspace", tmp_path / "w"]
    result = CliRunner().invoke(cli, list(map(str, args)))

    assert result.exit_code == 0, result.output
    page = (tmp_path / "site/index.html").read_text()
    assert "group not stated" in page
    assert "none: read from a workspace" in page


# In a real browser


@pytest.fixture(scope="module")
def page(site):
    if find_browser() is None:
        pytest.skip("no Chromium is installed")
    pytest.importorskip("websocket")
    with browser(find_browser()) as tab:
        tab.size(1400, 900)
        tab.open(site / "index.html")
        yield tab


NAMES_OF_FIRST_TABLE = (
    "[...document.querySelector('table').tBodies[0].rows]"
    ".map(row => row.querySelector('th a').textContent)"
)


def click(page, title, table=0):
    page.run(
        f"[...document.querySelectorAll('table')[{table}].querySelectorAll('thead button')]"
        f".find(button => button.textContent === '{title}').click()"
    )


def test_columns_sort_both_ways(page):
    column = (
        "[...document.querySelector('table').tBodies[0].rows]"
        ".map(row => +row.cells[2].dataset.sort)"
    )
    click(page, "In-domain")
    falling = page.run(column)
    click(page, "In-domain")
    rising = page.run(column)

    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    click(page, "Backbone")
    assert page.run(NAMES_OF_FIRST_TABLE) == sorted(page.run(NAMES_OF_FIRST_TABLE))


def test_the_filter_hides_rows_and_counts_the_others(page):
    page.run("(filter.value = 'odd lab', filter.dispatchEvent(new Event('input')))")
    shown = page.run(
        "[...document.querySelectorAll('tr[data-search]')].filter(row => row.offsetParent)"
        ".map(row => row.dataset.search)"
    )

    assert len(shown) == 2
    assert all("odd lab" in text for text in shown)
    assert page.run("document.getElementById('count').textContent").startswith("2 of ")
    page.run("(filter.value = '', filter.dispatchEvent(new Event('input')))")


def test_a_link_to_a_source_opens_it(page):
    page.run("document.querySelector('a[href=\"#source-odd-lab-default\"]').click()")
    page.run("new Promise(done => setTimeout(done, 50))")

    assert page.run("document.getElementById('source-odd-lab-default').open") is True


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_but_tables_scrolls_sideways(page, width):
    page.size(width, 800, phone=width < 500)

    assert page.run("document.documentElement.scrollWidth") <= width


def test_the_page_has_no_error_and_loads_nothing(page):
    assert page.errors == []
    assert all(request.startswith(("file:", "data:")) for request in page.requests)
    assert not {Path(urlsplit(request).path).suffix for request in page.requests} & {".js", ".css"}
