"""Tests that every executor must pass; authors inherit `ExecutorContract`.

They run a small evaluation of a demo corpus twice, with the built-in executor and with the one
under test, and compare the stored bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple

import pytest

from sercore.plugins.registry import NAME
from sercore.plugins.registry import registry
from sercore.runs.api import execute
from sercore.runs.api import prepare
from sercore.runs.events import RunOptions
from sercore.runs.observers import SilentObserver
from sercore.runs.selection import select
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.executors import Executor
    from sercore.runs.events import RunResult

_STORED = (
    "features/*/parts/*.arrow",
    "probes/*/weights.safetensors",
    "probes/*/record.json",
    "predictions/*.parquet",
)


class Finished(NamedTuple):
    """A run and the folder of its workspace."""

    result: RunResult
    root: Path


class ExecutorContract:
    """The tests. Subclass it and override the fixture `executor`."""

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Executor:
        """Return the executor under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'executor'")

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, tmp_path_factory: pytest.TempPathFactory) -> Finished:
        """Return the run of the built-in executor."""
        return _run(registry().executors.get("local"), tmp_path_factory.mktemp("local"))

    @pytest.fixture(scope="class")
    @classmethod
    def finished(cls, executor: Executor, tmp_path_factory: pytest.TempPathFactory) -> Finished:
        """Return the run of the executor under test."""
        return _run(executor, tmp_path_factory.mktemp("tested"))

    def test_it_is_described(self, executor: Executor) -> None:
        """It has a valid name and a summary."""
        assert NAME.fullmatch(executor.id)
        assert executor.summary

    def test_every_task_is_done(self, finished: Finished) -> None:
        """A run ends without a problem, and computes everything."""
        assert finished.result.problems == ()
        assert finished.result.exit_status == 0
        assert {"extract", "fit", "predict"} <= set(finished.result.computed)

    def test_the_bytes_are_those_of_the_local_executor(
        self, finished: Finished, expected: Finished
    ) -> None:
        """Features, probes and predictions have the same bytes as with `local`."""
        wanted, found = _stored(expected.root), _stored(finished.root)

        assert wanted
        assert found.keys() == wanted.keys()
        assert [name for name, data in wanted.items() if found[name] != data] == []

    def test_a_second_run_computes_nothing(self, executor: Executor, finished: Finished) -> None:
        """The same run again finds every result."""
        again = _run(executor, finished.root)

        assert sum(again.result.computed.values()) == 0
        assert again.result.exit_status == 0


def _run(executor: Executor, root: Path) -> Finished:
    installed = registry().extended(executors=[executor])
    workspace = Workspace(str(root))
    selection = select(
        installed,
        datasets={"demo-stage": None},
        backbones=["logmel"],
        probes=["logistic"],
        n_seeds=1,
        device="cpu",
        offline=True,
    )
    prepared = prepare(selection, Settings(), workspace, installed, download=False)
    result = execute(prepared, SilentObserver(), RunOptions(threads=1), executor.id)
    return Finished(result, root)


def _stored(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for pattern in _STORED
        for path in sorted(root.glob(pattern))
    }
