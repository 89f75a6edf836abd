"""The feature key: everything that the frames of a corpus depend on, and nothing else.

Labels, speakers and all other annotations are not part of it, nor is any path or the name of a
backbone: a corrected label extracts nothing, and two names of the same weights share frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from sercore.backbones.interface import MAX_SECONDS
from sercore.errors import CorpusError
from sercore.features.recipe import numeric_recipe
from sercore.storage.code import code_identity
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.backbones.interface import AudioPath
    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.manifest import Manifest

SCHEMA_VERSION = 2
"""Version of the files of a store."""

EXTRACTION_VERSION = 1
"""Raised when sercore's own code computes other frames from the same weights and audio."""


def encoder_identity(
    backbone: Backbone, checkpoint: Checkpoint, options: EncoderOptions, audio_path: AudioPath
) -> dict[str, Any]:
    """Return all that the frames of one recording depend on beside the recording, as JSON values.

    The device, the batch plan and the number of threads move the last bits only. They are recorded
    with each part.
    """
    card = backbone.card
    module = type(backbone).__module__
    is_core = module.partition(".")[0] == __name__.partition(".")[0]
    return {
        "schema": SCHEMA_VERSION,
        "extraction": EXTRACTION_VERSION,
        "code": None if is_core else code_identity(module),
        "checkpoint": checkpoint.digest,
        "width": card.width,
        "layer": options.layer,
        "variant": options.variant,
        "dtype": options.dtype,
        "audio_path": audio_path,
        "sample_rate": card.sample_rate,
        "max_seconds": MAX_SECONDS,
        "recipe": numeric_recipe(card.family, audio_path),
    }


def feature_identity(
    backbone: Backbone,
    checkpoint: Checkpoint,
    options: EncoderOptions,
    audio_path: AudioPath,
    manifest: Manifest,
) -> dict[str, Any]:
    """Return all that the features of a corpus depend on, as JSON values.

    Raises:
        CorpusError: the manifest was built without the digests of its audio.
    """
    if not manifest.has_contents:
        raise CorpusError(
            f"the manifest of {manifest.corpus} was built without reading audio",
            hint="use load_manifest, or build_manifest with contents=read_contents",
        )
    return {
        "encoder": encoder_identity(backbone, checkpoint, options, audio_path),
        "corpus": manifest.corpus,
        "audio": manifest.digests.audio,
        "utterances": len(manifest),
    }


def feature_key(identity: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) that names a store."""
    return digest_of(dict(identity))


def part_key(encoder: str, content: str) -> str:
    """Return the SHA-256 (hexadecimal) that names a part.

    Args:
        encoder: digest of `encoder_identity`.
        content: digest of the audio of the part.
    """
    return digest_of([encoder, content])
