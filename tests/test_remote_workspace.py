"""Workspaces in an object store: the same promises as on a disk, without rename and locks."""

from __future__ import annotations

import errno
import os
import threading
import time
import uuid
from types import SimpleNamespace

import pyarrow as pa
import pytest
from stores import BUCKET
from stores import FaultProxy
from stores import environment
from stores import moto

from sercore.errors import DamagedError
from sercore.errors import DiskFullError
from sercore.errors import SettingsError
from sercore.errors import StoreUnavailableError
from sercore.errors import WorkspaceError
from sercore.storage import leases
from sercore.storage import object_store
from sercore.storage import remote_files
from sercore.storage.trial import on_trial
from sercore.storage.workspace import Workspace

ROWS = pa.table({"a": [1, 2], "b": ["x", "ÿ"]})


@pytest.fixture(scope="module")
def server():
    with moto() as address:
        yield address


@pytest.fixture(scope="module")
def proxy(server):
    with FaultProxy(server) as proxy:
        yield proxy


@pytest.fixture
def root(server, monkeypatch):
    """Return the URL of an empty workspace in a real S3 server."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def faulty(root, proxy, monkeypatch):
    """Return a workspace behind a proxy, and the proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    proxy.fault = lambda *_: None
    proxy.requests.clear()
    yield SimpleNamespace(workspace=Workspace(root), proxy=proxy)
    proxy.fault = lambda *_: None


def names_below(root):
    return [path for path, _ in Workspace(root).walk("")]


# Files


def test_what_is_written_is_read_listed_and_removed(root):
    workspace = Workspace(root)
    workspace.write_table("t/x.parquet", ROWS)
    workspace.write_json("t/y.json", {"b": 1})
    workspace.write_bytes("t/deep/z ä.bin", b"12345")

    assert workspace.read_table("t/x.parquet").equals(ROWS)
    assert workspace.read_json("t/y.json") == {"b": 1}
    assert workspace.list("t") == ["deep", "x.parquet", "y.json"]
    assert workspace.walk("t")[0] == ("deep/z ä.bin", 5)
    assert workspace.exists("t")
    assert workspace.exists("t/y.json")
    assert not workspace.exists("t/y")
    facts = workspace.facts("t/deep/z ä.bin")
    assert facts.n_bytes == 5
    assert abs(facts.changed - time.time()) < 60
    with workspace.open("t/deep/z ä.bin") as file:
        file.seek(-2, os.SEEK_END)
        assert (file.read(), file.tell()) == (b"45", 5)

    workspace.remove("t")
    workspace.remove("t")

    assert workspace.list("t") == []
    assert not workspace.exists("t")
    assert names_below(root) == []


def test_a_workspace_is_one_prefix_and_sees_no_other(root):
    Workspace(root).write_bytes("x", b"1")
    Workspace(f"{root}-other").write_bytes("y", b"2")

    assert Workspace(root).list("") == ["x"]
    assert Workspace(f"{root}-other").list("") == ["y"]


def test_an_empty_and_a_large_file_survive(root):
    workspace = Workspace(root)
    large = os.urandom(1 << 20) * 9  # larger than one chunk of an upload

    workspace.write_bytes("empty", b"")
    workspace.write_bytes("large", large)

    assert workspace.read_bytes("empty") == b""
    with workspace.open("empty") as file:
        assert file.read() == b""
    assert workspace.read_bytes("large") == large
    with workspace.open("large") as file:
        assert file.read() == large


def test_a_write_that_stops_leaves_the_old_file_and_nothing_else(root):
    workspace = Workspace(root)
    workspace.write_bytes("a/x", b"old")

    with pytest.raises(ValueError, match="stop"), workspace.write("a/x") as file:
        file.write(b"new")
        raise ValueError("stop")

    assert workspace.read_bytes("a/x") == b"old"
    assert names_below(root) == ["a/x"]


def test_missing_and_damaged_files_are_named(root):
    workspace = Workspace(root)
    workspace.write_json("x.json", {"a": 1})
    workspace.write_bytes("x.json", workspace.read_bytes("x.json").replace(b"1", b"2", 1))

    with pytest.raises(WorkspaceError, match=r"none.bin cannot be read: No such file"):
        workspace.read_bytes("none.bin")
    with pytest.raises(WorkspaceError, match=r"none.bin cannot be read: No such file"):
        workspace.open("none.bin")
    with pytest.raises(DamagedError, match=r"x.json is damaged"):
        workspace.read_json("x.json")
    assert "do not match" in workspace.damage("x.json")


