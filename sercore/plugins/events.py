"""What trackers hear: one value for each finished cell, and one for the finished run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import Literal

Status = Literal["done", "failed", "unavailable", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEvent:
    """A cell is done or has failed. Sent once for each cell of each fold and seed."""

    run: str
    backbone: str
    probe: str
    layer: str
    train_corpus: str
    test_corpus: str
    fold: int
    split_seed: int
    status: Status
    reason: str | None
    """One sentence, where it failed."""
    scores: Mapping[str, float]
    """The headline metric by class rule."""
    record: Mapping[str, Any]
    """Columns of the scores that the cell fixes: keys, digests, counts. Empty where it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """A run has ended."""

    run: str
    folder: str
    counts: Mapping[str, int]
    """Cells by status."""
    interrupted: bool
    record: Mapping[str, Any]
    """The content of ``run.json``."""
    reductions: tuple[Any, ...]
    """The averages of each matrix (`sercore.results.reductions.Reductions`)."""
