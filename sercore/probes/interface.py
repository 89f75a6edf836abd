"""What a probe is: the small model that is trained on a backbone's frozen frames."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol
from typing import runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.features.packed import PackedFrames

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all) while a probe trains; must be cheap."""


PROBES_VERSION = 1
"""Raised whenever a built-in probe would learn other weights from the same frames and settings."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What one epoch of training did."""

    epoch: int
    loss: float
    """Mean training loss over the batches."""
    seconds: float


@runtime_checkable
class FittedProbe(Protocol):
    """A trained probe."""

    @property
    def weights(self) -> Mapping[str, npt.NDArray[Any]]:
        """Every array needed to use it again, by name."""

    @property
    def log(self) -> tuple[EpochRecord, ...]:
        """What each epoch did; empty for a probe that was loaded."""

    def logits(self, frames: PackedFrames, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return unadjusted logits averaged over the frames of each utterance.

        Returns:
            float32 of shape (rows, classes); it does not depend on which other rows are asked for.
        """


@runtime_checkable
class Probe(Protocol):
    """What a probe plugin registers.

    One that averages the frames of an utterance before anything else may say so with an attribute
    ``pools = True``: then it can be trained on the stored means of all layers (``--layer all``).
    """

    @property
    def id(self) -> str:
        """The name that ``--probe`` takes."""

    @property
    def summary(self) -> str:
        """One sentence for listings."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that shapes a fit, as JSON values; part of the probe key."""

    def fit(
        self,
        frames: PackedFrames,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        *,
        n_classes: int,
        seed: int,
        device: str,
        progress: Progress | None = None,
    ) -> FittedProbe:
        """Train on some utterances of a corpus.

        Args:
            frames: the frames of the corpus.
            rows: int64 (n,), which utterances train.
            labels: int64 (n,), their classes.
            n_classes: the size of the class space, absent classes included.
            seed: drives initialisation, order and dropout.
            device: where to train, ``cpu`` or ``cuda[:n]``.
            progress: called with the progress of the fit.
        """

    def load(self, weights: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu") -> FittedProbe:
        """Return a probe trained earlier from its weights, to be used on a device."""


def pools(probe: Probe) -> bool:
    """Return whether a probe averages its frames before anything else, as it says itself."""
    return bool(getattr(probe, "pools", False))
