"""``python -m benchmarks.coverage``: how often sercore's intervals and verdicts are right.

Simulations with known truth pass through sercore's own functions; what comes out is compared with
the allowed ranges and written into ``docs/statistics.md``. Trials are numbered and saved as they
finish, so that an interrupted run continues where it stopped. ``--quick`` does one trial in ten,
writes nothing, and its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from benchmarks import coverage_backbones as backbones
from benchmarks import coverage_cells as cells
from benchmarks import coverage_leak
from benchmarks.common import RESULTS
from benchmarks.common import machine
from benchmarks.coverage_trials import PARTIAL
from benchmarks.coverage_trials import SavedTrials

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Trials = Sequence[Mapping[str, float]]

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
SUMMARY = RESULTS / "coverage.json"
BEGIN, END = "<!-- begin: benchmarks.coverage -->", "<!-- end: benchmarks.coverage -->"
SAVE_EVERY_S = 20.0


@dataclass(frozen=True)
class Check:
    """One figure of a scenario, and the range in which it must lie."""

    what: str
    measure: Callable[[Trials], Values]
    """Returns one number per trial; the figure is their mean."""
    low: float | None = None
    high: float | None = None
    percent: bool = True

    def shown(self, value: float) -> str:
        """Return a value as it stands in the table."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3g}"

    @property
    def allowed(self) -> str:
        """The range in words; empty where the figure is information."""
        bounds = [None if end is None else self.shown(end) for end in (self.low, self.high)]
        if bounds[0] and bounds[1]:
            return bounds[0] if bounds[0] == bounds[1] else f"{bounds[0]} to {bounds[1]}"
        if bounds[0]:
            return f"at least {bounds[0]}"
        return f"at most {bounds[1]}" if bounds[1] else ""


@dataclass(frozen=True)
class Scenario:
    """One simulated world."""

    section: str
    name: str
    replicates: int
    trial: Callable[[int], Mapping[str, float]]
    checks: tuple[Check, ...]


def of(key: str) -> Callable[[Trials], Values]:
    """Return a measure that is one entry of each trial."""
    return lambda trials: np.array([trial[key] for trial in trials])


def ratio(key: str, other: str) -> Callable[[Trials], Values]:
    """Return a measure that is the ratio of two entries' means."""
    return lambda trials: np.array([np.mean(of(key)(trials)) / np.mean(of(other)(trials))])


def holds_mean(trials: Trials) -> Values:
    """Return whether each interval holds the mean of the estimates over all trials."""
    mean = float(np.mean(of("gap")(trials)))
    return np.array([trial["low"] <= mean <= trial["high"] for trial in trials], dtype=float)


def scenarios() -> list[Scenario]:
    """Return everything that is simulated."""
    return [
        *_cells(),
        *_averages(),
        *_seeds(),
        *_families(),
        *_these(),
        *_leaks(),
        *_chance_and_cost(),
    ]


def _cells() -> list[Scenario]:
    zipf = tuple(max(int(900 / rank), 3) for rank in range(1, 61))
    worlds = {
        **{
            f"{n} speakers, macro-F1 {name}": cells.Speakers((50,) * n, signal)
            for n in (4, 6, 10, 24, 60)
            for name, signal in (("low", 0.5), ("high", 2.6))
        },
        "60 speakers, Zipf sizes, imbalanced": cells.Speakers(zipf, 0.6, prior=cells.IMBALANCED),
        "60 speakers, Zipf sizes, macro-F1 high": cells.Speakers(zipf, 2.6),
        "10 speakers, a class said by a quarter": cells.Speakers((50,) * 10, 1.5, rare=True),
    }
    found = []
    for name, world in worlds.items():
        checks = [
            Check("macro-F1, coverage", of("macro-f1"), 0.91, 0.98),
            Check("UAR, coverage", of("uar")),
            Check("accuracy, coverage", of("accuracy")),
            Check("macro-F1, width", of("width"), percent=False),
        ]
        if name.startswith("60 speakers, macro"):
            widths = ratio("width", "percentile width")
            checks.append(Check("width / percentile width", widths, 0.9, 1.1, percent=False))
        trial = partial(cells.cell, sample=world)
        found.append(Scenario("One cell", name, 800, trial, tuple(checks)))
    return found


def _averages() -> list[Scenario]:
    limits = {"in-domain mean": (None, None), "difference of in-domain mean": (None, None)}
    names = [*cells.AVERAGES, *(f"difference of {name}" for name in cells.AVERAGES)]
    checks = [
        Check(f"{name}, coverage", of(name), *limits.get(name, (0.92, 0.98))) for name in names
    ]
    checks.append(Check("out-of-domain mean, width", of("out-of-domain width"), percent=False))
    rest = tuple(replace(check, low=None, high=None) for check in checks)
    uneven = partial(cells.averages, uneven=True)
    return [
        Scenario("Averages", "19 and 72 cells", 1000, cells.averages, tuple(checks)),
        Scenario("Averages", "the same, speakers of Zipf sizes", 500, uneven, rest),
    ]


