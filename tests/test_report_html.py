"""The page of a report, opened in a real Chromium without a screen."""

import csv
import hashlib
import io
import json
import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from headless import browser
from headless import find_browser

pytest.importorskip("jinja2")

import sercore.reports
from sercore.reports import page_data as page_data_module
from sercore.reports.colours import contrast
from sercore.reports.colours import difference_colours
from sercore.reports.colours import heat_colours
from sercore.reports.content import build_content
from sercore.reports.html import html_page
from sercore.reports.html import unpacked
from sercore.reports.numbers import DIGITS
from sercore.reports.numbers import quantised
from sercore.reports.paired_cells import paired_cells
from sercore.reports.views import Notice
from sercore.results.reductions import reduce_matrix
from sercore.results.shortcuts import Shortcut
from sercore.results.stored_run import read_run
from sercore.results.text import number
from sercore.results.text import range_text
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

CHROMIUM = find_browser()
in_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the page was not opened"
)
HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'
SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
FACTS = {
    "alpha": ("Greek", "acted", 120),
    "beta": ("Greek", "acted", 120),
    "gamma": ("Turkish", "read", 1010),
    "xi": ("Turkish", None, 120),
}
CORPORA = [
    SimulatedCorpus(
        id=name, utterances=n, speakers=10, classes=SIX, eligible=name != "xi",
        language=language, speech=speech,
    )
    for name, (language, speech, n) in FACTS.items()
]  # fmt: skip
BACKBONES = {
    "good": ("openai/whisper-large-v2", 1.0),
    "middle": (None, 0.6),
    "poor": (None, 0.1),
    HOSTILE: (None, 0.3),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("report"))
    lacking = [("middle", "alpha", "beta")]
    simulate_run(place, "trial", CORPORA, BACKBONES, lacking=lacking)
    few = {name: BACKBONES[name] for name in ("good", "poor")}
    simulate_run(place, "seeds", CORPORA[:3], few, n_seeds=3)
    simulate_run(
        place, "probes", CORPORA[:2], few, probes={"linear": 0.0, "deep": 0.2}, layers=("3", "7")
    )
    simulate_run(place, "inside", CORPORA[3:], few, seed=4)
    others = [replace(corpus, id=f"{corpus.id}2", sets=("mine",)) for corpus in CORPORA[:2]]
    simulate_run(place, "sets", [*CORPORA[:2], *others], few)
    return place


@pytest.fixture(scope="module")
def trial(workspace):
    return build_content([read_run(workspace, "trial")], rank_tests=True)


@pytest.fixture(scope="module")
def seeds(workspace):
    return build_content([read_run(workspace, "seeds")])


