"""Probe training, compared with two usual implementations and with bare matrix products.

428 utterances of 20 to 450 frames (58 thousand frames), batches of 32. The alternatives:

- usual: one file per utterance, a DataLoader with four persistent workers, nested tensors, logits
  averaged per utterance, autograd;
- eager: frames packed in memory, the same network from torch's modules, autograd;
- products: only the two matrix products per batch that every implementation needs, with the faster
  of two chunk sizes. Their rate is the limit of the machine for these shapes.

`benchmarks.streaming` measures corpora that are larger than memory.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from sercore.devices import set_threads
from sercore.features.packed import PackedFrames
from sercore.probes.frame_reader import FrameReader
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.training_recipe import TrainingRecipe

UTTERANCES, FRAMES, BATCH, HIDDEN, CLASSES = 428, 58_000, 32, 512, 8
GOALS = {1024: (0.75, 1.5), 384: (0.60, 2.0)}
"""By width: goal for the share of the rate of matrix products, and for the speed-up over usual."""
EPOCHS = 5


def run(*, quick: bool) -> list[Figure]:
    set_threads()
    figures = []
    for width in GOALS:
        with tempfile.TemporaryDirectory() as folder:
            figures += _measure(width, Path(folder), quick=quick)
    return figures


def synthetic(width: int, n: int, n_frames: int, *, seed: int = 0) -> PackedFrames:
    """Return random frames in one block, 20 to 450 frames per utterance."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 451, n)
    lengths = (lengths * (n_frames / lengths.sum())).astype(np.int64).clip(20, 450)
    flat = rng.standard_normal((lengths.sum(), width), dtype=np.float32).astype(np.float16)
    return PackedFrames([flat], np.zeros(n, np.int32), np.cumsum(lengths) - lengths, lengths, width)


def _measure(width: int, folder: Path, *, quick: bool) -> list[Figure]:
    n, n_frames = (96, 13_000) if quick else (UTTERANCES, FRAMES)
    frames = synthetic(width, n, n_frames)
    labels = np.random.default_rng(1).integers(0, CLASSES - 1, n)
    for row in range(n):
        torch.save(torch.from_numpy(frames.frames(row)).clone(), folder / f"{row}.pt")
    cases = {
        "sercore": lambda: _sercore(frames, labels),
        "usual": lambda: _usual(folder, width, labels),
        "eager": lambda: _eager(frames, labels),
        "products": lambda: min(_products(frames, chunk) for chunk in (768, 1 << 30)),
        "two probes, one by one": lambda: _shared_work(frames, probes=1) * 2,
        "two probes, batched": lambda: _shared_work(frames, probes=2),
    }
    return _figures(width, interleaved(cases, 1 if quick else 7))


def _figures(width: int, seconds: dict[str, list[float]]) -> list[Figure]:
    share, faster = GOALS[width]
    return [
        _compared(
            f"{width} wide: share of the rate of matrix products",
            seconds,
            ("products", "the two matrix products alone"),
            goal=share,
            detail=seconds,
        ),
        _compared(
            f"{width} wide: epochs per second",
            seconds,
            ("usual", "a file per utterance, DataLoader, nested tensors"),
            goal=faster,
        ),
        _compared(
            f"{width} wide: epochs per second",
            seconds,
            ("eager", "packed eager loop with autograd"),
        ),
        Figure(
            what=f"{width} wide: share of two epochs that two probes in one pass would save",
            unit="of 1",
            ours=statistics.median(
                (apart - batched) / (2 * epoch)
                for apart, batched, epoch in zip(
                    seconds["two probes, one by one"],
                    seconds["two probes, batched"],
                    seconds["sercore"],
                    strict=True,
                )
            ),
            detail={"bound": "same split and order, everything but dropout and norm shared"},
        ),
    ]


def _compared(
    what: str,
    seconds: dict[str, list[float]],
    alternative: tuple[str, str],
    *,
    goal: float | None = None,
    detail: dict[str, list[float]] | None = None,
) -> Figure:
    """Compare the epochs of sercore with those of an alternative, given by case and name."""
    case, name = alternative
    middle = medians(seconds)
    return Figure(
        what=what,
        unit="s/epoch",
        ours=middle["sercore"],
        alternative=name,
        theirs=middle[case],
        ratio=ratio_within_rounds(seconds, case),
        goal=goal,
        detail=detail or {},
    )


