"""The order of tasks, and which of them are repeated."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from sercore.executors import Outcome
from sercore.executors import Resources
from sercore.executors import Task
from sercore.executors import TaskReport
from sercore.runs.agenda import Agenda
from sercore.runs.journal import Journal
from sercore.storage.workspace import Workspace

TASK = Task(
    kind="extract",
    label="task",
    run="default",
    spec="ab" * 32,
    backbone="logmel",
    corpus="urdu",
    key="cd" * 32,
    writes=("cd" * 32,),
    resources=Resources(device="cpu", threads=1),
)
WEIGHTS = {"small": 1, "large": 9}


class Chain:
    """Work of one backbone: extract and fit corpora, then predict one of them."""

    def __init__(self, backbone, corpora=("small", "large")):
        self.backbone = backbone
        self.corpora = corpora
        self.left = 2 * len(corpora) + 1
        self.lost = []

    @property
    def is_done(self):
        return self.left == 0

    def task(self, kind, corpus):
        return replace(TASK, kind=kind, corpus=corpus, backbone=self.backbone)

    def weight(self, task):
        return WEIGHTS[task.corpus]

    def urgency(self, task):
        return ["predict", "fit", "extract"].index(task.kind)

    def begin(self):
        return [self.task("extract", corpus) for corpus in self.corpora]

    def done(self, outcome):
        self.left -= 1
        if outcome.lost:
            self.lost.append(outcome.lost)
        if outcome.task.kind == "extract":
            return [self.task("fit", outcome.task.corpus)]
        return [self.task("predict", "small")] if self.left == 1 else []


@pytest.fixture
def journal(tmp_path):
    return Journal(Workspace(tmp_path), "default")


def named(task):
    return f"{task.backbone} {task.kind} {task.corpus}"


def one_after_the_other(agenda):
    order = []
    for task in agenda.tasks():
        order.append(named(task))
        agenda.done(Outcome(task))
    return order


def test_one_worker_finishes_a_backbone_before_it_begins_the_next(journal):
    agenda = Agenda([Chain("a"), Chain("b")], journal)

    order = one_after_the_other(agenda)

    assert order[:5] == [
        *("a extract large", "a fit large", "a extract small", "a fit small", "a predict small"),
    ]
    assert [name.replace("b ", "a ") for name in order[5:]] == order[:5]


def test_the_next_backbone_begins_when_workers_would_be_idle(journal):
    agenda = Agenda([Chain("a"), Chain("b")], journal)
    tasks = agenda.tasks()

    started = [named(next(tasks)) for _ in range(3)]

    assert started == ["a extract large", "a extract small", "b extract large"]


class Full:
    """Room for one backbone."""

    def __init__(self):
        self.asked = []

    def admits(self, begun, work):
        self.asked.append(([other.backbone for other in begun], work.backbone))
        return False

    def make_room(self, begun, work):
        self.asked.append(([other.backbone for other in begun], f"room for {work.backbone}"))


def test_a_backbone_without_room_waits_for_the_one_before_it(journal):
    space = Full()
    ended = []
    agenda = Agenda(
        [Chain("a"), Chain("b")],
        journal,
        space=space,
        ended=lambda work: ended.append(work.backbone),
    )
    tasks = agenda.tasks()
    started = [next(tasks), next(tasks)]

    assert next(tasks) is None
    assert space.asked == [([], "room for a"), (["a"], "b")]
    for task in started:
        agenda.done(Outcome(task))
    for _ in range(2):
        agenda.done(Outcome(next(tasks)))
    assert ended == []
    agenda.done(Outcome(next(tasks)))
    assert ended == ["a"]
    assert next(tasks).backbone == "b"


def fail(journal, task, reason, host="another"):
    """Write the report of a failure."""
    report = TaskReport(
        task=task.id,
        kind=task.kind,
        label=task.label,
        status="failed",
        reason=reason,
        failures={},
        seconds=1.0,
        peak_memory_mb=None,
        host=host,
        pid=1,
    )
    journal._workspace.write_json(task.report_path, report.to_plain())


@pytest.mark.parametrize(
    ("reasons", "attempts"),
    [
        (["the disk is full", "the disk is full"], 2),
        (["the disk is full", "no GPU", "the disk is full"], 3),
        (["the disk is full", "no GPU", "a third reason"], 3),
    ],
)
def test_a_task_that_fails_twice_in_the_same_way_is_not_repeated(journal, reasons, attempts):
    work = Chain("a", ("small",))
    agenda = Agenda([work], journal)
    seen = []
    for task in agenda.tasks():
        seen.append(task.kind)
        if task.kind == "extract":
            fail(journal, task, reasons[seen.count("extract") - 1])
        agenda.done(Outcome(task))

    assert seen.count("extract") == attempts
    assert seen[attempts:] == ["fit", "predict"]


def test_a_task_that_failed_in_this_process_is_not_repeated(journal, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 1)
    agenda = Agenda([Chain("a", ("small",))], journal)
    seen = []
    for task in agenda.tasks():
        seen.append(task.kind)
        fail(journal, task, "no", host=platform.node())
        agenda.done(Outcome(task))

    assert seen == ["extract", "fit", "predict"]


def test_what_an_executor_left_undone_is_lost_with_all_that_follows(journal):
    works = [Chain("a"), Chain("b")]
    agenda = Agenda(works, journal)
    next(agenda.tasks())

    agenda.give_up("the executor ended")

    assert [work.lost for work in works] == [["the executor ended"] * 5] * 2
    assert list(agenda.tasks()) == []
