"""Which stores were complete once, although their frames may have been removed since.

Frames are the largest thing in a workspace and are removed to make room. A later run must know that
no recording failed, because keys of probes and predictions depend on it, and which recordings are
copies of others. A small file per store keeps both.

    features/<encoder>/complete/<corpus>-<key>.json
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sercore.errors import WorkspaceError

if TYPE_CHECKING:
    from sercore.features.store import FeatureStore
    from sercore.storage.workspace import Workspace


COMPLETE = "complete"
"""Folder of an encoder that holds these files."""


def note_complete(workspace: Workspace, store: FeatureStore, copies: Sequence[str]) -> None:
    """Note that every utterance of a store has frames.

    Args:
        workspace: where the store is.
        store: a complete store.
        copies: one sentence for each recording that is the same as another one.

    Raises:
        DiskFullError, WorkspaceError: as `Workspace.write`.
    """
    if copies_of(workspace, store) is None:
        workspace.write_json(_path(store), {"key": store.key, "copies": list(copies)})


def copies_of(workspace: Workspace, store: FeatureStore) -> list[str] | None:
    """Return what was noted about copies; None if the store was never complete."""
    if not workspace.exists(_path(store)):
        return None
    try:
        noted = workspace.read_json(_path(store))
    except WorkspaceError:
        return None  # damaged: the frames are extracted again
    return list(noted["copies"]) if noted["key"] == store.key else None


def _path(store: FeatureStore) -> str:
    return f"{store.root}/{COMPLETE}/{store.folder.rpartition('/')[2]}.json"
