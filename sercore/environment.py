"""The machine and the library versions that results are computed with."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import requires
from importlib.metadata import version
from typing import Any

from sercore.__about__ import __version__

_RECORDED = (
    "numpy",
    "pluggy",
    "pyarrow",
    "scikit-learn",
    "soxr",
    "torch",
    "torchaudio",
    "transformers",
)
"""Distributions whose versions are recorded with every run."""


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result is computed with, as JSON values."""
    return {
        "sercore": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
        "processors": os.cpu_count(),
        "packages": {name: library_version(name) for name in _RECORDED},
    }


def library_version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def import_error(name: str) -> str | None:
    """Import a module; return the error in one line, or None if there is no error."""
    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 - a shared library can fail in any way
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


@cache
def torchaudio_error() -> str | None:
    """Return one sentence that says why torchaudio does not load, or None if it does.

    Each torchaudio is built for one version of torch. With another version it fails to load, and
    then every audio feature extractor of transformers fails with a message that does not name the
    cause.
    """
    error = import_error("torchaudio")
    if error is None:
        return None
    wanted = " ".join(f"'{_requirement(name)}'" for name in ("torch", "torchaudio"))
    return (
        f"torchaudio {library_version('torchaudio')} does not load with torch "
        f"{library_version('torch')} ({error}); install versions that match: pip install {wanted}"
    )


def peak_memory_mb() -> float | None:
    """Return the peak resident memory of this process in mebibytes; None where it is unknown."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if platform.system() == "Darwin" else 1024)


def _requirement(name: str) -> str:
    """Return how sercore requires a distribution, for example ``torch>=2.4,<2.15``."""
    stated = requires("sercore") or []
    return next((text for text in stated if re.match(rf"{name}\b", text)), name)
