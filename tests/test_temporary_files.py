"""What a killed writer leaves is found, and nobody else's file is touched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.storage import local_files
from sercore.storage import temporary
from sercore.storage.names import check_name
from sercore.storage.names import run_folder
from sercore.storage.processes import Process
from sercore.storage.processes import this_process
from sercore.storage.workspace import Workspace

WRITE = """
with workspace.write("predictions/key.parquet") as file:
    file.write(b"0" * 100000); file.flush(); ready()
"""
UNPACK = """
with workspace.new_folder("corpora/x") as folder:
    (folder / "deep").mkdir(); (folder / "deep/a.wav").write_bytes(b"1"); ready()
"""
REMOVE = """
import shutil
shutil.rmtree = lambda *_, **__: ready()
workspace.write_bytes("features/x/part", b"1")
workspace.remove("features/x")
"""
HEAD = """
import sys, time
from sercore.storage.workspace import Workspace
workspace = Workspace(sys.argv[1])
def ready():
    print("ready", flush=True); time.sleep(60)
"""


@contextmanager
def writing(root, body):
    """Run a writer up to the middle of its work; it is killed at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + body, str(root)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("body", [WRITE, UNPACK, REMOVE], ids=["write", "unpack", "remove"])
def test_leftovers_of_a_killed_writer_are_swept_by_the_next_one(tmp_path, body):
    with writing(tmp_path, body):
        # A running writer keeps its file, whoever starts.
        Workspace(tmp_path).write_bytes("runs/r/run", b"1")
        assert Workspace(tmp_path).sweep() == 0
        assert len(os.listdir(tmp_path / ".tmp")) == 1
    assert len(os.listdir(tmp_path / ".tmp")) == 1

    Workspace(tmp_path).write_bytes("runs/r/run", b"2")

    assert not (tmp_path / ".tmp").exists()
    for folder in ("predictions", "corpora", "features"):
        assert [*(tmp_path / folder).rglob("*")] == []


def test_no_name_outside_the_temporary_folder_is_swept(tmp_path):
    strangers = ["notes.partial-draft", ".tmp/notes", f"runs/r/{_name(pid=1, machine='0' * 12)}"]
    for relative in strangers:
        (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / relative).write_text("mine")

    with Workspace(tmp_path).claim("runs/r", "it"):
        Workspace(tmp_path).sweep(longest_life=0)

    assert [(tmp_path / relative).read_text() for relative in strangers] == ["mine"] * 3


def _name(*, pid, machine=None, made=None, started="1"):
    machine = machine or this_process().machine
    return f"{int(time.time() if made is None else made)}.{machine}.{pid}.{started}.{'a' * 16}"


def test_a_writer_that_cannot_be_seen_keeps_its_file_for_a_day():
    day = temporary.LONGEST_LIFE
    young, old = (
        _name(pid=1, machine="0" * 12, made=time.time() - age) for age in (0.9 * day, 1.1 * day)
    )

    assert not temporary.is_abandoned(young)
    assert temporary.is_abandoned(old)


def test_a_writer_on_this_machine_may_take_as_long_as_it_needs():
    mine = temporary.new_name().split(".")

    assert not temporary.is_abandoned(".".join(["0", *mine[1:]]))
    # The number went to a later process: the writer is dead.
    assert temporary.is_abandoned(".".join([*mine[:3], str(int(mine[3]) + 1), mine[4]]))


