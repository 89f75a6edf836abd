"""Start-up: what a user waits for before anything happens, against Python itself and torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks.common import Figure
from benchmarks.common import interleaved
from benchmarks.common import medians
from benchmarks.common import ratio_within_rounds

CASES = {
    "sercore --help": ["-m", "sercore", "--help"],
    "sercore list": ["-m", "sercore", "list"],
    "bare": ["-c", "pass"],
    "torch": ["-c", "import torch"],
}


def run(*, quick: bool) -> list[Figure]:
    cases = {name: _start(words) for name, words in CASES.items()}
    seconds = interleaved(cases, 1 if quick else 9)
    middle = medians(seconds)
    return [
        Figure(
            what=name,
            unit="s",
            ours=middle[name],
            alternative=f"python with nothing ({middle['bare']:.2f} s), then import torch",
            theirs=middle["torch"],
            ratio=ratio_within_rounds(seconds, "torch", name),
            detail={"seconds": seconds[name]},
        )
        for name in ("sercore --help", "sercore list")
    ]


def _start(words: list[str]) -> Callable[[], None]:
    def start() -> None:
        subprocess.run([sys.executable, *words], capture_output=True, check=True)

    return start
