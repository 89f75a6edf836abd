"""Stored frames as a cache: list, verify and trim them.

Frames are by far the largest thing in a workspace and can always be extracted again. Everything
that scores rest on (probes, predictions, records) is small and never removed here.

Stores share parts (`sercore.features.store`). A part is removed with the last store that lists it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.contents import changed_files
from sercore.errors import DamagedError
from sercore.errors import WorkspaceError
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import RECORD
from sercore.features.store import STORE
from sercore.features.store import FeatureStore

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStore:
    """The stored frames of one corpus under one backbone."""

    folder: str
    backbone: str
    """Name under which they were extracted last; the digest of the weights if it is not known."""
    corpus: str
    checkpoint: str
    """Digest of the weights."""
    utterances: int
    n_done: int
    """Utterances that have frames."""
    n_frames: int
    n_bytes: int
    """Bytes on disk of its parts, including those that it shares with other stores."""
    n_own_bytes: int
    """Bytes on disk that are free once it is removed."""
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
    """Bytes that remain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCorpus:
    """Files of a corpus that changed after sercore read them."""

    corpus: str
    root: str
    paths: tuple[str, ...]


def cached_stores(workspace: Workspace, *, run: str | None = None) -> list[CachedStore]:
    """Return all stored frames, the least recently used first.

    Args:
        workspace: what to look through.
        run: a run whose plan does not count as use.
    """
    plans = _live_plans(workspace, but=run)
    stores = list(_stores(workspace))
    references = Counter(path for store in stores for path in set(_part_paths(store)))
    sizes = _sizes(workspace)
    found = [_cached_store(workspace, store, plans, references, sizes) for store in stores]
    return sorted(found, key=lambda store: (store.used, store.folder))


def cache_bytes(workspace: Workspace) -> int:
    """Return the bytes of all stored frames; a shared part counts once."""
    return sum(_sizes(workspace).values())


def verify(workspace: Workspace, *, discard: bool = False) -> Iterator[tuple[str, list[int]]]:
    """Compare every stored part with its digest.

    Args:
        workspace: what to look through.
        discard: forget the damaged parts, so that the next run extracts them again.

    Yields:
        The folder of each store with the numbers of its damaged parts. For a store whose list of
        parts is damaged that is ``[-1]``.

    Raises:
        WorkspaceError: a damaged part cannot be forgotten, because the store is in use.
    """
    for folder in _folders(workspace):
        try:
            store = FeatureStore.read(workspace, folder)
        except DamagedError:
            if discard:
                with workspace.claim(folder, folder):
                    workspace.remove(f"{folder}/{STORE}")
            yield folder, [-1]
            continue
        if store is None:
            continue
        damaged = store.parts.verify()
        if damaged and discard:
            with workspace.claim(folder, folder):
                for part in damaged:
                    store.parts.discard(part)
        yield folder, damaged


def verify_corpora(workspace: Workspace) -> Iterator[ChangedCorpus]:
    """Compare the audio of all corpora that were read with its digests; ignore file times.

    Yields:
        Each corpus folder that is on this machine, with the files that are missing or have changed.
        The next run extracts the parts that contain them.
    """
    for corpus, root, paths in changed_files(workspace):
        yield ChangedCorpus(corpus=corpus, root=root, paths=tuple(paths))


