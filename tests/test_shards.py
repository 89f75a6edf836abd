"""Shares of a run and listed tasks: processes without a driver give the bytes of a plain run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from small_corpora import write_emodb
from small_corpora import write_wav
from whole_runs import stored

from sercore.errors import SettingsError
from sercore.executors import Task
from sercore.runs.journal import Journal
from sercore.runs.queue import WorkspaceQueue
from sercore.runs.shard import Share
from sercore.storage.workspace import Workspace


class TestShare:
    def test_every_item_of_a_list_belongs_to_one_share(self):
        for of in (1, 3, 4, 64):
            shares = [Share(number, of) for number in range(1, of + 1)]
            for total in (0, 1, 10, 113):
                owners = [
                    [share.number for share in shares if share.owns(position, total)]
                    for position in range(total)
                ]
                assert all(len(found) == 1 for found in owners)
                assert owners == sorted(owners)

    @pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4"])
    def test_another_form_is_refused(self, text):
        with pytest.raises(SettingsError, match="--shard takes I/N with I from 1 to N"):
            Share.parse(text)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Return a data folder in which one corpus has nine parts, and so is cut."""
    data = tmp_path_factory.mktemp("data")
    for number in range(576):
        folder, letter = [("Angry", "A"), ("Happy", "H"), ("Neutral", "N"), ("Sad", "S")][
            number % 4
        ]
        name = f"SM{1 + number // 96}_F{1 + number % 24}_{letter}{1 + number % 96:02d}.wav"
        path = data / "URDU-Dataset-master" / folder / name
        write_wav(path, seconds=0.25, pitch=110 + 60 * (number % 4), seed=number)
    write_emodb(data / "emodb")
    return data


def words(corpora, workspace, *more, command="run"):
    chosen = ["--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    chosen += ["--class-rule", "shared-classes", "--probe", "pooled", "--seeds", "1"]
    return [command, *chosen, "--data", corpora, "--workspace", workspace, *more]


@pytest.fixture
def sercore(capsys):
    """Return a function that runs a command in this process and returns what it printed."""
    from sercore.cli import cli

    def call(given, status=0):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in given], standalone_mode=True)
        said = capsys.readouterr()
        assert ended.value.code == status, said
        return said.out

    return call


@pytest.fixture(scope="module")
def local(corpora, tmp_path_factory):
    from sercore.cli import cli

    workspace = tmp_path_factory.mktemp("local")
    with pytest.raises(SystemExit) as ended:
        given = words(corpora, workspace, "--threads", "1", "--quiet")
        cli.main([str(word) for word in given], standalone_mode=True)
    assert ended.value.code == 0
    return stored(workspace)


@pytest.mark.torch
class TestShards:
    def test_in_any_order_and_twice_they_leave_nothing_to_compute(
        self, sercore, corpora, local, tmp_path
    ):
        computed = []
        for number in (3, 1, 2, 1):
            given = ("--threads", "1", "--shard", f"{number}/3", "--json")
            said = json.loads(sercore(words(corpora, tmp_path, *given)))
            assert said["problems"] == []
            computed.append(said["computed"])

        collected = json.loads(sercore(words(corpora, tmp_path, "--json")))

        assert sum(found.get("extract", 0) for found in computed) == 3
        assert sum(found.get("fit", 0) for found in computed) == 2
        assert sum(found.get("predict", 0) for found in computed) == 4
        assert computed[3] == {}
        assert collected["computed"] == {"score": 4}
        assert stored(tmp_path) == local
        reports = Journal(Workspace(tmp_path), "default").reports()
        assert [report.kind for report in reports].count("extract") == 3
        assert {report.status for report in reports} == {"computed"}

    def test_need_the_same_number_of_threads(self, sercore, corpora, tmp_path):
        share = ("--shard", "1/2")
        with pytest.raises(SettingsError, match="need the same number of threads, and none is"):
            sercore(words(corpora, tmp_path, *share))
        sercore(words(corpora, tmp_path, *share, "--threads", "1"))

        with pytest.raises(SettingsError, match="'default' computes with --threads 1, and 2 would"):
            sercore(words(corpora, tmp_path, *share, "--threads", "2"))
        sercore(words(corpora, tmp_path, *share))

    def test_are_not_done_by_an_executor(self, sercore, corpora, tmp_path):
        with pytest.raises(SettingsError, match="not through an executor; leave out --executor"):
            sercore(words(corpora, tmp_path, "--shard", "1/2", "--executor", "slurm"))

    @pytest.mark.slow
    def test_four_processes_of_which_one_is_killed_and_repeated(
        self, sercore, corpora, local, tmp_path
    ):
        def start(number):
            given = words(corpora, tmp_path, "--threads", "1", "--shard", f"{number}/4")
            return subprocess.Popen([sys.executable, "-m", "sercore", *map(str, given)])

        processes = {number: start(number) for number in (4, 2, 1, 3)}
        while not list(tmp_path.glob("features/*/parts/*.json")):
            time.sleep(0.05)
        processes[2].send_signal(signal.SIGKILL)
        assert processes[2].wait() == -signal.SIGKILL
        assert [processes[number].wait() for number in (1, 3, 4)] == [0, 0, 0]
        assert start(2).wait() == 0

        collected = json.loads(sercore(words(corpora, tmp_path, "--json")))

        assert collected["computed"] == {"score": 4}
        assert stored(tmp_path) == local