def test_a_planned_run_leaves_nothing_in_the_store(root):
    stored = Workspace(root)
    stored.write_bytes("a/x", b"1")

    with on_trial(stored) as trial:
        trial.write_bytes("a/y", b"2")
        assert trial.list("a") == ["x", "y"]
        assert (trial.read_bytes("a/x"), trial.read_bytes("a/y")) == (b"1", b"2")
        assert trial.facts("a/y").n_bytes == 1
        with trial.on_this_machine.new_folder("corpora/c") as folder:
            (folder / "f").write_text("text")
        assert trial.on_this_machine.exists("corpora/c/f")

    assert names_below(root) == ["a/x"]
    assert not stored.on_this_machine.exists("corpora/c")


def test_unpacked_corpora_lie_on_this_machine_apart_for_each_store(root):
    first, second = Workspace(root), Workspace(f"{root}-other")

    with first.on_this_machine.new_folder("corpora/c") as folder:
        (folder / "f").write_text("text")

    assert first.on_this_machine.is_local
    assert first.on_this_machine.exists("corpora/c/f")
    assert not second.on_this_machine.exists("corpora/c")
    assert Workspace("/somewhere").on_this_machine.root == "/somewhere"


@pytest.mark.parametrize("url", ["sftp://host/x", "s3://", "s3:///", "http://host/x", "file:///x"])
def test_other_urls_are_refused_with_what_is_possible(url):
    with pytest.raises(SettingsError, match=r"cannot hold a workspace.*s3://BUCKET/FOLDER"):
        Workspace(url)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "1e9"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(root, monkeypatch, text):
    monkeypatch.setenv(object_store.PATIENCE_VARIABLE, text)

    with pytest.raises(SettingsError, match=r"SERCORE_STORE_PATIENCE is .*number of seconds"):
        Workspace(root).list("")


