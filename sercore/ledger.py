"""What is done, failed or missing: one record per probe fit, holding all its test cells.

A record says how a result came about (timings, memory, versions, host), never what it is: scores
are computed from predictions alone, so records may differ between two runs whose results are equal.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.__about__ import __version__
from sercore.workspace import flatten

if TYPE_CHECKING:
    from sercore.workspace import Workspace

Status = Literal["done", "failed", "unavailable", "skipped"]

_PACKAGES = (
    "numpy",
    "pluggy",
    "pyarrow",
    "scikit-learn",
    "soxr",
    "torch",
    "torchaudio",
    "transformers",
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEvent:
    """Told to trackers when a cell is done or has failed."""

    run: str
    backbone: str
    train_corpus: str
    test_corpus: str
    fold: int
    split_seed: int
    status: Status
    reason: str | None
    scores: Mapping[str, float]
    """The headline metric by class rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """Told to trackers when a run has ended."""

    run: str
    folder: str
    counts: Mapping[str, int]
    """Cells by status."""
    interrupted: bool


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


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result was computed with."""
    return {
        "sercore": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def peak_memory_mb() -> float | None:
    """Return the largest resident memory of this process so far, in mebibytes."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if platform.system() == "Darwin" else 1024)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _parsed(text: str) -> list[dict[str, Any]]:
    import json

    cells: list[dict[str, Any]] = json.loads(text)
    return cells
