"""The published probe against an independent, straightforward implementation of its recipe."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn

from sercore.errors import ProtocolError
from sercore.features.packed import PackedFrames
from sercore.plugins.builtin import sercore_probes
from sercore.probes.framewise import FRAMEWISE
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.interface import FittedProbe
from sercore.probes.interface import Probe
from sercore.probes.perceptron import PARAMETER_NAMES
from sercore.probes.perceptron import Perceptron
from sercore.probes.training_recipe import TrainingRecipe

pytestmark = pytest.mark.torch

WIDTH, CLASSES = 12, 8
SMALL = TrainingRecipe(hidden=16, epochs=4, batch=8, learning_rate=1e-2)


def packed(utterances, dtypes=(np.float16,), per_block=7):
    """Pack utterances into blocks of a few, cycling through the given types of number."""
    blocks, block, start, length = [], [], [], []
    for first in range(0, len(utterances), per_block):
        part = utterances[first : first + per_block]
        kept = [u for u in part if len(u)]
        position = 0
        for utterance in part:
            block.append(len(blocks) if len(utterance) else -1)
            start.append(position)
            length.append(len(utterance))
            position += len(utterance)
        dtype = dtypes[len(blocks) % len(dtypes)]
        flat = np.concatenate(kept).astype(dtype) if kept else np.empty((0, WIDTH), dtype)
        flat.flags.writeable = False
        blocks.append(flat)
    return PackedFrames(
        blocks=blocks,
        block=np.array(block, np.int32),
        start=np.array(start, np.int64),
        length=np.array(length, np.int64),
        width=utterances[0].shape[1],
    )


def corpus(n=45, seed=0, longest=40):
    """Utterances of two to `longest` frames whose class shifts their frames, as float16 values."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES - 1, n)
    centres = rng.standard_normal((CLASSES, WIDTH))
    utterances = [
        (centres[label] + rng.standard_normal((rng.integers(2, longest), WIDTH))).astype(np.float16)
        for label in labels
    ]
    return utterances, labels


def fit(recipe, utterances, labels, *, rows=None, frames=None, seed=3, progress=None):
    rows = np.arange(len(utterances)) if rows is None else rows
    frames = packed(utterances) if frames is None else frames
    return FramewiseProbe(recipe=recipe).fit(
        frames,
        rows,
        labels[rows],
        n_classes=CLASSES,
        seed=seed,
        device="cpu",
        progress=progress,
    )


def same(a, b):
    return all(np.array_equal(a.weights[name], b.weights[name]) for name in PARAMETER_NAMES)


class Reference(nn.Module):
    """The published network, frame by frame, in the modules of torch."""

    def __init__(self, width, hidden, dropout):
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.drop = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, CLASSES)

    def forward(self, frames):
        return self.output(self.drop(nn.functional.gelu(self.norm(self.hidden(frames))))).mean(0)


def reference_fit(recipe, utterances, labels, start, order):
    """Train utterance by utterance with autograd from given weights in a given order."""
    model = Reference(WIDTH, recipe.hidden, recipe.dropout)
    model.load_state_dict({name: torch.tensor(value) for name, value in start.items()})
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=0.1)
    per_epoch = max(1, len(utterances) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=recipe.learning_rate,
        total_steps=recipe.epochs * per_epoch,
        pct_start=0.1,
    )
    losses = []
    for epoch in range(recipe.epochs):
        losses.append(0.0)
        for batch in range(per_epoch):
            chosen = order[epoch][batch * recipe.batch : (batch + 1) * recipe.batch]
            logits = torch.stack([model(torch.tensor(utterances[i]).float()) for i in chosen])
            loss = nn.functional.cross_entropy(
                logits, torch.tensor(labels[chosen]), label_smoothing=0.1
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimiser.step()
            if (epoch, batch) != (recipe.epochs - 1, per_epoch - 1):
                schedule.step()
            losses[-1] += loss.item() / per_epoch
    return model, losses


def draws(seed, n, recipe, width=WIDTH):
    """Return the first weights and the order of every epoch, as a seed draws them."""
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(3, np.uint64)]
    start = Perceptron.initialised(width, CLASSES, recipe, seed=seeds[0], device="cpu").weights()
    order = np.random.Generator(np.random.PCG64(seeds[1]))
    return start, [order.permutation(n) for _ in range(recipe.epochs)]


