"""The demo corpora: what is written is what the cards say, and it sounds as the rules say."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import GeneratedCorpus
from sercore.corpora.labels import MAPPERS
from sercore.corpora.labels import Emotion
from sercore.corpora.manifest import build_manifest
from sercore.demo.corpora import DEMO_CORPORA
from sercore.demo.prosody import NEUTRAL
from sercore.demo.prosody import RULES
from sercore.demo.script import Conditions
from sercore.demo.script import Line
from sercore.demo.voice import RATE
from sercore.demo.voice import speak
from sercore.demo.voice import voice_of
from sercore.demo.voice import wav_bytes
from sercore.errors import WorkspaceError
from sercore.plugins.registry import Registry

PAPER = next(mapper for mapper in MAPPERS if mapper.id == "paper")
STUDIO, STAGE, STREET = DEMO_CORPORA


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All three corpora on disk, as a run finds them."""
    data = tmp_path_factory.mktemp("corpora")
    for corpus in DEMO_CORPORA:
        corpus.write(data / corpus.id)
    return data


@pytest.fixture(scope="module")
def heard(written):
    """Measurements of every written file: corpus id -> list of (utterance, measures)."""
    measured = {}
    for corpus in DEMO_CORPORA:
        root = written / corpus.id
        manifest = build_manifest(corpus, CorpusFiles(root), "paper")
        utterances = [manifest.utterance(row) for row in range(len(manifest))]
        measured[corpus.id] = [(each, _measure(root / each.path)) for each in utterances]
    return measured


def _measure(path):
    samples, rate = soundfile.read(path, dtype="float64")
    assert rate == RATE
    return {
        "seconds": len(samples) / rate,
        "level": 10 * np.log10(np.mean(samples**2)),
        "brightness": _band_db(samples, 1500, 3500) - _band_db(samples, 200, 1000),
        **_pitch_of(samples),
    }


def _band_db(samples, low, high):
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return 10 * np.log10(power[(hertz >= low) & (hertz < high)].mean())


def _pitch_of(samples):
    """Track the pitch by autocorrelation of 50 ms windows, over those that are loud and periodic.

    Source: the correction for the window's own autocorrelation is Boersma's (1993).
    """
    size, hop = 800, 160
    window = np.hanning(size)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * window
    power = (frames**2).sum(axis=1)
    lags = np.arange(RATE // 500, RATE // 60)
    correlation = _autocorrelation(frames)[:, lags] / _autocorrelation(window[None])[:, lags]
    voiced = (power > 0.1 * np.percentile(power, 90)) & (correlation.max(axis=1) > 0.5)
    # The first high peak, not the highest: a multiple of the period is as periodic as the period.
    period = lags[(correlation >= 0.9 * correlation.max(axis=1, keepdims=True)).argmax(axis=1)]
    semitones = 12 * np.log2(RATE / period[voiced])
    tail = semitones[-max(len(semitones) // 10, 3) :]
    return {
        "pitch": np.median(semitones),
        "range": np.percentile(semitones, 90) - np.percentile(semitones, 10),
        "ending": np.median(tail) - np.median(semitones),
    }


def _autocorrelation(frames):
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames, 2048)) ** 2)
    return correlation / correlation[:, :1]


def _difference(utterances, measure, emotion):
    """Return how an emotion differs from neutral, the mean over speakers."""
    by_speaker = []
    for speaker in sorted({utterance.speaker for utterance, _ in utterances}):
        own = [(each.native_label, m[measure]) for each, m in utterances if each.speaker == speaker]
        means = [
            np.mean([value for label, value in own if label == wanted])
            for wanted in (emotion, "neutral")
        ]
        by_speaker.append(means[0] - means[1])
    return np.mean(by_speaker)


def test_they_are_registered_through_the_hooks():
    """Built-in plugins come through the door that all plugins use."""
    corpora = Registry(points=[]).corpora

    assert [corpora.get(each.id) for each in DEMO_CORPORA] == list(DEMO_CORPORA)
    assert all(isinstance(each, GeneratedCorpus) for each in DEMO_CORPORA)


