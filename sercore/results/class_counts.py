"""Class counts behind stored predictions, read from the files of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.evaluation.adjustment import ClassCounts
from sercore.probes.store import probe_record_path
from sercore.results.record import corpora_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.workspace import Workspace


class StoredClassCounts:
    """The class counts of every probe and test corpus of one run.

    Args:
        workspace: holds the probes.
        record: of the run; it counts the classes of every corpus.
    """

    def __init__(self, workspace: Workspace, record: Mapping[str, Any]) -> None:
        self._workspace = workspace
        self._corpora = corpora_of(record)
        self._trained = lru_cache(maxsize=4096)(self._read_trained)

    def of(
        self, probe_key: str | None, train: str, test: str, classes: tuple[str, ...]
    ) -> ClassCounts | None:
        """Return the counts over a class space, or None if they are not stored."""
        trained = self._trained(probe_key) if probe_key else None
        if trained is None or train not in self._corpora or test not in self._corpora:
            return None
        return ClassCounts(
            train_part=_over(trained, classes),
            train_corpus=_over(self._corpora[train].classes, classes),
            test_corpus=_over(self._corpora[test].classes, classes),
        )

    def _read_trained(self, probe_key: str) -> dict[str, float] | None:
        path = probe_record_path(probe_key)
        if not self._workspace.exists(path):
            return None
        record = self._workspace.read_json(path)
        return dict(zip(record["classes"], map(float, record["train_counts"]), strict=True))


def _over(counts: Mapping[str, float], classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    return np.array([float(counts.get(name, 0)) for name in classes])
