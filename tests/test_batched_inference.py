"""Batched inference: the same logits as one probe at a time, and one pass over the frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sercore.features.packed import PackedFrames
from sercore.probes.batched_inference import batched_logits

WIDTH = 4


class Sums:
    """A probe whose logits are sums of frames, and which records the rows of every call."""

    def __init__(self, calls, *, fails_on=None):
        self.calls = calls
        self.fails_on = fails_on
        self.weights = {}
        self.log = ()

    def logits(self, frames, rows):
        self.calls.append((self, rows.tolist()))
        if self.fails_on in rows:
            raise ValueError("not this one")
        sums = [frames.frames(row).astype(np.float32).sum(axis=0) for row in rows]
        return np.array(sums, np.float32).reshape(len(rows), WIDTH)


def packed(lengths, seed=0):
    """Return utterances that lie in two blocks, and in neither in the order of their rows."""
    rng = np.random.default_rng(seed)
    lengths = np.array(lengths, np.int64)
    block = rng.integers(0, 2, len(lengths)).astype(np.int32)
    start = np.zeros(len(lengths), np.int64)
    blocks = []
    for number in range(2):
        rows = rng.permutation(np.flatnonzero(block == number))
        start[rows] = np.cumsum(lengths[rows]) - lengths[rows]
        n_frames = int(lengths[rows].sum())
        blocks.append(rng.standard_normal((n_frames, WIDTH)).astype(np.float16))
    return PackedFrames(blocks, block, start, lengths, WIDTH)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    parts=st.lists(st.randoms(use_true_random=False), min_size=1, max_size=4),
    slab_bytes=st.sampled_from([1, 64, 1 << 20]),
)
def test_logits_equal_those_of_one_probe_at_a_time(lengths, parts, slab_bytes):
    frames = packed(lengths)
    rows = [
        np.array(sorted(part.sample(range(len(lengths)), part.randint(0, len(lengths)))), np.int64)
        for part in parts
    ]
    requests = {str(number): (Sums([]), part) for number, part in enumerate(rows)}

    results = batched_logits(frames, requests, slab_bytes=slab_bytes)

    assert set(results) == set(requests)
    for name, (probe, part) in requests.items():
        assert np.array_equal(results[name], probe.logits(frames, part))
        assert results[name].shape == (len(part), WIDTH)


def test_every_probe_scores_a_slab_before_the_next_is_read():
    frames = packed([5] * 20)
    calls = []
    requests = {name: (Sums(calls), np.arange(20)) for name in "abc"}
    reported = []

    batched_logits(
        frames,
        requests,
        lambda done, total: reported.append((done, total)),
        slab_bytes=4 * 5 * WIDTH * 2,
    )

    assert len(calls) == 15
    for first in range(0, 15, 3):
        trio = calls[first : first + 3]
        assert len({probe for probe, _ in trio}) == 3
        assert trio[0][1] == trio[1][1] == trio[2][1]
    assert reported[-1] == (20, 20)
    # In the order of storage: the rows of a slab are adjacent on disk.
    walked = [row for _, rows in calls[::3] for row in rows]
    assert sorted(walked) == list(range(20))
    assert np.all(np.diff([frames.block[row] for row in walked[::4]]) >= 0)


def test_a_probe_that_fails_does_not_affect_the_others():
    frames = packed([3] * 6)
    requests = {
        "good": (Sums([]), np.arange(6)),
        "bad": (Sums([], fails_on=4), np.arange(6)),
    }

    results = batched_logits(frames, requests, slab_bytes=1)

    assert isinstance(results["bad"], ValueError)
    assert np.array_equal(results["good"], requests["good"][0].logits(frames, np.arange(6)))


@pytest.mark.parametrize("slab_bytes", [1, 1 << 20])
def test_a_part_without_utterances_has_logits_of_no_rows(slab_bytes):
    frames = packed([3] * 6)
    none = np.array([], np.int64)

    results = batched_logits(frames, {"a": (Sums([]), none)}, slab_bytes=slab_bytes)

    assert results["a"].shape == (0, WIDTH)
