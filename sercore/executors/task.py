"""Tasks: one stage of one item of a plan, as a value that survives JSON.

A task names what it reads and what it writes by key. Whoever has the workspace can do it: this
process, a fresh process, another machine. Doing it twice writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from typing import Literal
from typing import cast

from sercore.errors import TaskError
from sercore.storage.digests import digest_of

TaskKind = Literal["extract", "fit", "predict"]
TASK_SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task asks of the machine that does it."""

    device: str
    """Torch device: ``cpu`` or ``cuda[:n]``."""
    threads: int
    """Threads of numerical code. They change the last bits of a probe, so a worker sets them."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One stage of one item of a plan."""

    kind: TaskKind
    label: str
    """What the task is called on screen."""
    run: str
    """Name of the run that planned it; the report is written into the folder of that run."""
    spec: str
    """Digest of the run's specification, stored in the workspace (`sercore.runs.spec`)."""
    backbone: str
    """As the user typed it."""
    corpus: str
    """Whose frames are extracted, who trains, or who is tested."""
    key: str
    """Feature key (extract), probe key (fit), or feature key of the test corpus (predict). The
    worker derives it again and refuses a task whose key differs."""
    reads: tuple[str, ...] = ()
    """Keys of the results that it needs."""
    writes: tuple[str, ...]
    """Keys of the results that it leaves in the workspace."""
    resources: Resources
    parts: tuple[int, int] | None = None
    """Extract: the first part and the one after the last; None for the whole corpus."""
    probe: str | None = None
    """Fit: which probe."""
    fold: int | None = None
    split_seed: int | None = None
    layer: int | None = None
    """Fit and predict: the layer whose stored means take the place of frames; None for frames."""

    @cached_property
    def id(self) -> str:
        """Digest of everything above, 16 hexadecimal digits."""
        return digest_of(self.to_plain())[:16]

    @property
    def report_path(self) -> str:
        """Where the worker writes how it went, relative to the workspace."""
        return f"runs/{self.run}/tasks/{self.id}.json"

    def to_plain(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"schema": TASK_SCHEMA, **asdict(self)}

    def to_json(self) -> str:
        """Return the task as one line of JSON."""
        return json.dumps(self.to_plain(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Task:
        """Return the task that `to_json` wrote.

        Raises:
            TaskError: the text is not a task of this version of sercore.
        """
        try:
            values = json.loads(text)
            if values.pop("schema") != TASK_SCHEMA:
                raise TaskError(
                    "the task was written by another version of sercore",
                    hint="use the same version for the driver and its workers",
                )
            values["resources"] = Resources(**values["resources"])
            for name in ("reads", "writes", "parts"):
                values[name] = None if values[name] is None else tuple(values[name])
            return cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TaskError(
                f"the text is not a task: {error}", hint="a task is one line of JSON"
            ) from error


TaskStatus = Literal["computed", "found", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """How a task went. The results themselves are in the workspace, under the task's keys."""

    task: str
    """Id of the task."""
    kind: TaskKind
    label: str
    status: TaskStatus
    """``found``: the result was in the workspace already."""
    reason: str | None = None
    """One sentence, where it failed."""
    failures: Mapping[str, str]
    """Predict: what failed, by prediction key, though the task as a whole did not."""
    trace: str | None = None
    """The traceback, where the failure was not foreseen."""
    seconds: float
    peak_memory_mb: float | None
    """Of the whole process so far, in mebibytes."""
    host: str
    pid: int
    writes: tuple[str, ...] = ()
    """Keys of the results of the task."""
    log: str | None = None
    """Where the worker's output is, if the executor keeps it."""
    device: str | None = None
    """Where it was computed: ``cpu`` or ``cuda[:n]``."""

    def to_plain(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> TaskReport:
        """Return the report that `to_plain` wrote.

        Raises:
            TaskError: the values are not a report.
        """
        try:
            writes = tuple(values.get("writes") or ())
            return cls(**cast("dict[str, Any]", {**values, "writes": writes}))
        except TypeError as error:
            raise TaskError(f"the values are not the report of a task: {error}") from error
