"""Estimate the cost of the full benchmark from rates measured on this machine.

Corpora have the sizes and mean durations of the paper's Table 1; backbones are those that are
installed. CPU times follow from three rates that are measured first: matrix products, epochs of
the probe on random frames, and scoring. GPU times follow from assumed rates and are not measured.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sercore.errors import UnknownNameError

if TYPE_CHECKING:
    from sercore.backbones.interface import BackboneCard
    from sercore.executors.task import TaskKind

_TRAIN_SHARE = 0.8
_WINDOW_SECONDS = {"whisper": 30.0, "clap": 10.0}
"""Families that encode a window of this length, however short the utterance is."""
_FLOAT16_BYTES, _FLOAT32_BYTES = 2, 4
_CLASSES = 8
_BATCH_FLOPS = 1 << 31
"""Operations of the matrix products that are timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One or more devices of the same kind, and their rates."""

    name: str
    count: int
    """Number of devices."""
    encoder_flops: float
    """Floating-point operations per second that an encoder reaches on one device."""
    probe_flops: float | None
    """The same for a probe; None where the times of a probe are measured instead."""
    link_bytes: float | None
    """Bytes per second from the page cache to one device; None where there is no link."""
    measured: bool
    """True if the rates are measured, False if they are assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRates:
    """The rates of this machine's CPU."""

    flops: float
    """Operations per second of float32 matrix products."""
    train_seconds: dict[int, float]
    """Seconds per frame and epoch of training, by frame width."""
    predict_seconds: dict[int, float]
    """Seconds per frame of scoring, by frame width."""
    peak_memory_mb: float | None
    """Peak resident memory of the process that measured, in mebibytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """The time of one stage of the full benchmark on one machine."""

    machine: str
    stage: str
    seconds: float
    measured: bool
    """True if it follows from measured rates, False if it follows from assumed rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScaleCost:
    """The estimated cost of the full benchmark."""

    utterances: int
    hours: float
    """Hours of audio."""
    fits: int
    """Probes to train."""
    cells: int
    epochs: int
    """Epochs per probe."""
    stages: tuple[StageCost, ...]
    frame_bytes: dict[str, int]
    """Disk space of the frames by backbone. Backbones run one after the other, so only the
    largest is needed at a time."""
    prediction_bytes: int
    """Disk space of all logits without compression."""
    sampled: MeasuredRates


def installed_cards() -> list[BackboneCard]:
    """Return the cards of all installed backbones that have weights.

    Raises:
        UnknownNameError: no such backbone is installed.
    """
    from sercore.plugins.registry import registry

    cards = [backbone.card for backbone in registry().backbones if backbone.card.parameters]
    if not cards:
        raise UnknownNameError(
            "no backbone with weights is installed, so there is nothing to estimate",
            hint="install a backbone plugin, such as sercore-backbone-whisper-medium",
        )
    return cards


def measure_rates(
    widths: Iterable[int], *, epochs: int = 2, utterances: int = 320
) -> MeasuredRates:
    """Measure this CPU: matrix products, and the default probe on random frames.

    Args:
        widths: the frame widths to measure.
        epochs: measured epochs per width; one more warms up.
        utterances: number of utterances, of 20 to 450 frames each.
    """
    from sercore.devices import set_threads
    from sercore.environment import peak_memory_mb

    set_threads()
    train: dict[int, float] = {}
    predict: dict[int, float] = {}
    for width in sorted(set(widths)):
        train[width], predict[width] = _probe_seconds_per_frame(width, epochs, utterances)
    return MeasuredRates(
        flops=_measure_flops(),
        train_seconds=train,
        predict_seconds=predict,
        peak_memory_mb=peak_memory_mb(),
    )


