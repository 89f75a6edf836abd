"""The log-mel baseline: an encoder like any other, without weights."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sercore.backbones.interface import Backbone
from sercore.backbones.interface import Encoder
from sercore.backbones.interface import EncoderOptions
from sercore.demo.logmel import LOGMEL
from sercore.errors import BackboneError
from sercore.plugins.registry import Registry
from sercore.testing.backbones import BackboneContract

pytestmark = pytest.mark.torch

RATE = 16_000


def _encoder():
    return LOGMEL.load(LOGMEL.resolve(offline=True), EncoderOptions())


def _encode(*waveforms):
    encoder = _encoder()
    return [encoded.frames for encoded in encoder.encode(encoder.prepare(waveforms))]


def _noise(n_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32)


def _tone(hertz, seconds=0.5, amplitude=0.1):
    time = np.arange(int(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


class TestContract(BackboneContract):
    """What every backbone must do."""

    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls):
        return LOGMEL


def test_it_is_a_registered_backbone():
    """The contract holds, through the hooks."""
    assert Registry(points=[]).backbones.get("logmel") is LOGMEL
    assert isinstance(LOGMEL, Backbone)
    assert isinstance(_encoder(), Encoder)
    assert LOGMEL.card.demo


def test_resolving_imports_no_torch():
    """A plan needs the digest, not the library."""
    code = (
        "import sys; from sercore.demo.logmel import LOGMEL;"
        "print(LOGMEL.resolve(offline=True).digest, 'torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [LOGMEL.resolve(offline=False).digest, "False"]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20_000))
def test_frame_counts_are_known_beforehand(n_samples):
    """`n_frames` says how many frames come out, and they lie within the real audio."""
    (frames,) = _encode(_noise(n_samples))
    encoder = _encoder()
    expected = encoder.n_frames(n_samples)

    assert frames.shape == (expected, encoder.width) == (expected, LOGMEL.card.width)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()
    if n_samples >= 560:
        assert (expected - 1) * 320 + 560 <= n_samples
        assert expected * 320 + 560 > n_samples


@pytest.mark.parametrize("n_samples", [1, 399, 559])
def test_a_clip_shorter_than_a_frame_is_padded_to_one(n_samples):
    """No utterance is lost for being short, and zeros at its end change nothing."""
    clip = _noise(n_samples)

    short, padded = _encode(clip, np.pad(clip, (0, 560 - n_samples)))

    assert len(short) == 1
    assert np.array_equal(short, padded)


def test_frames_do_not_depend_on_the_batch():
    """Alone, beside a long neighbour or in another order: the same numbers, to the bit."""
    clips = [_noise(n, seed=n) for n in (400, 5_000, 24_000, 9_999)]
    alone = [_encode(clip)[0] for clip in clips]

    together = _encode(*clips)
    backwards = _encode(*clips[::-1])[::-1]

    for one, two, three in zip(alone, together, backwards, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one, three)


def test_a_frame_is_20_milliseconds():
    """Audio that starts one frame later gives the frames that follow the first."""
    clip = _noise(16_000)

    whole, later = _encode(clip, clip[320:])

    assert np.allclose(whole[1:], later, atol=1e-5)
    assert LOGMEL.card.frame_rate == RATE / 320


def test_two_filterbank_frames_stand_side_by_side():
    """The second half of a frame is the first half of audio that starts 10 ms later."""
    clip = _noise(16_000)

    whole, later = _encode(clip, clip[160:])
    n = min(len(whole), len(later))

    assert np.allclose(whole[:n, 80:], later[:n, :80], atol=1e-5)


def test_tones_light_up_their_own_mel_band():
    """The higher the tone, the higher the loudest band, and along the mel scale."""
    hertz = np.array([200.0, 500.0, 1000.0, 2000.0, 4000.0])
    low, high = (1127 * np.log(1 + f / 700) for f in (20.0, 8000.0))
    bands = (1127 * np.log(1 + hertz / 700) - low) / (high - low) * 81 - 1

    loudest = [frames[:, :80].mean(axis=0).argmax() for frames in _encode(*map(_tone, hertz))]

    assert loudest == pytest.approx(bands, abs=1.0)


def test_loudness_is_kept():
    """Ten times the amplitude adds log(100) / 4 to every band: nothing is normalised away."""
    quiet, loud = _encode(0.01 * _noise(8_000), 0.1 * _noise(8_000))

    assert np.allclose(loud - quiet, np.log(100) / 4, atol=1e-3)


def test_silence_is_finite_and_the_lowest_there_is():
    """Digital silence lies at the floor, just below the rounding noise of 16-bit audio."""
    silence, rounding = _encode(np.zeros(8_000, np.float32), np.rint(3 * _noise(8_000)) / 32768)

    assert np.ptp(silence) == 0
    assert silence.min() <= rounding.min()
    assert silence.mean() < rounding.mean()


def test_demo_speech_lands_near_unit_scale():
    """The two fixed constants fit the audio that the baseline is shown with."""
    from sercore.demo.corpora import DEMO_CORPORA
    from sercore.demo.voice import speak

    studio = DEMO_CORPORA[0]
    lines = list(studio.cast)[::12]
    speech = [speak(studio.id, line, studio.conditions).astype(np.float32) for line in lines]
    frames = np.concatenate(_encode(*speech))

    assert abs(frames.mean()) < 0.5
    assert 0.5 < frames.std() < 1.5


def test_it_computes_in_float32_whatever_is_asked():
    """On a GPU `--dtype auto` is bfloat16 for everybody; the baseline goes along."""
    options = EncoderOptions(dtype="bfloat16")
    encoder = LOGMEL.load(LOGMEL.resolve(offline=True), options)
    clip = _noise(4_000)

    (encoded,) = encoder.encode(encoder.prepare([clip]))

    assert np.array_equal(encoded.frames, _encode(clip)[0])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (EncoderOptions(layer=3), "layer 3"),
        (EncoderOptions(variant="exact"), "variant 'exact'"),
    ],
)
def test_options_that_do_not_apply_are_refused(options, named):
    """A layer or variant is never ignored: it would sit in the key and change nothing."""
    with pytest.raises(BackboneError, match=named) as caught:
        LOGMEL.load(LOGMEL.resolve(offline=True), options)

    assert caught.value.hint
