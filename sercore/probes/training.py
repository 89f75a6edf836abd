"""Train a perceptron on packed frames: order, batches, optimiser and schedule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from sercore.errors import ProtocolError
from sercore.probes.checks import check_training_part
from sercore.probes.frame_reader import FrameReader
from sercore.probes.interface import EpochRecord
from sercore.probes.perceptron import PackedGradient
from sercore.probes.perceptron import Perceptron

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from sercore.features.packed import PackedFrames
    from sercore.probes.interface import Progress
    from sercore.probes.training_recipe import TrainingRecipe

_CHUNK_FRAMES_CPU = 768
"""Frames of a chunk on the CPU: the buffers of one chunk fit into its cache."""
_CHUNK_FRAMES_GPU = 65_536
"""Frames of a chunk on a GPU: large enough to outweigh the cost of launching kernels."""


def train(
    frames: PackedFrames,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    recipe: TrainingRecipe,
    *,
    n_classes: int,
    seed: int,
    device: str,
    progress: Progress | None = None,
) -> tuple[Perceptron, tuple[EpochRecord, ...]]:
    """Train a perceptron.

    The result depends on which utterances are in the training part. It does not depend on their
    order in `rows`, nor on how their frames are spread over blocks. With the same device, number
    of threads and versions it is the same to the last bit.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the utterances of the training part.
        labels: int64 (n,), their classes, 0 to `n_classes` - 1.
        recipe: the hyperparameters.
        n_classes: number of classes.
        seed: seeds initialisation, order and dropout.
        device: ``cpu`` or ``cuda[:n]``.
        progress: called with (batches done, batches in all).

    Returns:
        The trained perceptron, and one record per epoch.

    Raises:
        ProtocolError: there is nothing to train on, an utterance has no frames or no class, or
            its frames are not finite.
    """
    check_training_part(rows, labels, n_classes)
    by_row = np.argsort(rows, kind="stable")
    training = _Training(
        frames,
        rows[by_row],
        labels[by_row],
        recipe,
        n_classes=n_classes,
        seed=seed,
        device=device,
    )
    log = tuple(training.run_epoch(epoch, progress) for epoch in range(recipe.epochs))
    return training.model, log


class _Training:
    """The state of one training: model, optimiser, schedule, and the generator of the order.

    Args:
        frames: the frames of the corpus.
        rows: int64 (n,), the utterances of the training part, sorted.
        labels: int64 (n,), their classes.
        recipe: the hyperparameters.
        n_classes: number of classes.
        seed: seeds initialisation, order and dropout.
        device: ``cpu`` or ``cuda[:n]``.
    """

    def __init__(
        self,
        frames: PackedFrames,
        rows: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        recipe: TrainingRecipe,
        *,
        n_classes: int,
        seed: int,
        device: str,
    ) -> None:
        self._labels, self._recipe, self._device = labels, recipe, device
        for_model, for_order, for_dropout = (
            int(state) for state in np.random.SeedSequence(seed).generate_state(3, np.uint64)
        )
        self._order = np.random.Generator(np.random.PCG64(for_order))
        self._chunk = _CHUNK_FRAMES_CPU if device == "cpu" else _CHUNK_FRAMES_GPU
        # The utterance that fills a chunk also closes it, so a chunk can exceed its size by one.
        max_frames = self._chunk + int(frames.length[rows].max()) // recipe.frame_stride + 1
        self._reader = FrameReader(frames, rows, device=device, max_frames=max_frames)
        self.model = Perceptron.initialised(
            frames.width, n_classes, recipe, seed=for_model, device=device
        )
        self._gradient = PackedGradient(self.model, recipe, max_frames=max_frames, seed=for_dropout)
        self._n_batches = recipe.batches(len(rows))
        self._n_steps = recipe.epochs * self._n_batches
        self._optimiser, self._schedule = _optimiser(self.model, recipe, self._n_steps)

    def run_epoch(self, epoch: int, progress: Progress | None) -> EpochRecord:
        """Train one epoch, counted from 0.

        Raises:
            ProtocolError: the loss is not finite.
        """
        began = time.perf_counter()
        stride = self._recipe.frame_stride
        order = self._order.permutation(len(self._labels))
        batches = _batches(order, self._n_batches, self._recipe.batch)
        offset = int(self._order.integers(stride)) if stride > 1 else 0
        lengths = self._reader.lengths(stride, offset)
        total = torch.zeros((), device=self._device)
        for number, batch in enumerate(batches):
            if number + 1 < self._n_batches:
                self._reader.prefetch(batches[number + 1])
            self._optimiser.zero_grad(set_to_none=False)
            for places in _chunks(batch, lengths, self._chunk):
                total += self._gradient.add(
                    self._reader.read(places, stride, offset),
                    torch.from_numpy(lengths[places]).to(self._device),
                    torch.from_numpy(self._labels[places]).to(self._device),
                    share=1 / len(batch),
                )
            step = epoch * self._n_batches + number + 1
            self._step(is_last=step == self._n_steps)
            if progress is not None:
                progress(step, self._n_steps)
        loss = float(total) / self._n_batches
        if not np.isfinite(loss):
            raise ProtocolError(
                f"the training loss of epoch {epoch + 1} is {loss}, not a finite number",
                hint="the stored frames hold values that are not finite; extract them again",
            )
        return EpochRecord(epoch=epoch + 1, loss=loss, seconds=time.perf_counter() - began)

    def _step(self, *, is_last: bool) -> None:
        """Clip the gradient, and step the optimiser and the schedule."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters.values(), self._recipe.clip)
        self._optimiser.step()
        if not is_last:  # the schedule refuses a step after its last
            self._schedule.step()


def _optimiser(
    model: Perceptron, recipe: TrainingRecipe, steps: int
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
    """Cut the order of an epoch into full batches; fewer utterances than that are one batch."""
    return np.array_split(order[: n_batches * size], n_batches)


def _chunks(
    batch: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], size: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Cut a batch into chunks of whole utterances with about `size` frames."""
    ends = np.cumsum(lengths[batch])
    chunk = (ends - lengths[batch]) // size
    return iter(np.split(batch, np.flatnonzero(np.diff(chunk)) + 1))
