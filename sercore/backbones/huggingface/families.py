"""The supported architectures, and the facts that a checkpoint's configuration states.

Nothing here imports torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import BackboneError

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a checkpoint's frames, as its configuration states it."""

    sample_rate: int
    """Hertz that the encoder expects."""
    width: int
    layers: int
    frame_rate: float
    """Frames per second of audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture and its loader."""

    id: str
    model_types: tuple[str, ...]
    """Values of ``model_type`` in a checkpoint's config.json."""
    module: str
    """The module with ``load(folder, card, options)``; imported when weights are loaded."""
    shape: Callable[[Mapping[str, Any], Mapping[str, Any]], Shape]
    """Reads the shape from the configurations of the model and of its feature extractor."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Variants of every checkpoint of the family: name to one sentence."""
    tolerance: float = 1e-5
    """Upper bound of the relative difference between an utterance alone and in a batch."""


def _whisper(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Shape:
    rate = int(preprocessor["sampling_rate"])
    hop = int(preprocessor["hop_length"])
    return Shape(rate, int(config["d_model"]), int(config["encoder_layers"]), rate / hop / 2)


def _wav2vec2(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Shape:
    rate = int(preprocessor["sampling_rate"])
    hop = math.prod(config["conv_stride"])
    return Shape(rate, int(config["hidden_size"]), int(config["num_hidden_layers"]), rate / hop)


def _w2v_bert(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Shape:
    rate = int(preprocessor["sampling_rate"])
    frame_rate = 100 / int(preprocessor["stride"])
    return Shape(rate, int(config["hidden_size"]), int(config["num_hidden_layers"]), frame_rate)


def _clap(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> Shape:
    audio = config["audio_config"]
    side = int(audio["spec_size"]) // int(audio["patch_stride"][0])
    # Every stage but the first halves the image. Its rows hold the time axis in `ratio` pieces.
    ratio = int(audio["spec_size"]) // int(audio["num_mel_bins"])
    steps = ratio * (side >> (len(audio["depths"]) - 1))
    frame_rate = steps / int(preprocessor["max_length_s"])
    rate = int(preprocessor["sampling_rate"])
    return Shape(rate, int(audio["hidden_size"]), sum(audio["depths"]), frame_rate)


FAMILIES = (
    Family(
        id="whisper",
        model_types=("whisper",),
        module="sercore.backbones.huggingface.whisper",
        shape=_whisper,
        variants={
            "exact": "the encoder runs on the length of the utterance instead of a window of 30 s; "
            "its frames differ, and it is about twelve times cheaper on 3 s of speech"
        },
    ),
    Family(
        id="wav2vec2",
        model_types=("wav2vec2", "hubert", "wavlm", "mert_model"),
        module="sercore.backbones.huggingface.wav2vec2",
        shape=_wav2vec2,
    ),
    Family(
        id="w2v-bert",
        model_types=("wav2vec2-bert",),
        module="sercore.backbones.huggingface.w2v_bert",
        shape=_w2v_bert,
    ),
    Family(
        id="clap",
        model_types=("clap",),
        module="sercore.backbones.huggingface.clap",
        shape=_clap,
        variants={
            "windows": "covers all of the audio with windows of 10 s, instead of its middle 10 s"
        },
    ),
)


def family_named(name: str) -> Family:
    """Return the family with this id.

    Raises:
        BackboneError: there is no such family.
    """
    for family in FAMILIES:
        if family.id == name:
            return family
    names = ", ".join(family.id for family in FAMILIES)
    raise BackboneError(
        f"there is no loader for the family '{name}'", hint=f"choose one of {names}"
    )


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Return a JSON file of a checkpoint.

    Raises:
        BackboneError: the file is missing or is not a JSON object.
    """
    try:
        value = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        raise BackboneError(
            f"the checkpoint {folder} has no {name}",
            hint="copy the whole folder of the checkpoint, not only its weights",
        ) from None
    except (OSError, ValueError) as error:
        raise BackboneError(f"{folder / name} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BackboneError(f"{folder / name} is not a JSON object")
    return value


def read_shape(folder: Path) -> tuple[Family, Shape]:
    """Return the family of a checkpoint and the shape of its frames.

    Raises:
        BackboneError: the folder holds no checkpoint of a supported architecture.
    """
    config = read_config(folder, CONFIG)
    model_type = str(config.get("model_type"))
    family = next((known for known in FAMILIES if model_type in known.model_types), None)
    if family is None:
        supported = ", ".join(sorted(name for known in FAMILIES for name in known.model_types))
        raise BackboneError(
            f"the checkpoint {folder} is of type '{model_type}', which sercore does not support",
            hint=f"supported types are {supported}",
        )
    preprocessor = read_config(folder, PREPROCESSOR)
    try:
        return family, family.shape(_completed(config, model_type), _extractor(preprocessor))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BackboneError(
            f"the configuration of the checkpoint {folder} cannot be used: "
            f"{type(error).__name__}: {error}"
        ) from error


# Published files leave these out, because they are the defaults of the class that reads them.
_EXTRACTOR_DEFAULTS = {"hop_length": 160, "stride": 2, "max_length_s": 10}

_CLAP_NEEDS = {"spec_size", "num_mel_bins", "patch_stride", "hidden_size", "depths"}


def _extractor(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    return _EXTRACTOR_DEFAULTS | dict(preprocessor)


def _completed(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Return a configuration with the defaults that config.json leaves out."""
    needed = {
        "whisper": ("d_model", "encoder_layers"),
        "clap": ("audio_config",),
        "wav2vec2-bert": ("hidden_size", "num_hidden_layers"),
    }.get(model_type, ("hidden_size", "num_hidden_layers", "conv_stride"))
    audio = config.get("audio_config")
    if all(name in config for name in needed) and (audio is None or set(audio) >= _CLAP_NEEDS):
        return dict(config)
    from transformers import CONFIG_MAPPING

    cls = CONFIG_MAPPING["hubert" if model_type == "mert_model" else model_type]
    completed: dict[str, Any] = cls.from_dict(dict(config)).to_dict()
    return completed