@pytest.mark.parametrize("n", [45, 40, 5])
def test_weights_and_losses_equal_those_of_the_straightforward_loop(n):
    utterances, labels = corpus(n)
    recipe = replace(SMALL, dropout=0.0, epochs=20)
    fitted = fit(recipe, utterances, labels)
    start, order = draws(3, n, recipe)

    expected, losses = reference_fit(recipe, utterances, labels, start, order)

    for name, value in expected.state_dict().items():
        np.testing.assert_allclose(fitted.weights[name], value.numpy(), atol=1e-5, err_msg=name)
    np.testing.assert_allclose([e.loss for e in fitted.log], losses, rtol=1e-5)
    assert losses[-1] < losses[0] - 0.2  # it did learn, so the comparison means something
    with torch.no_grad():
        logits = torch.stack([expected(torch.tensor(u).float()) for u in utterances])
    np.testing.assert_allclose(
        fitted.logits(packed(utterances), np.arange(n)), logits.numpy(), atol=1e-4
    )


def test_first_weights_are_drawn_as_published():
    weights = Perceptron.initialised(384, 8, TrainingRecipe(), seed=5, device="cpu").weights()
    bound = (6 / (384 + 512)) ** 0.5
    assert np.abs(weights["hidden.weight"]).max() <= bound
    assert weights["hidden.weight"].std() == pytest.approx(bound / 3**0.5, rel=0.01)
    assert weights["output.weight"].std() == pytest.approx(512**-0.5, rel=0.05)
    for name in ("hidden.bias", "norm.bias", "output.bias"):
        assert not weights[name].any()
    assert (weights["norm.weight"] == 1).all()


def test_settings_are_the_published_recipe():
    assert FRAMEWISE.settings == {
        "hidden": 512,
        "dropout": 0.1,
        "epochs": 100,
        "batch": 32,
        "learning_rate": 1e-4,
        "warm_up": 0.1,
        "start_divisor": 25.0,
        "end_divisor": 1e4,
        "momentum_high": 0.95,
        "momentum_low": 0.85,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.1,
        "clip": 0.5,
        "label_smoothing": 0.1,
        "norm_epsilon": 1e-5,
        "frame_stride": 1,
    }


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    utterances, labels = corpus()
    first, again, other = (fit(SMALL, utterances, labels, seed=s) for s in (3, 3, 4))
    assert same(first, again)
    assert not same(first, other)


def test_order_of_rows_and_place_in_storage_change_nothing():
    utterances, labels = corpus()
    rng = np.random.default_rng(1)
    plain = fit(SMALL, utterances, labels)
    shuffled = fit(SMALL, utterances, labels, rows=rng.permutation(len(utterances)))
    assert same(plain, shuffled)

    place = rng.permutation(len(utterances))
    stored = packed([utterances[i] for i in place], per_block=3)
    back = np.argsort(place)
    moved = PackedFrames(
        stored.blocks, stored.block[back], stored.start[back], stored.length[back], WIDTH
    )
    assert same(plain, fit(SMALL, utterances, labels, frames=moved))


@pytest.mark.parametrize("dtypes", [(np.float32,), (np.float16, np.float32)])
def test_blocks_of_float32_give_the_same_bits_for_the_same_values(dtypes):
    utterances, labels = corpus()
    plain = fit(SMALL, utterances, labels)
    assert same(plain, fit(SMALL, utterances, labels, frames=packed(utterances, dtypes)))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_logits_do_not_depend_on_what_else_is_asked(data):
    utterances, labels = corpus(longest=300)
    fitted = _FITTED.setdefault("it", fit(SMALL, utterances, labels))
    frames = packed(utterances)
    everything = fitted.logits(frames, np.arange(len(utterances)))
    rows = data.draw(st.lists(st.integers(0, len(utterances) - 1), min_size=1, max_size=30))
    assert np.array_equal(fitted.logits(frames, np.array(rows)), everything[rows])


