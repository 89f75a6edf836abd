"""The identity of a plugin's code: its whole package counts, its place on this disk does not."""

from __future__ import annotations

import importlib
import uuid
from pathlib import Path

import pytest

from sercore.evaluation.metrics import METRICS
from sercore.plugins.identity import code_identity
from sercore.plugins.identity import plugin_identity
from sercore.plugins.registry import PluginInfo
from sercore.probes.framewise import FRAMEWISE
from sercore.storage.code import forget_code_identities


@pytest.fixture
def name():
    return f"some_plugin_{uuid.uuid4().hex}"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a folder on the import path that is laid out like site-packages."""
    return on_path(tmp_path / "site", monkeypatch)


def on_path(folder, monkeypatch):
    folder.mkdir(exist_ok=True)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def install(site: Path, name: str, recorded: list[str], version: str = "1.0") -> None:
    """Write what an installer leaves behind for a distribution with one plugin."""
    write(
        site / f"{name}-1.0.dist-info",
        {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "entry_points.txt": f"[sercore]\n{name} = {name}\n",
            "RECORD": "".join(f"{path},,\n" for path in recorded),
        },
    )


def identity(name: str) -> str:
    """Return the identity as a new process sees it."""
    importlib.invalidate_caches()
    forget_code_identities()
    return code_identity(name)


def test_every_module_of_a_package_counts(site, name):
    write(site, {f"{name}/__init__.py": "", f"{name}/deep/helper.py": "a = 1\n"})
    before = identity(name)

    write(site, {f"{name}/deep/helper.py": "a = 2\n"})

    assert identity(name) != before
    assert identity(f"{name}.deep.helper") == identity(name)


def test_sibling_modules_of_one_distribution_count_and_strangers_do_not(site, name):
    write(site, {f"{name}.py": "", f"{name}_helper.py": "a = 1\n", "stranger.py": "a = 1\n"})
    install(site, name, [f"{name}.py", f"{name}_helper.py", f"{name}-1.0.dist-info/RECORD"])
    before = identity(name)

    write(site, {"stranger.py": "a = 2\n"})
    assert identity(name) == before
    write(site, {f"{name}_helper.py": "a = 2\n"})
    assert identity(name) != before


def test_an_editable_single_module_counts_with_its_folder(site, name, tmp_path, monkeypatch):
    project = on_path(tmp_path / "project", monkeypatch)
    write(project, {f"{name}.py": "", "its_helper.py": "a = 1\n", "test_it.py": ""})
    install(site, name, [f"{name}.pth", f"{name}-1.0.dist-info/RECORD"])
    before = identity(name)

    write(project, {"test_it.py": "assert True\n"})
    assert identity(name) == before
    write(project, {"its_helper.py": "a = 2\n"})
    assert identity(name) != before


def test_another_version_is_another_identity(site, name):
    write(site, {f"{name}.py": ""})
    install(site, name, [f"{name}.py"])
    before = identity(name)

    install(site, name, [f"{name}.py"], version="1.1")

    assert identity(name) != before


def test_the_place_on_the_disk_does_not_count(name, tmp_path, monkeypatch):
    found = set()
    for folder in ("here", "there"):
        with monkeypatch.context() as patch:
            place = on_path(tmp_path / folder, patch)
            write(place, {f"{name}.py": "a = 1\n"})
            install(place, name, [f"{name}.py"])
            found.add(identity(name))

    assert len(found) == 1


def test_a_module_that_is_gone_has_an_identity_of_its_own(name):
    assert identity(name) != identity(f"{name}_too")


def test_the_core_counts_by_subpackage():
    assert code_identity("sercore.probes.perceptron") == code_identity("sercore.probes.logistic")
    assert code_identity("sercore.probes.perceptron") != code_identity("sercore.evaluation.metrics")


def test_built_in_things_count_by_the_package_that_defines_them():
    owner = PluginInfo(
        name="builtin", module="sercore.plugins.builtin", distribution="sercore", version="1"
    )

    assert plugin_identity(owner, FRAMEWISE) == code_identity("sercore.probes")
    assert plugin_identity(owner, METRICS[0]) == code_identity("sercore.evaluation")


def test_a_plugin_counts_with_the_class_that_it_borrows(site, name):
    write(site, {f"{name}.py": "a = 1\n"})
    owner = PluginInfo(name="x", module=f"{name}:plugin", distribution=name, version="1")
    before = plugin_identity(owner, METRICS[0])

    write(site, {f"{name}.py": "a = 2\n"})
    forget_code_identities()

    assert before != code_identity("sercore.evaluation")
    assert plugin_identity(owner, METRICS[0]) != before
