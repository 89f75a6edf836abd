"""Stored frames as a cache: what is there, whether it is sound, and what may go.

Frames are by far the largest thing in a workspace and can always be computed again; everything
that scores rest on (probes, predictions, records) is small and never removed here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.features.store import FeatureStore

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStore:
    """The stored frames of one corpus under one backbone."""

    folder: str
    backbone: str
    corpus: str
    manifest: str
    checkpoint: str
    utterances: int
    n_done: int
    """Utterances that have frames."""
    n_frames: int
    n_bytes: int
    """Bytes on disk, everything in the folder included."""
    used: float
    """When it was last written or opened, in seconds since 1970."""
    in_use: bool
    """Whether a running sercore extracts it or has it in its plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """What trimming the cache did, or would do."""

    removed: tuple[CachedStore, ...]
    kept: tuple[CachedStore, ...]
    n_bytes: int
    """Bytes that are left."""


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises:
        SettingsError: it is not a size.

    >>> parse_size("200GB"), parse_size("1.5 TB"), parse_size("2GiB")
    (200000000000, 1500000000000, 2147483648)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text, re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise SettingsError(f"'{text}' is not a size", hint="write for example 200GB or 1.5TiB")
    unit = _UNITS[match[2].lower()]
    if match[3]:
        unit = 1024 ** "bkmgt".index(match[2].lower())
    return int(float(match[1]) * unit)


def cached_stores(workspace: Workspace) -> list[CachedStore]:
    """Return all stored frames, the least recently used first.

    Raises:
        WorkspaceError: the workspace is not on this machine.
    """
    if not workspace.is_local:
        raise WorkspaceError(
            f"{workspace.root} is not on this machine, so its cache cannot be managed from here",
            hint="use the life-cycle rules of that storage",
        )
    plans = _live_plans(workspace)
    found = [_cached_store(workspace, store, plans) for store in _stores(workspace)]
    return sorted(found, key=lambda each: (each.used, each.folder))


def verify(workspace: Workspace, *, discard: bool = False) -> Iterator[tuple[str, list[int]]]:
    """Compare every stored part with its digest.

    Args:
        workspace: what to look through.
        discard: forget the damaged parts, so that the next run extracts them again.

    Yields:
        The folder of each store with the numbers of its damaged parts.

    Raises:
        WorkspaceError: a damaged part cannot be forgotten, because the store is in use.
    """
    for store in _stores(workspace):
        damaged = store.verify()
        if damaged and discard:
            with workspace.claim(store.folder, store.folder):
                for part in damaged:
                    store.discard(part)
        yield store.folder, damaged


def trim(workspace: Workspace, budget: int, *, dry_run: bool = False) -> Trim:
    """Remove the least recently used frames until the rest fits in a budget.

    What a running sercore works on stays, even if the budget is exceeded then.

    Args:
        workspace: what to look through.
        budget: bytes that may stay.
        dry_run: only tell.

    Raises:
        WorkspaceError: the workspace is not on this machine, or cannot be written.
    """
    stores = cached_stores(workspace)
    if not dry_run:
        workspace.sweep()  # what an earlier `trim` was removing when it was killed
    left = sum(each.n_bytes for each in stores)
    removed: list[CachedStore] = []
    kept: list[CachedStore] = []
    for each in stores:
        gone = left > budget and not each.in_use and (dry_run or _remove(workspace, each))
        (removed if gone else kept).append(each)
        left -= each.n_bytes if gone else 0
    return Trim(removed=tuple(removed), kept=tuple(kept), n_bytes=left)


def free_bytes(workspace: Workspace) -> int:
    """Return the bytes that are free where a local workspace lies or will lie."""
    place = Path(workspace.root)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _stores(workspace: Workspace) -> Iterator[FeatureStore]:
    for backbone in workspace.list("features"):
        for folder in workspace.list(f"features/{backbone}"):
            description = f"features/{backbone}/{folder}/features.json"
            if workspace.exists(description):
                yield FeatureStore(workspace, workspace.read_json(description)["identity"])


def _cached_store(
    workspace: Workspace, store: FeatureStore, plans: Iterable[dict[str, Any] | None]
) -> CachedStore:
    with os.scandir(workspace.path(store.folder)) as entries:
        states = [entry.stat() for entry in entries]
    identity = store.identity
    return CachedStore(
        folder=store.folder,
        backbone=identity["backbone"],
        corpus=identity["corpus"],
        manifest=identity["manifest"],
        checkpoint=identity["checkpoint"],
        utterances=store.n_utterances,
        n_done=store.n_done,
        n_frames=store.n_frames,
        n_bytes=sum(state.st_size for state in states),
        used=max(state.st_mtime for state in states),
        in_use=any(_plans_to_use(plan, identity) for plan in plans)
        or not _is_free(workspace, store.folder),
    )


def _live_plans(workspace: Workspace) -> list[dict[str, Any] | None]:
    """Return the record of every run that is going on; None for one that cannot be read."""
    plans: list[dict[str, Any] | None] = []
    for name in workspace.list("runs"):
        if not _is_free(workspace, f"runs/{name}"):
            try:
                plans.append(workspace.read_json(f"runs/{name}/run.json"))
            except WorkspaceError:
                plans.append(None)
    return plans


def _plans_to_use(plan: dict[str, Any] | None, identity: dict[str, Any]) -> bool:
    if plan is None:  # nobody knows what it uses
        return True
    corpora, backbones = plan["corpora"].values(), plan["backbones"].values()
    return any(each["manifest"] == identity["manifest"] for each in corpora) and any(
        each["weights"] == identity["checkpoint"] for each in backbones
    )


def _is_free(workspace: Workspace, folder: str) -> bool:
    """Return whether no process holds a folder."""
    return not workspace.is_leased(folder)


def _remove(workspace: Workspace, store: CachedStore) -> bool:
    with ExitStack() as stack:
        try:
            stack.enter_context(workspace.claim(store.folder, store.folder))
        except WorkspaceError:
            return False  # an extraction began in between
        workspace.remove(store.folder)
    return True
