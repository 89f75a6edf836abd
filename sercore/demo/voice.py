"""A small formant synthesiser for the demo corpora.

A pitch contour gives glottal pulses. Every syllable starts with a consonant of noise or silence,
and filters the pulses with the formants of its vowel. Tilt, channel, room and noise are applied
last. Random numbers are seeded with names, so a recording depends on nothing else.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import soundfile

from sercore.demo.prosody import RULES

if TYPE_CHECKING:
    from sercore.demo.prosody import Prosody
    from sercore.demo.script import Conditions
    from sercore.demo.script import Line

    Signal = npt.NDArray[np.float64]

RATE = 16_000
"""Samples per second."""

_SYLLABLES = 5
_SYLLABLE_S = 0.21
_SILENCE_S = 0.05
_LEVEL_DB = -30.0  # of a neutral utterance, relative to full scale

# Formants of an adult male voice in hertz; shorter vocal tracts move them up.
_VOWELS = np.array(
    [
        [730.0, 1090.0, 2440.0, 3400.0],
        [530.0, 1840.0, 2480.0, 3500.0],
        [270.0, 2290.0, 3010.0, 3600.0],
        [570.0, 840.0, 2410.0, 3300.0],
        [300.0, 870.0, 2240.0, 3300.0],
    ]
)
_BANDWIDTHS = np.array([80.0, 100.0, 140.0, 200.0])
_ONSETS = ("none", "stop", "fricative", "nasal")


@dataclass(frozen=True, slots=True)
class Voice:
    """Properties of a speaker."""

    pitch: float
    """Hertz."""
    tract: float
    """Factor on the formants of `_VOWELS`."""
    rate: float
    """Factor on the speaking rate."""
    breath: float
    tilt: float
    """Decibels per octave."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """The syllables of a sentence, one entry per syllable."""

    vowels: tuple[int, ...]
    onsets: tuple[str, ...]
    accents: tuple[float, ...]
    """Pitch accents in semitones for a pitch range of 1."""


def wav_bytes(corpus: str, line: Line, conditions: Conditions) -> bytes:
    """Return one recording as the bytes of a wav file (mono, 16 kHz, 16 bit)."""
    samples = speak(corpus, line, conditions)
    buffer = io.BytesIO()
    pcm = np.rint(np.clip(samples, -0.999, 0.999) * 32768).astype(np.int16)
    soundfile.write(buffer, pcm, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def speak(corpus: str, line: Line, conditions: Conditions) -> Signal:
    """Return one recording.

    Args:
        corpus: name of the corpus; it seeds the random variation.
        line: speaker, emotion, sentence and take.
        conditions: strength of expression and properties of the recording.

    Returns:
        float64 of shape (samples,) at `RATE`, nominally within -1 and 1.
    """
    voice = voice_of(line.speaker)
    sentence = sentence_of(line.sentence)
    chance = generator(corpus, line.path)
    prosody = _performed(RULES[line.emotion], conditions, chance)
    lengths = _syllable_lengths(prosody.rate * conditions.rate * voice.rate, chance)
    pitch = _pitch(voice, sentence, prosody, lengths, chance)
    source = _pulses(pitch, prosody.creak)
    source += (voice.breath + prosody.breath) * _noise(len(source), chance)
    speech = _articulated(source, voice, sentence, lengths, chance)
    speech *= 10 ** ((_LEVEL_DB + prosody.energy) / 20) / np.sqrt(np.mean(speech**2))
    edge = np.zeros(int(_SILENCE_S * RATE))
    return _recorded(
        np.concatenate([edge, speech, edge]), prosody.tilt + voice.tilt, conditions, chance
    )


def generator(*names: str) -> np.random.Generator:
    """Return a random generator that is seeded with these names."""
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


@cache
def voice_of(speaker: str) -> Voice:
    """Return the voice of a speaker; the first letter of the name is the gender."""
    chance = generator("voice", speaker)
    female = speaker.startswith("f")
    return Voice(
        pitch=_between(chance, 185.0, 225.0) if female else _between(chance, 100.0, 130.0),
        tract=_between(chance, 1.12, 1.22) if female else _between(chance, 0.95, 1.05),
        rate=_between(chance, 0.94, 1.06),
        breath=_between(chance, 0.02, 0.06),
        tilt=_between(chance, -0.5, 0.5),
    )


@cache
def sentence_of(name: str) -> Sentence:
    """Return the syllables of a sentence."""
    chance = generator("sentence", name)
    return Sentence(
        vowels=tuple((chance.permutation(_SYLLABLES) % len(_VOWELS)).tolist()),
        onsets=tuple(
            _ONSETS[onset] for onset in (chance.permutation(_SYLLABLES) % len(_ONSETS)).tolist()
        ),
        accents=tuple(chance.permutation(np.linspace(-1.5, 2.5, _SYLLABLES)).tolist()),
    )


def _between(chance: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(chance.random())


def _performed(rule: Prosody, conditions: Conditions, chance: np.random.Generator) -> Prosody:
    """Return a rule with random variation, as performed in one utterance."""
    stray = conditions.spontaneity
    mood = rule.scaled(conditions.strength * (1 + stray * _between(chance, -1, 1)))
    return replace(
        mood,
        level=mood.level + stray * _between(chance, -3, 3),
        spread=mood.spread * 2 ** (stray * _between(chance, -1, 1)),
        rate=mood.rate * 2 ** (stray * _between(chance, -0.4, 0.4)),
        energy=mood.energy + stray * _between(chance, -8, 8),
        tilt=mood.tilt + stray * _between(chance, -3, 3),
        ending=mood.ending + stray * _between(chance, -3, 3),
    )


def _syllable_lengths(rate: float, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return samples per syllable; the last syllable is longer."""
    seconds = _SYLLABLE_S / rate * (0.85 + 0.3 * chance.random(_SYLLABLES))
    seconds[-1] *= 1.3
    return np.rint(seconds * RATE).astype(np.int64)