def _seeds() -> list[Scenario]:
    found = []
    for n_seeds, n_speakers in ((3, 24), (3, 6), (5, 24)):
        trial = partial(cells.seeds, n_seeds=n_seeds, n_speakers=n_speakers, spread=0.06)
        checks = (
            Check("speakers and seeds, coverage", of("moderated"), 0.92, 0.97),
            Check("one probe, coverage (labelled so)", of("one probe")),
        )
        name = f"{n_seeds} seeds of SD .06, {n_speakers} speakers"
        found.append(Scenario("Seeds", name, 60, trial, checks))
    for n_seeds in (3, 5):
        trial = partial(cells.average_seeds, n_seeds=n_seeds, spread=0.06)
        of_averages = tuple(
            Check(f"{name}, {which}, coverage", of(f"{name}, {which}"), low, high)
            for name in cells.AVERAGES
            for which, low, high in (
                ("speakers and seeds", 0.92, 0.98),
                ("speakers only", None, None),
            )
        )
        name = f"averages, {n_seeds} seeds of SD .06"
        found.append(Scenario("Seeds", name, 400, trial, of_averages))
    return found


def _families() -> list[Scenario]:
    wrong = Check("family-wise error", of("false finding, auto"), None, 0.075)
    held = Check("coverage of differences", of("coverage, auto"), 0.93, 0.97)
    plain = Check("family-wise error, crossed model only", of("false finding, crossed"))
    taken = Check("node jackknife taken", of("node jackknife taken"))
    power = Check("power at .05", of("power, auto"))
    enough = Check("power at .05", of("power, auto"), 0.65, None)
    family, section = backbones.family, "Is A better than B (9 backbones unless stated)"
    alike = {"homogeneous": True}
    rows: list[tuple[str, int, dict[str, Any], tuple[Check, ...]]] = [
        ("9 corpora, published covariance", 1000, {}, (wrong, held, plain, taken)),
        ("9 corpora, equal covariance", 1000, alike, (wrong, held, plain, taken)),
        ("5 corpora, published covariance", 1000, {"n": 5}, (wrong, held, plain, taken)),
        ("13 corpora, published covariance", 1000, {"n": 13}, (wrong, held, plain, taken)),
        ("9 corpora, one ahead by .05", 500, {"ahead": 0.05}, (enough,)),
        ("9 corpora, equal covariance, one ahead by .05", 500, {**alike, "ahead": 0.05}, (power,)),
        ("5 corpora, one ahead by .05", 500, {"n": 5, "ahead": 0.05}, (power,)),
        ("13 corpora, one ahead by .05", 500, {"n": 13, "ahead": 0.05}, (power,)),
        ("9 corpora, 5 backbones", 1000, {"size": 5}, (wrong, held, plain, taken)),
        ("9 corpora, 3 backbones", 1000, {"size": 3}, (wrong, held, plain, taken)),
        ("9 corpora, train and test effects correlate at .55", 1000, {"shared": 0.3}, (
            Check("family-wise error", of("false finding, auto")), plain, taken)),
    ]  # fmt: skip
    found = [
        Scenario(section, name, n, partial(family, **options), checks)
        for name, n, options, checks in rows
    ]
    for noise in (0.001, 0.01):
        all_pairs = Check("pairs separable of 36", of("pairs"), 36, 36, percent=False)
        trial = partial(backbones.dominance, noise=noise)
        found.append(
            Scenario(section, f"perfect dominance, noise {noise}", 20, trial, (all_pairs,))
        )
    checks = (
        Check("pairs separable of 36", of("pairs"), 6, 6, percent=False),
        Check("pairs of Whisper sizes separable", of("whisper pairs"), 0, 0, percent=False),
        Check("smallest difference", of("smallest difference"), percent=False),
        Check("train-test correlation", of("correlation"), percent=False),
    )
    found.append(Scenario(section, "published matrices", 1, backbones.published, checks))
    return found


def _these() -> list[Scenario]:
    section = "Is A better than B on these corpora (9 backbones, 3 seeds)"
    null = (
        Check("family-wise error", of("false finding")),
        Check("coverage of differences", of("coverage")),
        Check("pairs shown to be equivalent within .01", of("equivalent")),
    )
    power = (Check("power", of("power")),)
    world = backbones.these_corpora
    return [
        Scenario(section, "equal backbones", 250, world, null),
        Scenario(section, "one ahead by .02", 60, partial(world, ahead=0.02), power),
        Scenario(section, "one ahead by .05", 60, partial(world, ahead=0.05), power),
    ]


