"""``run --dry-run`` says what would be done and leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from click.testing import CliRunner

from sercore.cli import cli
from sercore.storage.trial import on_trial
from sercore.storage.workspace import Workspace


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def dry_run(workspace, *more):
    words = ["run", *more, "--offline", "--dry-run", "--json", "--workspace", str(workspace)]
    answer = CliRunner().invoke(cli, words)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_a_dry_run_makes_no_workspace(tmp_path, data, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    said = dry_run(tmp_path / "ws", "--all", "--demo", "--data", str(data))

    assert {"urdu", "emodb", "demo-studio"} <= set(said["datasets"])
    assert not (tmp_path / "ws").exists()
    assert not os.listdir(tmp_path / "tmp")


def test_a_dry_run_leaves_a_workspace_as_it_is(tmp_path, data):
    workspace = tmp_path / "ws"
    with Workspace(workspace).write("runs/default/run.json") as file:
        file.write(b"{}")
    before = files(workspace)

    dry_run(workspace, "--all", "--demo", "--data", str(data))

    assert files(workspace) == before


def test_a_dry_run_says_that_an_archive_will_be_unpacked(tmp_path, data, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    folder = data / "URDU-Dataset-master"
    archive = shutil.make_archive(str(folder), "zip", folder)
    shutil.rmtree(folder)
    words = ["--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--data", str(data)]

    said = dry_run(tmp_path / "ws", *words)["datasets"]
    shown = CliRunner().invoke(
        cli, ["run", *words, "--dry-run", "--workspace", str(tmp_path / "ws")]
    )

    assert (said["urdu"]["root"], said["urdu"]["unpacks"]) == (archive, True)
    assert said["urdu"]["utterances"] == 48
    assert said["emodb"]["unpacks"] is False
    assert "urdu: unpacked into a temporary folder for this; a run unpacks it once" in shown.output
    assert not os.listdir(tmp_path / "tmp")


class TestTrial:
    def test_reads_what_is_stored_and_what_was_written_on_trial(self, tmp_path):
        stored = Workspace(tmp_path)
        stored.write_json("a/one.json", {"stored": 1})
        with on_trial(stored) as trial:
            trial.write_json("a/two.json", {"trial": 2})

            assert trial.read_json("a/one.json") == {"stored": 1}
            assert trial.read_json("a/two.json") == {"trial": 2}
            assert trial.list("a") == ["one.json", "two.json"]
            assert trial.exists("a/two.json")
            assert not stored.exists("a/two.json")

    def test_removes_nothing_that_is_stored(self, tmp_path):
        stored = Workspace(tmp_path)
        stored.write_json("a/one.json", {"stored": 1})
        with on_trial(stored) as trial:
            trial.remove("a/one.json")
            trial.remove("a")

        assert stored.read_json("a/one.json") == {"stored": 1}


def test_standard_has_three_seeds_and_the_other_protocols_one(tmp_path, data, monkeypatch):
    monkeypatch.delenv("SERCORE_RUN_N_SEEDS")
    words = ["--dataset", "urdu", "--backbone", "logmel", "--data", str(data)]

    def fits(*more):
        return dry_run(tmp_path / "ws", *words, *more)["probe_fits"]

    assert fits() == 3
    assert fits("--seeds", "1") == 1
    assert fits("--protocol", "paper") == 1
