"""One share of a run, without a driver: for people who start processes with their own scheduler.

A shard extracts its share of the frames, trains its share of the probes and predicts what they are
tested on. Frames that it needs from other shards it waits for, finds or extracts itself. So shards
may run at the same time or one after the other, in any order, and any of them again. Scores are
computed by the run that collects.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.errors import SettingsError
from sercore.executors.local import LocalExecutor
from sercore.runs.agenda import Agenda
from sercore.runs.backbone_work import BackboneWork
from sercore.runs.backbone_work import corpora_of
from sercore.runs.interrupts import stop_on_signals
from sercore.runs.journal import Journal
from sercore.runs.tasks import PARTS_OF_A_TASK

if TYPE_CHECKING:
    from sercore.executors.interface import ExecutionContext
    from sercore.executors.task import Task
    from sercore.runs.backbone_work import RunTools
    from sercore.runs.planned import Plan
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.tasks import CellJob


@dataclass(frozen=True, slots=True)
class Share:
    """The i-th of n shares of a run. Which share a task belongs to depends on the plan alone."""

    number: int
    """From 1."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Share:
        """Return the share that ``i/n`` names.

        Raises:
            SettingsError: it is not of that form, or i is not between 1 and n.

        >>> Share.parse("2/4")
        Share(number=2, of=4)
        """
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise SettingsError(
                f"--shard takes I/N with I from 1 to N, not '{text}'", hint="for example 1/4"
            )
        return cls(int(found[1]), int(found[2]))

    def owns(self, position: int, total: int) -> bool:
        """Return whether an item of a list lies in this share: contiguous pieces of equal size."""
        return position * self.of // total == self.number - 1

    def jobs(self, jobs: Iterable[ProbeJob]) -> list[ProbeJob]:
        """Return the probe jobs of this share, in order: about as much audio as in the others."""
        loads = [0] * self.of
        chosen = set()
        for job in sorted(jobs, key=lambda job: -job.train.n_bytes):
            least = loads.index(min(loads))
            loads[least] += job.train.n_bytes
            if least == self.number - 1:
                chosen.add(job)
        return [job for job in jobs if job in chosen]


class ShardWork(BackboneWork):
    """The share of the work of one backbone.

    Args:
        backbone: the backbone.
        jobs: all its probe jobs.
        own: those of them that belong to the share.
        tools: what all backbones of the run have in common.
        share: which share it is.
    """

    def __init__(
        self,
        backbone: PlannedBackbone,
        jobs: Sequence[ProbeJob],
        own: Sequence[ProbeJob],
        tools: RunTools,
        share: Share,
    ) -> None:
        super().__init__(backbone, own, tools)
        self._needed = frozenset(self.corpora)
        self.corpora = corpora_of(jobs)
        cuts = [
            (corpus.id, first)
            for corpus in self.corpora.values()
            for first in range(0, _n_parts(corpus), PARTS_OF_A_TASK)
        ]
        self._own = {cut for position, cut in enumerate(cuts) if share.owns(position, len(cuts))}

    def urgency(self, task: Task) -> int:
        """Return 3 for frames that another shard should extract, so that they are last."""
        return super().urgency(task) if self._is_own(task) else 3

    def _extract(self, name: str) -> list[Task]:
        tasks = super()._extract(name)
        kept = [task for task in tasks if name in self._needed or self._is_own(task)]
        if len(kept) < len(tasks):
            self._extracting[name] = {task.id for task in kept}
        return kept

    def _is_own(self, task: Task) -> bool:
        first = task.parts[0] if task.parts else 0
        return task.kind != "extract" or (task.corpus, first) in self._own

    def _audit(self, name: str) -> list[Task]:
        """Audit nothing: the run that collects does it."""
        del name
        return []


def _n_parts(corpus: PlannedCorpus) -> int:
    return len(corpus.manifest.part_rows)


class Unscored:
    """Takes the place of the scorer: cells are scored by the run that collects."""

    def score(self, cell: CellJob) -> None:
        """See `sercore.runs.backbone_work.Scorer`."""

    def fail(self, job: ProbeJob, test_set: TestSet, reason: str) -> None:
        """See `sercore.runs.backbone_work.Scorer`."""


class SharedJournal(Journal):
    """The journal of a run whose tasks several processes do: no report of another is removed."""

    def forget(self, task: Task) -> None:
        """Keep the report."""


def do_share(
    plan: Plan, share: Share, tools: RunTools, context: ExecutionContext, stopping: threading.Event
) -> bool:
    """Do one share of a plan in this process.

    Args:
        plan: the whole plan.
        share: which share.
        tools: what the work of all backbones has in common.
        context: does the tasks.
        stopping: set by a signal.

    Returns:
        Whether it ended by itself, and was not interrupted.
    """
    own = set(share.jobs(plan.jobs))
    works = []
    for backbone in plan.backbones:
        jobs = [job for job in plan.jobs if job.backbone is backbone]
        mine = [job for job in jobs if job in own]
        works.append(ShardWork(backbone, jobs, mine, tools, share))
    agenda = Agenda(works, tools.journal)
    with stop_on_signals(stopping):
        try:
            with closing(LocalExecutor().run(agenda.tasks(), context)) as outcomes:
                for outcome in outcomes:
                    agenda.done(outcome)
        except KeyboardInterrupt:
            return False
    return True
