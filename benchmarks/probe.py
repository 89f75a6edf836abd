"""Probe training: the packed engine against the usual loop, a packed eager loop and its floor.

428 utterances of 20 to 450 frames (58 thousand frames), batches of 32. The alternatives:

- usual: one serialised file per utterance, a DataLoader with four (persistent) workers, nested
  tensors, logits averaged per utterance, autograd;
- eager: frames packed in memory, the same network in torch's modules, autograd;
- products: nothing but the two matrix products per batch that no implementation can avoid, each
  in the quicker of two cuts. Its rate is what the machine can do on these shapes.

    python -m benchmarks probe
    python -m benchmarks.probe --streaming FOLDER    # epochs over 100 thousand and 10 million
                                                     # frames, and memory over 14 GB; needs disk
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import machine
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from benchmarks.common import write_results
from sercore.devices import set_threads
from sercore.features.packed import PackedFrames
from sercore.probes.frame_reader import FrameReader
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.training_recipe import TrainingRecipe

UTTERANCES, FRAMES, BATCH, HIDDEN, CLASSES = 428, 58_000, 32, 512, 8
GOALS = {1024: (0.75, 1.5), 384: (0.60, 2.0)}
"""By width: the wanted share of the rate of matrix products, and how much faster than usual."""
EPOCHS = 5


def run(*, quick: bool) -> list[Figure]:
    set_threads()
    figures = []
    for width in GOALS:
        with tempfile.TemporaryDirectory() as folder:
            figures += _measure(width, Path(folder), quick=quick)
    return figures


def synthetic(width: int, n: int, n_frames: int, *, seed: int = 0) -> PackedFrames:
    """Return random frames of utterances of 20 to 450 frames in one block."""
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
        "products": lambda: min(_products(frames, cut) for cut in (768, 1 << 30)),
        "two probes, one by one": lambda: _shared_work(frames, probes=1) * 2,
        "two probes, batched": lambda: _shared_work(frames, probes=2),
    }
    seconds = interleaved(cases, 1 if quick else 7)
    middle = medians(seconds)
    share, faster = GOALS[width]
    return [
        Figure(
            what=f"{width} wide: share of the rate of matrix products",
            unit="s/epoch",
            ours=middle["sercore"],
            alternative="the two matrix products alone",
            theirs=middle["products"],
            ratio=ratio_within_rounds(seconds, "products"),
            goal=share,
            detail=seconds,
        ),
        Figure(
            what=f"{width} wide: epochs per second",
            unit="s/epoch",
            ours=middle["sercore"],
            alternative="a file per utterance, DataLoader, nested tensors",
            theirs=middle["usual"],
            ratio=ratio_within_rounds(seconds, "usual"),
            goal=faster,
        ),
        Figure(
            what=f"{width} wide: epochs per second",
            unit="s/epoch",
            ours=middle["sercore"],
            alternative="packed eager loop with autograd",
            theirs=middle["eager"],
            ratio=ratio_within_rounds(seconds, "eager"),
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


def _products(frames: PackedFrames, cut: int) -> float:
    """Time the products of an epoch: the frames of full batches, as many as sercore trains on."""
    order = np.random.default_rng(2).permutation(len(frames))
    n_batches = len(frames) // BATCH
    batches = np.array_split(order[: n_batches * BATCH], n_batches)
    sizes = [int(frames.length[batch].sum()) for batch in batches]
    source = torch.randn(max(sizes), frames.width)
    weight, gradient = torch.randn(HIDDEN, frames.width), torch.zeros(HIDDEN, frames.width)
    hidden = torch.empty(max(sizes), HIDDEN)
    began = time.perf_counter()
    for size in sizes:
        for first in range(0, size, cut):
            part = source[first : min(first + cut, size)]
            out = torch.mm(part, weight.t(), out=hidden[: len(part)])
            gradient.addmm_(out.t(), part)
    return time.perf_counter() - began


def _shared_work(frames: PackedFrames, *, probes: int) -> float:
    """Time what probes on the same batches could share: gathering, conversion, wider products."""
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
    """The published probe in torch's modules, up to the logits of single frames."""

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
            nested = torch.nested.nested_tensor([each.float() for each in frames])
            logits = torch.stack([each.mean(dim=0) for each in network(nested).unbind()])
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


# Streaming: corpora larger than memory should cost time in proportion, and no memory


def write_frames(path: Path, width: int, n_frames: int) -> None:
    """Write non-zero float16 frames, a slab at a time."""
    rng = np.random.default_rng(0)
    slab = rng.standard_normal((65_536, width), dtype=np.float32).astype(np.float16)
    with path.open("wb") as file:
        for first in range(0, n_frames, len(slab)):
            # Turned by another amount each time, so that no two slabs are alike.
            file.write(np.roll(slab, first % 977, axis=1)[: n_frames - first].tobytes())


