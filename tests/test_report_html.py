"""The page of a report, opened in a real Chromium without a screen."""

import json
import re

import pytest
from headless import browser
from headless import find_browser

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from sercore.reports.content import build_content
from sercore.reports.html import html_page
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

CHROMIUM = find_browser()
in_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the page was not opened"
)
HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'
SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
CORPORA = [
    SimulatedCorpus(id=name, utterances=120, speakers=10, classes=SIX, eligible=name != "xi")
    for name in ("alpha", "beta", "gamma", "xi")
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    workspace = Workspace(folder / "workspace")
    simulate_run(
        workspace,
        "trial",
        CORPORA,
        {
            "good": ("openai/whisper-large-v2", 1.0),
            "middle": (None, 0.6),
            "poor": (None, 0.1),
            HOSTILE: (None, 0.3),
        },
        lacking=[("middle", "alpha", "beta")],
    )
    path = folder / "report.html"
    content = build_content([read_run(workspace, "trial")], rank_tests=True)
    path.write_text(html_page(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    with browser(CHROMIUM) as page:
        yield page


@pytest.fixture
def page(chromium, page_file):
    chromium.size(1280, 900)
    chromium.dark(on=False)
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.open(page_file)
    yield chromium
    assert chromium.errors == []
    assert [url for url in chromium.requests if not url.startswith(("file:", "data:"))] == []


BOARD = "table.sortable[id$=board]"


def shown_names(page):
    return page.run(
        f"[...document.querySelector('{BOARD}').tBodies[0].rows].filter(row => !row.hidden)"
        ".map(row => row.dataset.name)"
    )


def test_the_file_refers_to_nothing_outside_and_escapes_everything(page_file):
    text = page_file.read_text(encoding="utf-8")

    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "<img" not in text
    assert text.count("<script") == 2
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    cells = json.loads(data[1])["cells"]
    assert any(HOSTILE in cell["title"] for cell in cells.values())


@in_browser
def test_it_renders_without_errors_and_says_what_is_missing(page):
    assert page.run("document.title") == "trial · sercore report"
    assert set(shown_names(page)) == {"good", "middle", "poor", HOSTILE}
    text = page.run("document.body.innerText")
    assert "1 cell missing (middle)" in text
    assert "5 of 6 cells" in text
    assert "Not ranked: middle lacks 1 of" in text
    assert page.run("document.querySelectorAll('svg.figure').length") >= 5
    assert page.run("document.querySelectorAll('img').length") == 0


@in_browser
def test_a_click_on_a_header_sorts_both_ways(page):
    def values():
        return page.run(
            f"[...document.querySelectorAll('{BOARD} tbody td[data-of=id]')]"
            ".map(cell => Number(cell.dataset.v))"
        )

    header = f"{BOARD} th[data-column=id]"
    page.click(f"{header} button")
    assert values() == sorted(values(), reverse=True)
    assert page.run(f"document.querySelector('{header}').ariaSort") == "descending"
    page.click(f"{header} button")
    assert values() == sorted(values())
    assert page.run(f"document.querySelector('{header}').ariaSort") == "ascending"
    assert page.run(f"document.querySelectorAll('{BOARD} th[aria-sort]').length") == 1


@in_browser
def test_the_keyboard_sorts_too(page):
    page.run(f"document.querySelector('{BOARD} th[data-column=name] button').focus()")
    page.press("Enter", 13)

    assert shown_names(page) == sorted(shown_names(page), key=str.casefold)


@in_browser
def test_typing_filters_and_the_box_hides_what_is_incomplete(page):
    page.click("[data-filters] input[type=search]")
    page.type("goo")
    assert shown_names(page) == ["good"]
    assert page.run("document.querySelector('[data-filters] output').textContent") == "1 of 4"

    page.run("document.querySelector('[data-filters] input[type=search]').select()")
    page.type("i")
    assert "middle" in shown_names(page)
    page.click("[data-filters] input[type=checkbox]")
    assert "middle" not in shown_names(page)


@in_browser
@pytest.mark.parametrize(
    "selector",
    ["[data-matrix]:not([hidden]) td.own button", "svg.figure .mark", "td[data-of=id]"],
)
def test_hovering_shows_a_tooltip(page, selector):
    assert page.run("document.getElementById('tip').hidden") is True
    expected = page.run(f"document.querySelector('{selector}').dataset.tip")

    page.hover(selector)

    assert page.run("document.getElementById('tip').hidden") is False
    assert page.run("document.getElementById('tip').textContent") == expected
    assert re.search(r"0\.\d{3}", expected)
    page.press("Escape", 27)
    assert page.run("document.getElementById('tip').hidden") is True


@in_browser
def test_a_click_on_a_cell_opens_its_confusion_matrix(page):
    selector = "[data-matrix]:not([hidden]) td.own button"
    key = page.run(f"document.querySelector('{selector}').dataset.cell")
    stored = page.run(f"JSON.parse(document.getElementById('data').textContent).cells['{key}']")

    page.click(selector)

    assert page.run("document.getElementById('cell').open") is True
    shown = page.run(
        "[...document.querySelectorAll('#cell table.heat tbody tr')]"
        ".map(row => [...row.querySelectorAll('td')].map(cell => Number(cell.textContent)))"
    )
    assert shown == stored["counts"]
    assert page.run("document.querySelector('#cell h3').textContent") == stored["title"]
    page.hover("#cell td span")
    assert "taken for" in page.run("document.getElementById('tip').textContent")
    page.click("#cell .close")
    assert page.run("document.getElementById('cell').open") is False


@in_browser
def test_the_tooltip_of_a_dialog_lies_above_it(page):
    page.click("[data-matrix]:not([hidden]) td.own button")
    page.hover("#cell td span")

    assert page.run(
        "(() => { const tip = document.getElementById('tip');"
        "const box = tip.getBoundingClientRect();"
        "tip.style.pointerEvents = 'auto';"
        "return document.elementFromPoint(box.left + 5, box.top + 5) === tip; })()"
    )


@in_browser
def test_choosing_a_backbone_shows_its_matrix_alone(page):
    visible = "[...document.querySelectorAll('[data-matrix]')].filter(each => !each.hidden)"
    assert page.run(f"{visible}.length") == 1
    page.run(
        "(() => { const select = document.querySelector('select[data-shows]');"
        "select.selectedIndex = 2; select.dispatchEvent(new Event('change')); })()"
    )

    assert page.run(f"{visible}.map(each => each.dataset.matrix.at(-1))") == ["2"]


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_all_text_has_contrast_in_light_and_dark(page, dark):
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text, over whatever ground is behind it."""
    page.dark(on=dark)
    poor = page.run(
        """(() => {
          const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = node => {
            for (let at = node; at; at = at.parentElement) {
              const colour = parse(getComputedStyle(at).backgroundColor);
              if (colour.length === 3 || colour[3] === 1) return colour;
            }
            return [255, 255, 255];
          };
          const found = [];
          for (const node of document.querySelectorAll('body *')) {
            const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
            if (!own || !node.checkVisibility() || node.closest('svg, script')) continue;
            const one = light(parse(getComputedStyle(node).color)), two = light(ground(node));
            const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
            if (ratio < 4.5) found.push([node.textContent.slice(0, 30), ratio]);
          }
          return found;
        })()"""
    )

    assert poor == []
    body = page.run("getComputedStyle(document.body).backgroundColor")
    assert body == ("rgb(18, 23, 28)" if dark else "rgb(255, 255, 255)")


@in_browser
def test_the_button_overrides_what_the_system_prefers(page):
    for expected in ("light", "dark", "auto"):
        page.click("#theme")
        assert page.run("document.getElementById('theme').textContent") == f"Theme: {expected}"
        if expected == "dark":
            ground = page.run("getComputedStyle(document.body).backgroundColor")
            assert ground == "rgb(18, 23, 28)"


@in_browser
def test_a_phone_scrolls_in_one_direction_only(page):
    page.size(360, 740, phone=True)

    wide = page.run(
        "[...document.querySelectorAll('body *')].filter(node => !node.closest('.scroll, nav')"
        "&& node.getBoundingClientRect().right > 360.5).map(node => node.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("getComputedStyle(document.body).fontSize") == "14px"


@in_browser
def test_everything_that_can_be_pressed_has_a_name_and_every_figure_a_description(page):
    nameless = page.run(
        "[...document.querySelectorAll('button, select, input, [role=img], svg.figure')]"
        ".filter(node => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))"
        ".length"
    )

    assert nameless == 0
    assert page.run("document.documentElement.lang") == "en"
    tables = page.run(
        "[...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]'))"
        ".length"
    )
    assert tables == 0


@in_browser
def test_it_prints_all_matrices(page):
    printed = page.pdf()

    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 3
    page.call("Emulation.setEmulatedMedia", media="print")
    hidden = page.run(
        "[...document.querySelectorAll('[data-matrix]')]"
        ".filter(each => getComputedStyle(each).display === 'none').length"
    )
    page.call("Emulation.setEmulatedMedia", media="")
    assert hidden == 0
