"""``--probe fast`` compared with the published probe on complete real corpora.

    python -m benchmarks.fast_probe --workspace DIR [--seeds 5]

DIR must hold the features of whole corpora, which ``sercore run`` extracts. For every seed both
probes train on the same split with the same probe seed, one after the other, and score the same
held-out utterances. The benchmark writes ``docs/fast-probe.md``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score

from benchmarks.common import machine
from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.devices import set_threads
from sercore.evaluation.splits import SPLITS
from sercore.features.cache import cached_stores
from sercore.features.store import FeatureStore
from sercore.plugins.registry import registry
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.probes.interface import Probe

FIRST_SEED = 34
GOAL = 4.0


@dataclass(frozen=True)
class Trial:
    """Both probes on one corpus under one seed: macro-F1 and seconds, published first."""

    seed: int
    scores: tuple[float, float]
    seconds: tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads of torch [default: all processors]")
    parser.add_argument("--out", type=Path, default=Path("docs/fast-probe.md"))
    options = parser.parse_args()
    threads = set_threads(options.threads)
    workspace = Workspace(options.workspace)
    probes = [registry().probes.get(name) for name in ("framewise", "fast")]
    before = machine()
    trials = {}
    for name, store, manifest in _complete_stores(workspace):
        trials[name] = _trials(store, manifest, probes, options.seeds)
    if not trials:
        raise SystemExit(f"{workspace.root} holds no complete features; run sercore in it first")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(_page(trials, before, threads))
    print(options.out.read_text())


def _complete_stores(workspace: Workspace) -> list[tuple[str, FeatureStore, Manifest]]:
    found = []
    for cached in cached_stores(workspace):
        store = FeatureStore.read(workspace, cached.folder)
        if store is None or not store.is_complete:
            continue
        for name in workspace.list(f"manifests/{cached.corpus}"):
            table = workspace.read_table(f"manifests/{cached.corpus}/{name}")
            manifest = Manifest(cached.corpus, "corrected", table.cast(SCHEMA), ())
            if manifest.digests.audio == store.identity["audio"]:
                found.append((f"{cached.backbone} on {cached.corpus}", store, manifest))
                break
    return found


def _trials(store: FeatureStore, manifest: Manifest, probes: list[Probe], n: int) -> list[Trial]:
    corpus = registry().corpora.get(manifest.corpus)
    labels = manifest.labels(corpus, registry().label_mappers.get("paper"))
    frames = store.open()
    trials = []
    for seed in range(FIRST_SEED, FIRST_SEED + n):
        (fold,) = SPLITS["random"](manifest, labels, seed, 1)
        truth = labels[fold.test].astype(int)
        scores, seconds = [], []
        for probe in probes:
            began = time.perf_counter()
            fitted = probe.fit(
                frames,
                fold.train,
                labels[fold.train].astype(np.int64),
                n_classes=8,
                seed=seed,
                device="cpu",
            )
            seconds.append(time.perf_counter() - began)
            predicted = fitted.logits(frames, fold.test).argmax(axis=1)
            present = np.unique(truth)
            scores.append(
                float(f1_score(truth, predicted, labels=present, average="macro", zero_division=0))
            )
        trials.append(Trial(seed, (scores[0], scores[1]), (seconds[0], seconds[1])))
        print(manifest.corpus, trials[-1], flush=True)
    return trials


def _page(trials: dict[str, list[Trial]], before: dict[str, Any], threads: int) -> str:
    fast = registry().probes.get("fast")
    published = registry().probes.get("framewise").settings
    changed = ", ".join(
        f"`{name}` {published[name]} → {value}"
        for name, value in fast.settings.items()
        if published[name] != value
    )
    load = ", ".join(f"{average:.1f}" for average in before["load"])
    lines = [
        "# The fast probe, measured",
        "",
        f"`--probe fast` is the published probe with {changed}.",
        "It is never a default. For every seed both probes trained on the same random 80/20 split",
        "with the same probe seed, and scored the same held-out utterances, unadjusted.",
        "Differences are fast minus published. Intervals are Student's, 95 %, over the paired",
        "differences of the seeds. The seed spread is the deviation of the published probe",
        "over the seeds. Both probes were timed in turn on the same machine.",
        "",
        (
            "| features | macro-F1 published | fast | difference [95 %] | seed spread"
            " | speed-up (median) | within the spread | 4 times as fast |"
        ),
        "|---|--:|--:|--:|--:|--:|---|---|",
        *(_summary_row(name, runs) for name, runs in trials.items()),
        "",
        "## Every seed",
        "",
        "| features | seed | published | fast | published, s | fast, s |",
        "|---|--:|--:|--:|--:|--:|",
        *(
            f"| {name} | {trial.seed} | {trial.scores[0]:.4f} | {trial.scores[1]:.4f}"
            f" | {trial.seconds[0]:.1f} | {trial.seconds[1]:.1f} |"
            for name, runs in trials.items()
            for trial in runs
        ),
        "",
        (
            f"{before['processor']}, {before['usable_processors']} processors,"
            f" {threads} thread(s), torch {before['packages']['torch']}, load at the start {load}."
            " Reproduce with `python -m benchmarks.fast_probe --workspace DIR`."
        ),
    ]
    return "\n".join(lines) + "\n"


def _summary_row(name: str, trials: list[Trial]) -> str:
    differences = [trial.scores[1] - trial.scores[0] for trial in trials]
    mean = statistics.mean(differences)
    low, high = stats.t.interval(
        0.95, len(trials) - 1, loc=mean, scale=max(stats.sem(differences), 1e-12)
    )
    published, fast = (statistics.mean(trial.scores[i] for trial in trials) for i in range(2))
    spread = statistics.stdev(trial.scores[0] for trial in trials)
    speed_up = statistics.median(trial.seconds[0] / trial.seconds[1] for trial in trials)
    return (
        f"| {name} | {published:.4f} | {fast:.4f} | {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        f" | {spread:.4f} | {speed_up:.1f} | {'yes' if abs(mean) <= spread else 'no'}"
        f" | {'yes' if speed_up >= GOAL else 'no'} |"
    )


if __name__ == "__main__":
    main()
