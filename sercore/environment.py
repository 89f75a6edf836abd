"""Libraries that fail to load in ways which their own message does not explain."""

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


def library_version(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def import_error(name: str) -> str | None:
    """Import a module and return why it cannot be, in one line, or None."""
    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 - a shared library can fail in any way
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


@cache
def torchaudio_error() -> str | None:
    """Return one sentence on why torchaudio does not load, or None.

    It is built for one torch. Beside another it cannot load, and then every audio feature
    extractor of transformers fails too, saying only that it could not be imported.
    """
    error = import_error("torchaudio")
    if error is None:
        return None
    wanted = " ".join(f"'{_requirement(name)}'" for name in ("torch", "torchaudio"))
    return (
        f"torchaudio {library_version('torchaudio')} cannot load beside torch "
        f"{library_version('torch')} ({error}); install two that belong together: "
        f"pip install {wanted}"
    )


def _requirement(name: str) -> str:
    stated = requires("sercore") or []
    return next((text for text in stated if re.match(rf"{name}\b", text)), name)


_PACKAGES = (
    "numpy",
    "pluggy",
    "pyarrow",
    "scikit-learn",
    "soxr",
    "torch",
    "torchaudio",
    "transformers",
)


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result was computed with."""
    return {
        "sercore": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def peak_memory_mb() -> float | None:
    """Return the largest resident memory of this process so far, in mebibytes."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if platform.system() == "Darwin" else 1024)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
