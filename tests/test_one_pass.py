"""Several probes over one corpus: the same numbers as one by one, and one walk over the frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sercore.features.packed import PackedFrames
from sercore.probes.batched_inference import logits_in_one_pass

WIDTH = 4


class Sums:
    """A probe whose logits are sums of frames, and which notes what it was asked about."""

    def __init__(self, asked, *, fails_on=None):
        self.asked = asked
        self.fails_on = fails_on
        self.weights = {}
        self.log = ()

    def logits(self, frames, rows):
        self.asked.append((self, rows.tolist()))
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
def test_one_pass_gives_what_each_probe_gives_alone(lengths, parts, slab_bytes):
    frames = packed(lengths)
    rows = [
        np.array(sorted(part.sample(range(len(lengths)), part.randint(0, len(lengths)))), np.int64)
        for part in parts
    ]
    asked = {str(number): (Sums([]), each) for number, each in enumerate(rows)}

    together = logits_in_one_pass(frames, asked, slab_bytes=slab_bytes)

    assert set(together) == set(asked)
    for name, (probe, each) in asked.items():
        assert np.array_equal(together[name], probe.logits(frames, each))
        assert together[name].shape == (len(each), WIDTH)


def test_every_probe_sees_a_slab_before_the_next_is_read():
    frames = packed([5] * 20)
    asked = []
    probes = {name: (Sums(asked), np.arange(20)) for name in "abc"}
    told = []

    logits_in_one_pass(
        frames, probes, lambda *each: told.append(each), slab_bytes=4 * 5 * WIDTH * 2
    )

    assert len(asked) == 15
    for first in range(0, 15, 3):
        trio = asked[first : first + 3]
        assert len({probe for probe, _ in trio}) == 3
        assert trio[0][1] == trio[1][1] == trio[2][1]
    assert told[-1] == (20, 20)
    # In the order of storage: what one slab reads lies side by side.
    walked = [row for _, rows in asked[::3] for row in rows]
    assert sorted(walked) == list(range(20))
    assert np.all(np.diff([frames.block[row] for row in walked[::4]]) >= 0)


def test_a_probe_that_fails_costs_the_others_nothing():
    frames = packed([3] * 6)
    asked = {
        "good": (Sums([]), np.arange(6)),
        "bad": (Sums([], fails_on=4), np.arange(6)),
    }

    answers = logits_in_one_pass(frames, asked, slab_bytes=1)

    assert isinstance(answers["bad"], ValueError)
    assert np.array_equal(answers["good"], asked["good"][0].logits(frames, np.arange(6)))


@pytest.mark.parametrize("slab_bytes", [1, 1 << 20])
def test_a_part_without_utterances_has_logits_of_no_rows(slab_bytes):
    frames = packed([3] * 6)
    none = np.array([], np.int64)

    answers = logits_in_one_pass(frames, {"a": (Sums([]), none)}, slab_bytes=slab_bytes)

    assert answers["a"].shape == (0, WIDTH)
