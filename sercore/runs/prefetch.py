"""Let what is iterated run ahead of its consumer, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from collections.abc import Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Generic
from typing import TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Iterates over `items` in a thread that does not wait until each is asked for.

    A context manager, which waits until the thread has ended. To leave it by an exception sets the
    event `stopping`, which the items' own work has to heed. An exception that ends the iteration in
    the thread ends it here too.

    Args:
        items: iterated once, wholly within the thread.
        stopping: set when nobody wants what is still to come.
    """

    def __init__(self, items: Iterable[T], stopping: threading.Event) -> None:
        self._items = items
        self._stopping = stopping
        self._queue: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._iterate, name="sercore-ahead", daemon=True)

    def __enter__(self) -> Ahead[T]:
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
