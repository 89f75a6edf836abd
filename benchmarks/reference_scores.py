"""Compare the scores of the probe with those of the published training recipe, split by split.

For two corpora and one encoder, the reference lists the test files of eight splits and the macro-F1
of the published recipe. The probe is trained on the same splits. The mean of the paired differences
should lie within three standard errors. Results are written after every fit, and a second call
skips the splits that are done.

    python benchmarks/reference_scores.py --shared ../shared --workspace DIR --results FILE
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sercore.devices import set_threads
from sercore.plugins.registry import registry
from sercore.runs.api import prepare
from sercore.runs.selection import Selection
from sercore.settings import Settings
from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.runs.planned import PlannedBackbone
    from sercore.runs.planned import PlannedCorpus

CORPORA = ("urdu", "emodb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--shared", type=Path, required=True, help="folder with the reference scores"
    )
    parser.add_argument("--workspace", required=True, help="workspace for the features")
    parser.add_argument(
        "--results", type=Path, required=True, help="JSON file, updated after every fit"
    )
    parser.add_argument("--dataset", choices=CORPORA, action="append", help="[default: both]")
    parser.add_argument("--probe", default="framewise")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    set_threads(given.threads)
    reference = json.loads((given.shared / "reference/reference_scores.json").read_text())
    done = json.loads(given.results.read_text()) if given.results.exists() else {}
    workspace = Workspace(given.workspace)
    selection = Selection(
        datasets=dict.fromkeys(given.dataset or CORPORA),
        backbones=(f"hf:{given.shared}/checkpoints/whisper-tiny.en",),
        data=(given.shared / "corpora",),
        protocol=registry().protocols.get("standard"),
        offline=True,
    )
    plan = prepare(selection, Settings(), workspace).plan
    (backbone,) = plan.backbones
    for corpus in plan.corpora:
        for number, split in enumerate(reference[corpus.id]["splits"]):
            if split["name"] not in done:
                done[split["name"]] = fit(corpus, backbone, workspace, split, number, given.probe)
                given.results.write_text(json.dumps(done, indent=1))
            score = done[split["name"]]["macro_f1"]
            print(f"{split['name']}: {score:.4f}, reference {split['macro_f1']:.4f}")
        report(corpus.id, reference[corpus.id]["splits"], done)


def fit(
    corpus: PlannedCorpus,
    backbone: PlannedBackbone,
    workspace: Workspace,
    split: dict[str, Any],
    seed: int,
    probe: str,
) -> dict[str, float]:
    """Train on all utterances except the listed ones; return the score on the listed ones."""
    from sklearn.metrics import f1_score

    store = backbone.features(corpus, workspace, registry().protocols.get("standard"))
    frames = store.open()
    listed = set(split["test"])
    is_test = np.array([path in listed for path in corpus.manifest.column("path")])
    if is_test.sum() != len(listed):
        raise SystemExit(f"{split['name']} lists files that are not in {corpus.id}")
    usable = corpus.labels >= 0
    train = np.flatnonzero(usable & ~is_test).astype(np.int64)
    test = np.flatnonzero(usable & is_test).astype(np.int64)
    labels = corpus.labels.astype(np.int64)
    started = time.perf_counter()
    fitted = (
        registry()
        .probes.get(probe)
        .fit(
            frames,
            train,
            labels[train],
            n_classes=len(corpus.mapper.classes),
            seed=seed,
            device="cpu",
        )
    )
    seconds = time.perf_counter() - started
    predicted = fitted.logits(frames, test).argmax(axis=1)
    score = f1_score(labels[test], predicted, average="macro")
    return {"macro_f1": float(score), "seconds": seconds}


def report(name: str, splits: list[dict[str, Any]], done: dict[str, dict[str, float]]) -> None:
    """Print the paired differences of one corpus."""
    ours = [done[split["name"]]["macro_f1"] for split in splits]
    differences = [score - split["macro_f1"] for score, split in zip(ours, splits, strict=True)]
    mean = statistics.fmean(differences)
    error = statistics.stdev(differences) / len(differences) ** 0.5
    verdict = "within" if abs(mean) <= 3 * error else "OUTSIDE"
    print(
        f"{name}: mean {statistics.fmean(ours):.4f}, paired difference {mean:+.4f} "
        f"with standard error {error:.4f}: {verdict} three standard errors"
    )


if __name__ == "__main__":
    main()
