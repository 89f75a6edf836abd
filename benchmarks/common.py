"""What all benchmarks share: interleaved timing, the machine, and how figures are written down.

Every benchmark is a module with a function ``run(quick: bool) -> list[Figure]``. The quick mode
measures smaller sizes, to find out whether a benchmark works at all; its figures mean nothing.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from sercore.environment import environment

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One comparison of sercore with an alternative that was measured in the same run.

    Args:
        what: what was measured.
        unit: of both values.
        ours: median of sercore.
        alternative: the name of what it is compared with; None if it stands alone.
        theirs: median of the alternative.
        ratio: how sercore compares: larger is better.
        goal: the smallest ratio, or the largest value if there is no ratio, that is wanted.
        detail: all single measurements and whatever else explains the figure.
    """

    what: str
    unit: str
    ours: float
    alternative: str | None = None
    theirs: float | None = None
    ratio: float | None = None
    goal: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        if self.goal is None:
            return None
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal


def interleaved(
    cases: Mapping[str, Callable[[], float | None]], rounds: int
) -> dict[str, list[float]]:
    """Return seconds of each case, measured in turn so that a busy machine is fair to all.

    Args:
        cases: what to time by name; one that returns a number has timed itself.
        rounds: how often; a round before the first warms up and is not kept.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            began = time.perf_counter()
            told = case()
            taken = time.perf_counter() - began if told is None else told
            if number:
                seconds[name].append(taken)
    return seconds


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each case."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio_within_rounds(
    seconds: Mapping[str, Sequence[float]], other: str, ours: str = "sercore"
) -> float:
    """Return how many times as long another case took: the median over rounds.

    Within a round all cases met the same load.
    """
    pairs = zip(seconds[other], seconds[ours], strict=True)
    return statistics.median(theirs / mine for theirs, mine in pairs)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, its load included."""
    return {
        **environment(),
        "processor": _processor(),
        "usable_processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": os.getloadavg(),
    }


def write_results(figures: Mapping[str, Sequence[Figure]], record: Mapping[str, Any]) -> None:
    """Write ``results.json`` and ``results.md``, keeping what other benchmarks wrote before.

    Args:
        figures: by benchmark.
        record: the machine at the time.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "results.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, values in figures.items():
        known[name] = {
            "machine": dict(record),
            "figures": [asdict(figure) | {"met": figure.met} for figure in values],
        }
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    (RESULTS / "results.md").write_text(_markdown(known))


def _markdown(known: Mapping[str, Any]) -> str:
    lines = [
        "# Benchmark results",
        "",
        "Medians of interleaved runs; a ratio above 1 is in favour of sercore. Written by",
        "`make bench`; every single measurement is in `results.json`.",
    ]
    for name in sorted(known):
        where = known[name]["machine"]
        load = " ".join(f"{each:.1f}" for each in where["load"])
        lines += [
            "",
            f"## {name}",
            "",
            (
                f"{where['processor']}, {where['usable_processors']} processors,"
                f" {where['memory_gib']} GiB, load {load}; sercore {where['sercore']},"
                f" Python {where['python']}, torch {where['packages']['torch']},"
                f" numpy {where['packages']['numpy']}, pyarrow {where['packages']['pyarrow']}"
            ),
            "",
            "| what | sercore | alternative | | ratio | goal | met |",
            "|---|--:|---|--:|--:|--:|---|",
        ]
        for figure in known[name]["figures"]:
            theirs = figure["theirs"]
            goal = figure["goal"]
            sign = "at least" if figure["ratio"] is not None else "at most"
            cells = [
                figure["what"],
                f"{figure['ours']:.4g} {figure['unit']}",
                figure["alternative"] or "",
                "" if theirs is None else f"{theirs:.4g} {figure['unit']}",
                "" if figure["ratio"] is None else f"{figure['ratio']:.2f}",
                "" if goal is None else f"{sign} {goal:g}",
                {True: "yes", False: "no", None: ""}[figure["met"]],
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
