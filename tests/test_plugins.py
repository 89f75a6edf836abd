"""Discovery, the guard around each plugin, and names."""

from __future__ import annotations

import subprocess
import sys
import uuid
from importlib.metadata import Distribution
from importlib.metadata import EntryPoint
from pathlib import Path

import fresh_plugins
import pytest

import sercore
from sercore.errors import DuplicateNameError
from sercore.errors import UnknownNameError
from sercore.plugins.registry import Registry


def install(folder: Path, name: str, source: str) -> EntryPoint:
    """Write a plugin as an installed distribution is laid out, and return its entry point."""
    module = f"sercore_test_{name}_{uuid.uuid4().hex}"
    (folder / f"{module}.py").write_text(source)
    info = folder / f"sercore_{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sercore-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sercore]\n{name} = {module}\n")
    (point,) = Distribution.at(info).entry_points
    return point


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


METRIC = """
from sercore import Metric, hookimpl

@hookimpl
def sercore_metrics():
    return [Metric(id="{id}", summary="always one half", compute=lambda evaluation: {{None: 0.5}})]
"""


def test_a_plugin_registers_through_its_hook(folder):
    point = install(folder, "half", METRIC.format(id="half"))

    found = Registry(points=[point])

    assert found.metrics.get("half").summary == "always one half"
    assert found.metrics.owners["half"].distribution == "sercore-half"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence server')", "RuntimeError: no licence server"),
        ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
        ("def oops(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("SERCORE_API = 99", "plugin API 99"),
        (
            "from sercore import hookimpl\n@hookimpl\ndef sercore_corporas(): return []",
            "sercore_corporas",
        ),
        (
            "from sercore import hookimpl\n@hookimpl\ndef sercore_metrics(): raise OSError('gone')",
            "OSError: gone",
        ),
        (METRIC.format(id="Not A Name"), "Not A Name"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(folder, source, reason):
    bad = install(folder, "bad", source)
    good = install(folder, "good", METRIC.format(id="good"))

    found = Registry(points=[bad, good])

    assert "good" in found.metrics
    (broken,) = found.broken
    assert broken.name == "bad"
    assert broken.distribution == "sercore-bad"
    assert reason in (broken.error or "")
    assert "\n" not in (broken.error or "")


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("99", "it needs plugin API 99, and sercore {version} offers 1; upgrade sercore"),
        (
            "0",
            "it states SERCORE_API = 0, and the first plugin API is 1; state the version it needs",
        ),
        ("-1", "it states SERCORE_API = -1, and the first plugin API is 1"),
        ("'1'", "it states SERCORE_API = '1', which is not a whole number; write SERCORE_API = 1"),
        ("1.0", "it states SERCORE_API = 1.0, which is not a whole number"),
        ("True", "it states SERCORE_API = True, which is not a whole number"),
        ("None", "it states SERCORE_API = None, which is not a whole number"),
    ],
)
def test_a_plugin_states_a_version_of_the_hooks_that_exists(folder, stated, reason):
    point = install(folder, "wrong", f"SERCORE_API = {stated}\n" + METRIC.format(id="wrong"))

    found = Registry(points=[point])

    assert "wrong" not in found.metrics
    (broken,) = found.broken
    assert broken.error.startswith(reason.format(version=sercore.__version__))


@pytest.mark.parametrize("source", ["SERCORE_API = 1\n", ""])
def test_a_plugin_of_this_version_or_of_none_is_loaded(folder, source):
    found = Registry(points=[install(folder, "right", source + METRIC.format(id="right"))])

    assert found.broken == ()
    assert "right" in found.metrics


def test_two_plugins_with_one_name_are_an_error_that_names_both(folder):
    first = install(folder, "first", METRIC.format(id="same"))
    second = install(folder, "second", METRIC.format(id="same"))

    found = Registry(points=[first, second])

    with pytest.raises(DuplicateNameError, match=r"'sercore-first' and 'sercore-second'"):
        found.metrics.get("same")


