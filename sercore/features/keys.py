"""The feature key: everything that the frames of a corpus depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from sercore.backbones.interface import MAX_SECONDS
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.manifest import Manifest

    FrameBlock = npt.NDArray[np.float16] | npt.NDArray[np.float32]


SCHEMA_VERSION = 1
"""Version of the files of a store."""


EXTRACTION_VERSION = 1
"""Raised whenever the same weights and audio would give other frames than before."""


def feature_identity(
    card: BackboneCard,
    checkpoint: Checkpoint,
    options: EncoderOptions,
    audio_path: AudioPath,
    manifest: Manifest,
) -> dict[str, Any]:
    """Return all that the features of a corpus depend on, as JSON values.

    Neither the place of the weights and of the audio on this disk nor the device is part of it.
    """
    name = card.id
    if name.startswith("hf:"):
        # Given as a path or a hub name, the same weights are the same backbone.
        name = "hf:" + checkpoint.name.rstrip("/").rpartition("/")[2]
    if options.variant is not None:
        name = f"{name}:{options.variant}"
    return {
        "schema": SCHEMA_VERSION,
        "extraction": EXTRACTION_VERSION,
        "backbone": name,
        "checkpoint": checkpoint.digest,
        "width": card.width,
        "layer": options.layer,
        "dtype": options.dtype,
        "audio_path": audio_path,
        "sample_rate": card.sample_rate,
        "max_seconds": MAX_SECONDS,
        "corpus": manifest.corpus,
        "manifest": manifest.digest,
        "utterances": len(manifest),
    }


def feature_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) that names a store."""
    return digest_of(dict(identity))
