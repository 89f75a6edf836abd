"""Stored frames as a cache: found, verified, and trimmed without touching what is in use."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from sercore.cli import cli
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.features.cache import cached_stores
from sercore.features.cache import parse_size
from sercore.features.cache import trim
from sercore.features.cache import verify
from sercore.features.store import PART_SIZE
from sercore.features.store import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace

WIDTH = 8


def write_store(workspace, corpus, *, n=PART_SIZE + 6, used=None, backbone="tiny"):
    """Write frames of two parts through the store itself, last used at a given time."""
    identity = {
        "backbone": backbone,
        "corpus": corpus,
        "manifest": f"manifest-{corpus}",
        "checkpoint": f"weights-{backbone}",
        "width": WIDTH,
        "utterances": n,
    }
    store = FeatureStore(workspace, identity)
    rng = np.random.default_rng(0)
    store.write_description({})
    for part, rows in enumerate((range(PART_SIZE), range(PART_SIZE, n))):
        utterances = [
            ExtractedUtterance(
                row=row,
                utterance_id=f"u{row}",
                path=f"u{row}.wav",
                frames=rng.standard_normal((5, WIDTH), dtype=np.float32),
                layer_means=np.ones((3, WIDTH), np.float32),
                duration_s=0.1,
            )
            for row in rows
        ]
        store.write_part(part, utterances, layer_means=True, plan={})
    if used is not None:
        folder = workspace.path(store.folder)
        for name in os.listdir(folder):
            os.utime(f"{folder}/{name}", (used, used))
    return store


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def run(*args):
    return CliRunner().invoke(cli, ["cache", *args], catch_exceptions=False)


def test_stores_are_listed_with_the_least_recently_used_first(workspace):
    late = write_store(workspace, "late", used=2000)
    early = write_store(workspace, "early", used=1000)
    assert [each.corpus for each in cached_stores(workspace)] == ["early", "late"]
    found = cached_stores(workspace)[1]
    assert (found.folder, found.n_done, found.n_frames) == (late.folder, 70, 350)
    on_disk = sum(
        os.path.getsize(f"{workspace.path(late.folder)}/{name}")
        for name in os.listdir(workspace.path(late.folder))
    )
    assert found.n_bytes == on_disk
    FeatureStore(workspace, early.identity).open()  # opening is using
    assert [each.corpus for each in cached_stores(workspace)] == ["late", "early"]


@pytest.mark.parametrize("name", ["part-00000.arrow", "part-00001.arrow", "part-00001.means.arrow"])
def test_a_flipped_bit_in_any_part_is_found(workspace, name):
    store = write_store(workspace, "spoilt")
    write_store(workspace, "sound")
    assert [parts for _, parts in verify(workspace)] == [[], []]
    path = f"{workspace.path(store.folder)}/{name}"
    for position in (0, os.path.getsize(path) // 2, os.path.getsize(path) - 1):
        flip(path, position)
        assert dict(verify(workspace))[store.folder] == [int(name[5:10])]
        flip(path, position)
    flip(path, os.path.getsize(path) // 2)
    with pytest.raises(WorkspaceError, match=f"{name} is damaged"):
        reopened = FeatureStore(workspace, store.identity)
        reopened.layer_means(-1) if "means" in name else reopened.open()


def test_a_part_is_compared_with_its_digest_once_per_state(workspace, monkeypatch):
    store = write_store(workspace, "some")
    read = []
    digest = Workspace.digest
    monkeypatch.setattr(Workspace, "digest", lambda self, p: read.append(p) or digest(self, p))
    store.open()
    store.open()
    assert len(read) == 2
    FeatureStore(workspace, store.identity).open(verify=False)
    assert len(read) == 2


def test_discarded_parts_are_those_that_a_run_extracts_again(workspace):
    store = write_store(workspace, "spoilt")
    flip(f"{workspace.path(store.folder)}/part-00001.arrow", 500)
    result = run("verify", "--workspace", workspace.root)
    assert result.exit_code == 1
    assert "part 1" in result.output
    assert FeatureStore(workspace, store.identity).missing_parts() == []
    assert run("verify", "--discard", "--workspace", workspace.root).exit_code == 1
    assert FeatureStore(workspace, store.identity).missing_parts() == [1]
    assert run("verify", "--workspace", workspace.root).exit_code == 0


def test_trimming_removes_the_least_recently_used_until_the_rest_fits(workspace):
    for used, corpus in ((3, "c"), (1, "a"), (2, "b")):
        write_store(workspace, corpus, used=used)
    sizes = {each.corpus: each.n_bytes for each in cached_stores(workspace)}
    budget = sizes["b"] + sizes["c"]
    told = trim(workspace, budget, dry_run=True)
    assert [each.corpus for each in told.removed] == ["a"]
    assert len(cached_stores(workspace)) == 3
    done = trim(workspace, budget)
    assert [each.corpus for each in done.removed] == ["a"]
    assert [each.corpus for each in cached_stores(workspace)] == ["b", "c"]
    assert done.n_bytes == budget
    assert trim(workspace, budget - 1).removed[0].corpus == "b"
    assert trim(workspace, 0).n_bytes == 0
    assert cached_stores(workspace) == []


HOLD = """
import sys
from sercore.storage.workspace import Workspace
with Workspace(sys.argv[1]).claim(sys.argv[2], "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(workspace):
    """Hold claims in other processes, as a running sercore does."""
    processes = []

    def hold(relative):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, workspace.root, relative],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout.readline() == b"held\n"

    yield hold
    for process in processes:
        process.communicate()


