"""Frame counts at every length, and what would leak if a family's cure were left out."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from test_backbone_contract import in_small
from test_backbone_contract import plugin

from sercore.audio.signals import speech_like
from sercore.backbones.huggingface.encoding import Prepared
from sercore.backbones.interface import EncoderOptions

pytestmark = pytest.mark.torch

DOCUMENTED = {
    "hubert-large": (400, lambda n: (n - 80) // 320),
    "mert-v1-330m": (400, lambda n: (n - 80) // 320),
    "w2v-bert-2": (560, lambda n: ((n - 400) // 160 + 1) // 2),
    "wavlm-large": (400, lambda n: (n - 80) // 320),
    "whisper-large-v3": (320, lambda n: min(n // 320, 1500)),
    "whisper-medium:exact": (320, lambda n: min(n // 320, 1500)),
}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Return a function that gives the tiny encoder of a backbone."""
    loaded = {}

    def load(name):
        if name not in loaded:
            torch.set_num_threads(1)
            plain, _, variant = name.partition(":")
            backbone = in_small(plugin(plain), tmp_path_factory.mktemp("checkpoints"))
            options = EncoderOptions(variant=variant or None)
            encoder = backbone.load(backbone.resolve(offline=True), options)
            loaded[name] = SimpleNamespace(card=backbone.card, encoder=encoder)
        return loaded[name]

    return load


def _alone(encoder, waveform):
    (encoded,) = encoder.encode(encoder.prepare([waveform]))
    return encoded.frames