def trim(
    workspace: Workspace,
    budget: int,
    *,
    dry_run: bool = False,
    run: str | None = None,
    keep: Container[str] = (),
) -> Trim:
    """Remove the least recently used frames until the rest fits in a budget.

    Parts that no store lists are removed first. What a running sercore uses is kept, even if the
    budget is exceeded then.

    Args:
        workspace: what to look through.
        budget: bytes that may stay.
        dry_run: compute what would be removed, and remove nothing.
        run: the run that trims, which may remove what is only in its own plan.
        keep: folders of the stores that it needs.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    stores = cached_stores(workspace, run=run)
    if not dry_run:
        workspace.sweep()  # what an earlier `trim` was removing when it was killed
    parts = {store.folder: _paths_of(workspace, store.folder) for store in stores}
    references = Counter(path for paths in parts.values() for path in paths)
    sizes = _sizes(workspace)
    unlisted = _remove_unlisted(workspace, references, sizes, dry_run=dry_run)
    left = sum(sizes.values()) - unlisted
    removed: list[CachedStore] = []
    kept: list[CachedStore] = []
    for store in stores:
        own = [path for path in parts[store.folder] if references[path] == 1]
        size = sum(sizes.get(path, 0) for path in own)
        gone = left > budget and not store.in_use and store.folder not in keep
        if gone and not dry_run:
            gone = _remove(workspace, store, own)
        (removed if gone else kept).append(store)
        if gone:
            left -= size
            references.subtract(parts[store.folder])
    return Trim(removed=tuple(removed), kept=tuple(kept), n_bytes=left)


def free_bytes(workspace: Workspace) -> int | None:
    """Return the bytes that are free where a workspace lies or will lie; None for a store."""
    if not workspace.is_local:
        return None
    place = Path(workspace.root)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _sizes(workspace: Workspace) -> dict[str, int]:
    """Return the bytes of every file of every part."""
    return {
        f"features/{path}": n_bytes
        for path, n_bytes in workspace.walk("features")
        if path.split("/")[1:-1] == ["parts"]
    }


def _folders(workspace: Workspace) -> Iterator[str]:
    for encoder in workspace.list("features"):
        for name in workspace.list(f"features/{encoder}"):
            if workspace.exists(f"features/{encoder}/{name}/{STORE}"):
                yield f"features/{encoder}/{name}"


def _stores(workspace: Workspace) -> Iterator[FeatureStore]:
    """Yield all stores whose list of parts can be read."""
    for folder in _folders(workspace):
        with suppress(DamagedError):
            store = FeatureStore.read(workspace, folder)
            if store is not None:
                yield store


def _part_paths(store: FeatureStore) -> Iterator[str]:
    for key in store.part_keys:
        for kind in (RECORD, FRAMES, MEANS):
            yield store.files.path(key, kind)


def _paths_of(workspace: Workspace, folder: str) -> set[str]:
    with suppress(DamagedError):
        store = FeatureStore.read(workspace, folder)
        return set(_part_paths(store)) if store is not None else set()
    return set()


def _cached_store(
    workspace: Workspace,
    store: FeatureStore,
    plans: Iterable[dict[str, Any] | None],
    references: Counter[str],
    sizes: Mapping[str, int],
) -> CachedStore:
    own = {path: sizes.get(path, 0) for path in set(_part_paths(store))}
    facts = workspace.facts(f"{store.folder}/{STORE}")
    identity = store.identity
    checkpoint = identity["encoder"]["checkpoint"]
    return CachedStore(
        folder=store.folder,
        backbone=store.provenance.get("backbone") or checkpoint[:16],
        corpus=identity["corpus"],
        checkpoint=checkpoint,
        utterances=store.n_utterances,
        n_done=store.n_done,
        n_frames=store.n_frames,
        n_bytes=sum(own.values()),
        n_own_bytes=sum(size for path, size in own.items() if references[path] == 1),
        used=facts.changed if facts is not None else 0.0,  # it was removed in between
        in_use=any(_plans_to_use(plan, identity) for plan in plans)
        or not _is_free(workspace, store.folder),
    )


def _live_plans(workspace: Workspace, *, but: str | None) -> list[dict[str, Any] | None]:
    """Return the records of all runs but one that work now; None for one that cannot be read."""
    plans: list[dict[str, Any] | None] = []
    for name in workspace.list("runs"):
        if name != but and not _is_free(workspace, f"runs/{name}"):
            try:
                plans.append(workspace.read_json(f"runs/{name}/run.json"))
            except WorkspaceError:
                plans.append(None)
    return plans


def _plans_to_use(plan: dict[str, Any] | None, identity: dict[str, Any]) -> bool:
    if plan is None:  # it may use anything
        return True
    checkpoint = identity["encoder"]["checkpoint"]
    return identity["corpus"] in plan["corpora"] and any(
        backbone["weights"] == checkpoint for backbone in plan["backbones"].values()
    )


def _is_free(workspace: Workspace, folder: str) -> bool:
    """Return whether no process holds a folder."""
    return not workspace.is_leased(folder)


def _remove(workspace: Workspace, store: CachedStore, own: Sequence[str]) -> bool:
    """Remove a store and the files that no other store lists; return whether that was possible."""
    with ExitStack() as stack:
        try:
            stack.enter_context(workspace.claim(store.folder, store.folder))
        except WorkspaceError:
            return False  # an extraction began in between
        for path in sorted(own, key=lambda path: not path.endswith(RECORD)):
            workspace.remove(path)
        workspace.remove(store.folder)
    return True


def _remove_unlisted(
    workspace: Workspace, references: Counter[str], sizes: Mapping[str, int], *, dry_run: bool
) -> int:
    """Remove parts that no store lists, and return their bytes.

    They belong to stores that were removed by hand or whose list is damaged. While a store of the
    same encoder is in use they are kept: its list may not be written yet.
    """
    n_bytes = 0
    for encoder in workspace.list("features"):
        root = f"features/{encoder}"
        names = [name for name in workspace.list(root) if name != "parts"]
        if not all(_is_free(workspace, f"{root}/{name}") for name in names):
            continue
        for name in workspace.list(f"{root}/parts"):
            path = f"{root}/parts/{name}"
            if references[path] == 0:
                n_bytes += sizes.get(path, 0)
                if not dry_run:
                    workspace.remove(path)
    return n_bytes
