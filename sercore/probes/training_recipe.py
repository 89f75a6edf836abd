"""The hyperparameters of the perceptron probes; every one of them is part of the probe key.

Importing this module is cheap: a probe can describe its settings without torch.
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """Hyperparameters for training a perceptron on packed frames.

    The defaults are those of the published code: one hidden layer with layer normalisation and
    exact GELU, logits averaged over frames, AdamW with weight decay on every parameter, and a
    one-cycle schedule with one step per batch.
    """

    hidden: int = 512
    """Units of the hidden layer."""
    dropout: float = 0.1
    """Share of hidden activations that are set to zero in training."""
    epochs: int = 100
    batch: int = 32
    """Utterances per batch; the last partial batch of an epoch is dropped."""
    learning_rate: float = 1e-4
    """Peak learning rate of the schedule."""
    warm_up: float = 0.1
    """Share of the steps in which the learning rate rises."""
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
    """Applied to every parameter, biases and normalisation included."""
    clip: float = 0.5
    """Largest norm of the gradient over all parameters."""
    label_smoothing: float = 0.1
    norm_epsilon: float = 1e-5
    frame_stride: int = 1
    """Each epoch reads every n-th frame of an utterance, from an offset drawn for the epoch."""

    def as_settings(self) -> dict[str, Any]:
        """Return all hyperparameters by name, as JSON values."""
        return asdict(self)

    def batches(self, n_train: int) -> int:
        """Return the number of batches per epoch: full batches only, but at least one."""
        return max(1, n_train // self.batch)
