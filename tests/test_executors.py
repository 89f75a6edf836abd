"""What all executors share: their options, and how the local one overlaps stages."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import pytest
from test_agenda import TASK

from sercore.errors import SettingsError
from sercore.executors import ExecutionContext
from sercore.executors import Executor
from sercore.executors import Outcome
from sercore.executors.local import LocalExecutor
from sercore.executors.options import executor_options
from sercore.plugins.registry import registry
from sercore.runs.queue import WorkspaceQueue
from sercore.storage.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every type that there is."""

    workers: int = 2
    share: float | None = None
    partition: str | None = None
    fast: bool = False
    more: tuple[str, ...] = ()

    def __post_init__(self):
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, not {self.workers}")


class TestOptions:
    executor = replace(LocalExecutor(), id="mine", options=Options())

    def checked(self, **given):
        return executor_options(self.executor, given, Path("sercore.toml"))

    def test_of_the_user_replace_the_defaults(self):
        given = {"workers": 4, "share": 1, "partition": "gpu", "fast": True, "more": ["--x"]}

        assert self.checked() == Options()
        assert self.checked(**given) == Options(
            workers=4, share=1.0, partition="gpu", fast=True, more=("--x",)
        )

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"worker": 2}, "has an unknown option 'worker'; did you mean 'workers'?"),
            ({"q": 2}, "unknown option 'q'; known are fast, more, partition, share, workers"),
            ({"workers": "2"}, "sercore.toml: executors.mine.workers must be a whole number, not"),
            ({"workers": True}, "executors.mine.workers must be a whole number, not True"),
            ({"share": "a"}, "executors.mine.share must be a number, not 'a'"),
            ({"partition": 1}, "executors.mine.partition must be a string, not 1"),
            ({"fast": 1}, "executors.mine.fast must be true or false, not 1"),
            ({"more": [1]}, r"executors.mine.more must be a list of strings, not \[1\]"),
            ({"workers": 0}, "sercore.toml: executors.mine: workers must be at least 1, not 0"),
        ],
    )
    def test_that_cannot_be_used_are_one_sentence(self, given, message):
        with pytest.raises(SettingsError, match=message):
            self.checked(**given)

    def test_of_an_executor_without_options_are_refused(self):
        with pytest.raises(SettingsError, match="the executor 'local' has no options"):
            executor_options(LocalExecutor(), {"workers": 2})


@pytest.mark.parametrize("name", ["local", "slurm", "ray"])
def test_every_executor_keeps_the_contract(name):
    executor = registry().executors.get(name)

    assert isinstance(executor, Executor)
    assert executor_options(executor, {}) == executor.options


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "slurm",
            {"time": "soon"},
            "time must be of a form such as 90, 2:30:00 or 1-12, not 'soon'",
        ),
        ("slurm", {"memory": "much"}, "memory must be of a form such as 16G, not 'much'"),
        ("slurm", {"workers": 0}, "workers must be at least 1, not 0"),
        ("slurm", {"gpus": -1}, "gpus must be at least 0, not -1"),
        ("ray", {"workers": 0}, "workers must be more than 0, not 0"),
    ],
)
def test_options_of_plugins_are_checked_before_anything_is_done(name, given, message):
    with pytest.raises(SettingsError, match=message):
        executor_options(registry().executors.get(name), given)


@pytest.mark.parametrize("time", ["90", "2:30", "2:30:00", "1-12", "1-12:30", "1-12:30:00"])
def test_slurm_takes_every_form_of_a_time(time):
    executor_options(registry().executors.get("slurm"), {"time": time})


def context(tmp_path, work):
    return ExecutionContext(
        workspace=str(tmp_path),
        run="default",
        options=None,
        overlap=True,
        work=work,
        command=(),
        queue=WorkspaceQueue(Workspace(tmp_path), "default"),
        pull_command=(),
        note=lambda _: None,
    )


EXTRACT = [replace(TASK, corpus=corpus) for corpus in "ab"]
FIT = replace(TASK, kind="fit", corpus="a")


class TestOverlap:
    def test_a_corpus_is_extracted_while_a_probe_is_trained(self, tmp_path):
        begun = threading.Event()

        def work(task):
            if task == EXTRACT[1]:
                begun.set()
            elif task == FIT:
                assert begun.wait(timeout=20), "the next corpus waits for the probe"

        def tasks():
            yield from EXTRACT
            yield None  # until the first is extracted
            yield FIT
            while True:
                if len(done) == 3:
                    return
                yield None

        done = []
        for outcome in LocalExecutor().run(tasks(), context(tmp_path, work)):
            done += [outcome]

        assert sorted(map(repr, done)) == sorted(repr(Outcome(task)) for task in [*EXTRACT, FIT])

    def test_what_an_extraction_raises_ends_the_run(self, tmp_path):
        def work(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(LocalExecutor().run(iter([EXTRACT[0], None]), context(tmp_path, work)))

    def test_what_a_probe_raises_ends_what_waits(self, tmp_path):
        seen = []
        begun = threading.Event()

        def work(task):
            seen.append(task)
            if task == FIT:
                assert begun.wait(timeout=20)
                raise KeyboardInterrupt
            begun.set()
            while FIT not in seen:
                threading.Event().wait(0.01)

        with pytest.raises(KeyboardInterrupt):
            list(LocalExecutor().run(iter([*EXTRACT, FIT]), context(tmp_path, work)))

        assert EXTRACT[1] not in seen
