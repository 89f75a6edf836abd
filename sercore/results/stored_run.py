"""A stored run: its record, its scores, and the cells that a complete run has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING
from typing import Any

from sercore.bundles.read import is_bundle
from sercore.bundles.read import open_bundle
from sercore.errors import ProtocolError
from sercore.errors import WorkspaceError
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.protocols import PROTOCOLS
from sercore.evaluation.protocols import Adjustment
from sercore.evaluation.protocols import ClassRule
from sercore.evaluation.scores import DONE
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import headlines
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import whole_cells
from sercore.evaluation.scores import with_status
from sercore.results.matrices import BETWEEN_SETS
from sercore.results.matrices import by_set
from sercore.results.matrices import matrices
from sercore.results.record import corpora_of
from sercore.results.record import corpus_sets
from sercore.results.record import missing_corpora
from sercore.results.reductions import reduce_matrix

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.bundles.layout import BundleFacts
    from sercore.evaluation.scores import ScoreRow
    from sercore.results.matrices import Expected
    from sercore.results.matrices import Matrix
    from sercore.results.reductions import Reductions
    from sercore.storage.workspace import Workspace


PUBLISHED = "published"
"""Name of the run of the published matrices."""


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run, read from a workspace."""

    name: str
    record: Mapping[str, Any]
    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    workspace: Workspace
    bundle: BundleFacts | None = None
    """Where it comes from, if it was read from a bundle."""

    @property
    def folder(self) -> str:
        """Its folder, relative to the workspace."""
        return f"runs/{self.name}"

    @property
    def report_folder(self) -> str:
        """Where its report goes, relative to the workspace of the user."""
        if self.bundle is None and not self.is_published:
            return f"{self.folder}/report"
        return f"reports/{re.sub(r'[^A-Za-z0-9._+~-]+', '-', self.name).strip('.-')}"

    @property
    def is_published(self) -> bool:
        """Whether it is the run of the published matrices."""
        return bool(self.record.get("published"))

    @cached_property
    def whole_cells(self) -> pa.Table:
        """Its scores without those of single classes: a tenth of them, and enough for matrices."""
        return whole_cells(self.scores)

    def headline_rows(self) -> list[ScoreRow]:
        """Return the headline score of every cell."""
        return rows_of(headlines(self.whole_cells))


def published_run(workspace: Workspace) -> StoredRun:
    """Return the published matrices as a run. It has no predictions, so it has no intervals."""
    from sercore.published import DEFECTIVE_TRAIN_CORPUS
    from sercore.published import PAPER_SET
    from sercore.published import published_scores
    from sercore.published import table1

    paper = next(protocol for protocol in PROTOCOLS if protocol.id == "paper")
    intervals = (
        "these are the matrices published with the paper 'SER Evals' (Osman, Kaplan, Nadeem "
        "2024): one number for each cell, without predictions and seeds, so no cell and no "
        "average has an interval"
    )
    defect = (
        f"the row of {DEFECTIVE_TRAIN_CORPUS} is that of a constant predictor, a defect of the "
        "published adjustment"
    )
    record = {
        "name": PUBLISHED,
        "corpora": {
            row["id"]: {"sets": [PAPER_SET], "ood_eligible": row["ood_eligible"]}
            for row in table1()
        },
        "published": True,
        "protocol": asdict(paper),
        "notes": [intervals, defect],
    }
    return StoredRun(name=PUBLISHED, record=record, scores=published_scores(), workspace=workspace)


def read_run(workspace: Workspace, name: str) -> StoredRun:
    """Read a run, the published matrices (``published``) or a bundle (a path of a ``.zip`` file).

    A run of the workspace with one of these names goes first.

    Raises:
        WorkspaceError: no run has this name, or its files cannot be read.
    """
    folder = f"runs/{name}"
    if name == PUBLISHED and not workspace.exists(folder + "/run.json"):
        return published_run(workspace)
    if is_bundle(name) and not ("/" not in name and workspace.exists(folder)):
        return bundle_run(name)
    if not workspace.exists(f"{folder}/scores.parquet"):
        names = [other for other in workspace.list("runs") if not other.startswith(".")]
        if workspace.exists(f"{folder}/run.json"):
            raise WorkspaceError(
                f"the run '{name}' in {workspace.root} has no scores yet",
                hint="it is still running, or it was stopped before its first score: run it again",
            )
        close = get_close_matches(name, names, n=1)
        hint = f"the workspace has {', '.join(names)}" if names else "'sercore run' creates one"
        if close:
            hint = f"did you mean '{close[0]}'?"
        raise WorkspaceError(f"the run '{name}' in {workspace.root} does not exist", hint=hint)
    scores = workspace.read_table(f"{folder}/scores.parquet")
    lacking = [column for column in SCORE_SCHEMA.names if column not in scores.column_names]
    if lacking:
        raise WorkspaceError(
            f"the scores of the run '{name}' have no column {', '.join(lacking)}: another version "
            "of sercore wrote them",
            hint="run it again",
        )
    record = (
        workspace.read_json(f"{folder}/run.json") if workspace.exists(f"{folder}/run.json") else {}
    )
    if not isinstance(record, dict):
        raise WorkspaceError(
            f"the record of the run '{name}' is not a JSON object", hint="run it again"
        )
    return StoredRun(name=name, record=record, scores=scores, workspace=workspace)


