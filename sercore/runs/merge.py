"""Merge workspaces: copy the results of one into another, by key.

A key holds everything that a result depends on, so what both workspaces have is not copied. If its
bytes differ, they come from something that no key names, such as another processor or library:
then nothing is copied, and every difference is named with the machines behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.errors import DamagedError
from sercore.errors import SercoreError
from sercore.errors import WorkspaceError
from sercore.evaluation.predictions import predictions_path
from sercore.features.completed import COMPLETE
from sercore.features.parts import FRAMES
from sercore.features.parts import MEANS
from sercore.features.parts import RECORD
from sercore.features.store import STORE
from sercore.features.store import FeatureStore
from sercore.probes.store import probe_files
from sercore.runs.journal import Journal

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace

State = Literal["new", "same", "other"]

_CHUNK = 8 << 20
_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Conflict:
    """A key under which two workspaces hold other bytes."""

    path: str
    """Its file or folder, relative to both workspaces."""
    source_hosts: tuple[str, ...]
    """Machines that computed it in the source; empty if no run says so."""
    target_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What merging did, or would do."""

    copied: tuple[str, ...]
    """Results, by file or folder."""
    found: int
    """Results that the target has already."""
    kept_runs: Mapping[str, str]
    """Runs of the source that were left out, and why."""
    damaged: Mapping[str, str]
    """Results of the source that cannot be copied, and why."""
    conflicts: tuple[Conflict, ...]
    """If there are any, nothing was copied."""