def mapped(path: Path, width: int, n_frames: int) -> PackedFrames:
    """Return frames of a file as utterances of 20 to 450 frames, mapped."""
    lengths = np.random.default_rng(1).integers(20, 451, n_frames // 20)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), n_frames, "right"))]
    flat = np.memmap(path, np.float16, "r", shape=(n_frames, width))
    n = len(lengths)
    return PackedFrames(
        [flat], np.zeros(n, np.int32), np.cumsum(lengths) - lengths, lengths.astype(np.int64), width
    )


def stream_once(path: Path, width: int, n_frames: int, *, in_memory: bool = False) -> None:
    """Train one epoch over a file of frames and print what it took, as JSON."""
    import hashlib

    set_threads()
    frames = mapped(path, width, n_frames)
    if in_memory:
        flat = np.array(frames.blocks[0], np.float16)
        frames = PackedFrames([flat], frames.block, frames.start, frames.length, width)
    labels = np.random.default_rng(2).integers(0, CLASSES - 1, len(frames))
    highest = 0.0
    told = 0.0

    def watch(done: int, total: int) -> None:
        nonlocal highest, told
        now = time.perf_counter()
        if now - told > 0.5 or done == total:
            told = now
            highest = max(highest, _anonymous_gb())

    # Repeats of a small corpus give its single epochs a length that can be measured.
    epochs = max(2, 1_000_000 // n_frames)
    fitted = FramewiseProbe(
        recipe=TrainingRecipe(epochs=epochs if n_frames < 5_000_000 else 1)
    ).fit(
        frames,
        np.arange(len(frames)),
        labels,
        n_classes=CLASSES,
        seed=0,
        device="cpu",
        progress=watch,
    )
    weights = hashlib.sha256(b"".join(w.tobytes() for w in fitted.weights.values())).hexdigest()
    used = len(frames) // BATCH * BATCH / len(frames) * int(frames.length.sum())
    per_epoch = statistics.median(record.seconds for record in fitted.log)
    print(
        json.dumps(
            {
                "seconds_per_frame": per_epoch / used,
                "rss_anon_gb": highest,
                "weights": weights,
                "frames": int(frames.length.sum()),
            }
        )
    )


def streaming(folder: Path, *, large: int = 10_000_000, wide: int = 7_000_000) -> list[Figure]:
    """Measure epochs over a small and a large file, and memory over one of 14 GB."""
    folder.mkdir(parents=True, exist_ok=True)
    small = 100_000
    sizes = {"small": (small, 384), "large": (large, 384)}
    for name, (n_frames, width) in sizes.items():
        write_frames(folder / f"{name}.bin", width, n_frames)
    rounds = []
    for _ in range(3):
        one = _child(folder / "small.bin", 384, small)
        many = _child(folder / "large.bin", 384, large)
        again = _child(folder / "small.bin", 384, small)
        middle = (one["seconds_per_frame"] + again["seconds_per_frame"]) / 2
        rounds.append((middle, many["seconds_per_frame"]))
    same = _child(folder / "small.bin", 384, small, "--in-memory")["weights"] == one["weights"]
    for name in sizes:
        (folder / f"{name}.bin").unlink()
    write_frames(folder / "wide.bin", 1024, wide)
    widest = _child(folder / "wide.bin", 1024, wide)
    (folder / "wide.bin").unlink()
    difference = statistics.median(abs(b / a - 1) for a, b in rounds)
    return [
        Figure(
            what=f"seconds per frame, {large:,} against {small:,} frames: difference",
            unit="of 1",
            ours=difference,
            goal=0.15,
            detail={"rounds": rounds, "same_bits_as_in_memory": same},
        ),
        Figure(
            what=f"anonymous memory over {wide * 2048 / 1e9:.0f} GB of frames, 1024 wide",
            unit="GB",
            ours=widest["rss_anon_gb"],
            goal=2.0,
            detail=widest,
        ),
    ]


def _child(path: Path, width: int, n_frames: int, *more: str) -> dict[str, float]:
    """Run in a process of its own, whose memory is its own."""
    words = [sys.executable, "-m", "benchmarks.probe", "--once", str(path), str(width)]
    done = subprocess.run(
        [*words, str(n_frames), *more], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _anonymous_gb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e9
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streaming", type=Path, metavar="FOLDER")
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--wide", type=int, default=7_000_000)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--in-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        path, width, n_frames = options.once
        stream_once(Path(path), int(width), int(n_frames), in_memory=options.in_memory)
    elif options.streaming:
        record = machine()
        figures = streaming(options.streaming, large=options.large, wide=options.wide)
        write_results({"streaming": figures}, record)
        for figure in figures:
            print(json.dumps(asdict(figure) | {"met": figure.met}))
    else:
        parser.error("give --streaming FOLDER, or run 'python -m benchmarks probe'")


if __name__ == "__main__":
    main()