def test_importing_them_is_light():
    """Listing what is installed must not pay for synthesis."""
    code = (
        "import sys, sercore.demo; heavy = {'numpy', 'scipy', 'soundfile', 'torch', 'pyarrow'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("corpus", DEMO_CORPORA, ids=lambda corpus: corpus.id)
def test_what_is_written_is_what_the_card_says(corpus, written):
    """Counts by class, names and speakers, read back like any corpus on disk."""
    manifest = build_manifest(corpus, CorpusFiles(written / corpus.id), "corrected")
    expected = corpus.card.expected["corrected"]
    counts = manifest.class_counts(corpus, PAPER)

    assert manifest.problems == ()
    assert len(manifest) == expected.utterances
    assert {name: n for name, n in counts.items() if n} == expected.classes
    assert set(expected.classes) == set(Emotion) - {Emotion.OTHER}
    assert len({tuple(each) for each in manifest.column("speaker")}) == corpus.card.speakers
    assert set(manifest.column("gender")) == {"female", "male"}
    assert None not in manifest.column("text_id") + manifest.column("take")
    assert corpus.card.demo


@pytest.mark.parametrize("corpus", DEMO_CORPORA, ids=lambda corpus: corpus.id)
def test_files_are_mono_16_khz_pcm(corpus, written):
    """Every file is a plain wav of 0.8 to 2.2 s, neither silent nor mostly clipped."""
    for path in (written / corpus.id).rglob("*.wav"):
        info = soundfile.info(path)
        samples, _ = soundfile.read(path)

        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert 0.8 < info.duration < 2.2
        assert np.sqrt(np.mean(samples**2)) > 1e-3
        assert np.mean(np.abs(samples) > 0.998) < 1e-3


def test_no_two_corpora_share_a_speaker_or_a_sentence():
    """A demo out-of-domain cell is as strict as a real one: new people, new words."""
    for kind in ("speakers", "sentences"):
        names = [name for corpus in DEMO_CORPORA for name in getattr(corpus.cast, kind)]

        assert len(names) == len(set(names))


def test_bytes_depend_on_names_alone():
    """Neither numpy's global state, nor the hash seed, nor the order of work changes a byte."""
    lines = list(STAGE.cast)[::40]
    code = (
        "import hashlib, numpy as np\n"
        "np.random.seed(3)\n"
        "from sercore.demo.corpora import DEMO_CORPORA\n"
        "from sercore.demo.voice import wav_bytes\n"
        "stage = DEMO_CORPORA[1]\n"
        "for line in reversed(list(stage.cast)[::40]):\n"
        "    data = wav_bytes(stage.id, line, stage.conditions)\n"
        "    print(line.path, hashlib.sha256(data).hexdigest())\n"
    )
    here = {
        line.path: hashlib.sha256(wav_bytes(STAGE.id, line, STAGE.conditions)).hexdigest()
        for line in lines
    }

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "11"},
    )

    assert dict(row.split() for row in done.stdout.splitlines()) == here
    assert len(set(here.values())) == len(lines)


