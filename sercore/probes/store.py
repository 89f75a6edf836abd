"""Trained probes on disk: weights, split, log and a record, under their key.

The record is written last: a probe without one is not there.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa

from sercore.errors import UnknownNameError
from sercore.errors import WorkspaceError

if TYPE_CHECKING:
    from sercore.features.layer_means import LayerMeans
    from sercore.features.store import FeatureStore
    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Probe
    from sercore.runs.plan import Fit
    from sercore.storage.workspace import Workspace


def probe_record_path(key: str) -> str:
    """Return where the record of a probe lies; it exists iff the probe is whole."""
    return f"probes/{key}/record.json"


def write_probe(
    workspace: Workspace,
    key: str,
    fit: Fit,
    features: FeatureStore | LayerMeans,
    fitted: FittedProbe,
    *,
    n_train: int,
) -> None:
    """Store a trained probe. Raises as `Workspace.write` does."""
    import safetensors.numpy

    folder = f"probes/{key}"
    weights = {name: value.copy() for name, value in fitted.weights.items()}
    workspace.write_bytes(f"{folder}/weights.safetensors", safetensors.numpy.save(weights))
    workspace.write_table(f"{folder}/split.parquet", _split_table(fit))
    log = pa.Table.from_pylist([asdict(record) for record in fitted.log])
    workspace.write_table(f"{folder}/log.parquet", log)
    workspace.write_json(
        probe_record_path(key),
        {
            "key": key,
            "identity": fit.identity(features),
            "backbone": fit.backbone.name,
            "checkpoint": fit.backbone.checkpoint.name,
            "location": fit.backbone.checkpoint.location,
            "weights": fit.backbone.checkpoint.digest,
            "options": {
                "layer": fit.backbone.options.layer if fit.layer is None else fit.layer,
                "variant": fit.backbone.options.variant,
                "dtype": fit.backbone.options.dtype,
            },
            "audio_path": fit.protocol.audio_path,
            "probe": fit.probe.id,
            "classes": list(fit.train.mapper.classes),
            "train_counts": fit.train.counts(fit.fold.train).astype(int).tolist(),
            "train_corpus": fit.train.id,
            "protocol": fit.protocol.id,
            "fold": fit.fold.index,
            "split_seed": fit.split_seed,
            "n_train": n_train,
        },
    )


def read_probe(workspace: Workspace, key: str, probe: Probe, *, device: str = "cpu") -> FittedProbe:
    """Return a stored probe, ready to be used on a device.

    Raises:
        WorkspaceError: it is missing or not readable.
    """
    import safetensors
    import safetensors.numpy

    relative = f"probes/{key}/weights.safetensors"
    try:
        weights = safetensors.numpy.load(workspace.read_bytes(relative))
    except safetensors.SafetensorError as error:
        raise WorkspaceError(
            f"{workspace.path(relative)} is not readable: {error}",
            hint="delete its folder and run again",
        ) from error
    return probe.load(weights, device=device)


def find_probe(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return the record of the probe whose key begins with `name`.

    Raises:
        UnknownNameError: no probe or more than one begins so.
    """
    keys = [
        key
        for key in workspace.list("probes")
        if key.startswith(name) and workspace.exists(probe_record_path(key))
    ]
    if len(keys) != 1:
        count = "no probe" if not keys else f"{len(keys)} probes"
        raise UnknownNameError(
            f"{count} in {workspace.path('probes')} has a key that begins with '{name}'",
            hint="'sercore status --probes' lists them",
        )
    record: dict[str, Any] = workspace.read_json(probe_record_path(keys[0]))
    return record


def _split_table(fit: Fit) -> pa.Table:
    ids = fit.train.manifest.utterance_ids
    rows = [*fit.fold.train.tolist(), *fit.fold.test.tolist()]
    parts = ["train"] * len(fit.fold.train) + ["test"] * len(fit.fold.test)
    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "utterance_id": pa.array([ids[row] for row in rows], pa.string()),
            "part": pa.array(parts, pa.string()),
        }
    )
