"""The probes on mean frames: the pooled perceptron and the logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sercore.errors import ProtocolError
from sercore.features.packed import PackedFrames
from sercore.plugins.registry import registry
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.interface import FittedProbe
from sercore.probes.interface import Probe
from sercore.probes.logistic import LogisticProbe
from sercore.probes.mean_pooling import mean_frames
from sercore.probes.pooled import PooledProbe
from sercore.probes.training_recipe import TrainingRecipe

pytestmark = pytest.mark.torch

WIDTH, CLASSES = 12, 8
SMALL = TrainingRecipe(hidden=16, epochs=6, batch=8, learning_rate=1e-2)
BOTH = pytest.mark.parametrize(
    "probe", [PooledProbe(recipe=SMALL), LogisticProbe()], ids=["m", "l"]
)


def packed(utterances):
    lengths = np.array([len(u) for u in utterances], np.int64)
    return PackedFrames(
        blocks=[np.concatenate(utterances)],
        block=np.where(lengths > 0, 0, -1).astype(np.int32),
        start=np.cumsum(lengths) - lengths,
        length=lengths,
        width=utterances[0].shape[1],
    )


def corpus(n=60, classes=CLASSES - 1, seed=0):
    """Utterances whose class shifts their frames; the last class never occurs."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.standard_normal((CLASSES, WIDTH))
    return [
        (centres[label] + rng.standard_normal((rng.integers(2, 40), WIDTH))).astype(np.float16)
        for label in labels
    ], labels


def fit(probe, utterances, labels, *, rows=None, seed=3, progress=None):
    rows = np.arange(len(utterances)) if rows is None else rows
    return probe.fit(
        packed(utterances),
        rows,
        labels[rows],
        n_classes=CLASSES,
        seed=seed,
        device="cpu",
        progress=progress,
    )


def same(a, b):
    return a.weights.keys() == b.weights.keys() and all(
        np.array_equal(a.weights[name], b.weights[name]) for name in a.weights
    )


def test_mean_frames_are_means():
    utterances, _ = corpus()
    expected = np.stack([u.astype(np.float64).mean(axis=0) for u in utterances])
    pooled = mean_frames(packed(utterances), np.arange(60))
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert pooled.dtype == np.float32


def test_pooled_is_the_framewise_probe_on_utterances_of_one_mean_frame():
    utterances, labels = corpus()
    means = mean_frames(packed(utterances), np.arange(60))
    framewise = fit(FramewiseProbe(recipe=SMALL), [row[None] for row in means], labels)
    assert same(fit(PooledProbe(recipe=SMALL), utterances, labels), framewise)


@pytest.mark.parametrize("classes", [7, 2], ids=["seven", "two"])
def test_logistic_says_what_scikit_learn_says(classes):
    utterances, labels = corpus(classes=classes)
    fitted = fit(LogisticProbe(), utterances, labels)
    means = mean_frames(packed(utterances), np.arange(60)).astype(np.float64)
    scaler = StandardScaler().fit(means)
    expected = LogisticRegression(max_iter=1000).fit(scaler.transform(means), labels)
    logits = fitted.logits(packed(utterances), np.arange(60)).astype(np.float64)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        probability[:, :classes], expected.predict_proba(scaler.transform(means)), atol=1e-5
    )
    assert probability[:, classes:].max() < 1e-6  # classes without training data


def test_logistic_with_one_class_predicts_it():
    utterances, labels = corpus()
    fitted = fit(LogisticProbe(), utterances, np.full_like(labels, 4))
    assert (fitted.logits(packed(utterances), np.arange(60)).argmax(axis=1) == 4).all()


def test_a_constant_feature_does_no_harm():
    utterances, labels = corpus()
    for utterance in utterances:
        utterance[:, 5] = 2.5
    assert np.isfinite(fit(LogisticProbe(), utterances, labels).weights["weight"]).all()


@BOTH
def test_they_learn_and_tell_what_they_did(probe):
    utterances, labels = corpus()
    told = []
    fitted = fit(probe, utterances, labels, progress=lambda done, total: told.append((done, total)))
    accuracy = (fitted.logits(packed(utterances), np.arange(60)).argmax(axis=1) == labels).mean()
    assert accuracy > 0.9
    assert fitted.log[-1].loss < np.log(7)
    assert told[-1][0] == told[-1][1]


@BOTH
def test_order_of_rows_changes_nothing(probe):
    utterances, labels = corpus()
    shuffled = np.random.default_rng(1).permutation(60)
    assert same(fit(probe, utterances, labels), fit(probe, utterances, labels, rows=shuffled))


@BOTH
def test_logits_do_not_depend_on_what_else_is_asked(probe):
    utterances, labels = corpus()
    fitted = fit(probe, utterances, labels)
    everything = fitted.logits(packed(utterances), np.arange(60))
    some = np.array([17, 3, 59])
    assert np.array_equal(fitted.logits(packed(utterances), some), everything[some])
    assert fitted.logits(packed(utterances), np.array([], np.int64)).shape == (0, CLASSES)


@BOTH
def test_a_loaded_probe_gives_the_same_bits(probe):
    utterances, labels = corpus()
    fitted = fit(probe, utterances, labels)
    loaded = probe.load(fitted.weights)
    frames, rows = packed(utterances), np.arange(60)
    assert np.array_equal(loaded.logits(frames, rows), fitted.logits(frames, rows))
    assert isinstance(loaded, FittedProbe)
    assert loaded.log == ()


@BOTH
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda u, y: (u, np.where(np.arange(60) == 7, 8, y)), "utterance 7 .* has class 8"),
        (lambda u, y: ([*u[:9], u[9][:0], *u[10:]], y), "utterance 9 .* no frames"),
        (lambda u, y: ([*u[:9], u[9] * np.float16(np.inf), *u[10:]], y), "9 .* not finite"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(probe, spoil, message):
    utterances, labels = spoil(*corpus())
    with pytest.raises(ProtocolError, match=message):
        fit(probe, utterances, labels)


@BOTH
def test_foreign_weights_and_frames_are_refused(probe):
    utterances, labels = corpus()
    fitted = fit(probe, utterances, labels)
    with pytest.raises(ProtocolError, match="trained on frames 12 wide, these are 5 wide"):
        fitted.logits(packed([u[:, :5] for u in utterances]), np.arange(3))
    with pytest.raises(ProtocolError, match="lacks"):
        probe.load({"weight": fitted.weights[next(iter(fitted.weights))]})


def test_all_are_registered_through_the_hook():
    found = registry().probes
    for name in ("framewise", "fast", "pooled", "logistic"):
        probe = found.get(name)
        assert isinstance(probe, Probe)
        assert probe.id == name


def test_the_fast_probe_differs_from_the_published_one_in_its_recipe_alone():
    fast, published = registry().probes.get("fast"), registry().probes.get("framewise")
    assert fast.settings.keys() == published.settings.keys()
    assert fast.settings != published.settings
    assert fast.settings["frame_stride"] > 1
