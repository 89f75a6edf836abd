"""Fitting a perceptron on packed frames: order, batches, optimiser and schedule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from sercore.errors import ProtocolError
from sercore.probes.checks import check_training_part
from sercore.probes.frame_reader import FrameReader
from sercore.probes.interface import EpochRecord
from sercore.probes.mlp import PackedGradient
from sercore.probes.mlp import Perceptron

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import Progress
    from sercore.probes.recipe import Recipe

_CHUNK_FRAMES = 768
"""Frames of a chunk on the processor: what one chunk touches stays in its cache."""
_CHUNK_FRAMES_DEVICE = 65_536
"""Frames of a chunk on any other device, whose launches must be worth it."""


def train(
    frames: PackedFrames,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    recipe: Recipe,
    *,
    n_classes: int,
    seed: int,
    device: str,
    progress: Progress | None = None,
) -> tuple[Perceptron, tuple[EpochRecord, ...]]:
    """Train a perceptron as a recipe says.

    The result depends on which utterances train, not on the order in which `rows` names them
    nor on how their frames are spread over blocks. At the same device, number of threads and
    versions it is the same to the last bit.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), which utterances train.
        labels: int64 (n,), their classes, 0 to `n_classes` - 1.
        recipe: the hyperparameters.
        n_classes: the size of the class space.
        seed: drives initialisation, order and dropout.
        device: ``cpu`` or ``cuda[:n]``.
        progress: told (batches done, batches in all).

    Raises:
        ProtocolError: there is nothing to train on, an utterance has no frames or no class, or
            its frames are not finite.
    """
    check_training_part(rows, labels, n_classes)
    by_row = np.argsort(rows, kind="stable")
    rows, labels = rows[by_row], labels[by_row]
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(3, np.uint64)]
    order = np.random.Generator(np.random.PCG64(seeds[1]))

    chunk = _CHUNK_FRAMES if device == "cpu" else _CHUNK_FRAMES_DEVICE
    stride = recipe.frame_stride
    # A chunk is closed by the utterance that fills it, so it can run over by one utterance.
    max_frames = chunk + int(frames.length[rows].max()) // stride + 1
    reader = FrameReader(frames, rows, device=device, max_frames=max_frames)
    model = Perceptron.initialised(frames.width, n_classes, recipe, seed=seeds[0], device=device)
    gradient = PackedGradient(model, recipe, max_frames=max_frames, seed=seeds[2])
    n_batches = recipe.batches(len(rows))
    n_steps = recipe.epochs * n_batches
    optimiser, schedule = _optimiser(model, recipe, n_steps)

    log = []
    for epoch in range(recipe.epochs):
        began = time.perf_counter()
        batches = _batches(order.permutation(len(rows)), n_batches, recipe.batch)
        offset = int(order.integers(stride)) if stride > 1 else 0
        lengths = reader.taken(stride, offset)
        total = torch.zeros((), device=device)
        for number, batch in enumerate(batches):
            if number + 1 < n_batches:
                reader.announce(batches[number + 1])
            optimiser.zero_grad(set_to_none=False)
            for places in _chunks(batch, lengths, chunk):
                total += gradient.add(
                    reader.take(places, stride, offset),
                    torch.from_numpy(lengths[places]).to(device),
                    torch.from_numpy(labels[places]).to(device),
                    share=1 / len(batch),
                )
            torch.nn.utils.clip_grad_norm_(model.parameters.values(), recipe.clip)
            optimiser.step()
            step = epoch * n_batches + number + 1
            if step < n_steps:
                schedule.step()
            if progress is not None:
                progress(step, n_steps)
        loss = float(total) / n_batches
        if not np.isfinite(loss):
            raise ProtocolError(
                f"the training loss of epoch {epoch + 1} is {loss}, not a finite number",
                hint="the stored frames hold values that are not finite; extract them again",
            )
        log.append(EpochRecord(epoch=epoch + 1, loss=loss, seconds=time.perf_counter() - began))
    return model, tuple(log)


def _optimiser(
    model: Perceptron, recipe: Recipe, steps: int
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
    optimiser = torch.optim.AdamW(
        model.parameters.values(),
        lr=recipe.learning_rate,
        betas=(recipe.momentum_high, recipe.beta2),
        eps=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=recipe.learning_rate,
        total_steps=steps,
        pct_start=recipe.warm_up,
        anneal_strategy="cos",
        base_momentum=recipe.momentum_low,
        max_momentum=recipe.momentum_high,
        div_factor=recipe.start_divisor,
        final_div_factor=recipe.end_divisor,
    )
    return optimiser, schedule


def _batches(
    order: npt.NDArray[np.int64], n_batches: int, size: int
) -> list[npt.NDArray[np.int64]]:
    """Cut an epoch's order into full batches; fewer utterances than one batch are one batch."""
    return np.array_split(order[: n_batches * size], n_batches)


def _chunks(
    batch: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], size: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Cut a batch into runs of whole utterances of about `size` frames."""
    ends = np.cumsum(lengths[batch])
    chunk = (ends - lengths[batch]) // size
    return iter(np.split(batch, np.flatnonzero(np.diff(chunk)) + 1))