@pytest.fixture(scope="module")
def files(workspace, trial, seeds):
    contents = {
        "trial": trial,
        "seeds": seeds,
        "probes": build_content([read_run(workspace, "probes")]),
        "inside": build_content([read_run(workspace, "inside")]),
        "sets": build_content([read_run(workspace, "sets")]),
    }
    found = {}
    for name, content in contents.items():
        found[name] = Path(workspace.root) / f"{name}.html"
        found[name].write_text(html_page(content), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def chromium():
    with browser(CHROMIUM) as page:
        yield page


@pytest.fixture
def page(chromium):
    """Return a tab; the test fails if a page in it complains or asks the network."""
    chromium.size(1280, 900)
    chromium.dark(on=False)
    chromium.errors.clear()
    chromium.requests.clear()
    yield chromium
    assert chromium.errors == []
    local = ("file:", "data:", "blob:", "about:")
    assert [url for url in chromium.requests if not url.startswith(local)] == []


@pytest.fixture
def opened(page, files):
    page.open(files["trial"])
    return page


def shown_names(page):
    return page.run(
        "[...document.querySelectorAll('.board tbody tr')].map(row => row.dataset.name)"
    )


def board(page, column):
    """Return the values that the leaderboard prints, by backbone."""
    return page.run(
        "Object.fromEntries([...document.querySelectorAll('.board tbody tr')].map(row =>"
        f" [row.dataset.name, row.querySelector('td[data-of=\"{column}\"] > span')?.textContent]))"
    )


def heat(page, title):
    """Return the texts of a heat map by its row and column."""
    return page.run(
        "(() => { const table = document.querySelector("
        f"'[aria-label={json.dumps(title)}] table.heat');"
        "const columns = [...table.tHead.rows[0].cells].slice(1).map(cell => cell.textContent);"
        "return Object.fromEntries([...table.tBodies[0].rows].map(row => [row.cells[0].textContent,"
        "Object.fromEntries([...row.cells].slice(1).map((cell, i) =>"
        "[columns[i], cell.textContent]))])); })()"
    )


def state(page):
    return page.run("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")


def test_the_file_refers_to_nothing_outside_and_escapes_everything(files):
    text = files["trial"].read_text(encoding="utf-8")

    shell = text[: text.rindex("<script>")]
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', shell)
    assert "<img" not in shell
    assert text.count("</script>") == 2
    assert "sourceMappingURL" not in text
    assert "default-src 'none'" in text
    assert any(row["name"] == HOSTILE for row in unpacked(text)["views"][0]["rows"])


def test_the_libraries_in_the_page_are_the_ones_that_their_list_names():
    folder = Path(sercore.reports.__file__).parent / "vendor"
    listed = dict(
        re.findall(r"`([\w.]+\.js)`.*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    )

    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.js")
    }
    assert listed == found
    for name in found:
        assert (folder / f"{name.split('.')[0]}.LICENSE").stat().st_size > 500


def test_numbers_in_the_page_print_like_those_of_the_other_formats():
    rng = np.random.default_rng(0)
    values = [
        *rng.uniform(-1, 1, 20_000),
        *rng.uniform(0, 40, 2000),
        *(i / 16 for i in range(-9, 9)),
    ]

    for value in values:
        near = quantised(float(value))
        assert f"{near / 10**DIGITS:.3f}" == f"{value:.3f}"
        assert near % 100 != 50  # JavaScript rounds a tie up, Python to even
        assert abs(near / 10**DIGITS - value) <= 1.5 / 10**DIGITS


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scale", [heat_colours, difference_colours])
def test_text_on_every_step_of_a_scale_is_readable(scale, dark):
    colours = scale(dark=dark)

    assert min(contrast(*pair) for pair in colours) >= 4.5
    assert len({ground for ground, _ in colours}) == len(colours)


@in_browser
def test_it_says_in_plain_words_which_how_sure_and_where(opened, trial):
    text = opened.run("document.getElementById('answer').innerText")

    (group,) = trial.groups
    assert "Which backbone?" in text
    assert "The backbones are not ranked: middle lacks 1 of" in text
    best = max(group.backbones, key=lambda result: result.out_of_domain.mean)
    interval = range_text(best.intervals.out_of_domain)
    assert f"{best.title} leads with " in text
    assert f"{number(best.out_of_domain.mean)} [{interval}] on corpora that" in text
    assert "given this one probe" in text
    worst = min(best.reductions.out_of_domain.columns.items(), key=lambda item: item[1].mean)
    assert f"weakest when it is tested on {worst[0]} ({number(worst[1].mean)})" in text
    assert opened.run("document.title") == "trial · sercore report"
    assert set(shown_names(opened)) == set(BACKBONES)
    assert "1 cell missing (middle)" in opened.run("document.body.innerText")
    assert opened.run("document.querySelectorAll('img').length") == 0


@in_browser
def test_without_scripts_it_still_has_the_answer_and_the_averages(page, files, trial):
    page.scripts(on=False)
    try:
        page.call("Page.navigate", url=files["trial"].as_uri())
        time.sleep(0.5)
        text = page.run("document.body.innerText")
    finally:
        page.scripts(on=True)

    assert "Which backbone?" in text
    for result in trial.groups[0].backbones:
        assert number(result.reductions.in_domain.mean) in text
    assert "need JavaScript" in text


@in_browser
def test_every_metric_and_adjustment_shows_the_numbers_of_the_other_formats(page, files, workspace):
    page.open(files["seeds"])
    run = read_run(workspace, "seeds")
    adjustments, metrics = page.options("adjustment"), page.options("metric")
    assert set(adjustments) == {"uniform", "em", "bbse", "oracle", "none", "published"}
    assert {"macro-f1", "uar", "negative-log-likelihood", "expected-calibration-error"} <= set(
        metrics
    )

    for metric in ("macro-f1", "uar", "negative-log-likelihood"):
        page.choose("metric", metric)
        for adjustment in ("em", "none", "oracle"):
            page.choose("adjustment", adjustment)
            (group,) = build_content([run], metric=metric, adjustment=adjustment).groups
            wanted = {
                result.backbone: number(result.out_of_domain.mean) for result in group.backbones
            }
            assert board(page, "out-of-domain") == wanted
            assert state(page) == {"metric": metric, "adjustment": adjustment}
            view = group.backbones[0].cells["alpha", "beta"]
            tip = page.run(
                f"document.querySelector('[data-cell=\"{group.backbones[0].title}|alpha|beta\"]')"
                ".dataset.tip"
            )
            assert f"alpha on beta: {number(view.cell.value)}" in tip
            if metric == "macro-f1":
                assert f"95 % interval {range_text(view.interval)}" in tip
                small = page.run(
                    "document.querySelector('.board td[data-of=in-domain] small').textContent"
                )
                first = shown_names(page)[0]
                of_first = next(row for row in group.backbones if row.backbone == first)
                assert small == range_text(of_first.intervals.in_domain)


@in_browser
def test_skill_is_zero_at_the_best_blind_guess(page, files, seeds):
    page.open(files["seeds"])
    page.choose("scale", "skill")

    (group,) = seeds.groups
    for result in group.backbones:
        skills = [view.skill for pair, view in result.cells.items() if view.cell.in_domain]
        assert board(page, "in-domain")[result.backbone] == number(float(np.mean(skills)))
    assert "skill above chance" in page.run("document.getElementById('leaderboard').innerText")
    page.choose("metric", "negative-log-likelihood")
    assert page.options("scale") == ["score"]


@in_browser
@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("language", "Greek", {"alpha", "beta"}),
        ("speech", "acted", {"alpha", "beta"}),
        ("speech", "not stated", {"xi"}),
        ("size", "under 1000", {"alpha", "beta", "xi"}),
        ("size", "1000 to 4999", {"gamma"}),
    ],
)
def test_a_filter_keeps_corpora_and_averages_over_them(opened, trial, name, value, kept):
    opened.choose(name, value)

    (group,) = trial.groups
    for result in group.backbones:
        pairs = [pair for pair in result.matrix.cells if set(pair) <= kept]
        pairs += [pair for pair in result.matrix.missing if set(pair) <= kept]
        part = reduce_matrix(
            result.matrix.restricted(pairs), eligible={"alpha", "beta", "gamma"} & kept
        )
        shown = board(opened, "in-domain")[result.backbone]
        assert shown == number(part.in_domain.mean)
        if part.out_of_domain is not None and part.out_of_domain.average.mean is not None:
            assert board(opened, "out-of-domain")[result.backbone] == number(
                part.out_of_domain.average.mean
            )
    columns = set(heat(opened, "In-domain scores")["good"]) - {"mean"}
    assert columns == kept
    assert f"Plain means over {len(kept)} of 4 corpora" in opened.run("document.body.innerText")
    assert state(opened) == {name: value}
    opened.click(".reset")
    assert state(opened) == {}


