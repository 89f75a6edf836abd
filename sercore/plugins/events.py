"""What trackers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["done", "failed", "unavailable", "skipped"]


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