def bundle_run(path: str) -> StoredRun:
    """Return a bundle as a run. Raises as `sercore.bundles.read.open_bundle` does."""
    bundle = open_bundle(path)
    return StoredRun(
        name=bundle.facts.title,
        record={**bundle.record, "name": bundle.facts.title},
        scores=bundle.scores,
        workspace=bundle.workspace,
        bundle=bundle.facts,
    )


def eligible_corpora_of(record: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the corpora of a run whose cards are eligible for out-of-domain averages.

    None if the record names no corpus: the averages then use the largest cluster.
    """
    corpora = corpora_of(record)
    if not corpora:
        return None
    return frozenset(name for name, corpus in corpora.items() if corpus.ood_eligible)


def expected_cells(record: Mapping[str, Any]) -> Expected:
    """Return the cells that a run would have with every real corpus that it looked for.

    Table 1 of the paper decides which of the missing corpora are eligible.
    """
    from sercore.published import eligible_corpora

    found = {name: corpus for name, corpus in corpora_of(record).items() if not corpus.demo}
    if not found:
        return {}
    absent = set(missing_corpora(record))
    outside = {name for name, corpus in found.items() if corpus.ood_eligible}
    outside |= absent & set(eligible_corpora())
    return {
        IN_DOMAIN: {(name, name) for name in {*found, *absent}},
        ClassRule.CLUSTER: set(permutations(sorted(outside), 2)),
    }


def computed_adjustments(run: StoredRun) -> tuple[str, ...]:
    """Return the adjustments of the out-of-domain scores of a run, sorted."""
    import pyarrow.compute as pc

    done = with_status(run.whole_cells.select(["status", "in_domain", "adjustment"]), DONE)
    outside = done.filter(pc.invert(pc.fill_null(done["in_domain"], False)))
    return tuple(sorted(name for name in outside["adjustment"].unique().to_pylist() if name))


def require_adjustment(run: StoredRun, adjustment: str | None) -> None:
    """Check that a run has out-of-domain scores with an adjustment, if it has any at all.

    Raises:
        ProtocolError: the adjustment does not exist, or no score of the run has it.
    """
    if adjustment is None:
        return
    known = computed_adjustments(run)
    if adjustment not in list(Adjustment):
        raise ProtocolError(
            f"there is no adjustment named '{adjustment}'",
            hint=f"the run '{run.name}' has {', '.join(known) or 'no out-of-domain score'}",
        )
    if known and adjustment not in known:
        raise ProtocolError(
            f"no score of the run '{run.name}' has the adjustment '{adjustment}'",
            hint=f"it has {', '.join(known)}; 'sercore score {run.name} --adjustment {adjustment}' "
            "computes it from stored predictions",
        )


def matrices_of(
    scores: pa.Table,
    record: Mapping[str, Any],
    *,
    metric: str | None = None,
    adjustment: str | None = None,
) -> tuple[Matrix, ...]:
    """Return the matrices of a run, one for each set of corpora.

    They name the cells that the record says are missing.
    """
    found = matrices(scores, metric=metric, adjustment=adjustment, expected=expected_cells(record))
    return by_set(found, corpus_sets(record))


def reduce_of(matrix: Matrix, record: Mapping[str, Any]) -> Reductions:
    """Return the reductions of one matrix of a run.

    Under the class rule `cluster` the out-of-domain averages cover the eligible corpora, as in the
    paper; under other rules they cover all corpora of the set that cells connect. Cells between
    sets have no average.
    """
    if matrix.setting.corpora == BETWEEN_SETS:
        return replace(reduce_matrix(matrix, eligible=()), small_clusters=())
    eligible = (
        eligible_corpora_of(record) if matrix.setting.class_rule == ClassRule.CLUSTER else None
    )
    if eligible is not None:
        missing = {name for pair in matrix.missing for name in pair}
        from sercore.published import eligible_corpora

        eligible |= missing & set(eligible_corpora())
    return reduce_matrix(matrix, eligible=eligible)