def estimate_full_scale(
    cards: Sequence[BackboneCard], rates: MeasuredRates, machines: Sequence[Machine]
) -> FullScaleCost:
    """Return the cost of the full benchmark on each machine.

    Args:
        cards: the backbones.
        rates: the measured rates, with the widths of all backbones.
        machines: the machines to estimate for.
    """
    from sercore.probes.framewise import FRAMEWISE

    corpora = _corpora()
    tests_of = _test_corpora_by_train_corpus(corpora)
    scored = {
        train.id: sum(test.utterances * share for test, share in tests)
        for train, tests in tests_of.items()
    }
    return FullScaleCost(
        utterances=sum(corpus.utterances for corpus in corpora),
        hours=sum(corpus.seconds for corpus in corpora) / 3600,
        fits=len(cards) * len(corpora),
        cells=len(cards) * sum(map(len, tests_of.values())),
        epochs=FRAMEWISE.recipe.epochs,
        stages=tuple(
            stage for machine in machines for stage in _stages(machine, cards, rates, tests_of)
        ),
        frame_bytes={
            card.id: sum(_n_frames(card, corpus) for corpus in corpora)
            * card.width
            * _FLOAT16_BYTES
            for card in cards
        },
        prediction_bytes=int(len(cards) * sum(scored.values())) * _CLASSES * _FLOAT32_BYTES,
        sampled=rates,
    )


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when all tasks are done if each free worker takes the longest task that is left.

    >>> makespan([3, 3, 2, 2, 2], 2)
    7.0
    """
    busy = [0.0] * workers
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(busy, busy[0] + duration)
    return max(busy)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """The size of one corpus."""

    id: str
    utterances: int
    seconds: float
    """Duration of all utterances."""


_Tests = list[tuple[_Corpus, float]]
"""Test corpora, each with the share of its utterances that is scored."""


def _corpora() -> list[_Corpus]:
    """Return the corpora of the paper's Table 1."""
    from sercore.published import table1

    return [
        _Corpus(row["id"], row["samples"], row["samples"] * row["avg_duration_s"])
        for row in table1()
    ]


def _test_corpora_by_train_corpus(corpora: Sequence[_Corpus]) -> dict[_Corpus, _Tests]:
    """Return the cells of the matrix: in-domain for all, out-of-domain among eligible corpora."""
    from sercore.published import eligible_corpora

    eligible = set(eligible_corpora())
    tests: dict[_Corpus, _Tests] = {}
    for train in corpora:
        tests[train] = [(train, 1 - _TRAIN_SHARE)]
        if train.id in eligible:
            tests[train] += [
                (test, 1.0) for test in corpora if test.id in eligible and test is not train
            ]
    return tests


def _stages(
    machine: Machine,
    cards: Sequence[BackboneCard],
    rates: MeasuredRates,
    tests_of: dict[_Corpus, _Tests],
) -> list[StageCost]:
    """Return the time of every stage on one machine."""
    from sercore.probes.framewise import FRAMEWISE

    recipe = FRAMEWISE.recipe
    encoding, training, predicting = [], [], []
    for card in cards:
        product = 2 * card.width * recipe.hidden  # operations per frame; training needs two
        for train, tests in tests_of.items():
            flops = 2 * (card.parameters or 0) * card.frame_rate * _encoded_seconds(card, train)
            encoding.append(flops / machine.encoder_flops)
            trained = _n_frames(card, train) * _TRAIN_SHARE * recipe.epochs
            training.append(
                _probe_seconds(machine, card, trained, rates.train_seconds, 2 * product)
            )
            scored = sum(_n_frames(card, test) * share for test, share in tests)
            predicting.append(_probe_seconds(machine, card, scored, rates.predict_seconds, product))
    return [
        StageCost(
            machine=machine.name,
            stage=stage,
            seconds=makespan(tasks, machine.count),
            measured=machine.measured,
        )
        for stage, tasks in (
            ("extract", encoding),
            ("train probes", training),
            ("predict", predicting),
        )
    ]


def _encoded_seconds(card: BackboneCard, corpus: _Corpus) -> float:
    """Return the seconds that an encoder computes, the silence of fixed windows included."""
    window = _WINDOW_SECONDS.get(card.family)
    return corpus.seconds if window is None else corpus.utterances * window


