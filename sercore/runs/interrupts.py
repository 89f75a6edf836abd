"""Stop a run cleanly on Ctrl-C, SIGTERM and SIGHUP, however often they arrive."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def stop_on_signals(stopping: threading.Event) -> Iterator[None]:
    """Turn the first signal into a KeyboardInterrupt and ignore those after it.

    A second signal must not break the cleaning up that the first one started. Where a library
    swallows the interrupt, the work sees the event and stops at its next progress report. A signal
    that the caller of this process ignores (``nohup``, a background job) stays ignored.

    Args:
        stopping: set by the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not stopping.is_set():
            stopping.set()
            raise KeyboardInterrupt

    previous: dict[int, Any] = {}
    for name in _SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
