"""The scores of one run: new ones, and those that an earlier run of the same name computed."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from typing import NamedTuple

import pyarrow as pa

from sercore.__about__ import __version__
from sercore.errors import WorkspaceError
from sercore.evaluation.held_out import HeldOutParts
from sercore.evaluation.metrics import MAIN_METRIC
from sercore.evaluation.out_of_fold import add_out_of_fold
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.protocols import LABEL_SHIFT
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.scores import FAILED
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import by_prediction
from sercore.evaluation.scores import headlines
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import sort_scores
from sercore.evaluation.scores import table_of
from sercore.evaluation.scores import with_predictions
from sercore.evaluation.scoring import score
from sercore.storage.digests import canonical_json
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.evaluation.adjustment import ClassCounts
    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.predictions import Predictions
    from sercore.evaluation.protocols import Protocol
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.runs.tasks import CellJob
    from sercore.storage.workspace import Workspace


class _Later(NamedTuple):
    """A cell that is scored once more at the end of the run."""

    cell: ScoredCell
    rule: Rule
    counts: ClassCounts
    adjustments: tuple[str, ...]
    """Those that an earlier run has no score with."""


class Scorebook:
    """Collect the scores of a run. Scores of an earlier run with the same rules are reused.

    Args:
        workspace: holds the run.
        folder: of the run, inside the workspace.
        protocol: decides adjustments, averaging and the headline.
        metrics: what to measure.
        code: identity of the code of metrics from plugins, by name.
    """

    def __init__(
        self,
        workspace: Workspace,
        folder: str,
        protocol: Protocol,
        metrics: Sequence[Metric],
        code: Mapping[str, str | None],
    ) -> None:
        self._workspace = workspace
        self._folder = folder
        self._protocol = protocol
        self._metrics = tuple(metrics)
        self._code = dict(code)
        self._estimated = tuple(name for name in protocol.adjustments if name in LABEL_SHIFT)
        known = tuple(name for name in protocol.adjustments if name not in LABEL_SHIFT)
        self._at_once = replace(protocol, adjustments=known)
        self._later: list[_Later] = []
        """Cells whose test frequencies are estimated when all predictions are there."""
        self._in_domain: dict[str, str] = {}
        """Prediction key of the in-domain test part, by probe key."""
        self._rows: list[ScoreRow] = []
        self._kept: list[pa.Table] = []
        self._reused: set[tuple[str, str]] = set()
        previous = self._previous()
        self._old = by_prediction(previous)
        self._headlines = {
            (str(row.cell.prediction_key), str(row.class_rule)): row
            for row in rows_of(headlines(previous))
        }

    @property
    def rules_digest(self) -> str:
        """Changes when stored scores cannot be reused. The record of the run holds it."""
        return digest_of(
            {
                "sercore": __version__,
                "protocol": self._protocol.id,
                "adjustments": self._protocol.adjustments,
                "headline": self._protocol.headline,
                "averaging": self._protocol.averaging,
                "metrics": {metric.id: self._code.get(metric.id) for metric in self._metrics},
                "columns": SCORE_SCHEMA.names,
            }
        )

    def previous(self, prediction_key: str, rule: Rule) -> ScoreRow | None:
        """Return the headline score that an earlier run has for predictions and a rule."""
        return self._headlines.get((prediction_key, rule.name))

    def reuse(self, prediction_key: str, rule: Rule, job: ProbeJob, test_set: TestSet) -> None:
        """Add all scores that an earlier run has for predictions and a rule."""
        kept = self._old[prediction_key, rule.name]
        self._kept.append(kept)
        cell = self._headlines[prediction_key, rule.name].cell
        if test_set.in_domain:
            self._in_domain[cell.probe_key or ""] = prediction_key
        else:
            known = set(kept["adjustment"].unique().to_pylist())
            lacking = tuple(name for name in self._estimated if name not in known)
            self._later.append(_Later(cell, rule, job.class_counts(test_set), lacking))
        self._reused.add((prediction_key, rule.name))

    def score(
        self,
        cell: ScoredCell,
        predictions: Predictions,
        rule: Rule,
        job: ProbeJob,
        test_set: TestSet,
    ) -> list[ScoreRow]:
        """Return the scores of a cell under one rule, without adding them."""
        counts = job.class_counts(test_set)
        if not test_set.in_domain:
            self._later.append(_Later(cell, rule, counts, self._estimated))
        else:
            self._in_domain[cell.probe_key or ""] = cell.prediction_key or ""
        return score(cell, predictions, rule, counts, self._at_once, self._metrics)

    def add(self, rows: Iterable[ScoreRow]) -> None:
        """Add new scores."""
        self._rows += rows

    def add_failure(self, job: ProbeJob, test_set: TestSet, rule: Rule, reason: str) -> None:
        """Record that a cell has no score, and why."""
        cell = ScoredCell(
            backbone=job.backbone.name,
            checkpoint=job.backbone.checkpoint.name,
            layer=job.layer_name,
            train_corpus=job.train.id,
            test_corpus=test_set.corpus.id,
            split=self._protocol.split,
            fold=job.fold.index,
            split_seed=job.split_seed,
            probe=job.probe.id,
            protocol=self._protocol.id,
            in_domain=test_set.in_domain,
            complete=False,
            demo=_is_demo(job, test_set),
        )
        self._rows.append(
            ScoreRow(
                cell=cell,
                class_rule=rule.name,
                adjustment=Adjustment.NONE if test_set.in_domain else self._protocol.headline,
                averaging=self._protocol.averaging,
                metric=MAIN_METRIC,
                headline=True,
                status=FAILED,
                reason=reason,
            )
        )

    def table(self) -> pa.Table:
        """Return all rows, as `SCORE_SCHEMA`, in the order of their keys."""
        return sort_scores(pa.concat_tables([table_of(self._rows), *self._kept]))

    @property
    def n_new(self) -> int:
        """Rows that this run computed."""
        return len(self._rows)

    def unfinished_table(self, jobs: Iterable[ProbeJob]) -> pa.Table:
        """Return all rows, and earlier scores of cells that the run has not reached yet.

        An interrupted run must not hide what was scored before. Only scores of the same corpora and
        weights are shown: any other one is out of date.

        Args:
            jobs: all jobs of the run.
        """
        reached = {_place(row.cell, str(row.class_rule)) for row in self._rows}
        reached |= {
            _place(self._headlines[key].cell, key[1])
            for key in self._reused
            if key in self._headlines
        }
        planned = _contents(jobs)
        waiting = [
            self._old[key]
            for key, row in self._headlines.items()
            if (place := _place(row.cell, key[1])) not in reached
            and planned.get(place) == _content(row.cell)
        ]
        return sort_scores(pa.concat_tables([self.table(), *waiting]))

    def table_with_out_of_fold(self) -> pa.Table:
        """Return all rows, those of estimated frequencies, and in-domain cells over all folds."""
        self._estimate()
        read = partial(read_predictions, self._workspace)
        return add_out_of_fold(self.table(), read, self._protocol, self._metrics)

    def _estimate(self) -> None:
        """Score cells under the adjustments that need the in-domain predictions of their probe."""
        if not self._estimated:
            return
        read = partial(read_predictions, self._workspace, ids=False)
        held_out = HeldOutParts(read, self._in_domain)
        while self._later:
            cell, rule, counts, adjustments = self._later.pop()
            if not adjustments:
                continue
            protocol = replace(self._protocol, adjustments=adjustments)
            self._rows += score(
                cell,
                read(cell.prediction_key or ""),
                rule,
                counts,
                protocol,
                self._metrics,
                held_out=held_out.of(cell.probe_key),
            )

    def _previous(self) -> pa.Table:
        """Return the sorted rows of an earlier run that can be reused."""
        nothing = SCORE_SCHEMA.empty_table()
        try:
            record = self._workspace.read_json(f"{self._folder}/run.json")
            if record["scoring"] != self.rules_digest:
                return nothing
            table = self._workspace.read_table(f"{self._folder}/scores.parquet")
        except (WorkspaceError, KeyError, TypeError):
            return nothing  # they are missing or cannot be read: they are computed again
        # Rows over all folds have no prediction key: they are computed again.
        return sort_scores(with_predictions(table))


def scored_cell(cell: CellJob, n_test: int) -> ScoredCell:
    """Return what all scores of a cell have in common.

    Args:
        cell: a trained probe and one test set.
        n_test: utterances that it predicted.
    """
    job, test_set = cell.job, cell.test_set
    backbone, inside = job.backbone, test_set.in_domain
    n_missing = len(job.test_rows(test_set)) - n_test
    whole = job.train.is_whole and test_set.corpus.is_whole and not cell.features.failures()
    return ScoredCell(
        backbone=backbone.name,
        checkpoint=backbone.checkpoint.name,
        revision=backbone.checkpoint.revision,
        weights=backbone.checkpoint.digest,
        layer=job.layer_name,
        audio_path=job.protocol.audio_path,
        dtype=backbone.options.dtype,
        train_corpus=job.train.id,
        train_manifest=job.train.manifest.digest,
        reading=job.train.manifest.reading,
        mapper=job.train.mapper.id,
        split=job.protocol.split,
        fold=job.fold.index,
        split_seed=job.split_seed,
        probe=job.probe.id,
        probe_settings=canonical_json(dict(job.probe.settings)),
        probe_seed=job.seed,
        probe_key=cell.probe_key,
        test_corpus=test_set.corpus.id,
        test_manifest=test_set.corpus.manifest.digest,
        prediction_key=cell.key,
        protocol=job.protocol.id,
        in_domain=inside,
        n_train=cell.n_train,
        n_missing=n_missing,
        complete=whole and cell.n_train == len(job.fold.train) and n_missing == 0 and n_test > 0,
        # Different corpora share no speakers and texts.
        shared_speakers=job.shared_speakers if inside else 0,
        shared_texts=job.shared_texts if inside else 0,
        demo=_is_demo(job, test_set),
    )


def _is_demo(job: ProbeJob, test_set: TestSet) -> bool:
    """Return whether a cell has synthetic speech, or a demo backbone that is no floor.

    On real corpora a floor stands beside the encoders that it is a floor for.
    """
    backbone = job.backbone.backbone.card
    corpora = (job.train.corpus.card, test_set.corpus.corpus.card)
    return any(card.demo for card in corpora) or (backbone.demo and not backbone.floor)


def _place(cell: ScoredCell, rule: str) -> tuple[object, ...]:
    """Return where a score belongs in a run."""
    return (
        *(cell.backbone, cell.layer, cell.probe, cell.train_corpus, cell.split_seed, cell.fold),
        *(cell.test_corpus, rule),
    )


def _content(cell: ScoredCell) -> tuple[str | None, ...]:
    """Return the digests of what a score was computed from."""
    return (cell.train_manifest, cell.test_manifest, cell.weights)


def _contents(jobs: Iterable[ProbeJob]) -> dict[tuple[object, ...], tuple[str | None, ...]]:
    """Return the digests of what each planned score is computed from, by its place."""
    return {
        (
            *(job.backbone.name, job.layer_name, job.probe.id, job.train.id),
            *(job.split_seed, job.fold.index, test_set.corpus.id, rule.name),
        ): (
            job.train.manifest.digest,
            test_set.corpus.manifest.digest,
            job.backbone.checkpoint.digest,
        )
        for job in jobs
        for test_set in job.test_sets
        for rule in test_set.rules
    }