_FITTED: dict = {}


def test_a_loaded_probe_gives_the_same_bits():
    utterances, labels = corpus()
    fitted = fit(SMALL, utterances, labels)
    loaded = FramewiseProbe(recipe=SMALL).load(fitted.weights)
    rows = np.arange(len(utterances))
    frames = packed(utterances)
    assert np.array_equal(loaded.logits(frames, rows), fitted.logits(frames, rows))
    assert loaded.log == ()
    assert isinstance(loaded, FittedProbe)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("norm.bias"), "lacks norm.bias"),
        (lambda w: w.update({"output.bias": np.zeros(3)}), "output.weight .* expected"),
    ],
)
def test_foreign_weights_are_refused(change, message):
    utterances, labels = corpus(9)
    weights = dict(fit(replace(SMALL, epochs=2), utterances, labels).weights)
    change(weights)
    with pytest.raises(ProtocolError, match=message):
        FramewiseProbe(recipe=SMALL).load(weights)


def test_frames_of_another_width_are_refused():
    utterances, labels = corpus(9)
    fitted = fit(replace(SMALL, epochs=2), utterances, labels)
    with pytest.raises(ProtocolError, match="trained on frames 12 wide, these are 5 wide"):
        fitted.logits(packed([u[:, :5] for u in utterances]), np.arange(3))


@pytest.mark.parametrize(("n", "steps"), [(5, 1), (8, 1), (15, 1), (16, 2), (45, 5)], ids=str)
def test_partial_batches_are_dropped_and_few_utterances_are_one_batch(n, steps):
    utterances, labels = corpus(n)
    told = []
    fit(SMALL, utterances, labels, progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, 4 * steps) for i in range(4 * steps)]


def test_dropout_drops_the_stated_share_and_changes_training():
    utterances, labels = corpus()
    with_it = fit(SMALL, utterances, labels)
    without = fit(replace(SMALL, dropout=0.0), utterances, labels)
    assert not same(with_it, without)


def test_missing_utterances_may_be_in_the_corpus_but_not_in_the_training_part():
    utterances, labels = corpus()
    utterances[11] = np.empty((0, WIDTH), np.float16)
    rows = np.delete(np.arange(len(utterances)), 11)
    assert fit(SMALL, utterances, labels, rows=rows).log
    with pytest.raises(ProtocolError, match="utterance 11 of the corpus has no frames"):
        fit(SMALL, utterances, labels)


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_labels_outside_the_classes_are_refused(label):
    utterances, labels = corpus()
    labels[7] = label
    with pytest.raises(ProtocolError, match=f"utterance 7 of the corpus has class {label}"):
        fit(SMALL, utterances, labels)


def test_an_empty_training_part_is_refused():
    utterances, labels = corpus()
    with pytest.raises(ProtocolError, match="no utterance to train"):
        fit(SMALL, utterances, labels, rows=np.array([], np.int64))


def test_frames_that_are_not_finite_are_refused():
    utterances, labels = corpus()
    utterances[3][0, 0] = np.inf
    with pytest.raises(ProtocolError, match="training loss of epoch 1 is nan"):
        fit(SMALL, utterances, labels)


def test_probes_describe_themselves_without_torch():
    code = (
        "import sys; from sercore.plugins.builtin import sercore_probes;"
        "settings = [(probe.id, dict(probe.settings)) for probe in sercore_probes()];"
        "assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(isinstance(probe, Probe) for probe in sercore_probes())
    assert [probe.id for probe in sercore_probes()] == ["framewise", "fast", "pooled", "logistic"]
