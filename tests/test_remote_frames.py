"""Stored frames behind an object store: the same values, read a little at a time."""

from __future__ import annotations

import json
import tempfile
import time
import uuid

import numpy as np
import pytest
from click.testing import CliRunner

from sercore.cli.cache import cache as cache_command
from sercore.corpora.manifest import PART_SIZE
from sercore.errors import StoreUnavailableError
from sercore.features import parts
from sercore.features.cache import cached_stores
from sercore.features.part_list import DamagedFeaturesError
from sercore.features.parts import FRAMES
from sercore.features.parts import ExtractedUtterance
from sercore.features.remote_frames import RemoteBlock
from sercore.features.store import FeatureStore
from sercore.storage import remote_files
from sercore.storage.object_store import StoreError
from sercore.storage.workspace import Workspace

WIDTH, LAYERS = 256, 3
N = PART_SIZE + 9


@pytest.fixture
def remote():
    return Workspace(f"memory://bucket/{uuid.uuid4().hex}")


@pytest.fixture
def fetched(remote, monkeypatch):
    """Return a list that gets (path, bytes) of what is read in pages."""
    files, log = remote._files, []
    real = files.read_ranges

    def read_ranges(path, spans):
        log.extend((path, length) for _, length in spans)
        return real(path, spans)

    monkeypatch.setattr(files.pages, "_fetch", read_ranges)
    return log


def make_store(workspace, *, fails=(), scale=1.0):
    rows = [np.arange(PART_SIZE), np.arange(PART_SIZE, N)]
    identity = {"encoder": {"width": WIDTH, "checkpoint": "c" * 64}, "corpus": "c", "utterances": N}
    store = FeatureStore(
        workspace, identity, ("one", "two"), lambda: rows, provenance={"backbone": "b"}
    )
    rng = np.random.default_rng(0)
    for part in range(2):
        utterances = [
            ExtractedUtterance(
                row=row,
                path=f"{row}.wav",
                frames=None
                if row in fails
                else scale * rng.standard_normal((5 + row, WIDTH)).astype(np.float32),
                layer_means=None
                if row in fails
                else rng.standard_normal((LAYERS, WIDTH)).astype(np.float32),
                duration_s=1.0 + row,
                source_rate=16000,
                channels=1,
                audio_digest=f"{row:064x}",
                error="it is broken" if row in fails else None,
            )
            for row in rows[part].tolist()
        ]
        store.write_part(part, utterances, layer_means=True, plan={})
    store.write_description()
    return store


