"""How many threads numerical code may use: set in one place, since results depend on it."""

from __future__ import annotations

import os


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
