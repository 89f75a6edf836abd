"""Leases: one works, others wait, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import pytest

from sercore.errors import InUseError
from sercore.errors import WorkspaceError
from sercore.storage.workspace import Workspace

HOLD = """
import sys
from sercore.storage.workspace import Workspace
with Workspace(sys.argv[1]).lease("key", "the frames", time_to_live=float(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(root, time_to_live=60.0):
    """Hold the lease "key" in another process until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), str(time_to_live)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()


def lease_files(root):
    return [name for name in os.listdir(root / ".leases") if name.endswith(".json")]


def test_a_second_worker_waits_is_told_once_and_looks_again(tmp_path):
    said = []
    with held(tmp_path) as process:
        threading.Timer(0.5, process.stdin.close).start()
        with Workspace(tmp_path).lease("key", "the frames", wait=said.append):
            assert process.wait(timeout=10) == 0

    assert len(said) == 1
    assert said[0].startswith("the frames is being computed by ")
    assert said[0].endswith(f":{process.pid}, waiting")
    assert lease_files(tmp_path) == []


def test_a_free_lease_is_taken_without_a_word(tmp_path):
    said = []

    with Workspace(tmp_path).lease("key", "the frames", wait=said.append):
        pass

    assert said == []


def test_a_killed_owner_on_this_machine_frees_its_lease_at_once(tmp_path):
    workspace = Workspace(tmp_path)
    with held(tmp_path) as process:
        assert workspace.is_leased("key")
        # The zombie is not collected before the lease is taken: it is dead all the same.
        os.kill(process.pid, signal.SIGKILL)
        started = time.monotonic()
        with workspace.lease("key", "the frames", timeout=30):
            assert time.monotonic() - started < 5


def test_an_owner_that_stopped_beating_loses_its_lease_and_does_not_take_it_back(tmp_path):
    workspace = Workspace(tmp_path)
    with held(tmp_path, time_to_live=1.0) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with workspace.lease("key", "the frames", timeout=30):
            holder = workspace.lease_holder("key")
            assert holder.pid == os.getpid()
            os.kill(process.pid, signal.SIGCONT)
            process.stdin.close()
            process.wait()

            assert workspace.lease_holder("key").token == holder.token


def test_a_beating_owner_keeps_its_lease_beyond_its_time_to_live(tmp_path):
    with held(tmp_path, time_to_live=0.4):
        time.sleep(1.5)

        assert Workspace(tmp_path).is_leased("key")


def test_a_lease_that_was_lost_is_left_to_its_new_owner(tmp_path):
    workspace = Workspace(tmp_path)
    with workspace.lease("key", "the frames", time_to_live=0.4):
        (name,) = lease_files(tmp_path)
        record = workspace.read_json(f".leases/{name}") | {"token": "another"}
        workspace.write_json(f".leases/{name}", record)
        time.sleep(1)  # several signs of life

        assert workspace.read_json(f".leases/{name}") == record
    assert lease_files(tmp_path) == [name]


def test_the_time_to_wait_ends(tmp_path):
    started = time.monotonic()
    with (
        held(tmp_path) as process,
        pytest.raises(InUseError, match=f"the frames is being computed by .*:{process.pid}"),
        Workspace(tmp_path).lease("key", "the frames", timeout=0.3),
    ):
        pass

    assert 0.3 <= time.monotonic() - started < 20


def test_a_thread_does_not_wait_for_itself(tmp_path):
    workspace = Workspace(tmp_path)

    with (
        workspace.lease("key", "the frames"),
        pytest.raises(InUseError),
        workspace.lease("key", "the frames"),
    ):
        pass


def test_looking_at_a_lease_writes_and_locks_nothing(tmp_path):
    workspace = Workspace(tmp_path)

    assert not workspace.is_leased("key")
    assert os.listdir(tmp_path) == []
    with held(tmp_path), workspace.try_lease("key") as lease:
        assert lease is None
        before = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(tmp_path)}
        assert workspace.is_leased("key")
        assert before == {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(tmp_path)}


def test_a_damaged_lease_is_free(tmp_path):
    workspace = Workspace(tmp_path)
    with workspace.lease("key", "the frames"):
        (name,) = lease_files(tmp_path)
    (tmp_path / ".leases" / name).write_bytes(b"{")

    with workspace.lease("key", "the frames", timeout=1):
        pass


def test_an_error_of_the_body_is_not_blamed_on_the_lease(tmp_path):
    workspace = Workspace(tmp_path)
    for hold in (workspace.lease("key", "it"), workspace.claim("runs/r", "it")):
        with pytest.raises(FileNotFoundError), hold:
            (tmp_path / "none.wav").read_bytes()


def test_an_interrupt_ends_the_waiting(tmp_path):
    script = textwrap.dedent(
        """
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from sercore.storage.workspace import Workspace
        try:
            with Workspace(sys.argv[1]).lease("key", "it", wait=lambda _: print("w", flush=True)):
                pass
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    with held(tmp_path):
        waiting = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert waiting.stdout.readline() == "w\n"
        waiting.send_signal(signal.SIGINT)

        assert waiting.communicate(timeout=20)[0] == "interrupted\n"


WORK = """
import os, sys, time
from sercore.storage.workspace import Workspace
workspace = Workspace(sys.argv[1])
for number in range(5):
    with workspace.lease(f"task-{number}", "it", time_to_live=5):
        if workspace.exists(f"done/{number}.json"):
            continue
        with open(sys.argv[2], "a") as log:
            print(number, file=log, flush=True)
        time.sleep(0.05)
        workspace.write_json(f"done/{number}.json", {"number": number})
"""


def test_workers_that_start_together_do_each_task_once(tmp_path):
    log = tmp_path / "log"
    workers = [
        subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path / "ws"), str(log)])
        for _ in range(4)
    ]

    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0, 0]
    assert sorted(log.read_text().split()) == ["0", "1", "2", "3", "4"]


def test_a_stolen_lease_has_one_new_owner(tmp_path):
    """Threads of one process race for the lease of a dead one; every round has one winner."""
    workspace = Workspace(tmp_path)
    for _ in range(10):
        with held(tmp_path) as process:
            process.kill()
            process.wait()
        winners, barrier, end = [], threading.Barrier(6), threading.Event()

        def take(winners=winners, barrier=barrier, end=end):
            barrier.wait()
            with workspace.try_lease("key") as lease:
                winners.append(lease is not None)
                end.wait(10)

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        while len(winners) < 6:
            time.sleep(0.01)
        end.set()
        for thread in threads:
            thread.join()

        assert sum(winners) == 1


def test_a_lease_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with (
        pytest.raises(WorkspaceError, match="cannot be written"),
        Workspace(tmp_path / "file").lease("key", "it"),
    ):
        pass
