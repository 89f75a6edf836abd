"""Probe training on corpora larger than memory: time per frame, and memory.

    python -m benchmarks.streaming FOLDER    # writes up to 14 GB to FOLDER

It trains epochs over 100 thousand and over 10 million frames, and one epoch over 14 GB of frames.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.common import Figure
from benchmarks.common import machine
from benchmarks.common import write_results
from benchmarks.probe import BATCH
from benchmarks.probe import CLASSES
from sercore.devices import set_threads
from sercore.features.packed import PackedFrames
from sercore.probes.framewise import FramewiseProbe
from sercore.probes.training_recipe import TrainingRecipe


def write_frames(path: Path, width: int, n_frames: int) -> None:
    """Write random float16 frames, one slab at a time."""
    rng = np.random.default_rng(0)
    slab = rng.standard_normal((65_536, width), dtype=np.float32).astype(np.float16)
    with path.open("wb") as file:
        for first in range(0, n_frames, len(slab)):
            # Rotate every slab by another amount, so that no two slabs are equal.
            file.write(np.roll(slab, first % 977, axis=1)[: n_frames - first].tobytes())


def mapped(path: Path, width: int, n_frames: int) -> PackedFrames:
    """Map the frames of a file, as utterances of 20 to 450 frames."""
    lengths = np.random.default_rng(1).integers(20, 451, n_frames // 20)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), n_frames, "right"))]
    flat = np.memmap(path, np.float16, "r", shape=(n_frames, width))
    n = len(lengths)
    return PackedFrames(
        [flat], np.zeros(n, np.int32), np.cumsum(lengths) - lengths, lengths.astype(np.int64), width
    )


def stream_once(path: Path, width: int, n_frames: int, *, in_memory: bool = False) -> None:
    """Train on a file of frames; print time per frame, memory and a digest as JSON."""
    set_threads()
    frames = mapped(path, width, n_frames)
    if in_memory:
        flat = np.array(frames.blocks[0], np.float16)
        frames = PackedFrames([flat], frames.block, frames.start, frames.length, width)
    labels = np.random.default_rng(2).integers(0, CLASSES - 1, len(frames))
    peak = 0.0
    sampled_at = 0.0

    def sample_memory(done: int, total: int) -> None:
        nonlocal peak, sampled_at
        now = time.perf_counter()
        if now - sampled_at > 0.5 or done == total:
            sampled_at = now
            peak = max(peak, _anonymous_gb())

    # Epochs of a small corpus are short, so train several and take the median.
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
        progress=sample_memory,
    )
    weights = hashlib.sha256(
        b"".join(array.tobytes() for array in fitted.weights.values())
    ).hexdigest()
    used = len(frames) // BATCH * BATCH / len(frames) * int(frames.length.sum())
    per_epoch = statistics.median(record.seconds for record in fitted.log)
    print(
        json.dumps(
            {
                "seconds_per_frame": per_epoch / used,
                "rss_anon_gb": peak,
                "weights": weights,
                "frames": int(frames.length.sum()),
            }
        )
    )


def streaming(folder: Path, *, large: int = 10_000_000, wide: int = 7_000_000) -> list[Figure]:
    """Measure epochs over a small and a large file, and memory over a file of 14 GB."""
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
    """Run `stream_once` in a new process, to measure its memory alone."""
    command = [sys.executable, "-m", "benchmarks.streaming", "--once", str(path), str(width)]
    done = subprocess.run(
        [*command, str(n_frames), *more], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _anonymous_gb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e9
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="where frames are written")
    parser.add_argument("--large", type=int, default=10_000_000, help="frames of the large file")
    parser.add_argument("--wide", type=int, default=7_000_000, help="frames of the wide file")
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--in-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        path, width, n_frames = options.once
        stream_once(Path(path), int(width), int(n_frames), in_memory=options.in_memory)
        return
    if options.folder is None:
        parser.error("name a folder for the frames")
    record = machine()
    figures = streaming(options.folder, large=options.large, wide=options.wide)
    write_results({"streaming": figures}, record)
    for figure in figures:
        print(json.dumps(asdict(figure) | {"met": figure.met}))


if __name__ == "__main__":
    main()
