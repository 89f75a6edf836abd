"""A flipped byte in any stored file: the next run names it, computes it again, and ends well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

# What holds timings: its content differs between runs whose results are equal.
TIMED = {"run.json", "journal.parquet", "log.parquet"}

KINDS = {
    "frames": "features/*/parts/*[0-9a-f].arrow",
    "record of a part": "features/*/parts/*.json",
    "list of parts": "features/*/*/store.json",
    "manifest": "manifests/*/corrected.parquet",
    "manifest by digest": "manifests/*/" + "[0-9a-f]" * 64 + ".parquet",
    "contents": "contents/*/*.parquet",
    "weights": "probes/*/weights.safetensors",
    "split": "probes/*/split.parquet",
    "log": "probes/*/log.parquet",
    "record of a probe": "probes/*/record.json",
    "predictions": "predictions/*.parquet",
    "scores": "runs/default/scores.parquet",
    "record of the run": "runs/default/run.json",
    "journal": "runs/default/journal.parquet",
    "specification": "specs/*.json",
}
SILENT = {"specification"}
"""What is not a result: it is written again without a word."""


def run(corpora, workspace):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--probe", "pooled", "--class-rule", "shared-classes", "--threads", "1"]
    words += ["--data", str(corpora), "--workspace", str(workspace), "--json"]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, (answer.stdout, answer.stderr)
    assert "Traceback" not in answer.stderr
    return json.loads(answer.stdout)


def content(workspace):
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for path in Path(workspace).rglob("*")
        if path.is_file() and path.name not in TIMED and ".leases" not in path.parts
    }


@pytest.fixture(scope="module")
def finished(corpora, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    run(corpora, workspace)
    run(corpora, workspace)  # a second run has nothing left to note
    return workspace, content(workspace)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x20
    path.write_bytes(bytes(data))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, truncate])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_and_healed(finished, corpora, tmp_path, kind, damage):
    original, before = finished
    workspace = tmp_path / "workspace"
    shutil.copytree(original, workspace)
    victim = min(workspace.glob(KINDS[kind]))

    damage(victim)
    said = run(corpora, workspace)

    changed = {name for name, data in content(workspace).items() if before.get(name) != data}
    assert not changed
    assert content(workspace).keys() == before.keys()
    named = [note for note in said["notes"] if "again" in note]
    assert len(named) == (0 if kind in SILENT else 1), said["notes"]
    assert run(corpora, workspace)["computed"] == {}


def test_a_copied_workspace_is_verified_once_and_computes_nothing(finished, corpora, tmp_path):
    workspace, before = finished
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    for path in sorted(copy.glob("features/*/parts/*.json")):
        os.utime(path, (0, 0))  # copied first

    assert run(corpora, copy)["computed"] == {}
    assert content(copy) == before


def test_verify_finds_every_damaged_file(finished, tmp_path):
    workspace, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    victims = [min(copy.glob(pattern)) for pattern in KINDS.values()]
    for victim in victims:
        flip(victim)

    words = ["verify", "--workspace", str(copy), "--json"]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 1, answer.stderr
    damaged = json.loads(answer.stdout)["damaged"]
    for victim in victims:
        path = str(victim.relative_to(copy))
        assert path in damaged or path.startswith("features/"), (path, sorted(damaged))
    assert any(path.startswith("features/") for path in damaged)