def test_two_writes_give_the_same_files(written, tmp_path):
    """A corpus that is written again is the same corpus."""
    STREET.write(tmp_path / "again")

    files = sorted(path.relative_to(tmp_path / "again") for path in tmp_path.rglob("*.wav"))
    assert len(files) == STREET.card.expected["paper"].utterances
    for name in files:
        first = (written / STREET.id / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == first


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    """A file where a folder should be ends in one sentence that names it."""
    (tmp_path / "taken").write_text("not a folder")

    with pytest.raises(WorkspaceError, match="taken"):
        STUDIO.write(tmp_path / "taken")


@pytest.mark.parametrize("corpus", DEMO_CORPORA, ids=lambda corpus: corpus.id)
@pytest.mark.parametrize(
    ("measure", "emotion", "least"),
    [
        ("pitch", "happiness", 1.5),
        ("pitch", "fear", 3.0),
        ("pitch", "surprise", 2.5),
        ("pitch", "anger", 0.8),
        ("pitch", "sadness", -0.8),
        ("pitch", "disgust", -1.0),
        ("range", "surprise", 1.5),
        ("range", "sadness", -0.5),
        ("level", "anger", 4.0),
        ("level", "sadness", -2.5),
        ("seconds", "anger", -0.08),
        ("seconds", "fear", -0.08),
        ("seconds", "sadness", 0.12),
        ("brightness", "anger", 2.5),
        ("brightness", "sadness", -2.5),
        ("ending", "surprise", 1.5),
    ],
)
def test_the_rules_are_audible(heard, corpus, measure, emotion, least):
    """In the written files every rule moves its measure its own way, by an audible amount."""
    difference = _difference(heard[corpus.id], measure, emotion)

    assert np.sign(difference) == np.sign(least)
    assert abs(difference) > abs(least)


def test_without_expression_emotions_sound_alike():
    """The measures follow the rules, not the labels: at strength 0 nothing is left of them."""
    flat = replace(STUDIO.conditions, strength=0.0, spontaneity=0.0)
    lines = [Line("f1", emotion, "s1", "t1") for emotion in RULES]
    pitches = [_pitch_of(speak("flat", line, flat))["pitch"] for line in lines]

    assert np.ptp(pitches) < 0.6


def test_scaling_a_rule_leads_from_neutral_to_itself():
    """Strength 0 is neutral, strength 1 the rule."""
    anger = RULES[Emotion.ANGER]

    assert anger.scaled(0.0) == NEUTRAL
    assert anger.scaled(1.0) == anger
    assert NEUTRAL.scaled(2.0) == NEUTRAL


def test_men_and_women_differ():
    """Speakers have their own pitch, women's above men's, and longer or shorter vocal tracts."""
    voices = [voice_of(name) for corpus in DEMO_CORPORA for name in corpus.cast.speakers]
    women = [voice for voice in voices if voice.tract > 1.1]
    men = [voice for voice in voices if voice.tract <= 1.1]

    assert len(women) == len(men) == 9
    assert min(voice.pitch for voice in women) > max(voice.pitch for voice in men)
    assert len({voice.pitch for voice in voices}) == len(voices)


@pytest.fixture
def line():
    return Line("m1", Emotion.NEUTRAL, "s1", "t1")


def test_the_band_is_what_the_channel_passes(line):
    """A narrow band takes away what lies outside it."""
    wide = speak("shift", line, Conditions(noise=-100))
    narrow = speak("shift", line, Conditions(noise=-100, band=(300, 3400)))

    for low, high, least in [(50, 150, 6.0), (6000, 7500, 6.0), (800, 1500, -1.5)]:
        assert _band_db(wide, low, high) - _band_db(narrow, low, high) > least
    assert abs(_band_db(wide, 800, 1500) - _band_db(narrow, 800, 1500)) < 1.5


def test_noise_and_gain_are_in_decibels(line):
    """The silence before the voice has the level of the noise; gain lifts the voice by itself."""
    noisy = speak("shift", line, Conditions(noise=-40, band=(10, 7990)))
    plain = speak("shift", line, Conditions(noise=-120))
    louder = speak("shift", line, Conditions(noise=-120, gain=6.0))
    silence = noisy[: int(0.045 * RATE)]

    assert 10 * np.log10(np.mean(silence**2)) == pytest.approx(-40, abs=1.0)
    assert 10 * np.log10(np.mean(louder**2) / np.mean(plain**2)) == pytest.approx(6.0, abs=1e-6)


def test_a_room_rings_on(line):
    """After the last syllable a reverberant recording is louder than a dry one."""
    dry = speak("shift", line, Conditions(noise=-100))
    wet = speak("shift", line, Conditions(noise=-100, reverberation=0.8))
    tail = slice(-int(0.03 * RATE), None)

    assert np.mean(wet[tail] ** 2) / np.mean(wet**2) > 10 * np.mean(dry[tail] ** 2) / np.mean(
        dry**2
    )


def test_rate_is_a_factor_on_everybody(line):
    """Twice the rate is about half the time."""
    slow = speak("shift", line, Conditions())
    fast = speak("shift", line, Conditions(rate=2.0))

    assert (len(slow) - 0.1 * RATE) / (len(fast) - 0.1 * RATE) == pytest.approx(2.0, rel=0.01)


def test_the_three_corpora_sound_different(heard):
    """The shipped conditions differ in level and brightness by more than chance."""
    means = {
        name: [np.mean([m[key] for _, m in utterances]) for key in ("level", "seconds")]
        for name, utterances in heard.items()
    }

    assert means["demo-stage"][0] > means["demo-studio"][0] + 1
    assert means["demo-street"][0] < means["demo-stage"][0] - 1
    assert means["demo-street"][1] < means["demo-studio"][1] < means["demo-stage"][1]
