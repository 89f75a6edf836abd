"""Nothing that a file, a plugin or a user is called steers the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from small_corpora import write_urdu

from sercore.cli import main
from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.cli.text import printable_json
from sercore.corpora.labels import CLASSES
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e\u2066\x7f\r\n\t\x08\u2028\udcff[red]"


def steers(text):
    return [
        character
        for character in text
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in {"LRO", "RLO", "LRE", "RLE", "PDF"}
        or unicodedata.bidirectional(character) in {"LRI", "RLI", "FSI", "PDI"}
        or character in "\u061c\u200e\u200f"
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b31m", r"\x9b31m"),
        ("ab\u202egpj.wav", r"ab\u202egpj.wav"),
        ("\udcff", r"\udcff"),
        ("Ärger 喜び غضب ক্ষ 🙂", "Ärger 喜び غضب ক্ষ 🙂"),
        ("می‌خواهم", "می‌خواهم"),
        (Exception("a\x00b"), r"a\x00b"),
    ],
)
def test_what_steers_a_terminal_is_shown(text, shown):
    assert printable(text) == shown


def test_lines_stay_where_the_caller_says_so():
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@given(st.text(st.characters(codec=None, categories=None)))
def test_no_text_steers_a_terminal_and_json_keeps_its_value(text):
    assert steers(printable(text)) == []
    shown = printable_json(json.dumps({"a": text}, ensure_ascii=False, indent=1))
    assert set(steers(shown)) <= {"\n"}
    assert json.loads(shown) == {"a": text}


def test_a_table_shows_text_as_it_is():
    table = Table("a")
    add_row(table, HOSTILE)
    add_row(table, None)
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(table, plain(HOSTILE))

    shown = console.file.getvalue()
    assert set(steers(shown)) <= {"\n", "\x1b"}
    # What rich itself adds are styles; the title of the terminal stays.
    assert set(re.findall(r"\x1b(.)", shown)) <= {"["}
    assert shown.count(r"\x1b]0;owned\x07\x9b31m\u202e\u2066\x7f\r\n\t\x08\u2028\udcff[red]") == 2


def test_an_error_message_does_not_steer_the_terminal(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sercore", "report", HOSTILE, "--workspace", str(tmp_path)],
        capture_output=True,
        check=False,
    )

    text = done.stderr.decode()
    assert done.returncode == 1
    assert text.startswith("sercore: ")
    assert steers(text) == ["\n"]


PLUGIN = """
from sercore import Metric, hookimpl

@hookimpl
def sercore_metrics():
    return [Metric(id="hostile", summary={text!r}, compute=lambda evaluation: {{}})]
"""


def install(folder, name, source):
    """Write a plugin as an installed distribution is laid out."""
    (folder / f"sercore_test_{name}.py").write_text(source, encoding="utf-8")
    info = folder / f"sercore_test_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sercore-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sercore]\n{name} = sercore_test_{name}\n")


@pytest.mark.parametrize("arguments", [["list"], ["list", "plugins"], ["list", "--json"]])
def test_a_plugin_does_not_steer_the_terminal(tmp_path, arguments):
    install(tmp_path, "broken", f"raise RuntimeError({HOSTILE!r})")
    install(tmp_path, "talking", PLUGIN.format(text=HOSTILE))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])

    done = subprocess.run(
        [sys.executable, "-m", "sercore", *arguments],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path, "SERCORE_PLUGINS": "broken,talking"},
    )

    shown = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "owned" in shown
    assert set(steers(shown)) <= {"\n"}


def test_a_hostile_file_name_does_not_steer_the_terminal(tmp_path):
    """A file of a corpus is named by the command that finds a problem with it."""
    folder = write_urdu(tmp_path / "URDU-Dataset-master", n_per_class=1)
    (folder / "Angry" / "\x1b]0;owned\x07\u202e\udcff.wav").write_bytes(b"")
    places = ["--data", str(tmp_path), "--workspace", str(tmp_path / "workspace")]

    for arguments in (["doctor"], ["doctor", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "sercore", *arguments, *places],
            capture_output=True,
            check=False,
        )

        shown = done.stdout.decode()
        assert "owned" in shown, done.stderr.decode()
        assert set(steers(shown + done.stderr.decode())) <= {"\n"}


NAME = "\x1b]0;owned\x07[red]"
"""As a folder, a backbone, a run or an option is called."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Return a workspace with a hostile path, and runs and frames of a hostile backbone."""
    place = Workspace(tmp_path_factory.mktemp("terminal") / NAME)
    corpora = [
        SimulatedCorpus(id=name, utterances=90, speakers=9, classes=CLASSES[:7], eligible=True)
        for name in ("a", "b")
    ]
    for run, quality in (("default", 0.9), ("other", 0.1)):
        simulate_run(place, run, corpora, {f"hf:{NAME}": (None, quality)})
    write_frames(place)
    return place


def write_frames(place):
    """Write the frames of one utterance and damage them."""
    store = FeatureStore(
        place,
        {"encoder": {"checkpoint": "c", "width": 4}, "corpus": NAME, "audio": "a", "utterances": 1},
        ["content"],
        lambda: [np.array([0])],
        provenance={"backbone": NAME},
    )
    frames = np.ones((2, 4), np.float32)
    store.write_description()
    store.write_part(
        0,
        [ExtractedUtterance(row=0, path="u.wav", frames=frames)],
        layer_means=False,
        plan={},
    )
    with open(place.path(store.files.path(store.part_keys[0], ".arrow")), "ab") as file:
        file.write(b"!")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--all", "--dry-run"],
        ["run", "--all", "--dry-run", "--name", NAME],
        ["run", "--dataset", f"demo-stage={NAME}", "--dry-run"],
        ["run", "--dataset", NAME, "--dry-run"],
        ["run", "--all", "--probe", NAME, "--dry-run"],
        ["status"],
        ["status", "default"],
        ["status", NAME],
        ["status", "--probes"],
        ["report", "--format", "md"],
        ["report", NAME],
        ["report", "--format", "md", "--output", NAME],
        ["report", "--metric", NAME],
        ["compare", "default", "other", "--all"],
        ["compare", "default", NAME],
        ["score"],
        ["score", NAME],
        ["score", "--name", NAME],
        ["cache", "ls"],
        ["cache", "verify"],
        ["cache", "gc", "--cache-budget", "0B", "--dry-run"],
        ["cache", "gc", "--cache-budget", NAME],
        ["verify"],
        ["predict", NAME, NAME],
        ["work", NAME],
        ["doctor"],
        ["fetch", NAME, "--data", "corpora"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(NAME, "NAME"),
)
def test_no_name_steers_the_terminal(hostile, arguments, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([*arguments, "--workspace", hostile.root])

    shown = "".join(capsys.readouterr())
    assert "owned" in shown
    assert set(steers(shown)) <= {"\n"}


@pytest.mark.parametrize(
    "arguments",
    [
        [NAME],
        [f"--{NAME}"],
        ["run", f"--{NAME}"],
        ["list", NAME],
        ["list", "--json", NAME],
        ["check", NAME],
        ["run", "--all", "--folds", NAME],
        ["status", "default", NAME],
        ["status", "--config", NAME],
        ["bench", NAME],
        ["cache", NAME],
    ],
    ids=lambda arguments: " ".join(arguments).replace(NAME, "NAME"),
)
def test_a_wrong_argument_does_not_steer_the_terminal(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    shown = "".join(capsys.readouterr())
    assert ended.value.code in (1, 2)
    assert "owned" in shown
    assert set(steers(shown)) <= {"\n"}
