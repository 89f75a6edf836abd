"""Class frequencies behind stored predictions, read back from what a run wrote."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.evaluation.adjustment import Priors
from sercore.probes.store import probe_record_path

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.storage.workspace import Workspace


class StoredPriors:
    """The priors of any probe and test corpus of one run.

    Args:
        workspace: where probes lie.
        record: the run's record, which counts the classes of every corpus.
    """

    def __init__(self, workspace: Workspace, record: Mapping[str, Any]) -> None:
        self._workspace = workspace
        corpora = record.get("corpora")
        self._corpora = corpora if isinstance(corpora, Mapping) else {}
        self._trained = lru_cache(maxsize=4096)(self._read_trained)

    def of(self, probe_key: str, train: str, test: str, classes: tuple[str, ...]) -> Priors | None:
        """Return the counts over a class space, or None where they were not stored."""
        trained = self._trained(probe_key)
        if trained is None or train not in self._corpora or test not in self._corpora:
            return None
        own = np.array([trained.get(name, 0.0) for name in classes])
        return Priors(own, self._counts(train, classes), self._counts(test, classes))

    def _counts(self, corpus: str, classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
        found = self._corpora[corpus].get("classes") or {}
        return np.array([float(found.get(name, 0)) for name in classes])

    def _read_trained(self, probe_key: str) -> dict[str, float] | None:
        path = probe_record_path(probe_key)
        if not self._workspace.exists(path):
            return None
        record = self._workspace.read_json(path)
        return dict(zip(record["classes"], map(float, record["train_counts"]), strict=True))