def _sercore(frames: PackedFrames, labels: npt.NDArray[np.int64]) -> float:
    fitted = FramewiseProbe(recipe=TrainingRecipe(epochs=EPOCHS)).fit(
        frames,
        np.arange(len(frames)),
        labels,
        n_classes=CLASSES,
        seed=0,
        device="cpu",
    )
    return statistics.median(record.seconds for record in fitted.log[1:])


def _products(frames: PackedFrames, chunk: int) -> float:
    """Time the matrix products of an epoch over the full batches that sercore trains on."""
    order = np.random.default_rng(2).permutation(len(frames))
    n_batches = len(frames) // BATCH
    batches = np.array_split(order[: n_batches * BATCH], n_batches)
    sizes = [int(frames.length[batch].sum()) for batch in batches]
    source = torch.randn(max(sizes), frames.width)
    weight, gradient = torch.randn(HIDDEN, frames.width), torch.zeros(HIDDEN, frames.width)
    hidden = torch.empty(max(sizes), HIDDEN)
    began = time.perf_counter()
    for size in sizes:
        for first in range(0, size, chunk):
            part = source[first : min(first + chunk, size)]
            out = torch.mm(part, weight.t(), out=hidden[: len(part)])
            gradient.addmm_(out.t(), part)
    return time.perf_counter() - began


def _shared_work(frames: PackedFrames, *, probes: int) -> float:
    """Time the work that probes on the same batches could share: reading and wider products."""
    reader = FrameReader(frames, np.arange(len(frames)), device="cpu", max_frames=768 + 450)
    hidden = HIDDEN * probes
    weight, gradient = torch.randn(hidden, frames.width), torch.zeros(hidden, frames.width)
    buffer = torch.empty(768 + 450, hidden)
    order = np.random.default_rng(2).permutation(len(frames))
    order = order[: len(frames) // BATCH * BATCH]
    cuts = np.flatnonzero(np.diff((np.cumsum(frames.length[order]) - 1) // 768)) + 1
    began = time.perf_counter()
    for places in np.split(order, cuts):
        part = reader.read(places)
        out = torch.mm(part, weight.t(), out=buffer[: len(part)])
        gradient.addmm_(out.t(), part)
    return time.perf_counter() - began


class _Network(nn.Module):
    """The published probe from torch's modules; returns the logits of frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, HIDDEN),
            nn.LayerNorm(HIDDEN),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(HIDDEN, CLASSES),
        )

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(frames)
        return logits


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, logits: torch.Tensor, labels: torch.Tensor
) -> None:
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 0.5)
    optimiser.step()


class _Files(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, folder: Path, labels: npt.NDArray[np.int64]) -> None:
        self._folder, self._labels = folder, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return torch.load(self._folder / f"{row}.pt"), int(self._labels[row])


def _collate(
    items: list[tuple[torch.Tensor, int]],
) -> tuple[list[torch.Tensor], torch.Tensor]:
    return [frames for frames, _ in items], torch.tensor([label for _, label in items])


def _usual(folder: Path, width: int, labels: npt.NDArray[np.int64]) -> float:
    torch.manual_seed(0)
    network = _Network(width)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.1)
    loader = torch.utils.data.DataLoader(
        _Files(folder, labels),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=4,
        persistent_workers=True,
        collate_fn=_collate,
        multiprocessing_context="fork",
    )
    taken = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        for frames, target in loader:
            nested = torch.nested.nested_tensor([utterance.float() for utterance in frames])
            logits = torch.stack([logits.mean(dim=0) for logits in network(nested).unbind()])
            _step(network, optimiser, logits, target)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def _eager(frames: PackedFrames, labels: npt.NDArray[np.int64]) -> float:
    torch.manual_seed(0)
    network = _Network(frames.width)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.1, fused=True)
    target = torch.from_numpy(labels)
    n_batches = len(frames) // BATCH
    taken = []
    for epoch in range(EPOCHS):
        began = time.perf_counter()
        order = np.random.default_rng(epoch).permutation(len(frames))
        for batch in np.array_split(order[: n_batches * BATCH], n_batches):
            packed = torch.from_numpy(np.concatenate([frames.frames(row) for row in batch]))
            lengths = torch.from_numpy(frames.length[batch])
            owner = torch.repeat_interleave(lengths)
            logits = torch.zeros(len(batch), CLASSES).index_add(0, owner, network(packed.float()))
            _step(network, optimiser, logits / lengths[:, None], target[batch])
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])
