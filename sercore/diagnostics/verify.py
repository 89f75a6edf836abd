"""Compare everything that a workspace stores with its digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.features import cache

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

_SEALED = (".json", ".parquet", ".safetensors")
_RECORD = ".files.parquet"
"""End of the tables of files beside unpacked and generated corpora."""
_OF_RUN = ("run.json", "scores.parquet", "journal.parquet")


@dataclass(frozen=True, slots=True)
class Verified:
    """One stored file, or the stored frames of one corpus, after it was read."""

    path: str
    """Relative to the workspace."""
    damage: str | None
    """One sentence; None where it is intact."""


def verify_workspace(workspace: Workspace, *, discard: bool = False) -> Iterator[Verified]:
    """Read every stored file and compare it with its digest.

    Args:
        workspace: what to read.
        discard: remove what is damaged, so that the next run computes it again.

    Raises:
        WorkspaceError: a damaged file cannot be removed.
    """
    for path in _sealed_files(workspace):
        damage = workspace.damage(path)
        if damage is not None and discard:
            workspace.remove(_unit_of(path))
        yield Verified(path, damage)
    for changed in cache.verify_corpora(workspace):
        if changed.paths:
            n = len(changed.paths)
            files = f"{n} recordings differ" if n > 1 else f"{changed.paths[0]} differs"
            yield Verified(changed.root, f"{files} from what was read; the next run extracts again")
    for folder, parts in cache.verify(workspace, discard=discard):
        count = f"{len(parts)} of its parts are" if len(parts) > 1 else "one of its parts is"
        yield Verified(folder, f"{count} damaged" if parts else None)


def _sealed_files(workspace: Workspace) -> Iterator[str]:
    for run in workspace.list("runs"):
        folder = f"runs/{run}"
        for name in _OF_RUN:
            if workspace.exists(f"{folder}/{name}"):
                yield f"{folder}/{name}"
        yield from _files_in(workspace, f"{folder}/tasks")
    for key in workspace.list("probes"):
        yield from _files_in(workspace, f"probes/{key}")
    for kind in ("manifests", "contents"):
        for corpus in workspace.list(kind):
            yield from _files_in(workspace, f"{kind}/{corpus}")
    yield from _files_in(workspace, "audits")
    for folder in ("corpora", *(f"corpora/{name}" for name in workspace.list("corpora"))):
        yield from (path for path in _files_in(workspace, folder) if path.endswith(_RECORD))
    yield from _files_in(workspace, "predictions")
    yield from _files_in(workspace, "specs")


def _files_in(workspace: Workspace, folder: str) -> Iterator[str]:
    for name in workspace.list(folder):
        if name.endswith(_SEALED):
            yield f"{folder}/{name}"


def _unit_of(path: str) -> str:
    """Return what is removed with a damaged file: a probe is whole or not there."""
    return path.rpartition("/")[0] if path.startswith("probes/") else path
