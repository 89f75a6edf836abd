"""Watching a run from another terminal: what works where, how much is left, what failed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time

import pytest
from small_corpora import write_urdu

from sercore.cli.watch import duration
from sercore.cli.watch import line
from sercore.cli.watch import screen
from sercore.errors import WorkspaceError
from sercore.executors.task import TaskReport
from sercore.runs.journal import costs_of
from sercore.runs.progress import RunWatcher
from sercore.runs.progress import running
from sercore.storage.workspace import Workspace


def report(number, kind="fit", status="computed", label="b · urdu", **facts):
    return TaskReport(
        task=f"{number:016x}",
        kind=kind,
        label=label,
        status=status,
        failures=facts.pop("failures", {}),
        seconds=facts.pop("seconds", 10.0),
        peak_memory_mb=None,
        host=facts.pop("host", "node1"),
        pid=7,
        **facts,
    )


def write(workspace, *reports):
    for one in reports:
        workspace.write_json(f"runs/r/tasks/{one.task}.json", one.to_plain())


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path)
    record = {"status": "running", "written": "2026-01-01T00:00:00+00:00"}
    place.write_json(
        "runs/r/run.json", {**record, "planned": {"extract": 2, "fit": 6, "predict": 4}}
    )
    return place


def test_a_run_is_seen_with_its_workers_and_the_time_that_is_left(workspace):
    watcher = RunWatcher(workspace, "r")
    with (
        workspace.lease("runs/r", "the run 'r'"),
        workspace.lease("tasks/fit/1", "b · urdu (fit)"),
        workspace.lease("tasks/fit/2", "b · emodb (fit)"),
        workspace.lease("features/x", "the frames"),
    ):
        write(workspace, report(1, "extract", seconds=100.0), report(2), report(3, seconds=20.0))
        early = watcher.state()
        write(workspace, report(4, "predict", seconds=4.0), report(5, status="found", seconds=0.1))
        late = watcher.state()
        assert running(workspace) == ["r"]

    assert early.status == "running"
    assert early.driver == f"{os.uname().nodename}:{os.getpid()}"
    assert [worker.what for worker in early.workers] == ["b · urdu (fit)", "b · emodb (fit)"]
    assert early.seconds_left is None  # nothing was predicted yet
    assert [(stage.done, stage.planned) for stage in late.stages] == [(1, 2), (3, 6), (1, 4)]
    assert late.seconds_left == pytest.approx((1 * 100 + 3 * 15 + 3 * 4) / 2)
    counts = "extract 1 of 2, fit 3 of 6, predict 1 of 4"
    assert line(late) == f"run r running: {counts}, 2 workers, about 1 min 18 s left"


def test_failures_are_named_and_one_that_was_repeated_is_forgotten(workspace):
    watcher = RunWatcher(workspace, "r")
    write(
        workspace,
        report(1, status="failed", reason="out of memory"),
        report(2, "predict", failures={"k": "no class", "l": "no class"}),
        report(3, label="other\x1b[31m"),
    )

    first = watcher.state()
    write(workspace, report(1))
    second = watcher.state()

    assert [(one.kind, one.reason) for one in first.failures] == [
        ("fit", "out of memory"), ("predict", "no class"),
    ]  # fmt: skip
    assert first.stages[1].failed == 1
    assert [one.kind for one in second.failures] == ["predict"]
    assert "2 failed" in line(first)


def test_costs_count_what_was_computed_by_host_and_device():
    reports = [
        report(1, device="cuda:0"), report(2, seconds=5.0, host="node2", device="cpu"), report(3),
        report(4, status="found"), report(5, status="failed"), report(6, "extract", device="cpu"),
    ]  # fmt: skip

    assert costs_of(reports) == {
        "fit": {
            "tasks": 3,
            "seconds": 25.0,
            "devices": {"node1 cuda:0": 10.0, "node2 cpu": 5.0, "node1 unknown": 10.0},
        },
        "extract": {"tasks": 1, "seconds": 10.0, "devices": {"node1 cpu": 10.0}},
    }


def test_the_parts_of_a_corpus_and_its_predictions_count_once(workspace):
    write(
        workspace,
        report(1, "extract", label="b · urdu · parts 1 to 4", writes=("k",), seconds=30.0),
        report(2, "extract", label="b · urdu · parts 5 to 8", writes=("k",), seconds=50.0),
        report(3, "predict", label="b → urdu", writes=("p",), seconds=3.0),
        report(4, "predict", label="b → urdu", writes=("q",), seconds=5.0),
    )

    extract, _, predict = RunWatcher(workspace, "r").state().stages

    assert (extract.done, extract.planned, extract.seconds) == (1, 2, 80.0)
    assert (predict.done, predict.planned, predict.seconds) == (1, 4, 8.0)


def test_a_killed_driver_is_noticed_and_reports_that_were_packed_are_known(workspace):
    watcher = RunWatcher(workspace, "r")
    write(workspace, report(1))
    watcher._journal.compact()

    state = watcher.state()

    assert state.status == "stopped"
    assert state.is_over
    assert state.seconds_left is None
    assert state.stages[1].done == 1


def test_a_run_of_an_older_version_and_a_missing_one(workspace):
    record = {"status": "ended", "written": "2026-01-01T00:00:00+00:00"}
    workspace.write_json("runs/old/run.json", record)

    assert line(RunWatcher(workspace, "old").state()) == (
        "run old ended: extract 0, fit 0, predict 0"
    )
    with pytest.raises(WorkspaceError, match="the run 'none' in .* does not exist"):
        RunWatcher(workspace, "none").state()


def test_the_screen_fits_into_eighty_columns(workspace):
    from rich.console import Console

    write(workspace, *(report(n, status="failed", reason="why " * 40) for n in range(20)))
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with workspace.lease("runs/r", "it"), workspace.lease("tasks/fit/1", "a very long label " * 9):
        console.print(screen(RunWatcher(workspace, "r").state()))

    text = console.export_text()
    console.file.close()
    assert max(map(len, text.splitlines())) <= 80
    assert "and 12 more" in text
    assert "probes trained" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90000, "25 h 0 min"),
    ],
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def status(workspace, *words, **options):
    command = [
        sys.executable,
        "-m",
        "sercore",
        "status",
        *words,
        "--workspace",
        str(workspace.root),
    ]
    return subprocess.run(
        command, text=True, check=False, timeout=100, capture_output=True, **options
    )


def test_piped_watching_prints_a_line_for_each_refresh_until_the_end(workspace):
    def end():
        time.sleep(0.2)
        record = workspace.read_json("runs/r/run.json")
        workspace.write_json("runs/r/run.json", {**record, "status": "ended"})

    with workspace.lease("runs/r", "it"):
        process = subprocess.Popen(
            [sys.executable, "-m", "sercore", "status", "--watch", "--every", "0.3",
             "--workspace", workspace.root],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        first = process.stdout.readline()
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
    rest, _ = process.communicate(timeout=60)

    assert first[9:] == "run r running: extract 0 of 2, fit 0 of 6, predict 0 of 4, 0 workers\n"
    assert rest.splitlines()[-1][9:] == "run r ended: extract 0 of 2, fit 0 of 6, predict 0 of 4"
    assert process.returncode == 0


def test_json_is_one_object_a_line(workspace):
    write(workspace, report(1, status="failed", reason="why"))

    answer = status(workspace, "r", "--watch", "--json")

    (text,) = answer.stdout.splitlines()
    state = json.loads(text)
    assert state["status"] == "stopped"
    assert state["failures"] == [
        {"kind": "fit", "label": "b · urdu", "reason": "why", "host": "node1"}
    ]


def test_a_terminal_gets_a_screen(workspace):
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sercore", "status", "r", "--watch", "--workspace", workspace.root],
        stdout=side,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
    )
    os.close(side)
    shown = b""
    while True:
        try:
            shown += os.read(main, 4096)
        except OSError:
            break
    os.close(main)
    assert process.wait(60) == 0
    assert b"corpora extracted" in shown
    assert b"stopped" in shown


def test_what_cannot_be_watched_is_said_with_what_to_do(workspace):
    nothing = status(workspace, "--watch")
    assert nothing.returncode == 1
    assert "no run is running" in nothing.stderr
    with workspace.lease("runs/a", "it"), workspace.lease("runs/b", "it"):
        assert "a, b are running" in status(workspace, "--watch").stderr
    assert status(workspace, "--watch", "--probes").returncode == 2


@pytest.mark.torch
def test_a_failed_cell_is_explained_with_its_traceback(tmp_path):
    """A probe that raises is a plugin's fault: its traceback is one command away."""
    from fresh_plugins import environment
    from fresh_plugins import install

    plugin = (
        "from dataclasses import dataclass, field\n"
        "from sercore import hookimpl\n"
        "SERCORE_API = 1\n"
        "@dataclass(frozen=True)\n"
        "class Broken:\n"
        "    id: str = 'broken'\n"
        "    summary: str = 'raises'\n"
        "    settings: dict = field(default_factory=dict, hash=False)\n"
        "    def fit(self, *args, **options): raise ArithmeticError('seven')\n"
        "    def load(self, *args, **options): raise NotImplementedError\n"
        "@hookimpl\n"
        "def sercore_probes(): return [Broken()]\n"
    )
    plugins = install(tmp_path / "plugins", "sercore_probe_broken", source=plugin)
    write_urdu(tmp_path / "data" / "URDU-Dataset-master", n_per_class=4)
    words = ["run", "--dataset", "urdu", "--backbone", "logmel", "--probe", "broken", "--offline"]
    words += ["--data", str(tmp_path / "data"), "--threads", "1", "--quiet", "--name", "r"]
    env = environment(plugins)
    place = Workspace(tmp_path / "workspace")
    command = [sys.executable, "-m", "sercore", *words, "--workspace", place.root]
    assert subprocess.run(command, check=False, env=env, capture_output=True).returncode == 1

    answer = status(place, "r", "--cell", "logmel", "urdu", "urdu", env=env)

    assert answer.returncode == 0
    assert "failed in-domain" in answer.stdout
    assert "ArithmeticError: seven" in answer.stdout
    assert "line 9, in fit" in answer.stdout
    unknown = status(place, "r", "--cell", "whisper", "urdu", "urdu")
    assert unknown.returncode == 1
    assert "the run 'r' has no cell whisper urdu urdu" in unknown.stderr
    record = place.read_json("runs/r/run.json")
    assert record["planned"] == {"extract": 1, "fit": 1, "predict": 1, "cells": 1}
    assert record["costs"].keys() == {"extract"}
    assert record["costs"]["extract"]["tasks"] == 1
    assert list(record["costs"]["extract"]["devices"]) == [f"{os.uname().nodename} cpu"]
    said = json.loads(status(place, "r", "--cell", "logmel", "urdu", "urdu", "--json").stdout)
    assert {score["status"] for score in said["scores"]} == {"failed"}
