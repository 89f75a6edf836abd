"""The scores of one run: taken over from before where they were computed alike, or added anew."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sercore.environment import environment
from sercore.errors import WorkspaceError
from sercore.evaluation.out_of_fold import with_pooled
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.scores import MAIN_METRIC
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import score
from sercore.evaluation.scores import sort_scores
from sercore.storage.digests import canonical_json
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.predictions import Predictions
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.scores import Rule
    from sercore.features.layer_means import LayerMeans
    from sercore.features.store import FeatureStore
    from sercore.runs.planned import ProbeJob
    from sercore.runs.planned import TestSet
    from sercore.storage.workspace import Workspace


class Scorebook:
    """Score rows of a run, and those of the run of the same name before it.

    Args:
        workspace: where the run lies.
        folder: of the run, inside the workspace.
        protocol: what decides adjustments, averaging and the headline.
        metrics: what is measured.
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
        self._rows: list[dict[str, Any]] = []
        self._kept: list[pa.Table] = []
        self._old = self._previous()

    @property
    def rules_digest(self) -> str:
        """Changes when stored scores can no longer be taken over; stands in the run's record."""
        return digest_of(
            {
                "sercore": environment()["sercore"],
                "protocol": self._protocol.id,
                "adjustments": self._protocol.adjustments,
                "headline": self._protocol.headline,
                "averaging": self._protocol.averaging,
                "metrics": {metric.id: self._code.get(metric.id) for metric in self._metrics},
                "columns": SCORE_SCHEMA.names,
            }
        )

    def previous(self, prediction_key: str, rule: Rule) -> pa.Table | None:
        """Return the rows that an earlier run has for a prediction and rule."""
        return self._old.get((prediction_key, rule.name))

    def keep(self, table: pa.Table) -> None:
        """Take over rows of an earlier run."""
        self._kept.append(table)

    def score(
        self,
        cell: dict[str, Any],
        predictions: Predictions,
        rule: Rule,
        job: ProbeJob,
        test_set: TestSet,
    ) -> list[dict[str, Any]]:
        """Return the rows of a cell under one rule."""
        priors = job.priors(test_set)
        return score(cell, predictions, rule, priors, self._protocol, self._metrics)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Take rows in."""
        self._rows += rows

    def add_failure(self, job: ProbeJob, test_set: TestSet, rule: Rule, reason: str) -> None:
        """Note that a cell has no score, and why."""
        self._rows.append(
            {
                "backbone": job.backbone.name,
                "checkpoint": job.backbone.checkpoint.name,
                "layer": job.layer_name,
                "train_corpus": job.train.id,
                "test_corpus": test_set.corpus.id,
                "split": self._protocol.split,
                "fold": job.fold.index,
                "split_seed": job.split_seed,
                "probe": job.probe.id,
                "protocol": self._protocol.id,
                "class_rule": rule.name,
                "adjustment": "none" if test_set.in_domain else self._protocol.headline,
                "averaging": self._protocol.averaging,
                "metric": MAIN_METRIC,
                "headline": True,
                "in_domain": test_set.in_domain,
                "complete": False,
                "status": "failed",
                "reason": reason,
                "demo": is_demo(job, test_set),
            }
        )

    def table(self) -> pa.Table:
        """Return all rows, as `SCORE_SCHEMA`, in the order of their keys."""
        new = pa.Table.from_pylist(self._rows, schema=SCORE_SCHEMA)
        return sort_scores(pa.concat_tables([new, *self._kept]))

    def pooled_table(self) -> pa.Table:
        """Return all rows, with those of in-domain cells over all their folds."""
        read = partial(read_predictions, self._workspace)
        return with_pooled(self.table(), read, self._protocol, self._metrics)

    def _previous(self) -> dict[tuple[str, str], pa.Table]:
        """Return the rows of an earlier run by prediction key and class rule."""
        try:
            record = self._workspace.read_json(f"{self._folder}/run.json")
            if record["scoring"] != self.rules_digest:
                return {}
            table = self._workspace.read_table(f"{self._folder}/scores.parquet")
        except (WorkspaceError, KeyError, TypeError):
            return {}  # none yet, or not readable: they are computed again
        # What was pooled over folds has no prediction key: it is pooled again.
        usable = pc.and_(
            pc.equal(table.column("status"), "done"), pc.is_valid(table.column("prediction_key"))
        )
        return _by_cell(sort_scores(table.filter(usable)))


def _by_cell(table: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """Return the rows of each prediction key and class rule; in sorted rows they are neighbours."""
    if not len(table):
        return {}
    keys = table.column("prediction_key").dictionary_encode().combine_chunks()
    rules = table.column("class_rule").dictionary_encode().combine_chunks()
    codes = np.stack([keys.indices.to_numpy(), rules.indices.to_numpy()])
    starts = np.flatnonzero(np.r_[True, (codes[:, 1:] != codes[:, :-1]).any(axis=0)])
    ends = np.r_[starts[1:], len(table)]
    return {
        (
            keys.dictionary[int(codes[0, start])].as_py(),
            rules.dictionary[int(codes[1, start])].as_py(),
        ): table.slice(start, end - start)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    }


def headline_of(table: pa.Table) -> float | None:
    """Return the headline value of the rows of one cell and rule."""
    values = table.filter(table.column("headline")).column("value").to_pylist()
    return values[0] if values else None


def cell_columns(
    job: ProbeJob,
    test_set: TestSet,
    store: FeatureStore | LayerMeans,
    *,
    probe_key: str,
    prediction_key: str,
    n_train: int,
    n_test: int,
    n_missing: int,
) -> dict[str, Any]:
    """Return the columns of `SCORE_SCHEMA` that a cell fixes under every rule.

    Args:
        job: the probe.
        test_set: what it is tested on.
        store: the features of the test corpus.
        probe_key: key of the trained probe.
        prediction_key: key of its predictions.
        n_train: utterances that trained it.
        n_test: utterances that it was asked about.
        n_missing: utterances of the test part without features.
    """
    chosen = job.backbone
    whole = job.train.is_whole and test_set.corpus.is_whole and not store.failures()
    return {
        "backbone": chosen.name,
        "checkpoint": chosen.checkpoint.name,
        "revision": chosen.checkpoint.revision,
        "weights": chosen.checkpoint.digest,
        "layer": job.layer_name,
        "audio_path": job.protocol.audio_path,
        "dtype": chosen.options.dtype,
        "train_corpus": job.train.id,
        "train_manifest": job.train.manifest.digest,
        "reading": job.train.manifest.reading,
        "mapper": job.train.mapper.id,
        "split": job.protocol.split,
        "fold": job.fold.index,
        "split_seed": job.split_seed,
        "probe": job.probe.id,
        "probe_settings": canonical_json(dict(job.probe.settings)),
        "probe_seed": job.seed,
        "probe_key": probe_key,
        "test_corpus": test_set.corpus.id,
        "test_manifest": test_set.corpus.manifest.digest,
        "prediction_key": prediction_key,
        "protocol": job.protocol.id,
        "in_domain": test_set.in_domain,
        "n_train": n_train,
        "n_missing": n_missing,
        "complete": whole and n_train == len(job.fold.train) and n_missing == 0 and n_test > 0,
        # Speakers and texts of different corpora are different ones.
        "shared_speakers": job.shared_speakers if test_set.in_domain else 0,
        "shared_texts": job.shared_texts if test_set.in_domain else 0,
        "demo": is_demo(job, test_set),
    }


def is_demo(job: ProbeJob, test_set: TestSet) -> bool:
    """Return whether a cell is no result about real speech or a real encoder."""
    cards = (job.train.corpus.card, test_set.corpus.corpus.card, job.backbone.backbone.card)
    return any(card.demo for card in cards)
