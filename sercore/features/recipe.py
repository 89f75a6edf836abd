"""The numeric recipe: which library versions the frames of a corpus depend on.

The rule: a library enters the feature key with its major and minor version if its code lies between
the bytes of a recording and the frames. Patch releases keep numbers by convention. All versions in
full are recorded with every part, and enter no key. See ``docs/identity.md``.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Any

from sercore.__about__ import __version__
from sercore.environment import library_version

_AUDIO = ("av", "soundfile", "numpy")
"""They decode recordings and mix their channels."""

_RESAMPLER = {"direct": "soxr", "paper": "torchaudio"}

_ENCODER = ("torch", "torchaudio")
"""They compute filterbanks and run the encoder."""

_TRANSFORMERS = "transformers"

_RECORDED = (*_AUDIO, "soxr", *_ENCODER, _TRANSFORMERS, "safetensors", "pyarrow")


def numeric_recipe(family: str, audio_path: str) -> dict[str, str | None]:
    """Return the versions that change frames, ``major.minor`` by library.

    Args:
        family: loader of the backbone, as its card names it; ``none`` uses no transformers.
        audio_path: how recordings are resampled.
    """
    names = {*_AUDIO, *_ENCODER, _RESAMPLER[audio_path]}
    if family != "none":
        names.add(_TRANSFORMERS)
    return {name: _major_minor(_version(name)) for name in sorted(names)}


def recorded_versions() -> dict[str, Any]:
    """Return every version that is recorded with a part, in full."""
    versions: dict[str, Any] = {name: _version(name) for name in sorted(set(_RECORDED))}
    return {"sercore": __version__, "python": platform.python_version(), **versions}


@cache
def _version(name: str) -> str | None:
    return library_version(name)  # it reads files, and stores are many


def _major_minor(version: str | None) -> str | None:
    return None if version is None else ".".join(version.split("+")[0].split(".")[:2])