def test_the_order_of_plugins_means_nothing(folder):
    points = [install(folder, name, METRIC.format(id=name)) for name in ("one", "two", "three")]

    forward, backward = Registry(points=points), Registry(points=points[::-1])

    assert list(forward.metrics.items) == list(backward.metrics.items)


def test_a_misspelt_name_is_answered_with_what_may_have_been_meant():
    found = Registry(points=[])

    with pytest.raises(UnknownNameError, match="did you mean 'macro-f1'"):
        found.metrics.get("macro-f")


@pytest.fixture
def core_metadata(folder):
    """Let the installed sercore be one whose extra ``all`` requires a corpus and a backbone."""
    info = folder / "sercore-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: sercore\nVersion: 0.1.0\n"
        "Requires-Dist: click>=8.1\n"
        "Requires-Dist: jinja2>=3.1; extra == 'report'\n"
        "Requires-Dist: sercore-dataset-moonbase<1,>=0.1; extra == 'all'\n"
        "Requires-Dist: sercore-backbone-lunar-large<1,>=0.1; extra == 'all'\n"
    )


@pytest.mark.usefixtures("core_metadata")
@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("corpora", "moonbase", "install it with 'pip install sercore-dataset-moonbase'"),
        ("backbones", "lunar-large", "install it with 'pip install sercore-backbone-lunar-large'"),
        (
            "corpora",
            "monbase",
            "did you mean 'moonbase'? install it with 'pip install sercore-dataset-moonbase'",
        ),
        ("backbones", "moonbase", "'sercore list' shows what is installed"),
        ("corpora", "jinja2", "'sercore list' shows what is installed"),
        ("metrics", "moonbase", "'sercore list' shows what is installed"),
        ("metrics", "macro-f", "did you mean 'macro-f1'?"),
    ],
)
def test_an_unknown_name_is_answered_with_what_to_do(kind, name, hint):
    with pytest.raises(UnknownNameError) as caught:
        getattr(Registry(points=[]), kind).get(name)

    assert caught.value.hint == hint


@pytest.mark.usefixtures("core_metadata")
def test_a_plugin_that_is_installed_but_broken_is_not_to_be_installed_again(folder):
    point = install(folder, "dataset-moonbase", "raise RuntimeError('no licence server')")

    with pytest.raises(UnknownNameError) as caught:
        Registry(points=[point]).corpora.get("moonbase")

    assert caught.value.hint == (
        "sercore-dataset-moonbase is installed but not loaded; 'sercore list plugins' shows why"
    )


@pytest.mark.parametrize(("value", "expected"), [("", set()), ("emodb", {"emodb"})])
def test_an_environment_variable_restricts_what_is_loaded(monkeypatch, value, expected):
    monkeypatch.setenv("SERCORE_PLUGINS", value)

    names = {name for name in Registry().corpora.items if not name.startswith("demo-")}

    assert names == expected


HEAVY = ("torch", "transformers", "numpy", "pyarrow", "sklearn", "scipy", "pandas", "soundfile")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list"], ["list", "--json"]])
def test_start_up_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from sercore.cli import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_every_installed_plugin_loads():
    found = Registry()

    assert found.broken == ()
    assert not found.corpora.conflicts
    assert not found.backbones.conflicts


@pytest.mark.parametrize("words", [["list"], ["list", "metrics", "--json"], ["doctor"]])
def test_two_plugins_with_one_id_are_both_named_and_the_exit_status_is_1(tmp_path, words):
    source = METRIC.format(id="same")
    fresh_plugins.install(tmp_path, "sercore_metric_first", source=source)
    fresh_plugins.install(tmp_path, "sercore_metric_second", source=source)

    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words],
        capture_output=True,
        text=True,
        check=False,
        env=fresh_plugins.environment(tmp_path, COLUMNS="200"),
    )

    assert answer.returncode == 1
    said = answer.stdout + answer.stderr
    assert "sercore-metric-first" in said
    assert "sercore-metric-second" in said
