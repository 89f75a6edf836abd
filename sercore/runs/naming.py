"""Which name a run gets, so that no run silently replaces another one.

A run is a name for one selection. The same selection continues it, a larger one extends it. Any
other selection would remove scored cells: it gets a name of its own, or is refused where the user
gave the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.evaluation.scores import headlines
from sercore.storage.digests import canonical_json
from sercore.storage.names import check_name

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.runs.planned import Plan
    from sercore.storage.workspace import Workspace

DEFAULT_NAME = "default"

_ROW = (
    *("backbone", "layer", "probe", "train_corpus", "split_seed", "fold", "test_corpus"),
    "class_rule",
)

_Cells = frozenset[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class RunName:
    """The name that a run gets."""

    name: str
    note: str | None = None
    """One sentence, where it is not the name that the user expects."""
    replaces: bool = False
    """Whether scored cells of an earlier run of this name are dropped."""


def choose_name(
    plan: Plan, workspace: Workspace, asked: str | None = None, *, replace: bool = False
) -> RunName:
    """Return the name of a run.

    Args:
        plan: what it will do.
        workspace: where earlier runs are.
        asked: the name that the user gave; None for ``default``, or the first free name after it.
        replace: whether the user allowed to replace an earlier run.

    Raises:
        SettingsError: the user gave the name of a run with cells that this one lacks.
    """
    wanted = check_name(asked or DEFAULT_NAME)
    lost = _lost(plan, workspace, wanted)
    if lost is None:
        return RunName(wanted, note=_damage(workspace, wanted))
    if replace:
        return RunName(wanted, replaces=True)
    if asked is not None:
        raise SettingsError(
            f"the run '{wanted}' {lost}",
            hint="choose another --name, or add --replace to drop the old run",
        )
    free = next(name for name in _numbered(wanted) if _lost(plan, workspace, name) is None)
    return RunName(free, note=f"the run '{wanted}' {lost}, so this run is named '{free}'")


def recorded_threads(workspace: Workspace, chosen: RunName) -> int | None:
    """Return the threads that the run of a name was computed with; None where it is new."""
    if chosen.replaces:
        return None
    threads = (_record(workspace, chosen.name).get("settings") or {}).get("threads")
    return threads if isinstance(threads, int) else None


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}-{number}" for number in count(2))


def _lost(plan: Plan, workspace: Workspace, name: str) -> str | None:
    """Return why the run of a name would lose cells to this plan, or None if it would not."""
    record = _record(workspace, name)
    if record.get("rescored_from"):
        return "was made by 'sercore score'"
    try:
        scores = workspace.read_table(f"runs/{name}/scores.parquet")
        old = frozenset(_scored_cells(scores))
    except (WorkspaceError, KeyError):
        return None  # no scores, damaged ones, or those of another version: all are recomputed
    if not old:
        return None
    selection = plan.selection
    planned = {"protocol": asdict(selection.protocol), "settings": {"dtype": selection.dtype}}
    if record and _choices(record) != _choices(planned):
        return f"has {len(old)} scored cells under another protocol or precision"
    lacking = old - planned_cells(plan)
    if lacking:
        train, test = _train_and_test(min(lacking, key=str))
        return (
            f"has {len(old)} scored cells, and this selection lacks {len(lacking)} of them "
            f"({train} on {test} first)"
        )
    return None


def planned_cells(plan: Plan) -> _Cells:
    """Return every cell of a plan by what scores name it by."""
    return frozenset(
        (
            *(job.backbone.name, job.layer_name, job.probe.id, job.train.id),
            *(job.split_seed, job.fold.index, test_set.corpus.id, rule.name),
        )
        for job in plan.jobs
        for test_set in job.test_sets
        for rule in test_set.rules
    )


def _scored_cells(scores: pa.Table) -> Iterator[tuple[Any, ...]]:
    shown = headlines(scores)  # every scored cell has one; the other rows are many more
    columns = [shown.column(name).to_pylist() for name in (*_ROW, "status")]
    fold, status = _ROW.index("fold"), len(_ROW)
    for row in set(zip(*columns, strict=True)):
        # Cells pooled over folds follow from those of the folds.
        if row[status] == "done" and row[fold] is not None:
            yield row[:status]


def _record(workspace: Workspace, name: str) -> Mapping[str, Any]:
    """Return the record of a run; empty where it is missing or damaged."""
    try:
        record: Mapping[str, Any] = workspace.read_json(f"runs/{name}/run.json")
    except WorkspaceError:
        return {}
    return record


def _damage(workspace: Workspace, name: str) -> str | None:
    """Return a sentence about the first damaged file of a run, which is written again."""
    for file in ("run.json", "scores.parquet", "journal.parquet"):
        path = f"runs/{name}/{file}"
        damage = workspace.damage(path) if workspace.exists(path) else None
        if damage is not None:
            return f"{path} is written again: {damage}"
    return None


def _choices(record: Mapping[str, Any]) -> str:
    """Return what decides the value of a cell and is not part of its name."""
    free = dict.fromkeys(("class_rules", "summary", "n_seeds"))
    protocol = {**(record.get("protocol") or {}), **free}
    return canonical_json([protocol, (record.get("settings") or {}).get("dtype")])


def _train_and_test(cell: tuple[Any, ...]) -> tuple[str, str]:
    return cell[_ROW.index("train_corpus")], cell[_ROW.index("test_corpus")]
