"""Devices, precision and threads: what ``auto`` means on this machine."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def choose_device(asked: str) -> str:
    """Return the name of a torch device.

    ``auto`` is ``cuda`` if there is a usable CUDA device, else ``cpu``. Without an NVIDIA driver
    torch is not imported, because the import takes seconds.

    Args:
        asked: ``auto`` or the name of a device.
    """
    if asked != "auto":
        return asked
    if not Path("/dev/nvidia0").exists() or importlib.util.find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_dtype(asked: str, device: str) -> str:
    """Return the precision of an encoder's forward pass.

    ``auto`` is bfloat16 on CUDA, and float32 on the CPU, where reduced precision is slower.

    Args:
        asked: ``auto`` or the name of a precision.
        device: the name of a torch device.
    """
    if asked != "auto":
        return asked
    return "bfloat16" if device.startswith("cuda") else "float32"


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(n: int | None = None) -> int:
    """Set the number of torch's threads and return it.

    Args:
        n: threads; None for one per processor that this process may use.
    """
    import torch

    threads = n or available_processors()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads
