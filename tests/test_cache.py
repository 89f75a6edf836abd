"""Stored frames as a cache: found, verified, and trimmed without touching what is in use."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from small_corpora import write_urdu

from sercore.cli import cli
from sercore.corpora.contents import known_contents
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import PART_SIZE
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.features.cache import cache_bytes
from sercore.features.cache import cached_stores
from sercore.features.cache import trim
from sercore.features.cache import verify
from sercore.features.cache import verify_corpora
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import RECORD
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import STORE
from sercore.features.store import FeatureStore
from sercore.storage.sizes import parse_size
from sercore.storage.workspace import Workspace

WIDTH = 8


def make_store(workspace, corpus, *, n=PART_SIZE + 6, backbone="tiny", contents=None, width=WIDTH):
    """Return a store, of which no file exists yet."""
    rows = np.split(np.arange(n), range(PART_SIZE, n, PART_SIZE))
    contents = contents or [f"{corpus} {part}" for part in range(len(rows))]
    identity = {
        "encoder": {"checkpoint": f"weights-{backbone}", "width": width},
        "corpus": corpus,
        "audio": "/".join(contents),
        "utterances": n,
    }
    named = {"backbone": backbone}
    return FeatureStore(workspace, identity, contents, lambda: rows, provenance=named)


def write_store(workspace, corpus, *, used=None, backbone="tiny", **how):
    """Write frames of two parts through the store itself, last used at a given time."""
    store = make_store(workspace, corpus, backbone=backbone, **how)
    rng = np.random.default_rng(0)
    store.write_description()
    for part, rows in enumerate(store.rows):
        utterances = [
            ExtractedUtterance(
                row=row,
                path=f"u{row}.wav",
                frames=rng.standard_normal((5, WIDTH), dtype=np.float32),
                layer_means=np.ones((3, WIDTH), np.float32),
                duration_s=0.1,
            )
            for row in rows.tolist()
        ]
        store.write_part(part, utterances, layer_means=True, plan={})
    if used is not None:
        os.utime(workspace.path(f"{store.folder}/{STORE}"), (used, used))
    return store


def part_file(store, part, kind):
    return store._workspace.path(store.files.path(store.part_keys[part], kind))


def reopened(workspace, store):
    return FeatureStore.read(workspace, store.folder)


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
    assert [store.corpus for store in cached_stores(workspace)] == ["early", "late"]
    found = cached_stores(workspace)[1]
    assert (found.folder, found.n_done, found.n_frames) == (late.folder, 70, 350)
    assert found.backbone == "tiny"
    on_disk = sum(
        os.path.getsize(part_file(late, part, kind))
        for part in range(2)
        for kind in (FRAMES, MEANS, RECORD)
    )
    assert found.n_bytes == found.n_own_bytes == on_disk
    assert cache_bytes(workspace) == 2 * on_disk
    reopened(workspace, early).open()  # opening is using
    assert [store.corpus for store in cached_stores(workspace)] == ["late", "early"]


@pytest.mark.parametrize(("part", "kind"), [(0, FRAMES), (1, FRAMES), (1, MEANS), (1, RECORD)])
def test_a_flipped_bit_in_any_part_is_found(workspace, part, kind):
    store = write_store(workspace, "spoilt")
    write_store(workspace, "sound")
    assert [parts for _, parts in verify(workspace)] == [[], []]
    path = part_file(store, part, kind)
    for position in (0, os.path.getsize(path) // 2, os.path.getsize(path) - 1):
        flip(path, position)
        assert dict(verify(workspace))[store.folder] == [part]
        flip(path, position)
    flip(path, os.path.getsize(path) // 2)
    with pytest.raises(WorkspaceError, match="is damaged"):
        again = reopened(workspace, store)
        again.layer_means(-1) if kind == MEANS else again.open()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
@pytest.mark.parametrize("which", [RECORD, STORE])
def test_no_command_ends_in_a_traceback_over_damage(workspace, which, damage):
    store = write_store(workspace, "spoilt")
    write_store(workspace, "sound", used=1)
    path = part_file(store, 1, RECORD)
    if which == STORE:
        path = workspace.path(f"{store.folder}/{STORE}")
    if damage == "flipped":
        flip(path, 200)
    else:
        os.truncate(path, 0 if damage == "empty" else 200)

    listed = run("ls", "--json", "--workspace", workspace.root)
    corpora = [found["corpus"] for found in json.loads(listed.output)["stores"]]
    assert corpora == (["sound"] if which == STORE else ["sound", "spoilt"])
    result = run("verify", "--workspace", workspace.root)
    assert result.exit_code == 1
    assert ("its list of parts" if which == STORE else "part 1") in result.output
    assert run("verify", "--discard", "--workspace", workspace.root).exit_code == 1
    assert run("verify", "--workspace", workspace.root).exit_code == 0
    assert run("gc", "--cache-budget", "0", "--workspace", workspace.root).exit_code == 0
    assert cache_bytes(workspace) == 0


def test_a_part_is_compared_with_its_digest_once_per_state(workspace, monkeypatch):
    store = write_store(workspace, "some")
    read = []
    digest = Workspace.digest
    monkeypatch.setattr(Workspace, "digest", lambda self, p: read.append(p) or digest(self, p))
    store.open()
    store.open()
    assert len(read) == 4  # frames and means of two parts
    reopened(workspace, store).open(verify=False)
    assert len(read) == 4


def test_discarded_parts_are_those_that_a_run_extracts_again(workspace):
    store = write_store(workspace, "spoilt")
    flip(part_file(store, 1, FRAMES), 500)
    result = run("verify", "--workspace", workspace.root)
    assert result.exit_code == 1
    assert "part 1" in result.output
    assert reopened(workspace, store).missing_parts() == []
    assert run("verify", "--discard", "--workspace", workspace.root).exit_code == 1
    assert reopened(workspace, store).missing_parts() == [1]
    assert run("verify", "--workspace", workspace.root).exit_code == 0


def test_verification_compares_with_the_corpus_files_too(workspace, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    files = CorpusFiles(root)
    places = [(entry.path, None) for entry in files]
    known_contents("urdu", files, places, workspace)
    assert run("verify", "--workspace", workspace.root).exit_code == 0
    path = root / "Sad" / "SM1_F1_S01.wav"
    facts = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    result = run("verify", "--workspace", workspace.root)

    assert result.exit_code == 1
    assert "changed: Sad/SM1_F1_S01.wav of urdu" in result.output
    (found,) = verify_corpora(workspace)
    assert found.paths == ("Sad/SM1_F1_S01.wav",)


def test_a_shared_part_goes_with_the_last_store_that_lists_it(workspace):
    """As after one recording of a corpus has changed."""
    write_store(workspace, "some", used=1, contents=["same", "before"])
    new = write_store(workspace, "some", used=2, contents=["same", "after"])
    old, _ = cached_stores(workspace)
    shared = sum(os.path.getsize(part_file(new, 0, kind)) for kind in (FRAMES, MEANS, RECORD))
    assert old.n_bytes - old.n_own_bytes == shared
    assert cache_bytes(workspace) == old.n_bytes + old.n_own_bytes

    result = trim(workspace, cache_bytes(workspace) - 1)
    assert [store.folder for store in result.removed] == [old.folder]
    assert reopened(workspace, new).missing_parts() == []
    assert result.n_bytes == cache_bytes(workspace) == old.n_bytes


@pytest.mark.parametrize("held_store", [True, False])
def test_parts_that_no_store_lists_are_removed_first(workspace, held, held_store):
    """Unless their store is being extracted now."""
    gone = write_store(workspace, "gone", used=2)
    write_store(workspace, "some", used=1)
    if held_store:
        held(gone.folder)
    os.remove(workspace.path(f"{gone.folder}/{STORE}"))
    before = cache_bytes(workspace)

    assert trim(workspace, before, dry_run=True).n_bytes == before // (1 if held_store else 2)
    trim(workspace, before)
    assert cache_bytes(workspace) == before // (1 if held_store else 2)
    assert [store.corpus for store in cached_stores(workspace)] == ["some"]


def test_trimming_removes_the_least_recently_used_until_the_rest_fits(workspace):
    for used, corpus in ((3, "c"), (1, "a"), (2, "b")):
        write_store(workspace, corpus, used=used)
    sizes = {store.corpus: store.n_bytes for store in cached_stores(workspace)}
    budget = sizes["b"] + sizes["c"]
    told = trim(workspace, budget, dry_run=True)
    assert [store.corpus for store in told.removed] == ["a"]
    assert len(cached_stores(workspace)) == 3
    done = trim(workspace, budget)
    assert [store.corpus for store in done.removed] == ["a"]
    assert [store.corpus for store in cached_stores(workspace)] == ["b", "c"]
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
    assert [store.corpus for store in cached_stores(workspace)] == ["busy"]


@pytest.mark.parametrize("readable", [True, False])
def test_frames_in_the_plan_of_a_live_run_stay(workspace, held, readable):
    write_store(workspace, "planned")
    write_store(workspace, "other")
    write_store(workspace, "planned", backbone="another")
    plan = {
        "corpora": {"planned": {}},
        "backbones": {"tiny": {"weights": "weights-tiny"}},
    }
    workspace.write_json("runs/now/run.json", plan)
    if not readable:
        workspace.write_bytes("runs/now/run.json", b"{")
    held("runs/now")
    kept = {(store.backbone, store.corpus) for store in trim(workspace, 0).kept}
    everything = {("tiny", "planned"), ("tiny", "other"), ("another", "planned")}
    assert kept == ({("tiny", "planned")} if readable else everything)


def test_an_ended_run_keeps_nothing(workspace):
    write_store(workspace, "planned")
    with workspace.claim("runs/before", "it"):
        workspace.write_json(
            "runs/before/run.json",
            {
                "corpora": {"planned": {}},
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


def test_listing_as_json_and_as_a_table(workspace):
    write_store(workspace, "some")
    listed = json.loads(run("ls", "--json", "--workspace", workspace.root).output)
    assert [each["corpus"] for each in listed["stores"]] == ["some"]
    assert "70 of 70" in run("ls", "--workspace", workspace.root).output


def test_frame_files_are_hardly_larger_than_their_frames(workspace):
    rng = np.random.default_rng(0)
    store = make_store(workspace, "c", n=PART_SIZE, width=384)
    store.write_part(
        0,
        [
            ExtractedUtterance(
                row=row,
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
    size = os.path.getsize(part_file(store, 0, FRAMES))
    assert 1 <= size / (2 * 384 * store.n_frames) < 1.01
