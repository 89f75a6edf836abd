"""Start-up time of the command line, compared with Python and with the import of torch."""

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
    cases = {name: _start(arguments) for name, arguments in CASES.items()}
    seconds = interleaved(cases, 1 if quick else 9)
    middle = medians(seconds)
    return [
        Figure(
            what=name,
            unit="s",
            ours=middle[name],
            alternative=f"empty python ({middle['bare']:.2f} s) plus import torch",
            theirs=middle["torch"],
            ratio=ratio_within_rounds(seconds, "torch", name),
            detail={"seconds": seconds[name]},
        )
        for name in ("sercore --help", "sercore list")
    ]


def _start(arguments: list[str]) -> Callable[[], None]:
    def start() -> None:
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

    return start
