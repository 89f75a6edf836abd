"""sercore.toml: the keys that it can have, and the errors for anything else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sercore.cli.options import parse_datasets
from sercore.errors import SettingsError
from sercore.settings import Settings
from sercore.settings import read_settings


def test_everything_that_may_be_said(tmp_path):
    (tmp_path / "sercore.toml").write_text(
        """
        workspace = "results"
        data = ["corpora", "/mnt/more"]
        checkpoints = "weights"
        offline = true
        [datasets.emodb]
        path = "elsewhere/emodb"
        ignore = ["*.txt"]
        [executors.slurm]
        partition = "gpu"
        """
    )

    settings = read_settings(tmp_path / "sercore.toml")

    assert settings.workspace == "results"
    assert [str(each) for each in settings.data] == [str(tmp_path / "corpora"), "/mnt/more"]
    assert settings.checkpoints == (tmp_path / "weights",)
    assert settings.offline
    assert settings.datasets["emodb"].path == tmp_path / "elsewhere/emodb"
    assert settings.datasets["emodb"].ignore == ("*.txt",)
    assert settings.executors == {"slurm": {"partition": "gpu"}}


def test_no_file_means_nothing_was_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert read_settings().data == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dta = 1", "unknown key 'dta'; did you mean 'data'"),
        ("offline = 'yes'", "offline must be of type bool"),
        ("data = 3", "data must be a string or a list of strings"),
        ("datasets = 3", "datasets must be of type dict"),
        ("[datasets.emodb]\npth = 'x'", "unknown key 'datasets.emodb.pth'"),
        ("executors = 3", "executors must be of type dict"),
        ("executors.slurm = 3", "executors.slurm must be a table"),
        ("= =", "is not valid TOML"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path, text, message):
    file = tmp_path / "sercore.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=message) as caught:
        read_settings(file)

    assert str(file) in str(caught.value)


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(SettingsError, match="there is no settings file"):
        read_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("values", [("=x",), ("emodb=",), ("a", "a=/x")])
def test_datasets_are_named_once_and_whole(values):
    with pytest.raises(SettingsError, match="write ID, ID=PATH or ID=KIND:PLACE"):
        parse_datasets(values, Settings())


def sercore(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "sercore", *arguments, "--workspace", str(folder / "results")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_a_settings_file_of_the_current_folder_is_named_where_people_look(tmp_path):
    (tmp_path / "sercore.toml").write_text("offline = true")
    named = f"sercore: using the settings in {tmp_path / 'sercore.toml'}\n"
    hidden = ("run", "--dataset", "none", "--quiet")

    assert sercore(tmp_path, "status").stderr == named
    assert named not in sercore(tmp_path, "status", "--json").stderr
    assert named not in sercore(tmp_path, *hidden).stderr
    assert named in sercore(tmp_path, *hidden[:-1]).stderr


def test_a_settings_file_that_was_asked_for_is_not_named(tmp_path):
    (tmp_path / "sercore.toml").write_text("offline = true")

    assert sercore(tmp_path, "status", "--config", "sercore.toml").stderr == ""
    assert sercore(tmp_path, "status", SERCORE_CONFIG="sercore.toml").stderr == ""
