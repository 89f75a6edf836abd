"""Sweeps over layers: the stored mean of each utterance at one layer, in place of its frames.

Extraction keeps the mean frame of every layer beside the frames of one. A probe that averages its
frames before anything else asks no more than that, so it can be trained on every layer without a
second pass through the encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.features.keys import feature_key
from sercore.features.packed import PackedFrames

if TYPE_CHECKING:
    from sercore.corpora.problems import Problem
    from sercore.features.store import FeatureStore


class LayerMeans:
    """The mean frame of each utterance at one layer, seen as features with one frame each.

    Args:
        store: features that keep the means of all layers.
        layer: 0 for what enters the first layer, then the layers in order.
    """

    def __init__(self, store: FeatureStore, layer: int) -> None:
        self._store = store
        self.layer = layer
        self.identity: dict[str, Any] = {**store.identity, "layer": layer, "means": True}
        self.key = feature_key(self.identity)

    def failures(self) -> tuple[Problem, ...]:
        """Return the utterances that have no features, with the reason of each."""
        return self._store.failures()

    def open(self) -> PackedFrames:
        """Return one frame an utterance, none where it failed.

        Raises:
            WorkspaceError: a part is missing, damaged, or was extracted without layer means.
        """
        means = self._store.layer_means(self.layer)
        present = np.asarray(np.isfinite(means).all(axis=1))
        return PackedFrames(
            [np.where(present[:, None], means, 0)],
            np.where(present, 0, -1).astype(np.int32),
            np.arange(len(means), dtype=np.int64),
            present.astype(np.int64),
            means.shape[1],
        )
