"""The feature store: reading against `cat`, random utterances, writing against a plain file.

Frames of 384 numbers, 2 GB of them, read from a warm page cache. Reading is what training does
with them: every frame is copied into a buffer. `cat` copies the same files into a pipe that
nobody processes further, in a process that is started for it, as a user would.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from sercore.features.store import PART_SIZE
from sercore.features.store import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace

WIDTH = 384
READ_GOAL, RANDOM_GOAL_MS, SIZE_GOAL = 0.7, 20.0, 0.01


def run(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), n=512 if quick else 12_800, rounds=1 if quick else 7)


def _measure(folder: Path, *, n: int, rounds: int) -> list[Figure]:
    workspace = Workspace(folder)
    identity = {"backbone": "b", "corpus": "c", "width": WIDTH, "utterances": n}
    store = FeatureStore(workspace, identity)
    store.write_description({})
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((PART_SIZE, 450, WIDTH), dtype=np.float32)
    writing, plain = [], []
    for part in range(n // PART_SIZE):
        lengths = rng.integers(20, 451, PART_SIZE)
        utterances = [
            ExtractedUtterance(
                row=part * PART_SIZE + place,
                utterance_id=f"utterance-{part}-{place}",
                path=f"utterance-{part}-{place}.wav",
                frames=pool[place, : lengths[place]],
                duration_s=lengths[place] / 50,
                source_rate=16_000,
                channels=1,
                audio_digest="0" * 64,
            )
            for place in range(PART_SIZE)
        ]
        began = time.perf_counter()
        store.write_part(part, utterances, layer_means=False, plan={})
        writing.append(time.perf_counter() - began)
        began = time.perf_counter()
        _write_plainly(folder / "plain.bin", utterances)
        plain.append(time.perf_counter() - began)
    files = sorted(Path(workspace.path(store.folder)).glob("*.arrow"))
    n_bytes = sum(file.stat().st_size for file in files)
    ideal = 2 * WIDTH * store.n_frames

    frames = store.open(verify=False)
    buffer = np.empty((max(map(len, frames.blocks)), WIDTH), np.float16)

    raw = memoryview(bytearray(buffer.nbytes))

    def ours() -> None:
        for block in store.open(verify=False).blocks:
            np.copyto(buffer[: len(block)], block)

    def cat() -> None:
        with Path(os.devnull).open("wb") as sink:
            reader = subprocess.Popen(["cat", *map(str, files)], stdout=subprocess.PIPE)
            assert reader.stdout is not None
            while os.readv(reader.stdout.fileno(), [raw]):
                pass
            sink.flush()
            reader.wait()

    def cat_to_null() -> None:
        with Path(os.devnull).open("wb") as sink:
            subprocess.run(["cat", *map(str, files)], stdout=sink, check=True)

    seconds = interleaved({"sercore": ours, "cat": cat, "cat to null": cat_to_null}, rounds)
    middle = medians(seconds)

    def random_utterances() -> None:
        for row in rng.choice(n, 100, replace=False):
            chosen = frames.frames(int(row))
            np.copyto(buffer[: len(chosen)], chosen)

    at_random = interleaved({"random": random_utterances}, max(3, rounds))["random"]
    began = time.perf_counter()
    damaged = store.verify()
    verifying = time.perf_counter() - began
    if damaged:
        raise RuntimeError(f"parts {damaged} are damaged")
    flips = _flips_found(store, files, rng, 5 if rounds == 1 else 50)
    return [
        Figure(
            what=f"reading {n_bytes / 1e9:.2f} GB in sequence, warm",
            unit="GB/s",
            ours=n_bytes / 1e9 / middle["sercore"],
            alternative="cat into a pipe",
            theirs=n_bytes / 1e9 / middle["cat"],
            ratio=ratio_within_rounds(seconds, "cat"),
            goal=READ_GOAL,
            detail=seconds,
        ),
        Figure(
            what=f"reading {n_bytes / 1e9:.2f} GB in sequence, warm",
            unit="GB/s",
            ours=n_bytes / 1e9 / middle["sercore"],
            alternative="cat to /dev/null (splices, copies nothing)",
            theirs=n_bytes / 1e9 / middle["cat to null"],
            ratio=ratio_within_rounds(seconds, "cat to null"),
        ),
        Figure(
            what="100 random utterances, warm",
            unit="ms",
            ours=1000 * statistics.median(at_random),
            goal=RANDOM_GOAL_MS,
            detail={"seconds": at_random},
        ),
        Figure(
            what="bytes of frame files beyond 2 x frames x width",
            unit="of 1",
            ours=n_bytes / ideal - 1,
            goal=SIZE_GOAL,
        ),
        Figure(
            what="writing parts, digest and flush to disk included",
            unit="GB/s",
            ours=n_bytes / 1e9 / sum(writing),
            alternative="numpy to float16, written and flushed",
            theirs=n_bytes / 1e9 / sum(plain),
            ratio=sum(plain) / sum(writing),
        ),
        Figure(what="verifying every digest", unit="GB/s", ours=n_bytes / 1e9 / verifying),
        Figure(
            what="flipped bits that were not found",
            unit=f"of {flips[1]}",
            ours=flips[1] - flips[0],
            goal=0,
        ),
    ]


def _write_plainly(path: Path, utterances: list[ExtractedUtterance]) -> None:
    frames = [each.frames for each in utterances if each.frames is not None]
    with path.open("wb") as file:
        np.concatenate(frames).astype(np.float16).tofile(file)
        file.flush()
        os.fsync(file.fileno())


def _flips_found(
    store: FeatureStore, files: list[Path], rng: np.random.Generator, n: int
) -> tuple[int, int]:
    """Flip single bits at random places of random parts; return how many were found."""
    found = 0
    for _ in range(n):
        part = int(rng.integers(len(files)))
        with files[part].open("r+b") as file:
            position = int(rng.integers(files[part].stat().st_size))
            file.seek(position)
            byte = file.read(1)[0]
            for value in (byte ^ (1 << int(rng.integers(8))), byte):
                file.seek(position)
                file.write(bytes([value]))
                file.flush()
                if value != byte:
                    record = store._record(part)  # noqa: SLF001 - one part instead of all
                    assert record is not None
                    name = f"{store.folder}/{files[part].name}"
                    found += store._workspace.digest(name) != record["digest"]  # noqa: SLF001
    return found, n