def _n_frames(card: BackboneCard, corpus: _Corpus) -> int:
    """Return the frames of a corpus that are kept."""
    if card.family == "clap":  # keeps its whole window
        return int(corpus.utterances * _WINDOW_SECONDS["clap"] * card.frame_rate)
    return int(corpus.seconds * card.frame_rate)


def _probe_seconds(
    machine: Machine,
    card: BackboneCard,
    frames: float,
    seconds_per_frame: dict[int, float],
    flops: int,
) -> float:
    """Return the time of a probe, from measured seconds per frame or from a machine's rates."""
    if machine.probe_flops is None or machine.link_bytes is None:
        return frames * seconds_per_frame[card.width]
    # Every frame crosses the link in every epoch.
    computing = frames * flops / machine.probe_flops
    return max(computing, frames * card.width * _FLOAT16_BYTES / machine.link_bytes)


def _probe_seconds_per_frame(width: int, epochs: int, utterances: int) -> tuple[float, float]:
    """Measure the default probe on random frames; return its seconds for training and scoring."""
    from dataclasses import replace
    from statistics import median

    import numpy as np

    from sercore.features.packed import PackedFrames
    from sercore.probes.framewise import FRAMEWISE
    from sercore.probes.framewise import FramewiseProbe

    rng = np.random.default_rng(width)
    lengths = rng.integers(20, 451, utterances)
    rows, starts = np.arange(utterances), np.cumsum(lengths) - lengths
    labels = rng.integers(0, _CLASSES, utterances)
    flat = rng.standard_normal((int(lengths.sum()), width), dtype=np.float32)
    frames = PackedFrames(
        [flat.astype(np.float16)], np.zeros(utterances, np.int32), starts, lengths, width
    )
    recipe = replace(FRAMEWISE.recipe, epochs=epochs + 1)
    fitted = FramewiseProbe(recipe=recipe).fit(
        frames, rows, labels, n_classes=_CLASSES, seed=0, device="cpu"
    )
    # The last partial batch of an epoch is dropped, so an epoch sees a share of the utterances.
    share_seen = recipe.batches(utterances) * min(recipe.batch, utterances) / utterances
    epoch_seconds = median(record.seconds for record in fitted.log[1:])
    began = time.perf_counter()
    fitted.logits(frames, rows)
    scoring_seconds = time.perf_counter() - began
    return epoch_seconds / (share_seen * frames.n_frames), scoring_seconds / frames.n_frames


def _measure_flops() -> float:
    """Return the best of five rates of float32 matrix products with shapes of an encoder."""
    import torch

    n, width = 1500, 1024
    left, right = torch.randn(n, width), torch.randn(width, width)
    out = torch.empty(n, width)
    repeats = max(1, _BATCH_FLOPS // (2 * n * width * width))
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(repeats):
            torch.mm(left, right, out=out)
        best = max(best, repeats * 2 * n * width * width / (time.perf_counter() - began))
    return best


def task_seconds(
    kind: TaskKind, card: BackboneCard, corpus: str, machine: Machine, *, probes: int = 1
) -> float:
    """Return the time of one task on one device of a machine with assumed rates.

    Args:
        kind: extract or fit a whole corpus, or predict it.
        card: the backbone.
        corpus: id of a corpus of Table 1.
        machine: its rates.
        probes: how many probes predict the corpus in one pass.

    Raises:
        KeyError: Table 1 has no such corpus.
    """
    from sercore.probes.framewise import FRAMEWISE

    recipe = FRAMEWISE.recipe
    sized = {known.id: known for known in _corpora()}[corpus]
    if kind == "extract":
        flops = 2 * (card.parameters or 0) * card.frame_rate * _encoded_seconds(card, sized)
        return flops / machine.encoder_flops
    frames, product = _n_frames(card, sized), 2 * card.width * recipe.hidden
    if kind == "fit":
        seen = frames * _TRAIN_SHARE * recipe.epochs
        return _probe_seconds(machine, card, seen, {}, 2 * product)
    return _probe_seconds(machine, card, frames, {}, product * probes)