def test_a_missing_bucket_and_wrong_keys_are_named(root, monkeypatch, proxy):
    with pytest.raises(StoreUnavailableError, match=r"no such bucket .*; create the bucket first"):
        Workspace("s3://no-such-bucket/x").write_bytes("y", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    proxy.fault = lambda *_: 403

    with pytest.raises(StoreUnavailableError, match=r"access is denied \(403 Forbidden: made to"):
        Workspace(f"{root}-denied").write_bytes("y", b"")


def test_scratch_space_that_is_full_is_named(root, monkeypatch):
    class Full:
        def __init__(self, *_, **__): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(remote_files.tempfile, "SpooledTemporaryFile", Full)

    with pytest.raises(DiskFullError, match="no space left in .*, where files for s3://") as caught:
        Workspace(root).write_bytes("x", b"1")

    assert "TMPDIR" in caught.value.hint
    assert names_below(root) == []


# Faults of the store


def test_a_store_that_fails_for_a_while_is_waited_for(faulty):
    end = time.monotonic() + 1.5
    faulty.proxy.fault = lambda *_: 503 if time.monotonic() < end else None

    faulty.workspace.write_json("x.json", {"a": 1})

    assert time.monotonic() > end
    assert faulty.workspace.read_json("x.json") == {"a": 1}


@pytest.mark.parametrize("fault", ["cut", "lost", 0.3])
def test_answers_that_are_cut_or_lost_or_late_cost_time_only(faulty, fault):
    data = os.urandom(300_000)
    faulty.workspace.write_bytes("x", data)
    left = [2]

    def once_in_a_while(*_):
        left[0] -= 1
        return fault if left[0] >= 0 else None

    faulty.proxy.fault = once_in_a_while
    assert faulty.workspace.read_bytes("x") == data
    left[0] = 2
    with faulty.workspace.open("x") as file:
        assert file.read() == data
    left[0] = 2
    faulty.workspace.write_bytes("y", data)
    left[0] = 0
    assert faulty.workspace.read_bytes("y") == data


def test_a_store_that_stays_away_is_named_in_one_sentence(root, proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    monkeypatch.setenv(object_store.PATIENCE_VARIABLE, "0.5")
    proxy.fault = lambda *_: 503
    workspace = Workspace(f"{root}-away")
    began = time.monotonic()

    with pytest.raises(StoreUnavailableError) as reading:
        workspace.read_json("x.json")
    with pytest.raises(StoreUnavailableError) as writing:
        workspace.write_bytes("x.json", b"1")

    assert time.monotonic() - began < 15
    reason = "the store does not answer (503 Service Unavailable: made to fail)"
    assert reading.value.message == f"{workspace.root}/x.json cannot be read: {reason}"
    assert writing.value.message == f"{workspace.root} cannot be written: {reason}"
    assert "run again" in writing.value.hint
    for question in (workspace.exists, workspace.facts, workspace.list, workspace.damage):
        with pytest.raises(StoreUnavailableError):
            question("x.json")


# Leases


def test_a_lease_is_held_waited_for_and_freed(root):
    workspace, said = Workspace(root), []

    with workspace.lease("key", "it"), workspace.try_lease("key") as second:
        assert second is None
        assert Workspace(root).is_leased("key")
        assert [holder.key for holder in workspace.leases()] == ["key"]

    assert not workspace.is_leased("key")
    assert workspace.leases() == []
    with workspace.lease("key", "it", wait=said.append):
        pass
    assert said == []
    assert names_below(root) == []


def test_of_many_that_try_at_once_one_gets_the_lease(root):
    workspace = Workspace(root)
    for number in range(3):
        winners, barrier, end = [], threading.Barrier(12), threading.Event()

        def take(key=f"key {number}", winners=winners, barrier=barrier, end=end):
            barrier.wait()
            with workspace.try_lease(key) as lease:
                winners.append(lease is not None)
                end.wait(20)

        threads = [threading.Thread(target=take) for _ in range(12)]
        for thread in threads:
            thread.start()
        while len(winners) < 12:
            time.sleep(0.01)
        end.set()
        for thread in threads:
            thread.join()

        assert sum(winners) == 1


def left_behind(workspace, **facts):
    """Write the lease of an owner that does not run any more; return what the owner knows."""
    holder, _ = workspace._leases._take("key", "it", 60.0)
    path = f"{leases.FOLDER}/{leases._name('key')}"
    workspace.write_json(path, workspace.read_json(path) | facts)
    return holder


@pytest.mark.parametrize("facts", [{"renewed": 0.0}, {"pid": 2**22 + 1}], ids=["silent", "dead"])
def test_an_owner_that_is_gone_loses_its_lease_to_one_other(root, facts):
    workspace = Workspace(root)
    old = left_behind(workspace, **facts)

    with workspace.try_lease("key") as first, workspace.try_lease("key") as second:
        assert first is not None
        assert second is None
        workspace._leases.drop(old)  # never removes the lease of its successor
        assert workspace.is_leased("key")
        assert not workspace._leases.renew(old)


def test_sweeping_removes_the_leases_of_the_dead_only(root):
    workspace = Workspace(root)
    left_behind(workspace, pid=2**22 + 1)
    with workspace.lease("other", "it"):
        assert Workspace(root).sweep() == 1
        assert [holder.key for holder in workspace.leases()] == ["other"]


def test_a_lease_whose_answer_was_lost_is_held(faulty):
    lost = iter(["lost"])
    faulty.proxy.fault = lambda method, _: next(lost, None) if method == "PUT" else None

    with faulty.workspace.try_lease("key") as lease:
        assert lease is not None
        assert ("PUT", "lost") in [(method, fault) for method, _, fault in faulty.proxy.requests]
        with faulty.workspace.try_lease("key") as second:
            assert second is None


def test_a_beat_that_fails_is_made_up_for_and_a_taken_lease_is_noticed(faulty):
    workspace = faulty.workspace
    with workspace.lease("key", "it", time_to_live=2.0) as lease:
        path = f"{leases.FOLDER}/{leases._name('key')}"
        end = time.monotonic() + 1.0
        faulty.proxy.fault = lambda *_: 503 if time.monotonic() < end else None
        time.sleep(2.5)
        assert workspace.is_leased("key")
        assert not lease.is_lost
        content = workspace.read_json(path)
        workspace.write_json(path, content | {"token": "another"})
        for _ in range(100):
            if lease.is_lost:
                break
            time.sleep(0.05)
        assert lease.is_lost
    assert workspace.read_json(path)["token"] == "another"
