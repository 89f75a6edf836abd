"""Nothing that a file, a plugin or a user is called steers the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from small_corpora import write_urdu

from sercore.cli.text import add_row
from sercore.cli.text import plain
from sercore.cli.text import printable
from sercore.cli.text import printable_json

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