@in_browser
def test_a_cell_opens_with_its_confusion_classes_speakers_and_record(page, files, seeds):
    page.open(files["seeds"])
    (group,) = seeds.groups
    result = group.backbones[0]
    view = result.cells["alpha", "gamma"]

    page.click(f'[data-cell="{result.title}|alpha|gamma"]')

    assert page.run("document.getElementById('cell').open") is True
    assert page.run("document.querySelector('#cell h2').textContent") == (
        f"{result.title}: alpha on gamma"
    )
    shown = heat(page, "Confusion")
    counts = {
        label: {name: str(int(n)) for name, n in zip(view.confusion.predictions, row, strict=True)}
        for label, row in zip(view.confusion.labels, view.confusion.counts.tolist(), strict=True)
    }
    assert shown == counts
    facts = page.run(
        "Object.fromEntries([...document.querySelectorAll('#cell dt')].map(name =>"
        " [name.textContent, name.nextElementSibling.textContent]))"
    )
    assert facts["macro-F1"] == number(view.cell.value)
    assert facts["95 % interval"].startswith(f"{range_text(view.interval)} (over 10 speakers)")
    assert facts["by seed"] == ", ".join(number(value) for value in view.cell.by_seed.values())
    assert facts["utterances tested on"] == "1010"
    assert facts["predictions"] == ", ".join(key[:12] for key in view.cell.prediction_keys)
    speakers = page.run(
        "[...document.querySelectorAll('.speakers tbody tr')].map(row =>"
        " [...row.cells].map(cell => cell.textContent))"
    )
    assert {name for name, *_ in speakers} == {f"s{number}" for number in range(10)}
    assert sum(int(n) for _, n, _ in speakers) == 3 * 1010
    right = sum(int(n) * float(share) for _, n, share in speakers)
    assert right == pytest.approx(np.trace(view.confusion.counts), abs=0.001 * 3 * 1010)
    scores = page.run(
        "[...document.querySelectorAll('[aria-label=\"All scores of the cell\"] tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    assert ["macro-F1", number(view.cell.value)] in [row[:2] for row in scores]
    page.hover("#cell table.heat td span")
    assert "taken for" in page.run("document.getElementById('tip').textContent")
    page.click("#cell .close")
    assert page.run("document.getElementById('cell').open") is False


@in_browser
def test_the_address_holds_the_state_and_back_returns_to_it(page, files):
    page.open(files["seeds"], "#cell=good|alpha|beta&adjustment=em&metric=uar")

    assert page.run("document.getElementById('cell').open") is True
    assert page.run("document.querySelector('select[name=metric]').value") == "uar"
    assert page.run("document.querySelector('select[name=adjustment]').value") == "em"
    page.press("Escape", 27)
    assert page.run("document.getElementById('cell').open") is False
    assert state(page) == {"adjustment": "em", "metric": "uar"}
    page.choose("metric", "accuracy")
    assert state(page)["metric"] == "accuracy"
    for expected in ("uar", "uar"):
        page.run("history.back()")
        page.wait(f"document.querySelector('select[name=metric]').value === '{expected}'")
    page.wait("document.getElementById('cell').open")
    link = page.run("document.querySelector('#cell a').getAttribute('href')")
    page.open(files["seeds"], link)
    assert page.run("document.getElementById('cell').open") is True
    page.run("location.hash = '#cell=no|such|cell'")
    page.wait("!document.getElementById('cell').open")


@in_browser
def test_a_link_to_a_section_keeps_the_state(page, files):
    page.open(files["seeds"], "#metric=uar")

    page.click("nav a[href='#classes']")

    assert state(page) == {"metric": "uar"}
    page.wait("Math.abs(document.getElementById('classes').getBoundingClientRect().top) < 400")


@in_browser
def test_two_backbones_are_compared_cell_by_cell(page, files, seeds):
    page.open(files["seeds"])
    page.choose("first", "poor")
    page.choose("second", "good")

    (group,) = seeds.groups
    by_name = {result.title: result for result in group.backbones}
    intervals = paired_cells(by_name["poor"], by_name["good"])
    titles = page.run(
        "[...document.querySelectorAll('#comparison [data-tip]')].map(node => node.dataset.tip)"
    )
    for pair, interval in intervals.items():
        where = f"{pair[0]} in domain" if pair[0] == pair[1] else f"{pair[0]} on {pair[1]}"
        (tip, *_) = [tip for tip in titles if f"{where}:" in tip]
        assert f"{where}: {interval.value:+.3f}".replace("-0.000", "0.000") in tip
        ends = [float(end) for end in re.findall(r"interval (\S+) to (\S+)", tip)[0]]
        assert ends == pytest.approx([interval.low, interval.high], abs=6e-4)
        assert ("they differ" in tip) == interval.excludes_zero
    text = page.run("document.getElementById('comparison').innerText")
    assert "good minus poor" in text
    assert "On other corpora like these, good scores higher than poor" in text
    assert "On these" in text
    page.choose("first", "good")  # the same backbone twice is no comparison
    assert page.run("document.getElementById('comparison')") is None


@in_browser
def test_downloads_hold_what_is_shown(page, files, seeds, tmp_path):
    page.open(files["seeds"])
    page.download_into(tmp_path)
    (group,) = seeds.groups
    result = group.backbones[0]

    def downloaded(section, kind):
        before = set(tmp_path.iterdir())
        page.click(f"{section} [data-download={kind}]")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            new = {
                path for path in set(tmp_path.iterdir()) - before if ".crdownload" not in path.name
            }
            if new and all(path.stat().st_size for path in new):
                return new.pop().read_bytes()
            time.sleep(0.05)
        raise TimeoutError(kind)

    rows = list(csv.reader(io.StringIO(downloaded("#leaderboard", "CSV").decode())))
    assert rows[0][:2] == ["backbone", "Weighted"]
    values = {row[0]: float(row[rows[0].index("In domain")]) for row in rows[1:]}
    assert values[result.title] == pytest.approx(result.reductions.in_domain.mean, abs=2e-5)
    cells = list(csv.DictReader(io.StringIO(downloaded("#matrices", "CSV").decode())))
    (cell,) = [row for row in cells if (row["train ╲ test"], row["column"]) == ("alpha", "beta")]
    view = result.cells["alpha", "beta"]
    for name, wanted in (("value", view.cell.value), ("low", view.interval.low)):
        assert float(cell[name]) == pytest.approx(wanted, abs=2e-5)
    for section in ("#leaderboard", "#matrices"):
        drawing = downloaded(section, "SVG").decode()
        assert "var(" not in drawing
        texts = "".join(ET.fromstring(drawing).itertext())
        assert result.title in texts
        picture = downloaded(section, "PNG")
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 2000
        table = downloaded(section, "LaTeX").decode()
        assert r"\begin{tabular}" in table
        assert r"\bottomrule" in table
        assert "@misc{sercore-report," in downloaded(section, "BibTeX").decode()


@in_browser
def test_text_in_a_download_is_only_text(opened, tmp_path):
    opened.download_into(tmp_path)
    opened.click("#leaderboard [data-download=SVG]")
    opened.wait("true")
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*.svg")) and time.monotonic() < deadline:
        time.sleep(0.05)

    (file,) = tmp_path.glob("*.svg")
    drawing = ET.fromstring(file.read_text())
    assert not [node for node in drawing.iter() if node.tag.endswith(("img", "script"))]


@in_browser
def test_a_click_on_a_header_sorts_both_ways(opened):
    header = ".board th:has([data-sort=in-domain])"
    opened.click(f"{header} button")
    down = list(board(opened, "in-domain").values())
    assert down == sorted(down, reverse=True)
    assert opened.run(f"document.querySelector('{header}').ariaSort") == "descending"
    opened.click(f"{header} button")
    assert list(board(opened, "in-domain").values()) == sorted(down)
    assert opened.run("document.querySelectorAll('.board th[aria-sort]').length") == 1


@in_browser
def test_the_keyboard_sorts_and_moves_in_a_matrix(opened):
    opened.run("document.querySelector('.board [data-sort=name]').focus()")
    opened.press("Enter", 13)
    assert shown_names(opened) == sorted(shown_names(opened), key=str.casefold)

    opened.run("document.querySelector('[data-cell=\"good|alpha|alpha\"]').focus()")
    opened.press("ArrowRight", 39)
    assert opened.run("document.activeElement.dataset.cell") == "good|alpha|beta"
    opened.press("ArrowDown", 40)
    assert opened.run("document.activeElement.dataset.cell") == "good|beta|beta"
    opened.press("Enter", 13)
    assert opened.run("document.getElementById('cell').open") is True


@in_browser
def test_typing_filters_and_the_box_hides_what_is_incomplete(opened):
    opened.click(".tools input[type=search]")
    opened.type("goo")
    assert shown_names(opened) == ["good"]
    assert opened.run("document.querySelector('.tools output').textContent") == "1 of 4"

    opened.run("document.querySelector('.tools input[type=search]').select()")
    opened.type("i")
    assert "middle" in shown_names(opened)
    opened.click("input[name=whole]")
    assert "middle" not in shown_names(opened)


@in_browser
def test_more_columns_show_deviations_coverage_and_the_paper_without_being_cut(opened):
    opened.size(1400, 900)
    opened.click("input[name=more]")

    heads = opened.run(
        "[...document.querySelectorAll('.board thead th')].map(th => th.textContent)"
    )
    assert {"Paper: in-domain", "Paper: weighted", "In domain: deviation"} <= set(heads)
    wide = opened.run(
        "(() => { const box = document.querySelector('.board').parentElement;"
        "return box.scrollWidth - box.clientWidth; })()"
    )
    assert wide <= 0


@in_browser
@pytest.mark.parametrize(
    "selector", ["#matrices td.own button", "svg.figure .mark", ".board td[data-of=in-domain]"]
)
def test_hovering_shows_a_tooltip(opened, selector):
    assert opened.run("document.getElementById('tip').hidden") is True
    expected = opened.run(f"document.querySelector('{selector}').dataset.tip")

    opened.hover(selector)

    assert opened.run("document.getElementById('tip').hidden") is False
    assert opened.run("document.getElementById('tip').textContent") == expected
    assert re.search(r"0\.\d{3}", expected)
    opened.press("Escape", 27)
    assert opened.run("document.getElementById('tip').hidden") is True


@in_browser
def test_the_tooltip_of_a_dialog_lies_above_it(opened):
    opened.click("#matrices td.own button")
    opened.hover("#cell table.heat td span")

    assert opened.run(
        "(() => { const tip = document.getElementById('tip');"
        "const box = tip.getBoundingClientRect();"
        "tip.style.pointerEvents = 'auto';"
        "return document.elementFromPoint(box.left + 5, box.top + 5) === tip; })()"
    )


@in_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("fragment", ["#second=poor", "#cell=good|alpha|alpha"])
def test_all_text_has_contrast_in_light_and_dark(page, files, dark, fragment):
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text, over whatever ground is behind it."""
    page.dark(on=dark)
    page.open(files["trial"], fragment)
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
            if (!own || !node.checkVisibility() || node.closest('svg, script, :disabled')) continue;
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
def test_the_button_overrides_what_the_system_prefers(opened):
    for expected in ("light", "dark", "auto"):
        opened.click("#theme")
        assert opened.run("document.getElementById('theme').textContent") == f"Theme: {expected}"
        if expected == "dark":
            ground = opened.run("getComputedStyle(document.body).backgroundColor")
            assert ground == "rgb(18, 23, 28)"


@in_browser
@pytest.mark.parametrize("fragment", ["#second=poor", "#cell=good|alpha|alpha"])
def test_a_phone_scrolls_in_one_direction_only(page, files, fragment):
    page.size(390, 844, phone=True)
    page.open(files["trial"], fragment)

    wide = page.run(
        "[...document.querySelectorAll('body *')].filter(node => !node.closest('.scroll, nav')"
        "&& node.getBoundingClientRect().right > 390.5).map(node => node.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.run("getComputedStyle(document.body).fontSize") == "14px"


@in_browser
def test_everything_that_can_be_pressed_has_a_name_and_every_figure_a_description(opened):
    nameless = opened.run(
        "[...document.querySelectorAll('button, select, input, [role=img], svg.figure')]"
        ".filter(node => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))"
        ".length"
    )

    assert nameless == 0
    assert opened.run("document.documentElement.lang") == "en"
    tables = opened.run(
        "[...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]'))"
        ".length"
    )
    assert tables == 0


@in_browser
def test_many_notices_are_folded_under_their_titles(page, trial, tmp_path):
    more = [Notice(kind="copy", title=f"copy {place}", text="It differs.") for place in range(3)]
    note = Notice(kind="note", title="About this copy", text="A note.")
    file = tmp_path / "notices.html"
    changed = replace(trial, notices=(*trial.notices, *more, note))
    file.write_text(html_page(changed), encoding="utf-8")

    page.open(file)

    assert page.run("document.querySelectorAll('.notices > p').length") == 2
    folded = [notice.title for notice in changed.notices if notice.kind != "note"][2:]
    summary = page.run("document.querySelector('.notices summary').textContent")
    own_notes = [notice.title for notice in trial.notices if notice.kind == "note"]
    assert summary.startswith(f"{len(changed.notices) - 2} more notices: ")
    for title in (*folded, *own_notes, "About this copy"):
        assert title in summary
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelector('.notices details').open") is True


@in_browser
def test_it_prints_all_matrices(opened):
    assert opened.run("document.querySelectorAll('[data-matrix]').length") == 1
    opened.run("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.run("document.querySelectorAll('[data-matrix]').length") == len(BACKBONES)
    assert opened.run("[...document.querySelectorAll('#verdicts details')].every(one => one.open)")
    opened.run("window.dispatchEvent(new Event('afterprint'))")
    assert opened.run("document.querySelectorAll('[data-matrix]').length") == 1

    printed = opened.pdf()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 4


@in_browser
def test_probes_and_layers_are_told_apart(page, files, workspace):
    page.open(files["probes"])

    assert page.options("probe") == ["deep", "linear"]
    assert page.options("layer") == ["all", "3", "7"]
    titles = page.run(
        "[...document.querySelectorAll('.board tbody th .long')].map(n => n.textContent)"
    )
    assert sorted(titles) == [
        "good · layer 3",
        "good · layer 7",
        "poor · layer 3",
        "poor · layer 7",
    ]
    groups = build_content([read_run(workspace, "probes")]).groups
    for group in groups:
        page.choose("probe", group.setting.probe)
        assert f"probe {group.setting.probe}" in page.run(
            "document.getElementById('leaderboard').innerText"
        )
        for layer in ("3", "7"):
            page.choose("layer", layer)
            wanted = {
                result.backbone: number(result.out_of_domain.mean)
                for result in group.backbones
                if result.matrix.setting.layer == layer
            }
            assert board(page, "out-of-domain") == wanted
            assert state(page)["layer"] == layer
    page.click("#matrices td.own button")
    text = page.run("document.getElementById('cell').innerText")
    assert "layer 7" in text
    assert "linear" in text


@in_browser
def test_every_set_of_corpora_has_its_own_averages(page, files, workspace):
    page.open(files["sets"])
    groups = build_content([read_run(workspace, "sets")]).groups

    assert set(page.options("set")) == {group.setting.corpora for group in groups}
    assert len(groups) == 3
    for group in groups:
        page.choose("set", group.setting.corpora)
        for result in group.backbones:
            mean = result.out_of_domain.mean if result.out_of_domain else None
            shown = board(page, "out-of-domain").get(result.backbone)
            assert shown == (None if mean is None else number(mean))


@in_browser
def test_more_columns_show_the_average_that_adjusts_neither_side(page, files, seeds):
    page.open(files["seeds"])
    page.click("input[name=more]")

    (group,) = seeds.groups
    wanted = {result.backbone: number(result.matched.weighted) for result in group.backbones}
    assert board(page, "matched") == wanted
    page.choose("adjustment", "none")  # the weighted average is matched already
    assert board(page, "weighted") == wanted


@in_browser
def test_scores_without_sound_stand_under_the_backbones(page, tmp_path, seeds):
    """The records of simulated runs name no labels, so the shortcut is put in."""
    (group,) = seeds.groups
    estimates = group.backbones[0].estimates
    cells = {name: estimates[name, name] for name in ("alpha", "beta")}
    interval = cells["alpha"].interval
    shortcut = Shortcut(known="text", cells=cells, mean=0.4321, interval=interval)
    file = tmp_path / "shortcut.html"
    changed = replace(group, shortcuts=(shortcut,), human_accuracy={"alpha": 0.81})
    file.write_text(html_page(replace(seeds, groups=(changed,))), encoding="utf-8")

    page.open(file, "#cell=good|alpha|alpha")

    foot = page.run("document.querySelector('.board tfoot').textContent")
    assert f"without sound: text alone0.432 [{range_text(interval)}]" in foot
    text = page.run("document.getElementById('cell').innerText")
    assert "without sound: text alone" in text
    assert "accuracy of human listeners" in text
    assert "0.810" in text


@in_browser
def test_the_published_matrices_have_verdicts_and_no_intervals(page, workspace, tmp_path):
    content = build_content([read_run(workspace, "published")])
    file = tmp_path / "published.html"
    file.write_text(html_page(content), encoding="utf-8")

    page.open(file, "#second=whisper-medium&cell=whisper-large|mead|cafe")

    (group,) = content.groups
    wanted = {result.backbone: number(result.out_of_domain.mean) for result in group.backbones}
    assert board(page, "out-of-domain") == wanted
    assert page.run("document.querySelector('.switches')") is None
    text = page.run("document.body.innerText")
    assert "is not separable from" in text
    assert "There are no intervals: the predictions of some cells are not stored." in text
    assert "The confusion counts of this cell are not stored." in text
    assert "Lines are 95 % intervals" not in text
    assert page.run("document.querySelectorAll('.whisker').length") == 0


@in_browser
def test_a_run_without_out_of_domain_cells_has_no_empty_sections(page, files):
    page.open(files["inside"])

    assert page.run("document.getElementById('matrices')") is None
    assert page.run("document.querySelector('nav a[href=\"#matrices\"]').hidden") is True
    page.choose("second", "poor")
    assert "poor minus good" in page.run("document.getElementById('comparison').innerText")


@in_browser
def test_a_report_of_too_many_cells_says_why_it_has_no_switches(page, trial, tmp_path, monkeypatch):
    monkeypatch.setattr(page_data_module, "MOST_CELLS", 10)
    file = tmp_path / "large.html"
    file.write_text(html_page(trial), encoding="utf-8")

    page.open(file)

    assert page.options("metric") == []
    assert "too many cells for switches" in page.run(
        "document.querySelector('.switches').innerText"
    )
    assert set(shown_names(page)) == set(BACKBONES)


@in_browser
def test_a_report_without_cells_says_so(page, trial, tmp_path):
    file = tmp_path / "empty.html"
    file.write_text(html_page(replace(trial, groups=(), switched=tuple)), encoding="utf-8")
    page.call("Page.navigate", url=file.as_uri())
    page.wait("document.body && document.body.innerText.includes('nothing to report yet')")
