"""What a probe got right of each speaker of a test corpus."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from typing import NamedTuple

import numpy as np

from sercore.errors import WorkspaceError
from sercore.evaluation.units import UTTERANCE
from sercore.evaluation.units import units_of

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.results.cell_statistics import CellStatistics
    from sercore.results.matrices import Cell
    from sercore.results.matrices import Setting
    from sercore.storage.workspace import Workspace

_MOST_NAMES = 3


class SpeakerScore(NamedTuple):
    """One speaker of a cell, or a weaker group where a corpus does not name speakers."""

    name: str
    utterances: int
    """Tested utterances, over all probes of the cell."""
    right: float
    """The share of them that was recognised."""


class SpeakerScores:
    """Scores by speaker of the cells of one run.

    Args:
        statistics: reads the stored predictions.
        workspace: holds the manifests.
    """

    def __init__(self, statistics: CellStatistics, workspace: Workspace) -> None:
        self._statistics = statistics
        self._workspace = workspace
        self._names = lru_cache(maxsize=64)(self._read_names)

    def of(self, cell: Cell, setting: Setting, manifest: str) -> tuple[SpeakerScore, ...]:
        """Return the scores by speaker; empty without predictions or speakers.

        Args:
            cell: the cell.
            setting: of its matrix.
            manifest: digest of the manifest of its test corpus.
        """
        counted = self._statistics.unit_counts(cell, setting)
        if counted is None or counted.unit == UTTERANCE:
            return ()
        try:
            names = self._names(cell.test, manifest)
        except WorkspaceError:
            return ()
        total = sum(np.asarray(fit, dtype=np.float64) for fits in counted.seeds for fit in fits)
        tested = np.asarray(total).sum(axis=(1, 2))
        right = np.asarray(total).trace(axis1=1, axis2=2)
        return tuple(
            SpeakerScore(names[int(unit)], int(n), float(hits / n))
            for unit, n, hits in zip(counted.unit_ids, tested, right, strict=True)
            if n
        )

    def _read_names(self, corpus: str, manifest: str) -> dict[int, str]:
        table = self._workspace.read_table(f"manifests/{corpus}/{manifest}.parquet")
        return _unit_names(table)


def _unit_names(manifest: pa.Table) -> dict[int, str]:
    """Return the names of the speakers of each unit; people of one conversation form one unit."""
    units = units_of(manifest)
    column = "speaker" if units.kind == "speaker" else "group"
    members: dict[int, dict[str, None]] = {}
    for code, value in zip(units.codes.tolist(), manifest[column].to_pylist(), strict=True):
        listed = value if isinstance(value, list) else [str(value)]
        members.setdefault(code, {}).update(dict.fromkeys(listed))
    return {code: _joined(list(names)) for code, names in members.items()}


def _joined(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {rest} more" if rest > 0 else shown
