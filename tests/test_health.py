"""The audio of a corpus in sentences and on a page, on recordings made to be remarkable."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from headless import browser
from headless import find_browser
from small_corpora import write_emodb
from small_corpora import write_wav

from sercore.cli import cli
from sercore.diagnostics.corpus_check import CorpusChecker
from sercore.diagnostics.health_page import health_page
from sercore.plugins.registry import Registry
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

CHROMIUM = find_browser()
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
FOLDERS = (("Angry", "A"), ("Happy", "H"), ("Neutral", "N"), ("Sad", "S"))


def write_urdu_with(root, recording):
    """Write twelve recordings a class; a function of class and number gives samples and rate."""
    for number, (folder, letter) in enumerate(FOLDERS):
        for i in range(12):
            place = root / folder / f"SM{1 + i % 3}_F{i}_{letter}{i:02}.wav"
            place.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(place, *recording(number, i), subtype="PCM_16")
    return root


def noise(seed, *, seconds=0.5, rate=16_000, level=0.05):
    random = np.random.default_rng(seed)
    return (level * random.standard_normal(round(seconds * rate))).astype("f4"), rate


@pytest.fixture
def checker(tmp_path):
    return CorpusChecker(
        data=(),
        settings=Settings(),
        workspace=Workspace(tmp_path / "workspace"),
        reading="corrected",
        deep=True,
    )


def health(checker, root):
    return checker.check(Registry().corpora.get("urdu"), root).health


def sentences(checker, root):
    return [finding.text for finding in health(checker, root).findings]


def test_ordinary_recordings_cause_no_remark(checker, tmp_path):
    lengths = np.random.default_rng(0).uniform(0.4, 0.8, 48)
    root = write_urdu_with(
        tmp_path / "urdu", lambda kind, i: noise(100 * kind + i, seconds=lengths[12 * kind + i])
    )

    found = health(checker, root)

    assert found.findings == ()
    assert found.outliers == ()
    assert (found.recordings, found.rates, found.channels) == (48, {16000: 48}, {1: 48})
    assert found.hours == pytest.approx(lengths.sum() / 3600, rel=1e-3)
    assert set(found.by_class["level_db"]) == {"anger", "happiness", "neutral", "sadness"}
    assert set(found.by_speaker["level_db"]) == {"SM1", "SM2", "SM3"}


def test_loudness_that_separates_classes_is_said_with_its_certainty(checker, tmp_path):
    root = write_urdu_with(
        tmp_path / "urdu",
        lambda kind, i: noise(100 * kind + i, level=(0.2 if kind == 0 else 0.03) * (1 + 0.03 * i)),
    )

    (sentence,) = [text for text in sentences(checker, root) if text.startswith("Loudness")]

    assert re.fullmatch(
        r"Loudness alone separates anger \(louder\) from \w+: AUC 1\.00 "
        r"\(0\.[6-9]\d to 1\.00, 12 and 12 recordings\); 2 other pairs of classes are above 0\.8",
        sentence,
    )


def test_a_rate_that_belongs_to_a_class_is_said(checker, tmp_path):
    root = write_urdu_with(
        tmp_path / "urdu",
        lambda kind, i: noise(100 * kind + i, rate=44_100 if kind == 3 else 16_000),
    )

    found = sentences(checker, root)

    assert "The recordings have 2 sampling rates: 36 with 16000 Hz, 12 with 44100 Hz" in found
    assert any("The sampling rate alone separates sadness (higher) from" in text for text in found)


def test_defects_of_recordings_are_counted(checker, tmp_path):
    def recording(kind, i):
        sound, rate = noise(100 * kind + i)
        if i < 3:
            sound = np.clip(60 * np.concatenate([sound[:4000], -sound[:4000]]), -1, 1)
        elif i < 5:
            sound[:1600] = 0.0
        elif i < 6:
            sound += np.float32(0.05)
        return sound, rate

    found = sentences(checker, write_urdu_with(tmp_path / "urdu", recording))

    assert any(text.startswith("12 of 48 recordings are clipped, at most ") for text in found)
    assert any("8 of 48 recordings have exact zeros at an end, 0.10 s" in text for text in found)
    assert "4 of 48 recordings have an offset above 1% of full scale" in found
    assert "All recordings last 0.50 s: they were probably cut or padded" in found


def test_outliers_are_named_with_their_value(checker, tmp_path):
    lengths = np.random.default_rng(0).uniform(0.4, 0.6, 48)

    def recording(kind, i):
        length = 4.0 if (kind, i) == (0, 0) else lengths[12 * kind + i]
        level = 0.0005 if (kind, i) == (3, 1) else 0.05
        return noise(100 * kind + i, seconds=length, level=level)

    found = health(checker, write_urdu_with(tmp_path / "urdu", recording))

    reasons = {outlier.utterance_id: outlier.reason for outlier in found.outliers}
    assert set(reasons) == {"Angry/SM1_F0_A00", "Sad/SM2_F1_S01"}
    assert reasons["Angry/SM1_F0_A00"].startswith("it lasts 4.0 s, and the median is 0.5 s")
    assert reasons["Sad/SM2_F1_S01"].startswith("its loudness is -66.")


def test_audio_of_two_corpora_is_named_once(checker, tmp_path):
    urdu = write_urdu_with(tmp_path / "urdu", lambda kind, i: noise(100 * kind + i))
    emodb = write_emodb(tmp_path / "emodb", n_per_class=2)
    for name in ("03a00W", "08a01F"):
        shutil.copy(urdu / "Angry/SM1_F0_A00.wav", emodb / "wav" / f"{name}z.wav")
    corpora = Registry().corpora

    checker.check(corpora.get("urdu"), urdu)
    check = checker.check(corpora.get("emodb"), emodb)

    (shared,) = [problem for problem in check.problems if problem.kind == "shared"]
    assert shared.message.startswith("2 of its recordings are also in urdu, such as 03a00Wz")
    assert [p.where for p in check.problems if p.kind == "duplicate"] == ["08a01Fz"]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    checker = CorpusChecker(
        data=(),
        settings=Settings(),
        workspace=Workspace(folder / "workspace"),
        reading="corrected",
        deep=True,
    )
    hostile = folder / "<img src=x onerror=alert(1)>"
    levels = (0.2, 0.1, 0.03, 0.01)
    write_urdu_with(hostile, lambda kind, i: noise(100 * kind + i, level=levels[kind]))
    (hostile / "Sad/SM1_F0_S00.wav").write_bytes(b"RIFF")
    write_wav(hostile / "Sad/SM1_F50_S50.wav", seconds=9.0)
    (hostile / "<script>alert(2)<script>.wav").write_bytes(b"x")
    corpora = Registry().corpora
    checks = [
        checker.check(corpora.get("urdu"), hostile),
        checker.check(corpora.get("emodb"), write_emodb(folder / "emodb", n_per_class=11)),
        checker.check(corpora.get("emovo"), folder / "none"),
    ]
    place = folder / "health.html"
    place.write_text(health_page(checks), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def chromium():
    with browser(CHROMIUM) as page:
        yield page


class TestPage:
    @pytest.fixture
    def page(self, chromium, page_file):
        chromium.size(1280, 900)
        chromium.errors.clear()
        chromium.requests.clear()
        chromium.open(page_file)
        yield chromium
        assert chromium.errors == []
        assert [url for url in chromium.requests if not url.startswith(("file:", "data:"))] == []

    def test_it_loads_nothing_and_escapes_everything(self, page_file):
        text = page_file.read_text(encoding="utf-8")

        assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
        assert text.count("<script") == 1
        assert "<img" not in text
        assert "&lt;img src=x" in text

    @in_browser
    def test_it_says_what_matters_first(self, page):
        top = page.run("document.querySelector('header').innerText")
        rows = page.run(
            "[...document.querySelectorAll('table.overview tbody tr')]"
            ".map(row => [...row.cells].map(cell => cell.innerText))"
        )

        assert "2 corpora · 114 recordings" in top
        assert top.index("Sad/SM1_F0_S00") < top.index("Loudness alone separates")
        assert [row[:3] for row in rows] == [
            ["urdu", "problems", "48"],
            ["emodb", "differs", "66"],
        ]
        assert page.run("document.querySelectorAll('svg.figure').length") == 4
        assert "it lasts 9.0 s" in page.run("document.querySelector('details').textContent")

    @in_browser
    def test_marks_have_tips_and_figures_descriptions(self, page):
        nameless = page.run(
            "[...document.querySelectorAll('button, [role=img], svg.figure')]"
            ".filter(node => !(node.ariaLabel || node.textContent.trim())).length"
        )
        page.hover("svg.figure .mark")

        assert nameless == 0
        assert "recordings)" in page.run("document.getElementById('tip').textContent")

    @in_browser
    @pytest.mark.parametrize("width", [360, 1400])
    def test_it_scrolls_in_one_direction_only(self, page, width):
        page.size(width, 800, phone=width < 500)

        wide = page.run(
            "[...document.querySelectorAll('body *')].filter(node => !node.closest('.scroll, nav')"
            f"&& node.getBoundingClientRect().right > {width}.5)"
            ".map(node => node.outerHTML.slice(0, 80))"
        )
        assert wide == []
        assert page.run("document.documentElement.scrollWidth") <= width

    def test_without_a_corpus_it_says_so(self):
        assert "No corpus was found" in health_page([])


@pytest.mark.torch
def test_the_command_writes_the_page_and_the_second_run_decodes_nothing(
    data, tmp_path, monkeypatch
):
    from sercore.audio import audit

    decoded = []
    read_source = audit.read_source
    monkeypatch.setattr(
        audit, "read_source", lambda *given: decoded.append(given[1]) or read_source(*given)
    )
    page = tmp_path / "pages" / "health.html"
    command = ["doctor", "--data", str(data), "--html", str(page), "--json"]
    command += ["--workspace", str(tmp_path / "workspace")]

    first = CliRunner().invoke(cli, command)
    n_first = len(decoded)
    second = CliRunner().invoke(cli, command)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (n_first, len(decoded)) == (120, 120)
    assert page.read_text().startswith("<!doctype html>")
    urdu = next(c for c in json.loads(second.stdout)["corpora"] if c["id"] == "urdu")
    assert urdu["health"]["recordings"] == 48
    assert {finding["severity"] for finding in urdu["health"]["findings"]} <= {"note", "warning"}
    assert urdu["identity"][0]["compared"] > 0
