"""Tests that every backbone must pass; authors of backbones inherit them.

A test module of a plugin names its backbone and inherits all tests::

    import pytest
    from my_plugin import MY_BACKBONE

    from sercore.testing.backbones import BackboneContract


    class TestMine(BackboneContract):
        @pytest.fixture(scope="class")
        @classmethod
        def backbone(cls):
            return MY_BACKBONE

Use real weights, or random weights scaled to their fan-in. With the default initialisation of most
models, a leak between the rows of a batch is smaller than any tolerance.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sercore.audio.signals import speech_like
from sercore.backbones.interface import MAX_SECONDS
from sercore.backbones.interface import Backbone
from sercore.backbones.interface import Checkpoint
from sercore.backbones.interface import EncodedUtterance
from sercore.backbones.interface import Encoder
from sercore.backbones.interface import EncoderOptions
from sercore.errors import BackboneError
from sercore.errors import SercoreError

if TYPE_CHECKING:
    from sercore.backbones.interface import Waveform

_NAME = re.compile(r"(hf:.+)|[a-z0-9]+(-[a-z0-9]+)*")


class BackboneContract:
    """The tests. Subclass it and override the fixture `backbone`."""

    frames_fit_audio = True
    """False for an encoder with a fixed window, whose frames exceed a short recording."""

    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls) -> Backbone:
        """Return the backbone under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'backbone'")

    @pytest.fixture(scope="class")
    @classmethod
    def options(cls) -> EncoderOptions:
        """Return the options to load it with; override it to test a variant."""
        return EncoderOptions()

    @pytest.fixture(scope="class")
    @classmethod
    def checkpoint(cls, backbone: Backbone) -> Checkpoint:
        """Return the checkpoint of the backbone."""
        return backbone.resolve(offline=True)

    @pytest.fixture(scope="class")
    @classmethod
    def encoder(
        cls, backbone: Backbone, checkpoint: Checkpoint, options: EncoderOptions
    ) -> Encoder:
        """Return the loaded encoder."""
        return backbone.load(checkpoint, options)

    @pytest.fixture(scope="class")
    @classmethod
    def waveforms(cls, backbone: Backbone) -> list[Waveform]:
        """Return three waveforms whose lengths are not multiples of a frame."""
        rate = backbone.card.sample_rate
        durations = (0.9, 2.35, 4.1)
        return [
            speech_like(int(seconds * rate) + 7 * seed + 1, rate, seed=seed)
            for seed, seconds in enumerate(durations)
        ]

    def test_card_is_complete(self, backbone: Backbone) -> None:
        """The card has a valid name, a title, and positive sizes."""
        card = backbone.card

        assert _NAME.fullmatch(card.id)
        assert card.title
        assert min(card.sample_rate, card.width, card.frame_rate, card.tolerance) > 0
        assert all(sentence for sentence in card.variants.values())

    def test_resolving_again_finds_the_same(
        self, backbone: Backbone, checkpoint: Checkpoint
    ) -> None:
        """A second call returns the same checkpoint."""
        assert backbone.resolve(offline=True) == checkpoint

    def test_width(self, backbone: Backbone, encoder: Encoder, waveforms: list[Waveform]) -> None:
        """Frames are float32, and their width is that of the card and of the encoder."""
        frames = _alone(encoder, waveforms[0]).frames

        assert frames.dtype == np.float32
        assert frames.shape[1] == encoder.width == backbone.card.width

    def test_frame_count_is_the_documented_function(
        self, backbone: Backbone, encoder: Encoder
    ) -> None:
        """`encode` returns as many frames as `n_frames` states, also where the number changes."""
        rate = backbone.card.sample_rate
        lengths = _boundaries(encoder, rate)
        waveform = speech_like(max(lengths), rate)
        batch = encoder.encode(encoder.prepare([waveform[:n_samples] for n_samples in lengths]))
        found = {
            n_samples: len(encoded.frames)
            for n_samples, encoded in zip(lengths, batch, strict=True)
        }

        assert found == {n_samples: encoder.n_frames(n_samples) for n_samples in lengths}

    def test_frames_never_exceed_the_audio(self, backbone: Backbone, encoder: Encoder) -> None:
        """No frame is made of padding, except the single frame of a very short clip."""
        if not self.frames_fit_audio:
            pytest.skip("the window of this backbone is fixed")
        card = backbone.card
        for n_samples in range(1, 2 * card.sample_rate, 61):
            filled = n_samples * card.frame_rate / card.sample_rate

            assert 1 <= encoder.n_frames(n_samples) <= max(1, filled)

    def test_frame_count_and_cost_grow_with_length(
        self, backbone: Backbone, encoder: Encoder
    ) -> None:
        """Longer audio never has fewer frames or a smaller cost."""
        lengths = range(1, round((MAX_SECONDS + 1) * backbone.card.sample_rate), 997)
        counts = [encoder.n_frames(n_samples) for n_samples in lengths]
        costs = [encoder.cost(n_samples) for n_samples in lengths]

        assert counts == sorted(counts)
        assert costs == sorted(costs)
        assert costs[0] > 0

    def test_frames_do_not_depend_on_the_batch(
        self, backbone: Backbone, encoder: Encoder, waveforms: list[Waveform]
    ) -> None:
        """An utterance has the same frames alone and in any batch, within the tolerance."""
        alone = [_alone(encoder, waveform) for waveform in waveforms]
        orders = ([0, 1, 2], [2, 0, 1], [1, 1, 2])
        for order in orders:
            batch = encoder.encode(encoder.prepare([waveforms[position] for position in order]))
            for position, encoded in zip(order, batch, strict=True):
                expected = alone[position]

                assert _difference(encoded.frames, expected.frames) < backbone.card.tolerance
                if expected.layer_means is not None:
                    assert encoded.layer_means is not None
                    difference = _difference(encoded.layer_means, expected.layer_means)
                    assert difference < backbone.card.tolerance

    def test_frames_depend_on_the_audio(self, encoder: Encoder, waveforms: list[Waveform]) -> None:
        """Different audio gives different frames, so the tests above can fail."""
        first, second = (
            _alone(encoder, waveform[: len(waveforms[0])]).frames for waveform in waveforms[:2]
        )

        assert _difference(first, second) > 1e-2

    def test_two_calls_and_two_loads_give_the_same_bytes(
        self,
        backbone: Backbone,
        checkpoint: Checkpoint,
        options: EncoderOptions,
        encoder: Encoder,
        waveforms: list[Waveform],
    ) -> None:
        """Encoding is deterministic."""
        again = backbone.load(checkpoint, options)
        long = speech_like(13 * backbone.card.sample_rate, backbone.card.sample_rate)
        for waveform in (waveforms[1], long):
            first, second, third = (
                _alone(loaded, waveform).frames for loaded in (encoder, encoder, again)
            )

            np.testing.assert_array_equal(first, second)
            np.testing.assert_array_equal(first, third)

    @pytest.mark.parametrize("n_samples", [1, 2, 159, 399])
    def test_clip_shorter_than_a_frame(
        self, backbone: Backbone, encoder: Encoder, n_samples: int
    ) -> None:
        """A clip that is too short for the model has at least one frame, alone and in a batch."""
        rate = backbone.card.sample_rate
        clip = speech_like(n_samples, rate)
        frames = _alone(encoder, clip).frames
        batch = encoder.encode(encoder.prepare([clip, speech_like(rate, rate, seed=1)]))

        assert len(frames) == encoder.n_frames(n_samples) >= 1
        assert np.isfinite(frames).all()
        assert _difference(batch[0].frames, frames) < backbone.card.tolerance

    def test_silence_and_clipping_stay_finite(self, backbone: Backbone, encoder: Encoder) -> None:
        """Digital silence and a square wave at full scale give finite frames."""
        rate = backbone.card.sample_rate
        square = np.sign(speech_like(rate, rate))
        for waveform in (np.zeros(rate, dtype=np.float32), square.astype(np.float32)):
            assert np.isfinite(_alone(encoder, waveform).frames).all()

    def test_samples_that_are_not_numbers_are_refused(
        self, backbone: Backbone, encoder: Encoder
    ) -> None:
        """NaN and infinity raise an error for users."""
        rate = backbone.card.sample_rate
        for value in (np.nan, np.inf):
            waveform = speech_like(rate, rate)
            waveform[rate // 2] = value
            with pytest.raises(SercoreError):
                encoder.prepare([waveform])

    def test_empty_waveform_is_refused(self, encoder: Encoder) -> None:
        """A waveform without samples raises an error for users."""
        with pytest.raises(SercoreError):
            encoder.prepare([np.zeros(0, dtype=np.float32)])

    def test_audio_beyond_30_seconds_is_cut(self, backbone: Backbone, encoder: Encoder) -> None:
        """30 s plus one sample give the frames of 30 s."""
        longest = round(MAX_SECONDS * backbone.card.sample_rate)
        waveform = speech_like(longest + 1, backbone.card.sample_rate)
        whole = _alone(encoder, waveform[:longest]).frames
        longer = _alone(encoder, waveform).frames

        assert len(whole) == encoder.n_frames(longest) == encoder.n_frames(longest + 1)
        np.testing.assert_array_equal(whole, longer)

    def test_layer_means_are_those_of_the_kept_frames(
        self, encoder: Encoder, waveforms: list[Waveform]
    ) -> None:
        """Every layer has a mean, and the last is the mean of the frames."""
        encoded = _alone(encoder, waveforms[1])
        if encoder.n_layers == 0:
            assert encoded.layer_means is None
            return
        assert encoded.layer_means is not None
        assert encoded.layer_means.shape == (encoder.n_layers, encoder.width)
        mean = encoded.frames.mean(axis=0, dtype=np.float64)

        assert _difference(encoded.layer_means[-1], mean) < 1e-5

    def test_every_layer_can_be_chosen(
        self,
        backbone: Backbone,
        checkpoint: Checkpoint,
        options: EncoderOptions,
        encoder: Encoder,
        waveforms: list[Waveform],
    ) -> None:
        """The mean of the frames of layer N is the N-th layer mean."""
        expected = _alone(encoder, waveforms[0]).layer_means
        for layer in range(encoder.n_layers):
            chosen = backbone.load(checkpoint, replace(options, layer=layer))
            assert expected is not None
            mean = _alone(chosen, waveforms[0]).frames.mean(axis=0, dtype=np.float64)

            assert _difference(mean, expected[layer]) < 1e-5

    def test_an_unknown_layer_is_refused(
        self, backbone: Backbone, checkpoint: Checkpoint, options: EncoderOptions, encoder: Encoder
    ) -> None:
        """A layer beyond the last is an error."""
        with pytest.raises(BackboneError):
            backbone.load(checkpoint, replace(options, layer=max(encoder.n_layers, 1)))

    def test_an_unknown_variant_is_refused(
        self, backbone: Backbone, checkpoint: Checkpoint, options: EncoderOptions
    ) -> None:
        """A variant that is not on the card is an error."""
        with pytest.raises(BackboneError):
            backbone.load(checkpoint, replace(options, variant="no-such-variant"))


def _alone(encoder: Encoder, waveform: Waveform) -> EncodedUtterance:
    (encoded,) = encoder.encode(encoder.prepare([waveform]))
    return encoded


def _difference(values: np.ndarray, expected: np.ndarray) -> float:
    """Return the difference of two arrays relative to the second."""
    return float(np.linalg.norm(values - expected) / np.linalg.norm(expected))


def _boundaries(encoder: Encoder, rate: int) -> list[int]:
    """Return lengths around the points where the number of frames changes."""
    changes = {1}
    for around in (rate // 40, rate // 8, rate):
        count = encoder.n_frames(around)
        for after in range(around, around + rate // 10):
            if encoder.n_frames(after) != count:
                changes |= {after - 1, after, after + 1}
                break
    return sorted(changes)