def test_a_process_is_dead_when_it_is_killed_even_before_its_parent_looks():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        process = Process(this_process().machine, child.pid, started)
        assert not process.is_dead()
        os.kill(child.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while not process.is_dead() and time.monotonic() < end:
            time.sleep(0.01)

        assert process.is_dead()
    assert process.is_dead()


def test_writers_of_one_workspace_do_not_disturb_each_other(tmp_path):
    """Every writer drops the empty temporary folder, and none loses its file by that."""
    failures = []

    def write(thread):
        try:
            for number in range(60):
                Workspace(tmp_path).write_bytes(f"{thread}/{number}", b"1")
        except WorkspaceError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2", "3"]


@pytest.fixture
def synced(monkeypatch, tmp_path):
    """Record what is synced and renamed, in order, by path relative to the workspace."""
    done = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        done.append(("fsync", _shown(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def note_replace(source, target):
        done.append(("rename", _shown(target)))
        replace(source, target)

    def _shown(path):
        relative = os.path.relpath(path, tmp_path)
        return re.sub(r"^\.tmp/.*", "temporary file", relative)

    monkeypatch.setattr(local_files.os, "fsync", note_fsync)
    monkeypatch.setattr(local_files.os, "replace", note_replace)
    return done


def test_a_file_reaches_the_disk_before_its_name_and_the_name_before_the_end(tmp_path, synced):
    Workspace(tmp_path).write_bytes("a/b/x", b"1")

    assert synced == [
        ("fsync", "temporary file"),
        ("fsync", "."),  # the name of a
        ("fsync", "a"),  # the name of b
        ("rename", "a/b/x"),
        ("fsync", "a/b"),
    ]


def test_a_new_folder_reaches_the_disk_before_its_name(tmp_path, monkeypatch):
    done = []
    rename = os.rename
    monkeypatch.setattr(local_files.os, "sync", lambda: done.append("sync"))
    monkeypatch.setattr(
        local_files.os, "rename", lambda *places: (done.append("rename"), rename(*places))
    )
    monkeypatch.setattr(local_files, "sync_folder", lambda folder: done.append(folder.name))

    with Workspace(tmp_path).new_folder("x") as folder:
        (folder / "a").write_bytes(b"1")

    assert done == ["sync", "rename", tmp_path.name]


def test_the_folder_of_a_faster_process_is_kept_where_the_caller_says_so(tmp_path):
    workspace = Workspace(tmp_path)
    with workspace.new_folder("x", keep_existing=True) as folder:
        (folder / "a").write_bytes(b"slow")
        with Workspace(tmp_path).new_folder("x") as faster:
            (faster / "a").write_bytes(b"fast")

    assert workspace.read_bytes("x/a") == b"fast"
    assert os.listdir(tmp_path) == ["x"]
    with pytest.raises(WorkspaceError, match="cannot be written"), workspace.new_folder("x") as two:
        (two / "a").write_bytes(b"other")
    assert os.listdir(tmp_path) == ["x"]


def test_leftovers_that_belong_to_another_user_stop_nobody(tmp_path, ordinary_user):
    folder = tmp_path / ".tmp" / "closed"
    folder.mkdir(parents=True)
    left = folder.rename(tmp_path / ".tmp" / _name(pid=2**22 + 1))
    (left / "file").write_bytes(b"1")
    left.chmod(0o500)
    script = (
        "import sys; from sercore.storage.workspace import Workspace; "
        "Workspace(sys.argv[1]).write_bytes('x', b'1')"
    )

    done = subprocess.run(
        [*ordinary_user, sys.executable, "-c", script, str(tmp_path)], check=False
    )
    left.chmod(0o700)

    assert done.returncode == 0
    assert (tmp_path / "x").read_bytes() == b"1"


@pytest.mark.parametrize(
    "name", ["default", "wavlm-2024.1", "a_b", "A+B", "x~1", "_", "-x", "9" * 100]
)
def test_names_that_can_be_used(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "../../x", "a\\b", "a b", "a\n", "ä", "a\x1b]0;x", "9" * 101],
)
def test_names_that_cannot_be_used(name):
    with pytest.raises(SettingsError, match="the run name") as caught:
        check_name(name, "the run name")

    assert "letters (A-Z, a-z), digits and . _ - + ~" in caught.value.hint


@pytest.mark.parametrize("relative", ["../x", "a/../../x", "/etc/x", "a/..", "..", "a\0b"])
@pytest.mark.parametrize(
    "use",
    [
        lambda workspace, path: workspace.path(path),
        lambda workspace, path: workspace.exists(path),
        lambda workspace, path: workspace.list(path),
        lambda workspace, path: workspace.write_bytes(path, b""),
        lambda workspace, path: workspace.write_json(path, {}),
        lambda workspace, path: workspace.open(path),
        lambda workspace, path: workspace.digest(path),
        lambda workspace, path: workspace.new_folder(path).__enter__(),
        lambda workspace, path: workspace.remove(path),
        lambda workspace, path: workspace.touch(path),
    ],
)
def test_no_path_leads_out_of_a_workspace(tmp_path, use, relative):
    (tmp_path / "x").write_text("a stranger's")

    with pytest.raises(WorkspaceError, match="leads out of the workspace"):
        use(Workspace(tmp_path / "workspace"), relative)

    assert os.listdir(tmp_path) == ["x"]


def test_a_run_has_its_folder_among_the_runs():
    assert run_folder("default") == "runs/default"
    with pytest.raises(SettingsError, match=r"the run name '../../x' cannot be used"):
        run_folder("../../x")


def test_dots_inside_a_name_lead_nowhere(tmp_path):
    Workspace(tmp_path).write_bytes("a..b/...c", b"1")

    assert (tmp_path / "a..b" / "...c").read_bytes() == b"1"
