"""Killed at any step and started again, a command leaves what an undisturbed one leaves."""

from __future__ import annotations

import functools
import io
import shutil
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler
from http.server import ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from crash_points import Hooked
from crash_points import Traced
from crash_points import contents
from small_corpora import write_emodb
from small_corpora import write_urdu

pytestmark = pytest.mark.torch

COMMANDS = ("run", "score", "report", "cache gc", "fetch")
RUN = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
RUN += ["--class-rule", "shared-classes", "--threads", "1", "--quiet"]
RUN += ["--probe", "logistic"]
FETCH = ["fetch", "enterface", "--accept-licence", "--from"]
TIMED = {"run.json", "journal.parquet", "log.parquet"}
"""Files that hold timings, and no results."""


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve a corpus of two files from this machine."""
    folder = tmp_path_factory.mktemp("served")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in (1, 2):
            name = f"enterface database/subject 1/anger/sentence {number}/s1_an_{number}.avi"
            archive.writestr(name, b"sound" * number)
    (folder / "enterface.zip").write_bytes(buffer.getvalue())
    handler = functools.partial(_Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/enterface.zip"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the folders of all trials: inputs, working folders and start states."""
    base = tmp_path_factory.mktemp("crash")
    write_urdu(base / "corpora" / "URDU-Dataset-master", n_per_class=4)
    write_emodb(base / "corpora" / "emodb", n_per_class=4)
    return SimpleNamespace(
        workspace=base / "trial" / "workspace",
        data=base / "trial" / "data",
        corpora=base / "corpora",
        starts=base / "starts",
        hooked=Hooked(base / "log"),
        traced=Traced(base / "log"),
    )


@pytest.fixture
def trial(place, request):
    """Return a function that makes the trial of a command: its words, and a way to start over."""

    def make(command):
        common = ["--workspace", str(place.workspace)]
        run = [*RUN, "--data", str(place.corpora), *common]
        words = {
            "run": run,
            "score": ["score", "--adjustment", "uniform", *common],
            "report": ["report", "--format", "md,csv,latex,parquet", *common],
            "cache gc": ["cache", "gc", "--cache-budget", "0", *common],
            "fetch": [*FETCH, *common, "--data", str(place.data)],
        }[command]
        if command == "fetch":
            words.insert(4, request.getfixturevalue("address"))
        start = place.starts / ("empty" if command in {"run", "fetch"} else "finished")

        def begin():
            shutil.rmtree(place.workspace.parent, ignore_errors=True)
            if not start.exists() and start.name == "finished":
                assert place.hooked.run(run) == 0, place.hooked.log.read_text()
                shutil.copytree(place.workspace.parent, start)
            start.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place.workspace.parent, ignore_errors=True)
            shutil.copytree(start, place.workspace.parent)

        return words, begin

    return make


def undisturbed(place, words, begin):
    """Return what a command leaves: bytes by path, and the paths whose bytes differ every time."""
    left = []
    for _ in range(2):
        begin()
        assert place.hooked.run(words) == 0, place.hooked.log.read_text()
        left.append(contents(place.workspace, place.data))
    first, second = left
    assert set(first) == set(second)
    varying = {path for path in first if first[path] != second[path]}
    assert {path.rpartition("/")[2] for path in varying} <= TIMED
    return first, varying


def check(place, words, expected, varying):
    """Start a killed command again and compare what it leaves."""
    assert place.hooked.run(words) == 0, place.hooked.log.read_text()
    left = contents(place.workspace, place.data)
    assert sorted(left) == sorted(expected)
    timed = varying | {path for path in left if path.rpartition("/")[2] in TIMED}
    assert [path for path in left if left[path] != expected[path] and path not in timed] == []


def spread(points, most):
    """Return some of the points, evenly spread, with the first and the last."""
    if most is None or len(points) <= most:
        return points
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def kill_at_points(place, trial, command, most):
    words, begin = trial(command)
    expected, varying = undisturbed(place, words, begin)
    begin()
    points = place.hooked.points(words)
    assert len(points) > 3
    reached = 0
    for point in spread(points, most):
        begin()
        reached += place.hooked.kill(words, point)
        check(place, words, expected, varying)
    # Threads that end in another order may do a step less.
    assert reached >= 0.9 * len(spread(points, most))
    return len(points), reached


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_some_steps_a_command_leaves_what_it_should(place, trial, command):
    kill_at_points(place, trial, command, most=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_every_step_a_command_leaves_what_it_should(place, trial, command):
    n_points, reached = kill_at_points(place, trial, command, most=None)
    print(f"{command}: killed at {reached} of {n_points} steps")  # noqa: T201 - shown by -s


def kill_in_system_calls(place, trial, command, most):
    if not Traced.is_possible():
        pytest.skip("THE FAULT CANNOT BE INJECTED: strace is not installed or may not trace")
    words, begin = trial(command)
    expected, varying = undisturbed(place, words, begin)
    begin()
    points = place.traced.points(words, place.workspace.parent)
    assert {point.call for point in points} >= {"fsync", "rename"}
    reached = 0
    for point in spread(points, most):
        begin()
        reached += place.traced.kill(words, point)
        check(place, words, expected, varying)
    assert reached >= 0.9 * len(spread(points, most))
    return len(points), reached


def test_killed_inside_a_system_call_a_run_leaves_what_it_should(place, trial):
    kill_in_system_calls(place, trial, "score", most=2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
def test_killed_inside_system_calls_a_command_leaves_what_it_should(place, trial, command):
    n_points, reached = kill_in_system_calls(place, trial, command, most=12)
    print(f"{command}: killed in {reached} of {n_points} system calls")  # noqa: T201 - shown by -s
