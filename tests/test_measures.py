"""What is measured of a recording, on signals whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import soxr

from sercore.audio.decode import read_source
from sercore.audio.measures import SEGMENTS
from sercore.audio.measures import envelope_distance
from sercore.audio.measures import envelope_of
from sercore.audio.measures import measure
from sercore.audio.signals import speech_like
from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import Utterance

RATE = 16_000


@pytest.fixture
def measured(tmp_path):
    """Return a function that writes a recording and measures it."""

    def run(samples, rate=RATE, *, name="a.wav", subtype="FLOAT", channel=None):
        soundfile.write(tmp_path / name, samples, rate, subtype=subtype)
        utterance = Utterance(
            utterance_id="a", path=name, native_label="x", size=1, channel=channel
        )
        return measure(read_source(CorpusFiles(tmp_path), utterance))

    return run


def tone(seconds, level=0.5, rate=RATE):
    return (level * np.sin(2 * np.pi * 200 * np.arange(round(seconds * rate)) / rate)).astype("f4")


def test_the_level_of_a_tone_is_that_of_its_power(measured):
    found = measured(tone(1.0, level=0.5))

    assert found.level_db == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.02)
    assert found.peak == pytest.approx(0.5, abs=1e-3)
    assert (found.clipped, found.leading_s, found.trailing_s) == (0, 0, 0)
    assert found.padding_s <= 1 / RATE  # a sine begins with a zero
    assert abs(found.offset) < 1e-4


def test_silence_at_the_ends_changes_no_level(measured):
    hiss = 0.0005 * np.random.default_rng(0).standard_normal(RATE).astype("f4")
    padded = np.concatenate([hiss[: RATE // 4], tone(1.0), hiss[: RATE // 2]])

    found = measured(padded)

    assert (found.leading_s, found.trailing_s) == pytest.approx((0.25, 0.5), abs=0.011)
    assert found.level_db == pytest.approx(measured(tone(1.0)).level_db, abs=0.1)
    assert found.padding_s == 0.0


def test_exact_zeros_at_the_ends_are_padding(measured):
    zeros = np.zeros(RATE // 10, "f4")

    found = measured(np.concatenate([zeros, tone(1.0), zeros, zeros]), subtype="PCM_16")

    assert found.padding_s == pytest.approx(0.3, abs=0.001)


def test_plateaus_at_full_scale_are_clipping_and_single_peaks_are_none(measured):
    loud = np.clip(tone(1.0, level=2.0), -1, 1)
    peak = tone(1.0)
    peak[500] = 1.0

    # A sine of twice the full scale is above it for two thirds of the time.
    assert measured(loud).clipped == pytest.approx(2 / 3, abs=0.02)
    assert measured(peak).clipped == 0.0


def test_a_clipped_channel_is_noticed_beside_a_clean_one(measured):
    pair = np.stack([np.clip(tone(1.0, level=2.0), -1, 1), 0.1 * tone(1.0)], axis=1)

    assert measured(pair).clipped > 0.6
    assert measured(pair, channel=1).clipped == 0.0


def test_an_offset_is_measured_and_moves_no_envelope(measured):
    clean, shifted = measured(tone(1.0)), measured(tone(1.0) + np.float32(0.1))

    assert shifted.offset == pytest.approx(0.1, abs=1e-3)
    assert envelope_distance(clean.envelope, shifted.envelope) < 0.05


def test_a_recording_shorter_than_its_envelope_is_measured(measured):
    found = measured(np.array([0.5, -0.5, 0.25], "f4"))

    assert len(found.envelope) == SEGMENTS
    assert np.isfinite([found.level_db, found.offset, found.peak]).all()


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 48000])
def test_an_envelope_survives_resampling_and_gain(rate):
    for seed in range(20):
        sound = speech_like(2 * 44_100, 44_100, seed=seed)
        other = 0.1 * soxr.resample(sound, 44_100, rate, quality="HQ")

        assert envelope_distance(envelope_of(sound, 44_100), envelope_of(other, rate)) < 0.2


def test_real_recordings_of_one_length_have_different_envelopes(shared):
    folder = shared / "corpora" / "emodb" / "wav"
    envelopes = []
    for path in sorted(folder.glob("*.wav"))[:100]:
        sound, rate = soundfile.read(path, dtype="float32")
        envelopes.append(envelope_of(sound, rate))
        resampled = soxr.resample(sound, rate, 16_000)
        assert envelope_distance(envelopes[-1], envelope_of(resampled, 16_000)) < 0.2
    pairs = [
        envelope_distance(one, other)
        for number, one in enumerate(envelopes)
        for other in envelopes[number + 1 :]
    ]

    assert len(pairs) == 4950
    assert sum(distance <= 2.0 for distance in pairs) <= 2
