"""What is done, failed or missing: one record per probe fit, holding all its test cells.

A record says how a result came about (timings, memory, versions, host), never what it is: scores
are computed from predictions alone, so records may differ between two runs whose results are equal.
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.storage.digests import flatten

if TYPE_CHECKING:
    from sercore.plugins.events import Status
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """How one cell of a probe fit went."""

    test_corpus: str
    class_rules: tuple[str, ...]
    status: Status
    reason: str | None = None
    prediction_key: str | None = None
    n_test: int = 0
    n_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRecord:
    """How one probe fit and all its cells went."""

    backbone: str
    checkpoint: str
    train_corpus: str
    split: str
    fold: int
    split_seed: int
    status: Status
    reason: str | None = None
    probe_key: str | None = None
    n_train: int = 0
    shared_speakers: int | None = None
    shared_texts: int | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None
    cells: tuple[CellRecord, ...] = ()

    @property
    def name(self) -> str:
        """A file name that is unique in its run."""
        place = f"{self.backbone}~{self.train_corpus}~{self.split_seed}~{self.fold}"
        return place.replace("/", "+").replace(":", "+")


class Ledger:
    """The records of one run, written whole or not at all.

    Args:
        workspace: where they lie.
        run: the run's name.
    """

    def __init__(self, workspace: Workspace, run: str) -> None:
        self._workspace = workspace
        self.folder = f"runs/{run}"

    def write(self, record: FitRecord) -> None:
        """Store a record; the one of the same fit is replaced."""
        self._workspace.write_json(f"{self.folder}/ledger/{record.name}.json", asdict(record))

    def records(self) -> list[dict[str, Any]]:
        """Return all records: the compacted file, overlaid by those written since."""
        found: dict[str, dict[str, Any]] = {}
        compacted = f"{self.folder}/ledger.parquet"
        if self._workspace.exists(compacted):
            for row in self._workspace.read_table(compacted).to_pylist():
                name = row.pop("name")
                found[name] = row | {"cells": _parsed(row["cells"])}
        for name in self._workspace.list(f"{self.folder}/ledger"):
            stem = name.removesuffix(".json")
            found[stem] = self._workspace.read_json(f"{self.folder}/ledger/{name}")
        return [found[name] for name in sorted(found)]

    def compact(self) -> None:
        """Move the single records into one Parquet file."""
        import pyarrow as pa

        records = self.records()
        if not records:
            return
        rows = [
            {"name": FitRecord(**record).name} | flatten(record)  # the key stays derivable
            for record in records
        ]
        self._workspace.write_table(f"{self.folder}/ledger.parquet", pa.Table.from_pylist(rows))
        self._workspace.remove(f"{self.folder}/ledger")


def _parsed(text: str) -> list[dict[str, Any]]:
    import json

    cells: list[dict[str, Any]] = json.loads(text)
    return cells
