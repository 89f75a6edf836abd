"""The published training recipe as one light value; every number in it is part of the probe key."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a multi-layer perceptron is trained on packed frames.

    The defaults are those of the published code: one hidden layer with layer normalisation and
    exact GELU, logits averaged over frames, AdamW with decay on every parameter, a one-cycle
    schedule stepped per batch.
    """

    hidden: int = 512
    """Units of the hidden layer."""
    dropout: float = 0.1
    """Share of hidden activations set to zero while training."""
    epochs: int = 100
    batch: int = 32
    """Utterances in a batch; the last partial batch of an epoch is dropped."""
    learning_rate: float = 1e-4
    """Peak of the schedule."""
    warm_up: float = 0.1
    """Share of the steps in which the rate rises."""
    start_divisor: float = 25.0
    """Peak rate / first rate."""
    end_divisor: float = 1e4
    """First rate / last rate."""
    momentum_high: float = 0.95
    """beta1 at both ends of the cycle."""
    momentum_low: float = 0.85
    """beta1 at the peak rate."""
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    """On every parameter, biases and normalisation too."""
    clip: float = 0.5
    """Largest norm of the gradient over all parameters."""
    label_smoothing: float = 0.1
    norm_epsilon: float = 1e-5
    frame_stride: int = 1
    """Each epoch sees every n-th frame of an utterance, from an offset drawn anew."""

    def as_settings(self) -> dict[str, Any]:
        """Return every number by name, as JSON values."""
        return asdict(self)

    def batches(self, n_train: int) -> int:
        """Return the batches of one epoch: full ones only, but one of all if there is none."""
        return max(1, n_train // self.batch)
