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

    @property
    def place(self) -> str:
        """Name of the cell, the same for all folds and seeds."""
        corpora = f"{self.train_corpus} to {self.test_corpus}"
        return f"{self.backbone}/{self.probe}/layer {self.layer}/{corpora}"

    @property
    def named_scores(self) -> dict[str, float]:
        """The scores by a name that is unique in the run, apart from folds and seeds."""
        return {f"{rule}/{self.place}": value for rule, value in self.scores.items()}


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

    @property
    def averages(self) -> dict[str, float]:
        """The averages of all matrices by a name that is unique in the run, those that exist."""
        named = {}
        has_sets = len({reduction.setting.corpora for reduction in self.reductions}) > 1
        for reduction in self.reductions:
            setting = reduction.setting
            matrix = [setting.backbone, setting.probe, f"layer {setting.layer}", setting.metric]
            outside = reduction.out_of_domain
            if outside is not None:
                matrix += [setting.class_rule, setting.adjustment]
            matrix += [setting.corpora] if has_sets else []
            means = {
                "in-domain": reduction.in_domain.mean,
                "out-of-domain": None if outside is None else outside.average.mean,
                "weighted": reduction.weighted,
            }
            for kind, mean in means.items():
                if mean is not None:
                    name = "/".join(["average", kind, *(part for part in matrix if part)])
                    named[name] = mean
        return named
