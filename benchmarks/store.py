"""The feature store: reading compared with `cat`, random access, and writing.

The store holds 2 GB of frames of 384 numbers, in a warm page cache. Reading copies every frame into
a buffer, like training does. `cat` is a new process that copies the same files into a pipe.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds
from sercore.corpora.manifest import PART_SIZE
from sercore.features.parts import FRAMES
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.storage.workspace import Workspace

WIDTH = 384
READ_GOAL, RANDOM_GOAL_MS, SIZE_GOAL = 0.7, 20.0, 0.01


def run(*, quick: bool) -> list[Figure]:
    n, rounds = (512, 1) if quick else (12_800, 7)
    with tempfile.TemporaryDirectory() as folder:
        store, files, writing = _write(Path(folder), n)
        return [
            *_reading(store, files, rounds),
            _random_access(store, n, max(3, rounds)),
            writing,
            *_integrity(store, files, n_flips=5 if quick else 50),
        ]


def _write(folder: Path, n: int) -> tuple[FeatureStore, list[Path], Figure]:
    """Write a store of n utterances; compare the time with plain files of the same frames."""
    workspace = Workspace(folder)
    identity = {"encoder": {"width": WIDTH}, "corpus": "c", "audio": "a", "utterances": n}
    rows = np.split(np.arange(n), n // PART_SIZE)
    store = FeatureStore(
        workspace, identity, [str(part) for part in range(len(rows))], lambda: rows
    )
    store.write_description()
    rng = np.random.default_rng(0)
    pool = rng.standard_normal((PART_SIZE, 450, WIDTH), dtype=np.float32)
    ours, theirs = 0.0, 0.0
    for part in range(n // PART_SIZE):
        utterances = _utterances(part, pool, rng.integers(20, 451, PART_SIZE))
        began = time.perf_counter()
        store.write_part(part, utterances, layer_means=False, plan={})
        ours += time.perf_counter() - began
        began = time.perf_counter()
        _write_plainly(folder / "plain.bin", utterances)
        theirs += time.perf_counter() - began
    files = [Path(workspace.path(store.files.path(key, FRAMES))) for key in store.part_keys]
    gigabytes = _gigabytes(files)
    figure = Figure(
        what="writing parts, digest and flush to disk included",
        unit="GB/s",
        ours=gigabytes / ours,
        alternative="numpy to float16, written and flushed",
        theirs=gigabytes / theirs,
        ratio=theirs / ours,
    )
    return store, files, figure


def _utterances(
    part: int, pool: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64]
) -> list[ExtractedUtterance]:
    return [
        ExtractedUtterance(
            row=part * PART_SIZE + place,
            path=f"utterance-{part}-{place}.wav",
            frames=pool[place, :length],
            duration_s=length / 50,
            source_rate=16_000,
            channels=1,
            audio_digest="0" * 64,
        )
        for place, length in enumerate(lengths.tolist())
    ]


def _reading(store: FeatureStore, files: list[Path], rounds: int) -> list[Figure]:
    """Copy every frame into a buffer; compare with `cat` of the same files."""
    longest = max(map(len, store.open(verify=False).blocks))
    buffer = np.empty((longest, WIDTH), np.float16)
    raw = memoryview(bytearray(buffer.nbytes))

    def ours() -> None:
        for block in store.open(verify=False).blocks:
            np.copyto(buffer[: len(block)], block[:])

    def cat() -> None:
        with subprocess.Popen(["cat", *map(str, files)], stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            while os.readv(reader.stdout.fileno(), [raw]):
                pass

    def cat_to_null() -> None:
        with Path(os.devnull).open("wb") as sink:
            subprocess.run(["cat", *map(str, files)], stdout=sink, check=True)

    seconds = interleaved({"sercore": ours, "cat": cat, "cat to null": cat_to_null}, rounds)
    middle, gigabytes = medians(seconds), _gigabytes(files)
    ideal_bytes = 2 * WIDTH * store.n_frames
    return [
        *(
            Figure(
                what=f"reading {gigabytes:.2f} GB in sequence, warm",
                unit="GB/s",
                ours=gigabytes / middle["sercore"],
                alternative=alternative,
                theirs=gigabytes / middle[case],
                ratio=ratio_within_rounds(seconds, case),
                goal=goal,
                detail=seconds,
            )
            for case, alternative, goal in (
                ("cat", "cat into a pipe", READ_GOAL),
                ("cat to null", "cat to /dev/null (splices, copies nothing)", None),
            )
        ),
        Figure(
            what="bytes of frame files beyond 2 x frames x width",
            unit="of 1",
            ours=1e9 * gigabytes / ideal_bytes - 1,
            goal=SIZE_GOAL,
        ),
    ]


def _random_access(store: FeatureStore, n: int, rounds: int) -> Figure:
    """Copy 100 random utterances into a buffer."""
    frames = store.open(verify=False)
    buffer = np.empty((int(frames.length.max()), WIDTH), np.float16)
    rng = np.random.default_rng(1)

    def random_utterances() -> None:
        for row in rng.choice(n, 100, replace=False):
            chosen = frames.frames(int(row))
            np.copyto(buffer[: len(chosen)], chosen)

    seconds = interleaved({"random": random_utterances}, rounds)["random"]
    return Figure(
        what="100 random utterances, warm",
        unit="ms",
        ours=1000 * statistics.median(seconds),
        goal=RANDOM_GOAL_MS,
        detail={"seconds": seconds},
    )


def _integrity(store: FeatureStore, files: list[Path], n_flips: int) -> list[Figure]:
    """Verify every digest, and count the flipped bits that are not found."""
    began = time.perf_counter()
    damaged = store.parts.verify()
    seconds = time.perf_counter() - began
    if damaged:
        raise RuntimeError(f"parts {damaged} are damaged")
    found = _flips_found(store, files, n_flips)
    return [
        Figure(what="verifying every digest", unit="GB/s", ours=_gigabytes(files) / seconds),
        Figure(
            what="flipped bits that were not found",
            unit=f"of {n_flips}",
            ours=n_flips - found,
            goal=0,
        ),
    ]


def _gigabytes(files: list[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e9


def _write_plainly(path: Path, utterances: list[ExtractedUtterance]) -> None:
    frames = [one.frames for one in utterances if one.frames is not None]
    with path.open("wb") as file:
        np.concatenate(frames).astype(np.float16).tofile(file)
        file.flush()
        os.fsync(file.fileno())


def _flips_found(store: FeatureStore, files: list[Path], n: int) -> int:
    """Flip single bits at random positions of random parts; return how many were found."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(n):
        part = int(rng.integers(len(files)))
        position = int(rng.integers(files[part].stat().st_size))
        with files[part].open("r+b") as file:
            file.seek(position)
            byte = file.read(1)[0]
            _overwrite(file, position, byte ^ (1 << int(rng.integers(8))))
            record = store.parts.record(part)  # verify one part instead of all
            assert record is not None
            name = store.files.path(store.part_keys[part], FRAMES)
            found += store._workspace.digest(name) != record["digest"]  # noqa: SLF001
            _overwrite(file, position, byte)
    return found


def _overwrite(file: BinaryIO, position: int, byte: int) -> None:
    file.seek(position)
    file.write(bytes([byte]))
    file.flush()
