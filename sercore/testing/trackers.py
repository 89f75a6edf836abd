"""Tests that every tracker must pass; authors inherit `TrackerContract`.

A tracker is a plugin module that implements `sercore_cell_finished` or `sercore_run_finished`. The
tests send it the events of a small run. Where the tracker writes is set up by a fixture of the
author, who also tests what arrives there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import pytest

from sercore.plugins.events import CellEvent
from sercore.plugins.events import RunEvent
from sercore.published import published_scores
from sercore.results.matrices import matrices
from sercore.results.reductions import reduce_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

HOOKS = ("sercore_cell_finished", "sercore_run_finished")


class TrackerContract:
    """The tests. Subclass it and override the fixture `tracker`."""

    @pytest.fixture(scope="class")
    @classmethod
    def tracker(cls) -> Any:
        """Return the plugin module under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'tracker'")

    def test_it_hears_something(self, tracker: Any) -> None:
        """It implements one of the two hooks, with the argument `event`."""
        heard = [name for name in HOOKS if hasattr(tracker, name)]

        assert heard
        for name in heard:
            code = getattr(tracker, name).__code__
            assert code.co_varnames[: code.co_argcount] in (("event",), ())

    def test_it_takes_the_events_of_a_run(
        self, tracker: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It takes finished and failed cells and the end of a run, and prints nothing."""
        for event in (cell_event(), cell_event(failed=True)):
            _send(tracker, HOOKS[0], event)
        _send(tracker, HOOKS[1], run_event())

        assert capfd.readouterr().out == "", "standard output belongs to the results"

    def test_it_takes_a_second_run(self, tracker: Any) -> None:
        """It takes the events of another run after the first one ended."""
        _send(tracker, HOOKS[0], cell_event(run="second"))
        _send(tracker, HOOKS[1], run_event(run="second", interrupted=True))


def cell_event(run: str = "first", *, failed: bool = False) -> CellEvent:
    """Return what a tracker hears about one cell."""
    return CellEvent(
        run=run,
        backbone="logmel",
        probe="framewise",
        layer="last",
        train_corpus="demo-stage",
        test_corpus="demo-studio",
        fold=0,
        split_seed=34,
        status="failed" if failed else "done",
        reason="the probe diverged" if failed else None,
        scores={} if failed else {"cluster": 0.41, "shared-classes": 0.39},
        record={} if failed else {"n_train": 96, "n_test": 24, "probe_key": "ab" * 32},
    )


def run_event(run: str = "first", *, interrupted: bool = False) -> RunEvent:
    """Return what a tracker hears at the end of a run: the averages are those of the paper."""
    return RunEvent(
        run=run,
        folder=f"/workspace/runs/{run}",
        counts={"done": 1, "failed": 1},
        interrupted=interrupted,
        record={
            "name": run,
            "status": "interrupted" if interrupted else "ended",
            "written": "2026-03-01T10:20:30+00:00",
            "protocol": {"id": "standard"},
            "corpora": {"demo-stage": {}},
            "backbones": {"logmel": {}},
            "problems": [],
            "notes": [],
        },
        reductions=tuple(reduce_matrix(matrix) for matrix in matrices(published_scores())),
    )


def _send(tracker: Any, hook: str, event: CellEvent | RunEvent) -> None:
    implementation: Callable[..., None] | None = getattr(tracker, hook, None)
    if implementation is not None:
        arguments = implementation.__code__.co_argcount
        implementation(*(event,) * arguments)
