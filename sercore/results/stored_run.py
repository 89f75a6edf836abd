"""A run as it lies in a workspace: its record, its scores, and what a complete one would hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import permutations
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import WorkspaceError
from sercore.evaluation.class_rules import IN_DOMAIN
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.results.matrices import matrices
from sercore.results.reductions import reduce_matrix

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.results.matrices import Expected
    from sercore.results.matrices import Matrix
    from sercore.results.reductions import Reductions
    from sercore.storage.workspace import Workspace

CLUSTER = "cluster"


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run that was read back."""

    name: str
    record: Mapping[str, Any]
    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    workspace: Workspace

    @property
    def folder(self) -> str:
        """Its folder, relative to the workspace."""
        return f"runs/{self.name}"

    def headline_rows(self) -> list[dict[str, Any]]:
        """Return the headline score of every cell, as plain rows of the scores."""
        import pyarrow.compute as pc

        chosen = pc.and_(self.scores["headline"], pc.is_null(self.scores["class"]))
        rows: list[dict[str, Any]] = self.scores.filter(chosen).to_pylist()
        return rows


def read_run(workspace: Workspace, name: str) -> StoredRun:
    """Read a run.

    Raises:
        WorkspaceError: there is none of this name, or its files are not readable.
    """
    folder = f"runs/{name}"
    if not workspace.exists(f"{folder}/scores.parquet"):
        names = [each for each in workspace.list("runs") if not each.startswith(".")]
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else (
            f"there are {', '.join(names)}" if names else "'sercore run' makes one"
        )  # fmt: skip
        started = workspace.exists(f"{folder}/run.json")
        what = "has no scores yet" if started else "does not exist"
        raise WorkspaceError(f"the run '{name}' in {workspace.root} {what}", hint=hint)
    scores = workspace.read_table(f"{folder}/scores.parquet")
    lacking = [column for column in SCORE_SCHEMA.names if column not in scores.column_names]
    if lacking:
        raise WorkspaceError(
            f"the scores of the run '{name}' have no column {', '.join(lacking)}",
            hint="they were written by another version of sercore: run it again",
        )
    record = (
        workspace.read_json(f"{folder}/run.json") if workspace.exists(f"{folder}/run.json") else {}
    )
    if not isinstance(record, dict):
        raise WorkspaceError(
            f"the record of the run '{name}' is not a JSON object", hint="run it again"
        )
    return StoredRun(name=name, record=record, scores=scores, workspace=workspace)


def eligible_corpora_of(record: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the corpora of a run whose cards are eligible for out-of-domain averages.

    None where the record names no corpus: then the largest cluster stands for them.
    """
    corpora = _corpora(record)
    if not corpora:
        return None
    return frozenset(name for name, card in corpora.items() if card.get("ood_eligible"))


def expected_cells(record: Mapping[str, Any]) -> Expected:
    """Return the cells that a run would have, had every real corpus that it looked for been there.

    Corpora that are missing count as eligible where the paper's Table 1 says so.
    """
    from sercore.published import eligible_corpora

    there = {name: card for name, card in _corpora(record).items() if not card.get("demo")}
    if not there:
        return {}
    absent = {
        str(each.get("name"))
        for each in record.get("missing") or ()
        if isinstance(each, Mapping) and each.get("kind") == "corpus"
    }
    outside = {name for name, card in there.items() if card.get("ood_eligible")}
    outside |= absent & set(eligible_corpora())
    return {
        IN_DOMAIN: {(name, name) for name in {*there, *absent}},
        CLUSTER: set(permutations(sorted(outside), 2)),
    }


def matrices_of(
    scores: pa.Table,
    record: Mapping[str, Any],
    *,
    metric: str | None = None,
    adjustment: str | None = None,
) -> tuple[Matrix, ...]:
    """Return the matrices of a run, with what its record says is missing."""
    return matrices(scores, metric=metric, adjustment=adjustment, expected=expected_cells(record))


def reduce_of(matrix: Matrix, record: Mapping[str, Any]) -> Reductions:
    """Return the reductions of one matrix of a run.

    Under the class rule `cluster` the out-of-domain averages run over the eligible corpora, as
    in the paper; under the others over all that are connected.
    """
    eligible = eligible_corpora_of(record) if matrix.setting.class_rule == CLUSTER else None
    if eligible is not None:
        missing = {name for pair in matrix.missing for name in pair}
        from sercore.published import eligible_corpora

        eligible |= missing & set(eligible_corpora())
    return reduce_matrix(matrix, eligible=eligible)


def _corpora(record: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    corpora = record.get("corpora")
    return corpora if isinstance(corpora, Mapping) else {}
