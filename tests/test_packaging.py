"""Distributions: complete in their own folders, of one shape, and built to the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts import distributions

REPOSITORY = Path(__file__).resolve().parent.parent
PLUGINS = distributions.plugins()
SAMPLE = [PLUGINS[0], next(plugin for plugin in PLUGINS if plugin.id == "ekk")]
"""A backbone, and a corpus that depends on another library."""


def name_of(plugin):
    """Return the name of a test's parameter."""
    return plugin.name


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the files of the repository that packaging reads."""
    copy = tmp_path / "checkout"
    for name in ("sercore", "plugins"):
        shutil.copytree(
            REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in REPOSITORY.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    return copy


def test_every_plugin_is_found():
    assert len(PLUGINS) == len(list(REPOSITORY.glob("plugins/*/*/sercore_*.py"))) == 28


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_the_generated_files_of_a_plugin_are_up_to_date(plugin):
    for path, text in distributions.files().items():
        if path.parent == plugin.folder:
            assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_a_plugin_states_everything_itself(plugin):
    facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))

    assert "tool" not in facts
    assert "dynamic" not in facts["project"]
    assert facts["project"]["version"] == distributions.core_version()
    assert facts["project"]["entry-points"] == {"sercore": {plugin.id: plugin.module}}


def test_the_extra_all_requires_every_plugin_and_nothing_else():
    core = REPOSITORY / "pyproject.toml"
    extras = tomllib.loads(core.read_text())["project"]["optional-dependencies"]

    assert distributions.files()[core] == core.read_text(encoding="utf-8")
    assert [text.partition(">")[0] for text in extras["all"]] == [p.name for p in PLUGINS]


@pytest.mark.parametrize("plugin", PLUGINS, ids=name_of)
def test_a_readme_links_only_to_what_an_index_can_show(plugin):
    text = (plugin.folder / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)", text)

    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.0", ">=0.1,<1"),
        ("0.12.3", ">=0.12,<1"),
        ("1.0.0", ">=1.0,<2"),
        ("2.3.1", ">=2.3,<3"),
        ("0.2.0rc1", ">=0.2.0rc1,<1"),
    ],
)
def test_bounds_reach_to_the_next_major_release(version, expected):
    assert distributions.bounds(version) == expected


@pytest.mark.parametrize("version", ["1", "1.2", "v1.2.3", "1.2.3.dev0", "1.2.3-rc1", ""])
def test_other_forms_of_versions_are_refused(version):
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR\.PATCH"):
        distributions.bounds(version)


def test_a_stale_file_is_named_and_written_once(checkout):
    (plugin,) = [known for known in distributions.plugins(checkout) if known.id == "ekk"]
    before = plugin.pyproject.read_text(encoding="utf-8")
    plugin.pyproject.write_text(before.replace("<1", "<9"), encoding="utf-8")
    (plugin.folder / "LICENSE").unlink()
    core = checkout / "pyproject.toml"
    core.write_text(core.read_text().replace('    "sercore-dataset-ekk>=0.1,<1",\n', ""))
    stale = sorted([core, plugin.pyproject, plugin.folder / "LICENSE"])

    assert distributions.update(distributions.files(checkout), check=True) == stale
    assert not (plugin.folder / "LICENSE").exists()
    assert distributions.update(distributions.files(checkout)) == stale
    assert distributions.update(distributions.files(checkout)) == []
    assert plugin.pyproject.read_text(encoding="utf-8") == before
    assert "praatio>=6" in before


@pytest.mark.parametrize("plugin", SAMPLE, ids=name_of)
def test_a_plugin_folder_builds_outside_the_repository(plugin, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(plugin.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "wheel"]
    flags = ["--no-deps", "--no-index", "--no-build-isolation", "-w", str(tmp_path)]

    subprocess.run([*pip, *flags, str(folder)], check=True)

    (wheel,) = tmp_path.glob("*.whl")
    info = f"{plugin.module}-{distributions.core_version()}.dist-info"
    assert sorted(zipfile.ZipFile(wheel).namelist()) == sorted(
        [f"{plugin.module}.py"]
        + [f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")]
        + [f"{info}/licenses/LICENSE"]
    )