def test_frames_that_are_being_extracted_stay(workspace, held):
    store = write_store(workspace, "busy", used=1)
    write_store(workspace, "idle", used=2)
    held(store.folder)
    result = run("gc", "--cache-budget", "0", "--workspace", workspace.root)
    assert result.exit_code == 1
    assert "the rest is in use" in result.output
    assert [each.corpus for each in cached_stores(workspace)] == ["busy"]


@pytest.mark.parametrize("readable", [True, False])
def test_frames_in_the_plan_of_a_live_run_stay(workspace, held, readable):
    write_store(workspace, "planned")
    write_store(workspace, "other")
    write_store(workspace, "planned", backbone="another")
    plan = {
        "corpora": {"planned": {"manifest": "manifest-planned"}},
        "backbones": {"tiny": {"weights": "weights-tiny"}},
    }
    workspace.write_json("runs/now/run.json", plan)
    if not readable:
        workspace.write_bytes("runs/now/run.json", b"{")
    held("runs/now")
    kept = {(each.backbone, each.corpus) for each in trim(workspace, 0).kept}
    everything = {("tiny", "planned"), ("tiny", "other"), ("another", "planned")}
    assert kept == ({("tiny", "planned")} if readable else everything)


def test_an_ended_run_keeps_nothing(workspace):
    write_store(workspace, "planned")
    with workspace.claim("runs/before", "it"):
        workspace.write_json(
            "runs/before/run.json",
            {
                "corpora": {"planned": {"manifest": "manifest-planned"}},
                "backbones": {"tiny": {"weights": "weights-tiny"}},
            },
        )
    assert trim(workspace, 0).kept == ()


def test_only_frames_are_removed(workspace):
    write_store(workspace, "some")
    workspace.write_bytes("probes/key/record.json", b"{}")
    workspace.write_bytes("predictions/key.parquet", b"x")
    trim(workspace, 0)
    assert workspace.exists("probes/key/record.json")
    assert workspace.exists("predictions/key.parquet")


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("0", 0), ("17", 17), ("200GB", 200e9), ("1.5 tb", 1.5e12), ("2KiB", 2048), ("3M", 3e6)],
)
def test_sizes_are_understood(text, n_bytes):
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "-3GB", "3 XB", "3iB", "1,5GB"])
def test_other_sizes_are_refused(text):
    with pytest.raises(SettingsError, match="is not a size"):
        parse_size(text)


def test_remote_workspaces_are_refused():
    with pytest.raises(WorkspaceError, match="not on this machine"):
        cached_stores(Workspace("memory://place"))


def test_listing_as_json_and_as_a_table(workspace):
    write_store(workspace, "some")
    listed = json.loads(run("ls", "--json", "--workspace", workspace.root).output)
    assert [each["corpus"] for each in listed["stores"]] == ["some"]
    assert "70 of 70" in run("ls", "--workspace", workspace.root).output


def test_frame_files_are_hardly_larger_than_their_frames(workspace):
    rng = np.random.default_rng(0)
    store = FeatureStore(
        workspace,
        {"backbone": "b", "corpus": "c", "width": 384, "utterances": PART_SIZE},
    )
    store.write_part(
        0,
        [
            ExtractedUtterance(
                row=row,
                utterance_id=f"some/folder/and/utterance-{row}",
                path=f"some/folder/and/utterance-{row}.wav",
                frames=rng.standard_normal((int(rng.integers(20, 200)), 384), dtype=np.float32),
                duration_s=1.0,
                source_rate=16000,
                channels=1,
                audio_digest="0" * 64,
            )
            for row in range(PART_SIZE)
        ],
        layer_means=False,
        plan={},
    )
    size = os.path.getsize(f"{workspace.path(store.folder)}/part-00000.arrow")
    assert 1 <= size / (2 * 384 * store.n_frames) < 1.01