@pytest.mark.parametrize("scale", [1.0, 1e6], ids=["float16", "float32"])
def test_the_same_bytes_and_values_as_on_a_disk(remote, tmp_path, scale):
    local = make_store(Workspace(tmp_path), fails=(3,), scale=scale)
    store = make_store(remote, fails=(3,), scale=scale)

    assert store.digest == local.digest
    mine, theirs = store.open(), local.open()
    for name in ("block", "start", "length"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    assert all(isinstance(block, RemoteBlock) for block in mine.blocks)
    for row in range(N):
        if row != 3:
            assert mine.frames(row).dtype == theirs.frames(row).dtype
            np.testing.assert_array_equal(mine.frames(row), theirs.frames(row))
    for layer in (0, 2, -1):
        np.testing.assert_array_equal(store.layer_means(layer), local.layer_means(layer))
    assert store.audio().equals(local.audio())
    np.testing.assert_array_equal(mine.blocks[0][7:30:4], theirs.blocks[0][7:30:4])


def test_facts_about_the_audio_cost_no_frames(remote, fetched, monkeypatch):
    monkeypatch.setattr("sercore.storage.pages.PAGE", 4096)
    store = make_store(remote)
    whole = sum(remote.facts(f"{store.root}/parts/{name}").n_bytes
                for name in remote.list(f"{store.root}/parts") if name.endswith(FRAMES)
                and not name.endswith(".means.arrow"))  # fmt: skip

    audio = store.audio()

    assert audio.column("audio_digest").to_pylist()[70] == f"{70:064x}"
    assert sum(n_bytes for _, n_bytes in fetched) < whole / 2


def test_one_utterance_is_read_alone_when_nothing_is_verified(remote, fetched, monkeypatch):
    monkeypatch.setattr("sercore.storage.pages.PAGE", 4096)
    packed = make_store(remote).open(verify=False)
    fetched.clear()

    packed.frames(40)

    assert 0 < sum(n_bytes for _, n_bytes in fetched) <= 45 * WIDTH * 2 + 2 * 4096


def test_verified_bytes_are_not_fetched_again(remote, fetched):
    store = make_store(remote)
    packed = store.open()
    n_bytes = sum(n for path, n in fetched if path.endswith(FRAMES))

    for row in range(N):
        packed.frames(row)
    store.open()

    assert sum(n for path, n in fetched if path.endswith(FRAMES)) == n_bytes


def test_hints_change_no_value(remote):
    packed = make_store(remote).open()
    expected = [packed.frames(row).copy() for row in range(N)]
    packed.will_need(np.arange(N))

    for row in range(N):
        np.testing.assert_array_equal(packed.frames(row), expected[row])


@pytest.mark.parametrize("place", ["middle", "end", "missing"])
def test_damage_is_found_named_and_forgotten(remote, place):
    store = make_store(remote)
    path = store.files.path(store.part_keys[0], FRAMES)
    data = bytearray(remote.read_bytes(path))
    data[len(data) // 2 if place == "middle" else -20] ^= 1
    if place == "missing":
        remote._files.remove(remote.path(path))
    else:
        remote.write_bytes(path, bytes(data))

    with pytest.raises(DamagedFeaturesError, match="part 0"):
        store.open()

    assert store.missing_parts() == [0]
    repaired = make_store(remote)
    assert repaired.open().frames(5).shape == (10, WIDTH)


def test_a_store_that_is_away_is_not_taken_for_damage(remote, monkeypatch):
    monkeypatch.setattr("sercore.storage.pages.PAGE", 4096)
    store = make_store(remote)
    packed = store.open(verify=False)

    def away(*_):
        raise StoreError("the store does not answer (503)", "wait")

    monkeypatch.setattr(remote._files.pages, "_fetch", away)
    for use in (store.open, lambda: packed.blocks[1][:]):
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            use()
    monkeypatch.undo()

    assert store.missing_parts() == []


def run(*words):
    return CliRunner().invoke(cache_command, list(words), catch_exceptions=False)


def test_the_cache_is_listed_verified_and_trimmed(remote):
    store = make_store(remote)
    make_store(Workspace(f"{remote.root}2"))

    (found,) = cached_stores(remote)
    assert (found.corpus, found.n_done, found.in_use) == ("c", N, False)
    assert abs(found.used - time.time()) < 60
    assert found.n_bytes == found.n_own_bytes > store.n_frames * WIDTH * 2
    listed = json.loads(run("ls", "--json", "--workspace", remote.root).output)
    assert listed["bytes"] == found.n_bytes
    assert listed["free"] is None
    assert "free" not in run("ls", "--workspace", remote.root).output
    assert "intact" in run("verify", "--workspace", remote.root).output

    dry = run("gc", "--cache-budget", "0", "--dry-run", "--workspace", remote.root)
    assert "would remove b on c" in dry.output
    assert len(remote.walk("features")) == 7
    with remote.lease(store.folder, "it"):
        assert run("gc", "--cache-budget", "0", "--workspace", remote.root).exit_code == 1
    done = run("gc", "--cache-budget", "0", "--workspace", remote.root)
    assert (done.exit_code, "removed b on c" in done.output) == (0, True)
    assert remote.walk("features") == []


def test_a_store_that_was_used_counts_as_young(remote, monkeypatch):
    store = make_store(remote)
    before = remote.facts(f"{store.folder}/store.json")
    real = time.time
    monkeypatch.setattr(remote_files.time, "time", lambda: real() + 7200)

    store.open()

    after = remote.facts(f"{store.folder}/store.json")
    assert after.version != before.version
    assert remote.read_json(f"{store.folder}/store.json")["key"] == store.key


def test_only_scratch_files_without_a_name_are_written(remote, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(parts, "_VERIFIED", set())
    packed = make_store(remote).open()

    assert packed.frames(7).shape == (12, WIDTH)
    assert list(tmp_path.iterdir()) == []