def merge(source: Workspace, target: Workspace, *, dry_run: bool = False) -> Merge:
    """Copy the results of a workspace into another one that lacks them.

    Frames, probes, predictions, tables of corpora, specifications and runs are copied. What a
    killed call has copied is whole, and the next call continues. Downloads and unpacked corpora
    stay where they are.

    Args:
        source: is read only.
        target: gets the results.
        dry_run: compare, and copy nothing.

    Raises:
        WorkspaceError: the source holds no results, or both are the same.
        DiskFullError, WorkspaceError: the target cannot be written.
    """
    return _Merger(source, target).run(dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Item:
    """A result in the source."""

    path: str
    """What it is called: its only file, or the folder or record of several."""
    files: tuple[str, ...]
    """Its files, the record last: without the record the others do not count."""
    compared: tuple[str, ...]
    """Files whose bytes must be the same in both workspaces."""
    key: str | None = None
    """The key that reports of tasks name."""
    optional: tuple[str, ...] = ()
    """Files that it has only if their digest is known."""


class _Merger:
    """One call of `merge`."""

    def __init__(self, source: Workspace, target: Workspace) -> None:
        self._source = source
        self._target = target
        self._damaged: dict[str, str] = {}

    def run(self, *, dry_run: bool) -> Merge:
        items = list(_items(self._source))
        runs = self._source.list("runs")
        if self._source.root == self._target.root:
            raise WorkspaceError(
                "a workspace cannot be merged into itself", hint="name two different workspaces"
            )
        if not items and not runs:
            raise WorkspaceError(
                f"{self._source.root} holds no results", hint="name a workspace of earlier runs"
            )
        states = {item: self._state(item) for item in items}
        conflicts = tuple(self._conflict(item) for item in items if states[item] == "other")
        new = [item for item in items if states[item] == "new"]
        new_runs, kept = self._runs(runs)
        wanted = [] if conflicts else [*new, *new_runs]
        copied = tuple(item.path for item in wanted if dry_run or self._copy(item))
        found = sum(state == "same" for state in states.values())
        return Merge(
            copied=copied,
            found=found + len(runs) - len(new_runs) - len(kept),
            kept_runs=kept,
            damaged=dict(self._damaged),
            conflicts=conflicts,
        )

    # Comparing

    def _state(self, item: _Item) -> State | None:
        """Return how a result compares; None if that of the source cannot be used."""
        if item.path.endswith(RECORD) and "/parts/" in item.path:
            return self._state_of_part(item)
        if any(self._target.damage(path) is not None for path in item.files):
            return "new"
        try:
            same = all(
                self._source.read_sealed(path) == self._target.read_sealed(path)
                for path in item.compared
            )
        except WorkspaceError as error:
            self._damaged[item.path] = error.message
            return None
        return "same" if same else "other"

    def _state_of_part(self, item: _Item) -> State | None:
        """Compare parts by their records, which hold the digests of their files.

        A part in which fewer utterances failed is better than another one: failures are no results.
        """
        try:
            mine = self._source.read_json(item.path)
        except WorkspaceError as error:
            self._damaged[item.path] = error.message
            return None
        theirs = self._part_of_target(item.path)
        if theirs is None:
            return "new"
        if mine["failures"] != theirs["failures"]:
            return "new" if len(mine["failures"]) < len(theirs["failures"]) else "same"
        if mine["digest"] != theirs["digest"]:
            return "other"
        if mine["layers"] and theirs["layers"]:
            return "same" if mine["means_digest"] == theirs["means_digest"] else "other"
        return "new" if mine["layers"] and not theirs["layers"] else "same"

    def _part_of_target(self, path: str) -> dict[str, Any] | None:
        if not self._target.exists(path):
            return None
        try:
            record: dict[str, Any] = self._target.read_json(path)
        except WorkspaceError:
            return None
        return record

    def _runs(self, names: list[str]) -> tuple[list[_Item], dict[str, str]]:
        """Return the runs that the target lacks, and those that are left out with the reason."""
        new, kept = [], {}
        for name in names:
            files = (f"runs/{name}/run.json", f"runs/{name}/scores.parquet")
            if self._source.is_leased(f"runs/{name}"):
                kept[name] = "it is still running"
            elif not self._source.exists(files[0]):
                kept[name] = "it has no record"
            elif not self._target.exists(files[0]):
                new.append(_run_item(self._source, name))
            elif any(_bytes(self._source, path) != _bytes(self._target, path) for path in files):
                kept[name] = "the target has another run of that name"
        return new, kept

    def _conflict(self, item: _Item) -> Conflict:
        return Conflict(
            item.path,
            self._source_hosts.of(item, self._source),
            self._target_hosts.of(item, self._target),
        )

    @cached_property
    def _source_hosts(self) -> _Hosts:
        return _Hosts(self._source)

    @cached_property
    def _target_hosts(self) -> _Hosts:
        return _Hosts(self._target)

    # Copying

    def _copy(self, item: _Item) -> bool:
        """Copy a result; return whether its bytes in the source are intact."""
        try:
            if len(item.files) > 1:
                self._target.remove(item.files[-1])
            digests = self._digests(item)
            for path in item.files:
                if path in item.optional and path not in digests:
                    continue
                self._copy_file(path, digests.get(path))
        except DamagedError as error:
            self._damaged[item.path] = error.message
            return False
        return True

    def _digests(self, item: _Item) -> dict[str, str]:
        """Return the digests of files that carry none themselves."""
        if "/parts/" not in item.path:
            return {}
        record = self._source.read_json(item.path)
        frames, means, _ = item.files
        digests = {frames: record["digest"], means: record["means_digest"]}
        return {path: digest for path, digest in digests.items() if digest}

    def _copy_file(self, path: str, digest: str | None) -> None:
        if digest is None:
            sealed = path.endswith((".json", ".parquet", ".safetensors"))
            read = self._source.read_sealed if sealed else self._source.read_bytes
            self._target.write_bytes(path, read(path))
            return
        found = hashlib.sha256()
        with self._source.open(path) as reader, self._target.write(path) as writer:
            while chunk := reader.read(_CHUNK):
                found.update(chunk)
                writer.write(chunk)
            if found.hexdigest() != digest:  # inside the block: nothing is written then
                raise DamagedError(
                    f"{self._source.path(path)} is damaged: its bytes are not those that were "
                    "written",
                    hint="delete it and run again",
                )


class _Hosts:
    """Which machines computed what, as the reports of all runs say."""

    def __init__(self, workspace: Workspace) -> None:
        self._by_key: dict[str, set[str]] = {}
        for run in workspace.list("runs"):
            for report in Journal(workspace, run).reports():
                for key in report.writes if report.status == "computed" else ():
                    self._by_key.setdefault(key, set()).add(report.host)

    def of(self, item: _Item, workspace: Workspace) -> tuple[str, ...]:
        """Return the machines that computed a result."""
        if item.key is not None:
            return tuple(sorted(self._by_key.get(item.key, ())))
        root = item.path.partition("/parts/")[0]
        hosts: set[str] = set()
        for name in workspace.list(root):
            store = _store(workspace, f"{root}/{name}")
            if store is not None and item.path in {
                store.files.path(key, RECORD) for key in store.part_keys
            }:
                hosts |= self._by_key.get(store.key, set())
        return tuple(sorted(hosts))


def _items(workspace: Workspace) -> Iterator[_Item]:
    """Yield the results of a workspace: what others refer to comes first."""
    for name in workspace.list("specs"):
        yield _single(f"specs/{name}")
    for corpus in workspace.list("manifests"):
        for name in workspace.list(f"manifests/{corpus}"):
            # Other tables are named by a reading: they belong to the files of one machine.
            if len(name.partition(".")[0]) == _DIGEST_LENGTH:
                yield _single(f"manifests/{corpus}/{name}")
    for encoder in workspace.list("features"):
        yield from _features(workspace, f"features/{encoder}")
    for key in workspace.list("probes"):
        weights, split, log, record = probe_files(key)
        if workspace.exists(record):
            yield _Item(f"probes/{key}", (weights, split, log, record), (weights, split), key)
    for name in workspace.list("predictions"):
        key = name.removesuffix(".parquet")
        yield _single(predictions_path(key), key)


def _features(workspace: Workspace, root: str) -> Iterator[_Item]:
    for name in workspace.list(f"{root}/parts"):
        if name.endswith(RECORD):
            stem = f"{root}/parts/{name.removesuffix(RECORD)}"
            frames, means, record = (stem + kind for kind in (FRAMES, MEANS, RECORD))
            yield _Item(record, (frames, means, record), (), optional=(means,))
    for name in workspace.list(root):
        if workspace.exists(f"{root}/{name}/{STORE}"):
            path = f"{root}/{name}/{STORE}"
            yield _Item(path, (path,), ())
    for name in workspace.list(f"{root}/{COMPLETE}"):
        path = f"{root}/{COMPLETE}/{name}"
        yield _Item(path, (path,), ())


def _single(path: str, key: str | None = None) -> _Item:
    return _Item(path, (path,), (path,), key)


def _run_item(workspace: Workspace, name: str) -> _Item:
    folder = f"runs/{name}"
    others = [path for path, _ in workspace.walk(folder) if path != "run.json"]
    return _Item(folder, (*(f"{folder}/{path}" for path in others), f"{folder}/run.json"), ())


def _store(workspace: Workspace, folder: str) -> FeatureStore | None:
    try:
        return FeatureStore.read(workspace, folder)
    except SercoreError:
        return None


def _bytes(workspace: Workspace, path: str) -> bytes | None:
    return workspace.read_bytes(path) if workspace.exists(path) else None
