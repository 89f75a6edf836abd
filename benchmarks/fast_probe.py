"""``--probe fast`` against the published probe on complete real corpora.

    python -m benchmarks.fast_probe --workspace DIR [--seeds 5]

DIR must hold the extracted features of whole corpora under one backbone (``sercore run`` leaves
them there). For every seed both probes train on the same split from the same probe seed, one after
the other, and are scored on the same held-out utterances. Writes ``docs/fast-probe.md``.
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
from sercore.corpora.manifest import Manifest
from sercore.devices import set_threads
from sercore.evaluation.splits import SPLITS
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
    parser.add_argument("--threads", type=int, help="of torch [default: all processors]")
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
        raise SystemExit(f"{workspace.root} holds no complete features; run sercore there first")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(_page(trials, before, threads))
    print(options.out.read_text())


def _complete_stores(workspace: Workspace) -> list[tuple[str, FeatureStore, Manifest]]:
    found = []
    for backbone in workspace.list("features"):
        for folder in workspace.list(f"features/{backbone}"):
            description = f"features/{backbone}/{folder}/features.json"
            if not workspace.exists(description):
                continue
            identity = workspace.read_json(description)["identity"]
            store = FeatureStore(workspace, identity)
            path = f"manifests/{identity['corpus']}/{identity['manifest']}.parquet"
            if store.is_complete and workspace.exists(path):
                manifest = Manifest(identity["corpus"], "corrected", workspace.read_table(path), ())
                found.append((f"{identity['backbone']} on {identity['corpus']}", store, manifest))
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
            said = fitted.logits(frames, fold.test).argmax(axis=1)
            supported = np.unique(truth)
            scores.append(
                float(f1_score(truth, said, labels=supported, average="macro", zero_division=0))
            )
        trials.append(Trial(seed, (scores[0], scores[1]), (seconds[0], seconds[1])))
        print(manifest.corpus, trials[-1], flush=True)
    return trials


def _page(trials: dict[str, list[Trial]], before: dict[str, Any], threads: int) -> str:
    fast = registry().probes.get("fast")
    published = registry().probes.get("framewise").settings
    changed = {k: v for k, v in fast.settings.items() if published[k] != v}
    settings = ", ".join(f"`{k}` {published[k]} → {v}" for k, v in changed.items())
    lines = [
        "# The fast probe, measured",
        "",
        f"`--probe fast` is the published probe with {settings}.",
        "It is never a default. For every seed both probes trained on the same random 80/20 split",
        "from the same probe seed, and were scored on the same held-out utterances, unadjusted.",
        "Differences are fast minus published; intervals are Student's, 95 %, over the paired",
        "differences of the seeds. The seed spread is the standard deviation of the published",
        "probe over the seeds. Times were taken in turn on the same machine.",
        "",
        (
            "| features | macro-F1 published | fast | difference [95 %] | seed spread"
            " | speed-up (median) | within the spread | 4 times as fast |"
        ),
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for name, each in trials.items():
        differences = [trial.scores[1] - trial.scores[0] for trial in each]
        mean = statistics.mean(differences)
        low, high = stats.t.interval(
            0.95, len(each) - 1, loc=mean, scale=max(stats.sem(differences), 1e-12)
        )
        means = [statistics.mean(t.scores[i] for t in each) for i in range(2)]
        spread = statistics.stdev(trial.scores[0] for trial in each)
        faster = statistics.median(trial.seconds[0] / trial.seconds[1] for trial in each)
        lines.append(
            f"| {name} | {means[0]:.4f} | {means[1]:.4f} | {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
            f" | {spread:.4f} | {faster:.1f} | {'yes' if abs(mean) <= spread else 'no'}"
            f" | {'yes' if faster >= GOAL else 'no'} |"
        )
    lines += ["", "## Every seed", ""]
    lines += [
        "| features | seed | published | fast | published, s | fast, s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, each in trials.items():
        lines += [
            f"| {name} | {t.seed} | {t.scores[0]:.4f} | {t.scores[1]:.4f}"
            f" | {t.seconds[0]:.1f} | {t.seconds[1]:.1f} |"
            for t in each
        ]
    load = ", ".join(f"{value:.1f}" for value in before["load"])
    lines += [
        "",
        (
            f"{before['processor']}, {before['usable_processors']} processors,"
            f" {threads} thread(s), torch"
            f" {before['packages']['torch']}, load at the start {load}."
            " Reproduce with `python -m benchmarks.fast_probe --workspace DIR`."
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