@pytest.mark.torch
class TestPlan:
    def test_lists_tasks_that_can_be_done_until_none_is_left(
        self, sercore, corpora, local, tmp_path
    ):
        kinds = []
        while True:
            planned = json.loads(
                sercore(words(corpora, tmp_path / "ws", "--threads", "1", "--json", command="plan"))
            )
            kinds.append(sorted(task["kind"] for task in planned["tasks"]))
            if not planned["tasks"]:
                break
            lines = sercore(words(corpora, tmp_path / "ws", "--lines", command="plan"))
            assert len(lines.splitlines()) == len(planned["tasks"])
            (tmp_path / "tasks").write_text(lines)
            sercore(["work", tmp_path / "tasks", "--workspace", tmp_path / "ws"])

        assert kinds == [["extract"] * 3, ["fit"] * 2, ["predict"] * 2, []]
        assert planned["waiting"] == {"fit": 0, "predict": 0}
        collected = json.loads(sercore(words(corpora, tmp_path / "ws", "--json")))
        assert collected["computed"] == {"score": 4}
        assert stored(tmp_path / "ws") == local

    def test_tasks_in_the_queue_of_a_run_are_done_by_whoever_asks(self, sercore, corpora, tmp_path):
        """Also where one of them fails: the reports say so, and the exit status is 0."""
        workspace = Workspace(tmp_path)
        lines = sercore(words(corpora, tmp_path, "--threads", "1", "--lines", command="plan"))
        planned = [Task.from_json(line) for line in lines.splitlines()]
        tasks = [planned[0], replace(planned[2], key="0" * 64), planned[1]]
        queue = WorkspaceQueue(workspace, "default")
        for task in tasks:
            queue.put(task)

        sercore(["work", "--run", "default", "--workspace", tmp_path])

        reports = [Journal(workspace, "default").report(task) for task in tasks]
        assert [report.status for report in reports] == ["computed", "failed", "computed"]
        assert "this worker would compute another result" in reports[1].reason
        assert [outcome.lost for outcome in queue.finished()] == [None] * 3

    def test_a_worker_with_other_threads_refuses(self, sercore, corpora, tmp_path, monkeypatch):
        planned = words(corpora, tmp_path / "ws", "--threads", "2", "--lines", command="plan")
        task = Task.from_json(sercore(planned).splitlines()[0])
        (tmp_path / "task").write_text(task.to_json())
        (tmp_path / "other").write_text(
            replace(task, resources=replace(task.resources, threads=1)).to_json()
        )
        monkeypatch.setenv("OMP_THREAD_LIMIT", "1")

        for name in ("task", "other"):
            sercore(["work", tmp_path / name, "--workspace", tmp_path / "ws"], status=1)

        for asked in ("task", "other"):
            written = Task.from_json((tmp_path / asked).read_text())
            report = Journal(Workspace(tmp_path / "ws"), "default").report(written)
            assert report.reason.startswith(
                "this worker would compute with 1 thread and the run was planned with 2 threads; "
            )

    def test_says_what_follows(self, sercore, corpora, tmp_path):
        said = sercore(words(corpora, tmp_path, "--threads", "1", command="plan"))

        assert said.splitlines() == [
            "extract logmel · urdu · parts 1-8 of 9",
            "extract logmel · urdu · parts 9-9 of 9",
            "extract logmel · emodb",
            "3 extract now, then 2 fit, 2 predict",
        ]
