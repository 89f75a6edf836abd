"""Tasks as data: fresh processes do them from the workspace alone, and give the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fresh_plugins import environment
from fresh_plugins import install
from whole_runs import stored

from sercore.errors import TaskError
from sercore.executors import Resources
from sercore.executors import Task
from sercore.executors import TaskReport
from sercore.storage.workspace import Workspace

TASK = Task(
    kind="fit",
    label="logmel · urdu",
    run="default",
    spec="ab" * 32,
    backbone="logmel",
    corpus="urdu",
    key="cd" * 32,
    reads=("ef" * 32,),
    writes=("cd" * 32,),
    resources=Resources(device="cpu", threads=1),
    probe="framewise",
    fold=0,
    split_seed=34,
)


class TestTask:
    def test_survives_json(self):
        assert Task.from_json(TASK.to_json()) == TASK
        assert Task.from_json(TASK.to_json()).id == TASK.id
        assert "\n" not in TASK.to_json()

    def test_has_another_id_when_anything_differs(self):
        plain = json.loads(TASK.to_json())
        ids = {TASK.id}
        for name, value in {"fold": 1, "key": "0" * 64, "probe": "pooled"}.items():
            ids.add(Task.from_json(json.dumps({**plain, name: value})).id)

        assert len(ids) == 4

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema": 1}', '{"schema": 99}'])
    def test_refuses_what_is_no_task_in_one_sentence(self, text):
        with pytest.raises(TaskError) as caught:
            Task.from_json(text)
        assert "\n" not in str(caught.value)

    def test_report_survives_plain_values(self):
        report = TaskReport(
            task=TASK.id,
            kind="fit",
            label=TASK.label,
            status="failed",
            reason="no utterance",
            failures={},
            seconds=1.5,
            peak_memory_mb=None,
            host="here",
            pid=1,
        )
        assert TaskReport.from_plain(json.loads(json.dumps(report.to_plain()))) == report


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    return install(tmp_path_factory.mktemp("plugins"), "sercore_executor_spawn")


def sercore(*words, env=None, status=0, **options):
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        timeout=280,
        **options,
    )
    assert answer.returncode == status, (answer.stdout, answer.stderr)
    assert "Traceback" not in answer.stderr
    return answer


def pair(corpora, workspace):
    words = ["run", "--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
    words += ["--class-rule", "shared-classes", "--threads", "1", "--data", corpora]
    return [*words, "--workspace", workspace, "--json"]


def attempts(log):
    return [json.loads(line) for line in Path(log).read_text().splitlines()]


@pytest.fixture(scope="module")
def local(corpora, tmp_path_factory):
    workspace = tmp_path_factory.mktemp("local")
    sercore(*pair(corpora, workspace))
    return stored(workspace)


@pytest.mark.torch
class TestFreshProcesses:
    def test_give_the_bytes_of_the_local_executor(self, corpora, local, plugins, tmp_path):
        env = environment(plugins, SPAWN_LOG=str(tmp_path / "log"))

        said = json.loads(
            sercore(*pair(corpora, tmp_path / "ws"), "--executor", "spawn", env=env).stdout
        )

        assert said["cells"] == {"done": 4}
        assert said["computed"] == {"extract": 2, "fit": 2, "predict": 4, "score": 4}
        assert stored(tmp_path / "ws") == local
        kinds = Counter(attempt["kind"] for attempt in attempts(tmp_path / "log"))
        assert kinds == {"extract": 2, "fit": 2, "predict": 2}

    def test_that_are_killed_are_retried_and_give_the_same_bytes(
        self, corpora, local, plugins, tmp_path
    ):
        env = environment(plugins, SPAWN_LOG=str(tmp_path / "log"), SPAWN_KILL="2")

        sercore(*pair(corpora, tmp_path / "ws"), "--executor", "spawn", env=env)

        statuses = Counter(attempt["status"] for attempt in attempts(tmp_path / "log"))
        assert statuses[-9] >= 2
        assert statuses[0] == 6
        assert stored(tmp_path / "ws") == local

    def test_that_always_die_cost_their_cells_only(self, corpora, local, plugins, tmp_path):
        env = environment(
            plugins,
            SPAWN_LOG=str(tmp_path / "log"),
            SPAWN_KILL_ALWAYS="predict",
            SPAWN_KILL_AFTER="0.2",
        )
        words = pair(corpora, tmp_path / "ws")

        said = json.loads(sercore(*words, "--executor", "spawn", env=env, status=1).stdout)

        assert said["cells"] == {"failed": 4}
        assert all("was killed 3 times" in row["reason"] for row in said["scores"])
        again = json.loads(sercore(*words).stdout)
        assert again["computed"] == {"predict": 4, "score": 4}
        assert stored(tmp_path / "ws") == local


@pytest.mark.torch
class TestWork:
    @pytest.fixture
    def planned(self, corpora, tmp_path, plugins):
        """Return a workspace whose run left its tasks undone, and the first of them."""
        log = tmp_path / "log"
        env = environment(
            plugins, SPAWN_LOG=str(log), SPAWN_KILL_ALWAYS="extract", SPAWN_KILL_AFTER="0"
        )
        tasks = tmp_path / "tasks"
        env["SPAWN_TASKS"] = str(tasks)
        words = pair(corpora, tmp_path / "ws")
        sercore(*words, "--executor", "spawn", env=env, status=1)
        return tmp_path / "ws", tasks.read_text().splitlines()[0]

    def test_does_a_task_from_a_file_once(self, planned, tmp_path):
        workspace, text = planned
        (tmp_path / "task.json").write_text(text)
        task = Task.from_json(text)

        for expected in ("computed", "found"):
            sercore("work", tmp_path / "task.json", "--workspace", workspace)

            report = json.loads((workspace / task.report_path).read_text())
            assert report["status"] == expected

    def test_refuses_a_task_whose_key_it_would_not_write(self, planned):
        workspace, text = planned
        plain = {**json.loads(text), "key": "0" * 64}

        answer = sercore("work", "--workspace", workspace, input=json.dumps(plain), status=1)

        assert "this worker would compute another result" in answer.stderr

    def test_refuses_the_specification_of_another_version(self, planned):
        workspace, text = planned
        path = f"specs/{Task.from_json(text).spec}.json"
        stored = Workspace(workspace)
        stored.write_json(path, {**stored.read_json(path), "version": "0.0.1"})

        answer = sercore("work", "--workspace", workspace, input=text, status=1)

        assert "the run was planned with sercore 0.0.1" in answer.stderr

    def test_names_a_task_that_cannot_be_read(self, tmp_path):
        answer = sercore("work", "nothing.json", "--workspace", tmp_path, status=1)
        assert "the task nothing.json cannot be read" in answer.stderr


@pytest.mark.torch
def test_weights_are_loaded_once_in_a_run_of_three_corpora(monkeypatch, tmp_path):
    from sercore.cli import cli
    from sercore.demo.logmel import LogMel

    loads = []
    load = LogMel.load
    monkeypatch.setattr(LogMel, "load", lambda *given: (loads.append(given), load(*given))[1])

    with pytest.raises(SystemExit) as ended:
        cli.main(
            [
                *("run", "--all", "--demo", "--threads", "1", "--probe", "pooled", "--quiet"),
                *("--workspace", str(tmp_path)),
            ],
            standalone_mode=True,
        )

    assert ended.value.code == 0
    assert len({path.parent for path in tmp_path.glob("features/*/*/store.json")}) == 3
    assert len(loads) == 1
