"""The demo run end to end: in an empty workspace, and again with nothing to do."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import Figure


def run(*, quick: bool) -> list[Figure]:
    cold, warm = [], []
    for _ in range(1 if quick else 3):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_demo(Path(folder)))
            warm.append(_demo(Path(folder)))
    return [
        Figure(
            what="sercore run --all --demo, empty workspace",
            unit="s",
            ours=statistics.median(cold),
            alternative="the same again, with nothing to do",
            theirs=statistics.median(warm),
            detail={"cold": cold, "warm": warm},
        )
    ]


def _demo(workspace: Path) -> float:
    # Without plugins, so that corpora and weights of this machine take no part.
    arguments = ["-m", "sercore", "run", "--demo", "--backbone", "logmel", "--quiet"]
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments, "--offline", "--workspace", str(workspace)],
        check=True,
        capture_output=True,
        env={"SERCORE_PLUGINS": "", "PATH": "/usr/bin:/bin"},
    )
    return time.perf_counter() - began
