"""`sercore doctor` on nineteen complete skeletons, and on half a million unrelated files.

The skeletons have the real names and annotation files of all corpora (about 115 000 files of a few
bytes); the listings are those of the tests. Every case is a fresh process, and caches are warm.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians

TESTS = Path(__file__).parent.parent / "tests"
UNRELATED = {
    "songs": lambda number: f"{number // 500}/{number} some song.mp3",
    "numbers": lambda number: f"{number // 500}/{number % 500:04}.wav",
    "one folder": lambda number: f"one/clip {number}.wav",
}
"""Names of unrelated files by number. Some corpora have plain numbers as names."""
_LINKS = 50_000
"""Links to one file; file systems have a limit."""


def run(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        n_files = write_skeletons(place / "corpora", few=quick)
        n_unrelated = 2_000 if quick else 500_000
        cases = {"corpora": _doctor(place / "corpora", place / "workspace")}
        for name, path in UNRELATED.items():
            write_unrelated(place / name, n_unrelated, path)
            cases[name] = _doctor(place / name, place / "workspace")
        processor: dict[str, list[float]] = {name: [] for name in cases}
        seconds = interleaved(
            {name: _metered(case, processor[name]) for name, case in cases.items()},
            1 if quick else 3,
        )
    middle = medians(seconds)
    return [
        Figure(
            what=f"doctor: {n_files} files of nineteen corpora"
            if name == "corpora"
            else f"doctor: {n_unrelated} unrelated files ({name})",
            unit="s",
            ours=middle[name],
            goal=5 if name == "corpora" else 20,
            detail={"seconds": seconds[name], "processor seconds": processor[name][1:]},
        )
        for name in cases
    ]


def write_skeletons(data: Path, *, few: bool) -> int:
    """Write every corpus under its usual name, and return the number of utterances."""
    skeletons = _skeletons()
    n = 0
    for name in skeletons.PAPER:
        root = data / skeletons.corpus(name).card.folders[0]
        root.mkdir(parents=True)
        if few:
            rows = skeletons.rows_of(skeletons.SAMPLES / f"{name}.tsv")
        elif name == "masc":
            rows = [{"path": path} for path in masc_paths()]
        else:
            rows = skeletons.listing(name)
            rows += skeletons.expresso_singing() if name == "expresso" else []
            rows += skeletons.listing("mesd.inferred-reduced") if name == "mesd" else []
        skeletons.write_skeleton(name, rows, root)
        n += len(rows)
    return n


def masc_paths() -> list[str]:
    """Return the paths of MASC by its design; no listing is public."""
    emotions = ["anger", "elation", "neutral", "panic", "sadness"]
    speakers = [f"{number:03}" for number in range(1, 69)]
    spoken = [f"utterance/2{item:02}{take}" for item, take in product(range(1, 21), "abc")]
    spoken += [f"phrase/1{item:02}{take}" for item, take in product(range(1, 6), "abc")]
    paths = [
        f"data/{speaker}/{emotion}/{name}.wav"
        for speaker, emotion, name in product(speakers, emotions, spoken)
    ]
    return paths + [
        f"data/{speaker}/neutral/paragraph/30{number}.wav"
        for speaker, number in product(speakers, (1, 2))
    ]


def write_unrelated(data: Path, n: int, path_of: Callable[[int], str]) -> None:
    """Write files of one byte, as links to few."""
    origin, made = data, set()
    for number in range(n):
        path = data / path_of(number)
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        if number % _LINKS:
            os.link(origin, path)
        else:
            origin = path
            path.write_bytes(b"x")


def _skeletons() -> Any:
    """Return the module of the tests that writes names and annotation files."""
    sys.path.insert(0, str(TESTS))
    return importlib.import_module("test_corpus_listings")


def _doctor(data: Path, workspace: Path) -> Callable[[], None]:
    command = [sys.executable, "-m", "sercore", "doctor", "--data", str(data)]
    command += ["--workspace", str(workspace), "--json"]

    def doctor() -> None:
        answer = subprocess.run(command, capture_output=True, check=False)
        json.loads(answer.stdout)  # it printed a whole diagnosis

    return doctor


def _metered(case: Callable[[], None], processor: list[float]) -> Callable[[], None]:
    """Return a case that also records the processor time of the process and its children."""

    def metered() -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        case()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        processor.append(round(spent, 3))

    return metered