def _leaks() -> list[Scenario]:
    held = Check("coverage", holds_mean, 0.90, 0.99)
    gap = Check("gap", of("gap"), percent=False)
    strong, none = (
        Check("gap found", of("found"), 0.70, None),
        Check("gap found", of("found"), None, 0.10),
    )
    worlds = (
        ("10 speakers, strong effect", 10, 0.8, 0.4, strong),
        ("24 speakers, strong effect", 24, 0.8, 0.4, strong),
        ("24 speakers, no effect", 24, 0.0, 0.0, none),
    )
    return [
        Scenario(
            "Leak gap",
            name,
            300,
            partial(coverage_leak.leak, n_speakers=n, offset=offset, by_class=by_class),
            (held, seen, gap),
        )
        for name, n, offset, by_class, seen in worlds
    ]


def _chance_and_cost() -> list[Scenario]:
    gap = Check("simulated minus closed form", of("gap"), -0.002, 0.002, percent=False)
    value = Check("chance", of("chance"), 0.1315, 0.1325, percent=False)
    seconds = Check("seconds", of("seconds"), None, 3.0, percent=False)
    return [
        Scenario("Chance", "1000 utterances, imbalanced", 1000, cells.blind, (gap,)),
        Scenario("Chance", "one of seven classes cannot be said", 1, cells.unsayable, (value,)),
        Scenario("Cost", "819 cells with all intervals", 3, cells.cost, (seconds,)),
    ]


def run(
    scenario: Scenario, known: list[Mapping[str, float]], n: int, save: Callable[[], None]
) -> Trials:
    """Return `n` trials of a scenario, starting after those that are known."""
    began = saved = time.monotonic()
    start = len(known)
    for number in range(len(known), n):
        known.append({name: float(value) for name, value in scenario.trial(number).items()})
        now = time.monotonic()
        if now - saved > SAVE_EVERY_S:
            saved = now
            save()
            rate = (now - began) / (number + 1 - start)
            print(f"  {number + 1} of {n}, {rate * (n - number - 1):.0f} s left", file=sys.stderr)
    save()
    return known[:n]


def summarise(scenario: Scenario, trials: Trials) -> list[dict[str, Any]]:
    """Return one row per check."""
    rows = []
    for check in scenario.checks:
        values = check.measure(trials)
        value = float(np.mean(values))
        error = float(np.std(values) / math.sqrt(len(values))) if len(values) > 1 else None
        # A hair of tolerance, since sums of floats stand for counts.
        above = check.low is None or value >= check.low - 1e-9
        below = check.high is None or value <= check.high + 1e-9
        rows.append(
            {
                "section": scenario.section,
                "scenario": scenario.name,
                "what": check.what,
                "value": value,
                "error": error,
                "replicates": len(trials),
                "low": check.low,
                "high": check.high,
                "met": None if check.low is None and check.high is None else above and below,
                "shown": check.shown(value),
                "shown_error": "" if not error else check.shown(error),
                "allowed": check.allowed,
            }
        )
    return rows


def markdown(rows: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> str:
    """Return the table of all checks."""
    packages = record["packages"]
    lines = [
        f"sercore {record['sercore']}, numpy {packages['numpy']}.",
    ]
    for section in dict.fromkeys(row["section"] for row in rows):
        lines += [
            "",
            f"### {section}",
            "",
            "| scenario | what | measured | +- | allowed | trials | met |",
            "| :-- | :-- | --: | --: | :-- | --: | :-- |",
        ]
        for row in rows:
            if row["section"] == section:
                met = {True: "yes", False: "**no**", None: ""}[row["met"]]
                lines.append(
                    f"| {row['scenario']} | {row['what']} | {row['shown']} | {row['shown_error']} "
                    f"| {row['allowed']} | {row['replicates']} | {met} |"
                )
    return "\n".join(lines)


def write(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the summary, and the table into the page between its markers."""
    record = machine()
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {"machine": record, "checks": list(rows)}
    SUMMARY.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(
        f"{before}{BEGIN}\n\n{markdown(rows, record)}\n\n{END}{after}", encoding="utf-8"
    )


def main() -> int:
    """Run all scenarios, or those whose section or name contains a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="part of a section or scenario name")
    parser.add_argument("--quick", action="store_true", help="one trial in ten; writes nothing")
    parser.add_argument("--restart", action="store_true", help="forget trials that were saved")
    options = parser.parse_args()
    saved = SavedTrials(keep=not options.quick, restart=options.restart)
    rows: list[dict[str, Any]] = []
    for scenario in scenarios():
        key = f"{scenario.section}: {scenario.name}"
        if options.only.lower() not in key.lower():
            continue
        print(key, flush=True)
        n = math.ceil(scenario.replicates / 10) if options.quick else scenario.replicates
        trials = run(scenario, saved.trials.setdefault(key, []), n, saved.save)
        found = summarise(scenario, trials)
        for row in found:
            met = "" if options.quick else {True: " met", False: " NOT MET", None: ""}[row["met"]]
            print(f"  {row['what']}: {row['shown']} ({row['allowed'] or '-'}){met}", flush=True)
        rows += found
    if options.quick:
        return 0
    if not options.only:
        write(rows)
        PARTIAL.unlink(missing_ok=True)
    return int(any(row["met"] is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
