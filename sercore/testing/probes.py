"""Tests that every probe must pass; authors inherit `ProbeContract`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

import numpy as np
import pytest

from sercore.features.packed import PackedFrames
from sercore.plugins.registry import NAME

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Probe

_WIDTH = 8
_PER_CLASS = 24
_N_CLASSES = 4
"""One of them has no utterance, as happens in real corpora."""


class Frames(NamedTuple):
    """Frames of two classes that a line separates, and one class between them."""

    packed: PackedFrames
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


class ProbeContract:
    """The tests. Subclass it and override the fixture `probe`."""

    @pytest.fixture(scope="class")
    @classmethod
    def probe(cls) -> Probe:
        """Return the probe under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'probe'")

    @pytest.fixture(scope="class")
    @classmethod
    def frames(cls) -> Frames:
        """Return frames of three classes that can be told apart."""
        return separable_frames()

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, probe: Probe, frames: Frames) -> FittedProbe:
        """Return the probe, trained on all frames."""
        return _fit(probe, frames, seed=1)

    def test_it_is_described(self, probe: Probe) -> None:
        """It has a valid name, a summary, and settings that are JSON values."""
        assert NAME.fullmatch(probe.id)
        assert probe.summary
        assert json.loads(json.dumps(dict(probe.settings))) is not None

    def test_logits_have_one_row_for_each_utterance(
        self, fitted: FittedProbe, frames: Frames
    ) -> None:
        """Logits are finite float32 numbers, one row per utterance and one column per class."""
        logits = fitted.logits(frames.packed, frames.rows)

        assert logits.shape == (len(frames.rows), _N_CLASSES)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()

    def test_it_learns_what_a_line_separates(self, fitted: FittedProbe, frames: Frames) -> None:
        """It finds more than half of three classes that are easy to separate."""
        answers = fitted.logits(frames.packed, frames.rows).argmax(axis=1)

        assert (answers == frames.labels).mean() > 0.5

    def test_logits_of_an_utterance_do_not_depend_on_the_others(
        self, fitted: FittedProbe, frames: Frames
    ) -> None:
        """An utterance has the same logits alone, in another order, and with others."""
        together = fitted.logits(frames.packed, frames.rows)
        order = np.random.default_rng(2).permutation(len(frames.rows))[:9]
        again = fitted.logits(frames.packed, frames.rows[order])
        alone = fitted.logits(frames.packed, frames.rows[3:4])

        np.testing.assert_allclose(again, together[order], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(alone, together[3:4], rtol=1e-5, atol=1e-5)

    def test_the_same_seed_gives_the_same_weights(
        self, probe: Probe, frames: Frames, fitted: FittedProbe
    ) -> None:
        """Training again with the same seed gives the same bytes."""
        again = _fit(probe, frames, seed=1)

        assert again.weights.keys() == fitted.weights.keys()
        for name, values in fitted.weights.items():
            np.testing.assert_array_equal(again.weights[name], values)

    def test_stored_weights_give_the_same_logits(
        self, probe: Probe, fitted: FittedProbe, frames: Frames
    ) -> None:
        """A probe that is loaded from its weights answers as the trained one."""
        copied = {name: np.array(values) for name, values in fitted.weights.items()}
        loaded = probe.load(copied)

        np.testing.assert_array_equal(
            loaded.logits(frames.packed, frames.rows), fitted.logits(frames.packed, frames.rows)
        )

    def test_only_the_named_rows_train(
        self, probe: Probe, frames: Frames, fitted: FittedProbe
    ) -> None:
        """Frames of utterances that do not train change no weight."""
        half = frames.rows[::2]
        wanted = _fit(probe, Frames(frames.packed, half, frames.labels[::2]), seed=1)
        blocks: list[Any] = [np.array(block[:]) for block in frames.packed.blocks]
        for row in frames.rows[1::2]:
            first = int(frames.packed.start[row])
            blocks[0][first : first + int(frames.packed.length[row])] = 9.0
        changed = PackedFrames(
            blocks,
            frames.packed.block,
            frames.packed.start,
            frames.packed.length,
            frames.packed.width,
        )
        found = _fit(probe, Frames(changed, half, frames.labels[::2]), seed=1)

        for name, values in wanted.weights.items():
            np.testing.assert_array_equal(found.weights[name], values)
        assert any(
            not np.array_equal(wanted.weights[name], values)
            for name, values in fitted.weights.items()
        )

    def test_progress_is_reported(self, probe: Probe, frames: Frames) -> None:
        """Training reports its progress, up to the end."""
        heard: list[tuple[int, int]] = []
        probe.fit(
            frames.packed,
            frames.rows,
            frames.labels,
            n_classes=_N_CLASSES,
            seed=1,
            device="cpu",
            progress=lambda done, total: heard.append((done, total)),
        )

        assert all(0 <= done <= total for done, total in heard)
        assert not heard or heard[-1][0] == heard[-1][1]


def separable_frames(seed: int = 0) -> Frames:
    """Return utterances of 5 to 20 frames in three classes with different means."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), _PER_CLASS)
    centres = 2.0 * np.eye(3, _WIDTH)
    length = generator.integers(5, 21, len(labels))
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    values = generator.standard_normal((int(length.sum()), _WIDTH)) * 0.5
    values += np.repeat(centres[labels], length, axis=0)
    packed = PackedFrames(
        blocks=[values.astype(np.float16)],
        block=np.zeros(len(labels), dtype=np.int32),
        start=start.astype(np.int64),
        length=length.astype(np.int64),
        width=_WIDTH,
    )
    return Frames(packed, np.arange(len(labels), dtype=np.int64), labels.astype(np.int64))


def _fit(probe: Probe, frames: Frames, *, seed: int) -> FittedProbe:
    return probe.fit(
        frames.packed, frames.rows, frames.labels, n_classes=_N_CLASSES, seed=seed, device="cpu"
    )
