"""Trained probes on disk: weights, split, log and a record, under their key.

The record is written last: a probe without one is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sercore.errors import UnknownNameError
from sercore.errors import WorkspaceError
from sercore.storage import seals

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Probe
    from sercore.storage.workspace import Workspace

_TRAIN = "train"
_TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecord:
    """What a stored probe is, and what is needed to use it again."""

    key: str
    identity: Mapping[str, Any]
    """The parts of the probe key."""
    backbone: str
    checkpoint: str
    location: str | None
    """Folder of the weights when it was trained."""
    weights: str
    """Digest of the checkpoint."""
    options: Mapping[str, Any]
    """Layer, variant and precision of the backbone."""
    audio_path: str
    probe: str
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    """Utterances of the training part by class."""
    train_corpus: str
    protocol: str
    fold: int
    split_seed: int
    n_train: int
    """Utterances that trained it: those of the training part with features."""


@dataclass(frozen=True, slots=True)
class StoredSplit:
    """Which utterances trained a probe and which were held out."""

    train: npt.NDArray[np.int64]
    """int64 (n,), manifest rows, ascending."""
    test: npt.NDArray[np.int64]
    """int64 (m,), manifest rows, ascending."""


def probe_record_path(key: str) -> str:
    """Return where the record of a probe lies; it exists if and only if the probe is whole."""
    return f"probes/{key}/record.json"


def probe_files(key: str) -> tuple[str, ...]:
    """Return the files of a probe, relative to the workspace, the record last."""
    folder = f"probes/{key}"
    return (
        f"{folder}/weights.safetensors",
        split_path(key),
        f"{folder}/log.parquet",
        probe_record_path(key),
    )


def split_path(key: str) -> str:
    """Return where the division of a probe lies: which utterances trained it."""
    return f"probes/{key}/split.parquet"


def write_probe(
    workspace: Workspace,
    record: ProbeRecord,
    fitted: FittedProbe,
    split: StoredSplit,
    utterance_ids: list[str],
) -> None:
    """Store a trained probe.

    Args:
        workspace: where it is stored.
        record: what it is.
        fitted: its weights and its log.
        split: the division it was trained on.
        utterance_ids: ids of the training corpus, in manifest order.

    Raises:
        DiskFullError, WorkspaceError: as `Workspace.write`.
    """
    import safetensors.numpy

    to_weights, to_split, to_log, to_record = probe_files(record.key)
    weights = {name: value.copy() for name, value in fitted.weights.items()}
    packed = safetensors.numpy.save(weights, metadata={seals.KEY: seals.BLANK_SEAL})
    workspace.write_sealed(to_weights, packed)
    workspace.write_table(to_split, split_table(split, utterance_ids))
    workspace.write_table(to_log, pa.Table.from_pylist([asdict(epoch) for epoch in fitted.log]))
    workspace.write_json(to_record, asdict(record))


def read_probe_record(workspace: Workspace, key: str) -> ProbeRecord:
    """Return the record of a stored probe.

    Raises:
        WorkspaceError: it is missing or not readable.
    """
    values = workspace.read_json(probe_record_path(key))
    names = {field.name for field in fields(ProbeRecord)}
    if not isinstance(values, dict) or values.keys() != names:
        raise WorkspaceError(
            f"{workspace.path(probe_record_path(key))} is not the record of a probe",
            hint="delete its folder and run again",
        )
    for name in ("classes", "train_counts"):
        values[name] = tuple(values[name])
    return ProbeRecord(**values)


def read_split(workspace: Workspace, key: str) -> StoredSplit:
    """Return the division that a stored probe was trained on.

    Raises:
        WorkspaceError: it is missing or not readable.
    """
    table = workspace.read_table(split_path(key), ("row", "part"))
    rows = table.column("row").to_numpy()
    train, test = (pc.equal(table.column("part"), part).to_numpy() for part in (_TRAIN, _TEST))
    return StoredSplit(np.sort(rows[train]), np.sort(rows[test]))


def read_probe(workspace: Workspace, key: str, probe: Probe, *, device: str = "cpu") -> FittedProbe:
    """Return a stored probe, ready to be used on a device.

    Raises:
        DamagedError: its bytes are not those that were written.
        WorkspaceError: it is missing or not readable.
    """
    import safetensors
    import safetensors.numpy

    relative = f"probes/{key}/weights.safetensors"
    try:
        weights = safetensors.numpy.load(workspace.read_sealed(relative))
    except safetensors.SafetensorError as error:
        raise WorkspaceError(
            f"{workspace.path(relative)} is not readable: {error}",
            hint="delete its folder and run again",
        ) from error
    return probe.load(weights, device=device)


def find_probe(workspace: Workspace, name: str) -> ProbeRecord:
    """Return the record of the probe whose key begins with `name`.

    Raises:
        UnknownNameError: no probe or more than one begins so.
        WorkspaceError: its record is not readable.
    """
    keys = [key for key in stored_probes(workspace) if key.startswith(name)]
    if len(keys) != 1:
        count = "no probe" if not keys else f"{len(keys)} probes"
        raise UnknownNameError(
            f"{count} in {workspace.path('probes')} has a key that begins with '{name}'",
            hint="'sercore status --probes' lists them",
        )
    return read_probe_record(workspace, keys[0])


def stored_probes(workspace: Workspace) -> list[str]:
    """Return the keys of all whole probes, sorted."""
    return [key for key in workspace.list("probes") if workspace.exists(probe_record_path(key))]


def split_table(split: StoredSplit, utterance_ids: list[str]) -> pa.Table:
    """Return a division as it is stored.

    Args:
        split: the division.
        utterance_ids: ids of the training corpus, in manifest order.
    """
    rows = [*split.train.tolist(), *split.test.tolist()]
    parts = [_TRAIN] * len(split.train) + [_TEST] * len(split.test)
    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "utterance_id": pa.array([utterance_ids[row] for row in rows], pa.string()),
            "part": pa.array(parts, pa.string()),
        }
    )
