"""Iterating ahead: the items do not wait for their consumer, and nothing is lost on the way."""

from __future__ import annotations

import threading

import pytest

from sercore.runs.prefetch import Prefetcher


def test_the_next_item_is_made_while_the_last_is_used():
    made = [threading.Event() for _ in range(3)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    with Prefetcher(items(), threading.Event()) as ahead:
        first = next(iter(ahead))

        assert first == 0
        assert made[2].wait(timeout=10)  # although only the first was asked for


def test_all_items_arrive_in_order():
    stopping = threading.Event()
    with Prefetcher(range(1000), stopping) as ahead:
        assert list(ahead) == list(range(1000))
    assert not stopping.is_set()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_the_items_raise_reaches_the_consumer_after_the_items_before_it(kind):
    def items():
        yield "good"
        raise kind("no more")

    seen = []
    with (
        pytest.raises(kind, match="no more"),
        Prefetcher(items(), threading.Event()) as ahead,
    ):
        seen.extend(ahead)
    assert seen == ["good"]


def test_leaving_by_an_exception_stops_the_items_and_waits_for_them():
    stopping = threading.Event()
    ended = []

    def items():
        yield 1
        assert stopping.wait(timeout=10)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt), Prefetcher(items(), stopping) as ahead:
        next(iter(ahead))
        raise KeyboardInterrupt
    assert ended == [True]
