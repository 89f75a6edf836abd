"""Predictions of probes on test corpora, stored unadjusted: every score is computed from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sercore.errors import WorkspaceError

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.workspace import Workspace


@dataclass(frozen=True)
class Predictions:
    """Mean logits of one probe on the utterances of one test corpus.

    Args:
        rows: int64 (utterances,), rows of the test manifest, ascending.
        utterance_ids: their ids; empty where they were not read.
        labels: int64 (utterances,), class indices.
        logits: float32 (utterances, classes), averaged over frames, unadjusted.
        classes: the class space.
    """

    rows: npt.NDArray[np.int64]
    utterance_ids: list[str]
    labels: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)


def _schema(classes: tuple[str, ...]) -> pa.Schema:
    """Return the columns of a predictions file; the class space is metadata."""
    return pa.schema(
        [
            ("row", pa.int64()),  # of the test manifest
            ("utterance_id", pa.string()),
            ("label", pa.int8()),  # index of a class
            ("logits", pa.list_(pa.float32(), len(classes))),  # unadjusted
        ],
        metadata={"classes": json.dumps(classes)},
    )


def predictions_path(key: str) -> str:
    """Return the path of the predictions of a prediction key in a workspace."""
    return f"predictions/{key}.parquet"


def write_predictions(workspace: Workspace, key: str, predictions: Predictions) -> None:
    """Store predictions under their key. Raises as `Workspace.write` does."""
    table = pa.table(
        {
            "row": predictions.rows,
            "utterance_id": predictions.utterance_ids,
            "label": pa.array(predictions.labels, pa.int8()),
            "logits": pa.FixedSizeListArray.from_arrays(
                pa.array(predictions.logits.reshape(-1), pa.float32()), len(predictions.classes)
            ),
        },
        schema=_schema(predictions.classes),
    )
    workspace.write_table(predictions_path(key), table)


def read_predictions(workspace: Workspace, key: str, *, ids: bool = True) -> Predictions:
    """Return stored predictions.

    Args:
        workspace: where they are.
        key: the prediction key.
        ids: whether to read the utterance ids; without them, reading takes half the time.

    Raises:
        WorkspaceError: they are missing or not readable.
    """
    columns = None if ids else ("row", "label", "logits")
    table = workspace.read_table(predictions_path(key), columns)
    try:
        classes = tuple(json.loads(table.schema.metadata[b"classes"]))
        flat = table.column("logits").combine_chunks().flatten().to_numpy()
        return Predictions(
            rows=table.column("row").combine_chunks().to_numpy(),
            utterance_ids=table.column("utterance_id").to_pylist() if ids else [],
            labels=table.column("label").combine_chunks().to_numpy().astype(np.int64),
            logits=np.asarray(flat, dtype=np.float32).reshape(-1, len(classes)),
            classes=classes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WorkspaceError(
            f"{workspace.path(predictions_path(key))} is not a predictions file: {error}",
            hint="delete it and run again",
        ) from error