def _difference(values, expected):
    return float(np.linalg.norm(values - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_count_is_the_formula_at_every_length(name, encoders):
    """Every n from one sample to half a second, and around 30 s, beyond which nothing counts."""
    shortest, formula = DOCUMENTED[name]
    loaded = encoders(name)
    longest = 30 * loaded.card.sample_rate
    lengths = [*range(1, 12_000), *range(longest - 700, longest + 700)]
    found = [loaded.encoder.n_frames(n) for n in lengths]

    assert found == [formula(min(max(n, shortest), longest)) for n in lengths]
    assert loaded.encoder.n_frames(60 * loaded.card.sample_rate) == formula(longest)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_model_gives_that_many_at_every_length_around_a_boundary(name, encoders):
    """Over more than one whole frame, sample by sample."""
    shortest, formula = DOCUMENTED[name]
    loaded = encoders(name)
    step = 9 if name == "whisper-large-v3" else 1  # each costs a window of 30 s
    lengths = range(shortest - 2, shortest + 330, step)
    waveform = speech_like(max(lengths), loaded.card.sample_rate)
    batch = loaded.encoder.encode(loaded.encoder.prepare([waveform[:n] for n in lengths]))

    assert [len(encoded.frames) for encoded in batch] == [
        formula(max(n, shortest)) for n in lengths
    ]


@pytest.mark.parametrize(
    ("variant", "seconds", "windows"),
    [
        ("", 0.1, 1),
        ("", 10.1, 1),
        ("", 30, 1),
        (":windows", 10, 1),
        (":windows", 10.1, 2),
        (":windows", 20, 2),
        (":windows", 20.1, 3),
        (":windows", 31, 3),
    ],
)
def test_clap_gives_64_frames_a_window(variant, seconds, windows, encoders):
    """However short the clip is."""
    loaded = encoders(f"clap-larger-music-speech{variant}")
    n_samples = round(seconds * loaded.card.sample_rate)
    frames = _alone(loaded.encoder, speech_like(n_samples, loaded.card.sample_rate))

    assert len(frames) == loaded.encoder.n_frames(n_samples) == 64 * windows


def test_clap_hears_the_middle_of_a_longer_clip(encoders):
    """What lies outside of the middle 10 s changes nothing; what lies inside does."""
    loaded = encoders("clap-larger-music-speech")
    rate = loaded.card.sample_rate
    waveform = speech_like(14 * rate, rate)
    outside, inside = waveform.copy(), waveform.copy()
    outside[: 2 * rate] = outside[12 * rate :] = 0
    inside[7 * rate : 8 * rate] = 0
    expected = _alone(loaded.encoder, waveform)

    np.testing.assert_array_equal(_alone(loaded.encoder, outside), expected)
    assert _difference(_alone(loaded.encoder, inside), expected) > 1e-2


def test_clap_windows_hear_all_of_a_longer_clip(encoders):
    """The first and the last second change the first and the last window only."""
    loaded = encoders("clap-larger-music-speech:windows")
    rate = loaded.card.sample_rate
    waveform = speech_like(25 * rate, rate)
    first, last = waveform.copy(), waveform.copy()
    first[:rate] = 0
    last[-rate:] = 0
    expected = np.split(_alone(loaded.encoder, waveform), 3)
    heard = {
        name: [_difference(one, other) > 1e-2 for one, other in zip(found, expected, strict=True)]
        for name, found in (
            ("first", np.split(_alone(loaded.encoder, first), 3)),
            ("last", np.split(_alone(loaded.encoder, last), 3)),
        )
    }

    assert heard == {"first": [True, False, False], "last": [False, False, True]}


@pytest.mark.parametrize("name", ["hubert-large", "wavlm-large", "mert-v1-330m", "w2v-bert-2"])
def test_without_the_mask_a_leak_would_show(name, encoders):
    """The invariance of the contract is measured with weights under which its absence shows."""
    loaded = encoders(name)
    rate = loaded.card.sample_rate
    short, long = speech_like(rate + 1, rate), speech_like(3 * rate, rate, seed=1)
    alone = _alone(loaded.encoder, short)
    prepared = loaded.encoder.prepare([short, long])
    masked = loaded.encoder.encode(prepared)[0].frames
    ones = torch.ones_like(prepared.inputs["attention_mask"])
    careless = Prepared({**prepared.inputs, "attention_mask": ones}, prepared.n_frames)
    leaking = loaded.encoder.encode(careless)[0].frames

    assert _difference(masked, alone) < loaded.card.tolerance
    assert _difference(leaking, alone) > 1e-2


def test_published_group_norm_of_mert_would_leak(encoders):
    """With the mask but without the norm over real frames, each utterance depends on its batch."""
    loaded = encoders("mert-v1-330m")
    encoder = loaded.encoder
    rate = loaded.card.sample_rate
    short, long = speech_like(rate + 1, rate), speech_like(3 * rate, rate, seed=1)
    alone = _alone(encoder, short)
    first = encoder._model.feature_extractor.conv_layers[0]
    ours = first.layer_norm
    plain = torch.nn.GroupNorm(len(ours.weight), len(ours.weight), eps=ours.eps)
    plain.weight, plain.bias = ours.weight, ours.bias
    try:
        first.layer_norm = plain
        plain_alone = _alone(encoder, short)
        leaking = encoder.encode(encoder.prepare([short, long]))[0].frames
    finally:
        first.layer_norm = ours

    # Without padding the two are the same, so that what is stored is MERT and no other model.
    assert _difference(plain_alone, alone) < loaded.card.tolerance
    assert _difference(leaking, alone) > 1e-2


def test_exact_window_is_another_feature_than_full(encoders):
    """The silence of the full window takes part in the attention."""
    full, exact = encoders("whisper-medium"), encoders("whisper-medium:exact")
    waveform = speech_like(32_000, 16_000)
    found, other = _alone(full.encoder, waveform), _alone(exact.encoder, waveform)

    assert found.shape == other.shape
    assert _difference(other, found) > 1e-2


def test_exact_window_at_30_seconds_is_full(encoders):
    """Where there is no silence there is no difference."""
    full, exact = encoders("whisper-medium"), encoders("whisper-medium:exact")
    waveform = speech_like(480_000, 16_000)
    found, other = _alone(full.encoder, waveform), _alone(exact.encoder, waveform)

    assert _difference(other[:-2], found[:-2]) < 1e-2
