"""The queue of a run: every task is done by one worker, and by another one if that dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from test_agenda import TASK

from sercore.runs.queue import MOST_DEATHS
from sercore.runs.queue import MOST_INTERRUPTIONS
from sercore.runs.queue import WorkspaceQueue
from sercore.storage.workspace import Workspace

TASKS = [replace(TASK, label=f"task {number}") for number in range(3)]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def driver(workspace):
    return WorkspaceQueue(workspace, "default")


@pytest.fixture
def worker(workspace):
    return WorkspaceQueue(workspace, "default")


def take_and_die(workspace):
    """Take a task in a process that is killed then."""
    code = (
        "import os, signal, sys\n"
        "from sercore.runs.queue import WorkspaceQueue\n"
        "from sercore.storage.workspace import Workspace\n"
        "with WorkspaceQueue(Workspace(sys.argv[1]), 'default').take() as taken:\n"
        "    assert taken is not None\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "SERCORE_WORKER_LOG": "/logs/1"}
    command = [sys.executable, "-c", code, workspace.root]
    ended = subprocess.run(command, check=False, env=environment)
    assert ended.returncode == -signal.SIGKILL


def test_tasks_are_taken_in_the_order_in_which_they_were_put(driver, worker):
    for task in TASKS:
        driver.put(task)

    taken = []
    for _ in TASKS:
        with worker.take() as found:
            taken.append(found.task)
    with worker.take() as found:
        assert found is None

    assert taken == TASKS
    assert [outcome.task for outcome in driver.finished()] == TASKS
    assert driver.finished() == []


def test_a_task_that_is_being_done_is_not_taken_by_another(driver, worker, workspace):
    for task in TASKS[:2]:
        driver.put(task)

    with worker.take() as first, WorkspaceQueue(workspace, "default").take() as second:
        assert [first.task, second.task] == TASKS[:2]
        assert driver.finished() == []
        with worker.take() as third:
            assert third is None


def test_a_task_whose_worker_died_is_taken_by_the_next_one(driver, worker, workspace):
    driver.put(TASK)

    take_and_die(workspace)

    assert driver.finished() == []
    with worker.take() as taken:
        assert taken.task == TASK
    (outcome,) = driver.finished()
    assert outcome.lost is None


@pytest.mark.slow
def test_a_task_whose_workers_always_die_is_given_up(driver, worker, workspace):
    driver.put(TASK)
    for _ in range(MOST_DEATHS):
        take_and_die(workspace)

    with worker.take() as taken:
        assert taken is None

    (outcome,) = driver.finished()
    assert outcome.lost.startswith(f"its worker died {MOST_DEATHS} times (")
    assert outcome.lost.endswith("); the last log is /logs/1")


def test_interruptions_do_not_count_as_deaths_and_still_have_an_end(driver, worker):
    driver.put(TASK)
    for _ in range(MOST_INTERRUPTIONS):
        with pytest.raises(KeyboardInterrupt), worker.take() as taken:
            assert taken is not None
            raise KeyboardInterrupt

    with worker.take() as taken:
        assert taken is None

    (outcome,) = driver.finished()
    assert outcome.lost.startswith(f"its worker was told to end {MOST_INTERRUPTIONS} times (")


def test_a_driver_that_starts_again_replaces_what_the_first_one_left(driver, worker, workspace):
    for task in TASKS:
        driver.put(task)
    again = WorkspaceQueue(workspace, "default")

    again.put(TASKS[2])

    with worker.take() as taken:
        assert taken.task == TASKS[2]
    with worker.take() as taken:
        assert taken is None
    assert [outcome.task for outcome in again.finished()] == [TASKS[2]]


def test_closing_removes_what_nobody_has_taken(driver, worker):
    driver.put(TASK)

    driver.close()

    with worker.take() as taken:
        assert taken is None