def _pitch(
    voice: Voice,
    sentence: Sentence,
    prosody: Prosody,
    lengths: npt.NDArray[np.int64],
    chance: np.random.Generator,
) -> Signal:
    """Return the pitch in hertz of every sample."""
    centres = np.cumsum(lengths) - lengths / 2
    time = np.arange(int(lengths.sum()))
    falling = np.linspace(1.0, -1.0, _SYLLABLES)
    targets = prosody.spread * (falling + np.array(sentence.accents))
    knots = np.append(centres, time[-1])
    heights = np.append(targets, targets[-1] + prosody.ending)
    semitones = prosody.level + np.interp(time, knots, heights)
    wander = chance.random(len(time) // 160 + 2) - 0.5
    semitones += 0.4 * np.interp(time, 160 * np.arange(len(wander)), wander)
    semitones += prosody.tremor * np.sin(2 * np.pi * 6.0 * time / RATE + 6.28 * chance.random())
    contour: Signal = voice.pitch * 2 ** (semitones / 12)
    return contour


def _pulses(pitch: Signal, creak: float) -> Signal:
    """Return the derivative of a Rosenberg glottal flow with this pitch."""
    phase = np.cumsum(pitch / RATE)
    cycle = np.floor(phase)
    place = phase - cycle
    opening, closing = 0.4, 0.16
    flow = np.where(
        place < opening,
        0.5 - 0.5 * np.cos(np.pi * place / opening),
        np.cos(0.5 * np.pi * np.clip((place - opening) / closing, 0, 1)),
    )
    flow *= 1 - creak * (cycle % 2)
    pulses = np.diff(flow, prepend=0.0)
    scaled: Signal = pulses / np.sqrt(np.mean(pulses**2))
    return scaled


def _articulated(
    source: Signal,
    voice: Voice,
    sentence: Sentence,
    lengths: npt.NDArray[np.int64],
    chance: np.random.Generator,
) -> Signal:
    """Filter a source into syllables of a consonant and a vowel."""
    speech = np.zeros_like(source)
    start = 0
    for vowel, onset, length in zip(sentence.vowels, sentence.onsets, lengths, strict=True):
        part = slice(start, start + int(length))
        time = np.arange(length)
        gate = np.clip(time / 400, 0, 1) * np.clip((length - time) / 600, 0, 1)
        consonant = int(0.3 * length)
        if onset in ("stop", "fricative"):
            gate *= np.clip((time - consonant) / 240, 0, 1)
        elif onset == "nasal":
            gate *= np.where(time < consonant, 0.35, 1.0)
        speech[part] = gate * _formants(source[part], vowel, voice.tract)
        if onset == "fricative":
            speech[part][:consonant] += 0.4 * _hiss(consonant, 3500.0, chance)
        elif onset == "stop":
            burst = min(consonant, 200)
            speech[part][consonant - burst : consonant] += 0.5 * _hiss(burst, 1500.0, chance)
        start += int(length)
    return speech


def _formants(source: Signal, vowel: int, tract: float) -> Signal:
    """Filter a source with the resonances of a vowel, at constant loudness."""
    voiced: Signal = scipy.signal.sosfilt(_resonators(vowel, tract), source)
    voiced /= np.sqrt(np.mean(voiced**2))
    return voiced


@cache
def _resonators(vowel: int, tract: float) -> Signal:
    radius = np.exp(-np.pi * _BANDWIDTHS / RATE)
    swing = -2 * radius * np.cos(2 * np.pi * np.minimum(_VOWELS[vowel] * tract, 7000) / RATE)
    ones, zeros = np.ones_like(radius), np.zeros_like(radius)
    return np.stack([1 + swing + radius**2, zeros, zeros, ones, swing, radius**2], axis=1)


def _noise(length: int, chance: np.random.Generator) -> Signal:
    """Return white noise with a root mean square of 1."""
    return float(np.sqrt(12.0)) * (chance.random(length) - 0.5)


def _hiss(length: int, above: float, chance: np.random.Generator) -> Signal:
    hiss: Signal = scipy.signal.sosfilt(_high_pass(above), _noise(length, chance))
    hiss *= np.hanning(length)
    return hiss


@cache
def _high_pass(above: float) -> Signal:
    return np.asarray(scipy.signal.butter(2, above, "highpass", fs=RATE, output="sos"))


def _recorded(
    speech: Signal, tilt: float, conditions: Conditions, chance: np.random.Generator
) -> Signal:
    """Apply tilt, room, channel, gain and background noise."""
    level = np.sqrt(np.mean(speech**2))
    size = scipy.fft.next_fast_len(len(speech) + int(conditions.reverberation * RATE), real=True)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    octaves = np.log2(np.clip(frequency, 100, 6000) / 700)
    spectrum = scipy.fft.rfft(speech, size) * 10 ** (tilt * octaves / 20)
    # Tilt changes the colour of the voice; its level is restored.
    power = 2 * np.sum(np.abs(spectrum) ** 2) / (size * len(speech))
    spectrum *= level / np.sqrt(power)
    if conditions.reverberation:
        spectrum *= scipy.fft.rfft(_echo(conditions.reverberation), size)
    spectrum *= 10 ** ((conditions.gain + conditions.tilt * octaves) / 20)
    heard = scipy.fft.irfft(spectrum, size)[: len(speech)]
    heard += 10 ** (conditions.noise / 20) * _noise(len(heard), chance)
    filtered: Signal = scipy.signal.sosfilt(_channel(conditions.band), heard)
    return filtered


@cache
def _echo(reverberation: float) -> Signal:
    """Return the impulse response of a room whose echo falls by 60 dB in this time."""
    length = int(reverberation * RATE)
    decay = 10 ** (-3 * np.arange(length) / length)
    echo = 0.012 * decay * _noise(length, generator("room"))
    echo[0] = 1.0
    return echo


@cache
def _channel(band: tuple[float, float]) -> Signal:
    return np.asarray(scipy.signal.butter(1, band, "bandpass", fs=RATE, output="sos"))
