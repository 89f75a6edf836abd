"""What all benchmarks share: interleaved timing, the machine, and the files of results.

Every benchmark is a module with a function ``run(quick: bool) -> list[Figure]``. The quick mode
uses small sizes. It tests that a benchmark works; its figures are not results.
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
    """One figure of sercore, and of an alternative that was measured in the same run.

    Args:
        what: what was measured.
        unit: unit of both values.
        ours: median of sercore.
        alternative: name of the alternative; None without one.
        theirs: median of the alternative.
        ratio: comparison of the two; larger is better for sercore.
        goal: the lower bound of the ratio; without a ratio, the upper bound of the value.
        detail: all single measurements, and other values that explain the figure.
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
        """True if the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal


def interleaved(
    cases: Mapping[str, Callable[[], float | None]], rounds: int
) -> dict[str, list[float]]:
    """Time cases in turn, so that the load of the machine affects all of them alike.

    Args:
        cases: functions by name; if a function returns a number, that is its time in seconds.
        rounds: number of rounds; one more round before them warms up and is not recorded.

    Returns:
        Seconds by case, one value per round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            began = time.perf_counter()
            own_time = case()
            elapsed = time.perf_counter() - began if own_time is None else own_time
            if number:
                seconds[name].append(elapsed)
    return seconds


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the medians by case."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio_within_rounds(
    seconds: Mapping[str, Sequence[float]], other: str, ours: str = "sercore"
) -> float:
    """Return the time of another case divided by ours, as the median over rounds.

    Cases of the same round ran under similar load.
    """
    pairs = zip(seconds[other], seconds[ours], strict=True)
    return statistics.median(theirs / mine for theirs, mine in pairs)


def machine() -> dict[str, Any]:
    """Return the versions, the machine and its load."""
    return {
        **environment(),
        "processor": _processor(),
        "usable_processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": os.getloadavg(),
    }


def write_results(figures: Mapping[str, Sequence[Figure]], record: Mapping[str, Any]) -> None:
    """Update ``results.json`` and ``results.md``; results of other benchmarks stay as they are.

    Args:
        figures: the figures by benchmark.
        record: the machine as it was at the start; see `machine`.
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
        lines += ["", f"## {name}", "", _machine_line(known[name]["machine"]), ""]
        lines += [
            "| what | sercore | alternative | | ratio | goal | met |",
            "|---|--:|---|--:|--:|--:|---|",
            *(_figure_row(figure) for figure in known[name]["figures"]),
        ]
    return "\n".join(lines) + "\n"


def _machine_line(record: Mapping[str, Any]) -> str:
    load = " ".join(f"{average:.1f}" for average in record["load"])
    packages = record["packages"]
    return (
        f"{record['processor']}, {record['usable_processors']} processors,"
        f" {record['memory_gib']} GiB, load {load}; sercore {record['sercore']},"
        f" Python {record['python']}, torch {packages['torch']},"
        f" numpy {packages['numpy']}, pyarrow {packages['pyarrow']}"
    )


def _figure_row(figure: Mapping[str, Any]) -> str:
    ratio, goal, theirs = figure["ratio"], figure["goal"], figure["theirs"]
    sign = "at least" if ratio is not None else "at most"
    cells = [
        figure["what"],
        f"{figure['ours']:.4g} {figure['unit']}",
        figure["alternative"] or "",
        "" if theirs is None else f"{theirs:.4g} {figure['unit']}",
        "" if ratio is None else f"{ratio:.2f}",
        "" if goal is None else f"{sign} {goal:g}",
        {True: "yes", False: "no", None: ""}[figure["met"]],
    ]
    return "| " + " | ".join(cells) + " |"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
