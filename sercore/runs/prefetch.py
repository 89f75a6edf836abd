"""Iterate in a thread of its own, ahead of the consumer."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from collections.abc import Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Generic
from typing import TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterates over `items` in a thread that does not wait for the consumer.

    A context manager that waits until the thread has ended. Leaving it by an exception sets the
    event `stopping`, which the work behind the items must check. An exception that ends the
    iteration in the thread is raised in the consumer.

    Args:
        items: iterated once, in the thread.
        stopping: set when the remaining items are not wanted.
    """

    def __init__(self, items: Iterable[T], stopping: threading.Event) -> None:
        self._items = items
        self._stopping = stopping
        self._queue: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._iterate, name="sercore-prefetch", daemon=True)

    def __enter__(self) -> Prefetcher[T]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stopping.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    def _iterate(self) -> None:
        try:
            for item in self._items:
                self._queue.put((item,))
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            self._queue.put(error)
        else:
            self._queue.put(None)
