"""Devices, precision and threads: what ``auto`` means on this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from sercore.errors import SettingsError


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


def check_device(name: str) -> None:
    """Refuse a device that this machine does not have.

    Args:
        name: the name of a torch device.

    Raises:
        SettingsError: it is neither ``cpu`` nor ``cuda``, or torch cannot use it here.
    """
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise SettingsError(f"there is no device '{name}'", hint="use auto, cpu, cuda or cuda:N")
    if kind == "cpu":
        return
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0].split(". ", 1)[0].rstrip(".")
        raise SettingsError(
            f"the device '{name}' cannot be used on this machine ({reason})",
            hint="use --device auto or --device cpu",
        ) from None


def usable_device(asked: str) -> str:
    """Return the name of a torch device that this machine has.

    Args:
        asked: as for `choose_device`.

    Raises:
        SettingsError: as in `check_device`.
    """
    device = choose_device(asked)
    check_device(device)
    return device


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


def wait_passively() -> None:
    """Let idle threads of numerical code sleep. Must be called before torch is imported.

    By default, threads of OpenMP that wait for each other keep their processors busy. If other
    processes need these processors, training was measured to be 8 to 30 times slower for it. The
    computed bits do not depend on it. A setting of the user stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Return torch's number of threads; 1 where torch is not loaded."""
    torch = sys.modules.get("torch")
    return 1 if torch is None else int(torch.get_num_threads())


def set_precision() -> None:
    """Make float32 mean float32 on every device.

    On recent GPUs torch may compute products of float32 matrices and convolutions in TF32, with 10
    bits of precision instead of 23. Here that is switched off, whatever the environment, a plugin
    or another library asks for.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def set_threads(n: int | None = None) -> int:
    """Set torch's threads and the precision of float32, and return the number of threads.

    Args:
        n: threads; None for one per processor that this process may use.
    """
    import torch

    set_precision()
    threads = n or available_processors()
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads
