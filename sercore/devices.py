"""Which device and precision ``auto`` means here."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def choose_device(asked: str) -> str:
    """Return a torch device name.

    ``auto`` is the first CUDA device where the driver shows one, else the CPU; the driver is looked
    for before torch is imported, since that takes seconds and most planning needs none.
    """
    if asked != "auto":
        return asked
    if not Path("/dev/nvidia0").exists() or importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_dtype(asked: str, device: str) -> str:
    """Return the precision of an encoder's forward pass.

    ``auto`` is float32 on the CPU (reduced precision is slower there) and bfloat16 on CUDA.
    """
    if asked != "auto":
        return asked
    return "bfloat16" if device.startswith("cuda") else "float32"


def available_processors() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(n: int | None = None) -> int:
    """Set torch's threads and return their number.

    Args:
        n: threads; the processors that this process may use when None.
    """
    import torch

    threads = n or available_processors()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads
