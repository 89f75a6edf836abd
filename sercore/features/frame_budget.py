"""Frame budgets: how many frames an encoder computes in one batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sercore.errors import BackboneError

if TYPE_CHECKING:
    from sercore.backbones.interface import Encoder

_FRAME_BUDGET = 12_000
"""Frames computed in one batch on an accelerator: eight padded Whisper windows, or 80 utterances
of 3 s at 50 Hz."""

_FRAME_BUDGET_CPU = 1_500
"""On the CPU one padded Whisper window, or 10 utterances of 3 s at 50 Hz: larger batches exceed
its caches and are a fifth slower, smaller ones leave a small encoder idle between calls."""

_PROBE_SECONDS = 30.0
_PROBE_MARGIN = 1.25
"""A probed batch is this much larger than the budget it stands for: free memory is fragmented
differently in every batch."""


def default_frame_budget(device: str) -> int:
    """Return how many frames are computed in one batch unless the user chooses a number."""
    return _FRAME_BUDGET_CPU if device == "cpu" else _FRAME_BUDGET


def probe_frame_budget(encoder: Encoder, sample_rate: int, device: str) -> int:
    """Return the largest frame budget that the device's memory holds, of a doubling series.

    Batches of recordings of 30 s, where memory is needed most, are encoded until one does not
    fit. Larger batches gain nothing on the CPU, and a system that is out of memory kills the
    process there instead of raising an error, so the default is the largest that is tried.

    Args:
        encoder: a loaded backbone.
        sample_rate: hertz, from its card.
        device: where it runs.

    Raises:
        BackboneError: not even one recording of 30 s fits.
    """
    samples = round(_PROBE_SECONDS * sample_rate)
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    cost = encoder.cost(samples)
    ceiling = default_frame_budget(device) * (1 if device == "cpu" else 16)
    budgets = [cost]
    while budgets[-1] * 2 <= max(ceiling, cost):
        budgets.append(budgets[-1] * 2)
    fits: int | None = None
    for budget in budgets:
        rows = math.ceil(_PROBE_MARGIN * budget / cost) if budget > cost else 1
        try:
            encoder.encode(encoder.prepare([waveform] * rows))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            break
        fits = budget
    if fits is None:
        raise BackboneError(
            f"the memory of {device} does not hold one recording of 30 s",
            hint="choose another device or precision",
        )
    return fits


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory of a device or of the machine is full."""
    # torch raises its own class on accelerators and a plain RuntimeError on the CPU.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return "not enough memory" in text or "can't allocate memory" in text
