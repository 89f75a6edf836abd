"""What the full benchmark takes on a machine: sampled here, extrapolated, assumptions stated.

Corpora have the sizes and mean durations of the paper's Table 1; backbones are those installed.
Times on the processor rest on rates that are measured when this runs: matrix products, epochs of
the probe over random frames, and scoring of test utterances. Times on other devices are arithmetic
over stated rates; nothing of them was measured.
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

_TRAIN_SHARE = 0.8
_WINDOW_SECONDS = {"whisper": 30.0, "clap": 10.0}
"""Families that encode a window of this length whatever the utterance lasts."""
_FLOAT16, _FLOAT32 = 2, 4
_CLASSES = 8
_BATCH_FLOPS = 1 << 31  # of the matrix products that are timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The rates by which a kind of machine is extrapolated."""

    name: str
    count: int
    encoder_flops: float
    """Floating-point operations per second that an encoder reaches on one of them."""
    probe_flops: float | None
    """The same for a probe; None where times were sampled instead."""
    link_bytes: float | None
    """Bytes per second from the page cache to one of them; None where there is no link."""
    measured: bool
    """Whether its rates were measured now, or are assumptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What was measured on this processor."""

    flops: float
    """Of float32 matrix products, per second."""
    train_seconds: dict[int, float]
    """Of one frame in one epoch, by width."""
    predict_seconds: dict[int, float]
    """Of one frame, by width."""
    peak_memory_mb: float | None
    """Largest resident memory of the process that sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage of the full benchmark takes on one machine."""

    machine: str
    stage: str
    seconds: float
    measured: bool
    """Whether it is scaled from times measured here, or computed from assumed rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullScale:
    """The extrapolated benchmark."""

    utterances: int
    hours: float
    fits: int
    cells: int
    epochs: int
    stages: tuple[Stage, ...]
    frame_bytes: dict[str, int]
    """On disk, by backbone; with the work done backbone by backbone only the largest is needed
    at once."""
    prediction_bytes: int
    """Of uncompressed logits."""
    sampled: Sampled


def installed_cards() -> list[BackboneCard]:
    """Return the cards of all installed backbones with weights.

    Raises:
        UnknownNameError: there is none.
    """
    from sercore.plugins.registry import registry

    cards = [each.card for each in registry().backbones if each.card.parameters]
    if not cards:
        raise UnknownNameError(
            "no backbone with weights is installed, so there is nothing to extrapolate",
            hint="install a backbone plugin, such as sercore-backbone-whisper-medium",
        )
    return cards


def sample(widths: Iterable[int], *, epochs: int = 2, utterances: int = 320) -> Sampled:
    """Measure this processor: matrix products, and the default probe over random frames.

    Args:
        widths: the frame widths that matter.
        epochs: epochs of the probe per width, after one that warms up.
        utterances: how many of 20 to 450 frames.
    """
    from dataclasses import replace
    from statistics import median

    import numpy as np

    from sercore.devices import set_threads
    from sercore.environment import peak_memory_mb
    from sercore.features.packed import PackedFrames
    from sercore.probes.framewise import FRAMEWISE
    from sercore.probes.framewise import FramewiseProbe

    set_threads()
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 451, utterances)
    rows, starts = np.arange(utterances), np.cumsum(lengths) - lengths
    labels = rng.integers(0, _CLASSES, utterances)
    recipe = replace(FRAMEWISE.recipe, epochs=epochs + 1)
    seen = recipe.batches(utterances) * min(recipe.batch, utterances) / utterances
    train: dict[int, float] = {}
    predict: dict[int, float] = {}
    for width in sorted(set(widths)):
        flat = rng.standard_normal((int(lengths.sum()), width), dtype=np.float32)
        frames = PackedFrames(
            [flat.astype(np.float16)], np.zeros(utterances, np.int32), starts, lengths, width
        )
        fitted = FramewiseProbe(recipe=recipe).fit(
            frames, rows, labels, n_classes=_CLASSES, seed=0, device="cpu"
        )
        taken = median(record.seconds for record in fitted.log[1:])
        train[width] = taken / (seen * frames.n_frames)
        began = time.perf_counter()
        fitted.logits(frames, rows)
        predict[width] = (time.perf_counter() - began) / frames.n_frames
    return Sampled(
        flops=_measure_flops(),
        train_seconds=train,
        predict_seconds=predict,
        peak_memory_mb=peak_memory_mb(),
    )


def extrapolate(
    cards: Sequence[BackboneCard], sampled: Sampled, devices: Sequence[Device]
) -> FullScale:
    """Return what the full benchmark takes on each kind of machine.

    Args:
        cards: the backbones.
        sampled: what was measured here, with all their widths.
        devices: the machines.
    """
    from sercore.probes.framewise import FRAMEWISE
    from sercore.published import eligible_corpora
    from sercore.published import table1

    corpora = table1()
    seconds = {row["id"]: row["samples"] * row["avg_duration_s"] for row in corpora}
    samples = {row["id"]: row["samples"] for row in corpora}
    eligible = set(eligible_corpora())
    targets = {
        train: [train] + [test for test in eligible if train in eligible and test != train]
        for train in seconds
    }
    recipe = FRAMEWISE.recipe
    n_frames = {
        (card.id, name): int(_frames_of(card, samples[name], seconds[name]))
        for card in cards
        for name in seconds
    }
    stages = []
    for device in devices:
        encoding, training, predicting = [], [], []
        for card in cards:
            product = 2 * card.width * recipe.hidden  # operations a frame; training has two
            for name, duration in seconds.items():
                encoded = _encoded_seconds(card, samples[name], duration)
                flops = 2 * (card.parameters or 0) * card.frame_rate * encoded
                encoding.append(flops / device.encoder_flops)
                trained = n_frames[card.id, name] * _TRAIN_SHARE * recipe.epochs
                training.append(
                    _probe_seconds(device, card, trained, sampled.train_seconds, 2 * product)
                )
                asked = sum(
                    n_frames[card.id, test] * (1 - _TRAIN_SHARE if test == name else 1)
                    for test in targets[name]
                )
                predicting.append(
                    _probe_seconds(device, card, asked, sampled.predict_seconds, product)
                )
        for stage, tasks in {
            "extract": encoding,
            "train probes": training,
            "predict": predicting,
        }.items():
            stages.append(
                Stage(
                    machine=device.name,
                    stage=stage,
                    seconds=makespan(tasks, device.count),
                    measured=device.measured,
                )
            )
    cells = sum(len(tests) for tests in targets.values())
    rows = sum(
        samples[test] * (1 - _TRAIN_SHARE if test == name else 1)
        for name, tests in targets.items()
        for test in tests
    )
    return FullScale(
        utterances=sum(samples.values()),
        hours=sum(seconds.values()) / 3600,
        fits=len(cards) * len(seconds),
        cells=len(cards) * cells,
        epochs=recipe.epochs,
        stages=tuple(stages),
        frame_bytes={
            card.id: sum(n_frames[card.id, name] for name in seconds) * card.width * _FLOAT16
            for card in cards
        },
        prediction_bytes=int(len(cards) * rows) * _CLASSES * _FLOAT32,
        sampled=sampled,
    )


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when all tasks are done if each free worker takes the longest that is left.

    >>> makespan([3, 3, 2, 2, 2], 2)
    7.0
    """
    busy = [0.0] * workers
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(busy, busy[0] + each)
    return max(busy)


def _encoded_seconds(card: BackboneCard, samples: int, seconds: float) -> float:
    """Return the seconds that an encoder computes, windows that are mostly silence included."""
    window = _WINDOW_SECONDS.get(card.family)
    return seconds if window is None else samples * window


def _frames_of(card: BackboneCard, samples: int, seconds: float) -> float:
    """Return the frames that are kept."""
    if card.family == "clap":  # always its whole window
        return samples * _WINDOW_SECONDS["clap"] * card.frame_rate
    return seconds * card.frame_rate


def _probe_seconds(
    device: Device, card: BackboneCard, frames: float, sampled: dict[int, float], flops: int
) -> float:
    """Return what a probe takes for some frames: as sampled by width, or by a device's rates."""
    if device.probe_flops is None or device.link_bytes is None:
        return frames * sampled[card.width]
    # Every frame crosses the link every time.
    computing = frames * flops / device.probe_flops
    return max(computing, frames * card.width * _FLOAT16 / device.link_bytes)


def _measure_flops() -> float:
    """Return the rate of float32 matrix products of an encoder's shapes, the best of five."""
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
