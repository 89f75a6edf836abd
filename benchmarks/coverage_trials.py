"""Trials of `benchmarks.coverage` that are saved as they finish."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks import coverage_backbones
from benchmarks import coverage_cells
from benchmarks import coverage_leak
from benchmarks.common import RESULTS
from sercore import statistics

PARTIAL = RESULTS / "coverage.partial.json"
_SIMULATIONS = (coverage_cells, coverage_backbones, coverage_leak)


class SavedTrials:
    """Trials by scenario, kept in a file until the table is written.

    Args:
        keep: whether to read and write the file at all.
        restart: whether to forget what it holds.
    """

    def __init__(self, *, keep: bool, restart: bool) -> None:
        self._keep = keep
        self._code = _code()
        self.trials: dict[str, list[Mapping[str, float]]] = {}
        if keep and not restart and PARTIAL.exists():
            content = json.loads(PARTIAL.read_text(encoding="utf-8"))
            # Trials of other code are no trials of this one.
            if content["code"] == self._code:
                self.trials = content["trials"]

    def save(self) -> None:
        """Write the file whole."""
        if not self._keep:
            return
        RESULTS.mkdir(parents=True, exist_ok=True)
        fresh = PARTIAL.with_suffix(".new")
        content = {"code": self._code, "trials": self.trials}
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(PARTIAL)


def _code() -> str:
    """Return a digest of what the trials run through."""
    folder = Path(statistics.__file__).parent
    simulations = [Path(module.__file__ or "") for module in _SIMULATIONS]
    sources = [*sorted(folder.glob("*.py")), *simulations]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
