"""A whole run with simulated logits, for tests and benchmarks of code that reads runs.

The corpora can have the shapes of Table 1 of the paper. There is no audio, backbone or probe. The
real code computes the scores, and every file is stored where a real run stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.corpora.labels import CLASSES
from sercore.corpora.manifest import SCHEMA
from sercore.evaluation.adjustment import ClassCounts
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.class_rules import in_domain_rule
from sercore.evaluation.class_rules import rules_between
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.predictions import write_predictions
from sercore.evaluation.protocols import PROTOCOLS
from sercore.evaluation.protocols import ClassRule
from sercore.evaluation.scores import FAILED
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import table_of
from sercore.evaluation.scoring import score
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from sercore.evaluation.class_rules import Rule
    from sercore.evaluation.protocols import Protocol
    from sercore.storage.workspace import Workspace

_CLASSES_BY_NUMBER = {
    4: ("happiness", "sadness", "anger", "neutral"),
    5: ("happiness", "sadness", "fear", "anger", "neutral"),
    6: ("happiness", "sadness", "disgust", "fear", "anger", "neutral"),
    7: tuple(name for name in CLASSES if name != "other"),
    8: CLASSES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCorpus:
    """The shape of a corpus."""

    id: str
    utterances: int
    speakers: int
    classes: tuple[str, ...]
    eligible: bool
    demo: bool = False

    @property
    def cluster(self) -> str | None:
        """The cluster of the eligible corpora; the others have none."""
        return "seven" if self.eligible else None

    @property
    def label_set(self) -> LabelSet:
        """What class rules ask about the corpus."""
        return LabelSet(
            classes=frozenset(self.classes),
            cluster=self.cluster,
            ood_eligible=self.eligible,
            demo=self.demo,
        )


@dataclass(frozen=True)
class _Corpus:
    shape: SimulatedCorpus
    labels: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64]
    ids: list[str]
    test_part: npt.NDArray[np.int64]
    manifest: str

    def counts(self, rows: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.float64]:
        labels = self.labels if rows is None else self.labels[rows]
        return np.bincount(labels, minlength=len(CLASSES)).astype(float)


def table1_shapes(scale: float = 1.0, smallest: int = 60) -> tuple[SimulatedCorpus, ...]:
    """Return the shapes of the nineteen corpora, with a share of their utterances."""
    from sercore.published import table1

    return tuple(
        SimulatedCorpus(
            id=row["id"],
            utterances=max(int(row["samples"] * scale), min(smallest, row["samples"])),
            speakers=row["speakers"],
            classes=_CLASSES_BY_NUMBER[row["classes"]],
            eligible=row["ood_eligible"],
        )
        for row in table1()
    )


def simulate_run(
    workspace: Workspace,
    name: str,
    corpora: Sequence[SimulatedCorpus],
    backbones: Mapping[str, tuple[str | None, float]],
    *,
    protocol: str = "standard",
    seed: int = 0,
    lacking: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Write a run with simulated logits.

    Args:
        workspace: receives the files.
        name: of the run.
        corpora: shapes of its corpora.
        backbones: name to checkpoint and quality; 0 is chance, 1 is good.
        protocol: one of the built-in protocols.
        seed: of all random numbers.
        lacking: cells (backbone, train corpus, test corpus) that failed.
    """
    chosen = next(known for known in PROTOCOLS if known.id == protocol)
    built = [_build(workspace, shape, seed) for shape in corpora]
    rows: list[ScoreRow] = []
    for backbone, (checkpoint, quality) in backbones.items():
        for train in built:
            key = digest_of(["probe", name, backbone, train.shape.id, seed])
            trained = np.setdiff1d(np.arange(len(train.labels)), train.test_part)
            _write_probe_record(workspace, key, train, trained)
            for test in built:
                rule = _rule(train, test)
                if rule is None:
                    continue
                cell = _cell(chosen, backbone, checkpoint, train, test, key, len(trained), seed)
                if (backbone, train.shape.id, test.shape.id) in lacking:
                    rows.append(_failed(cell, rule))
                    continue
                predictions = _predict(train, test, backbone, quality, seed)
                write_predictions(workspace, cell.prediction_key or "", predictions)
                counts = ClassCounts(
                    train_part=train.counts(trained),
                    train_corpus=train.counts(),
                    test_corpus=test.counts(),
                )
                rows += score(cell, predictions, rule, counts, chosen, METRICS)
    workspace.write_table(f"runs/{name}/scores.parquet", table_of(rows))
    workspace.write_json(
        f"runs/{name}/run.json", _record(name, chosen, built, backbones, seed, len(lacking))
    )


def _build(workspace: Workspace, shape: SimulatedCorpus, seed: int) -> _Corpus:
    rng = _rng("corpus", shape.id, seed)
    n = shape.utterances
    chosen = [CLASSES.index(name) for name in shape.classes]
    labels = rng.choice(chosen, size=n, p=rng.dirichlet(np.full(len(chosen), 8.0)))
    labels[: len(chosen)] = chosen
    speakers = np.sort(rng.integers(0, shape.speakers, n))
    ids = [f"{shape.id}/{speaker:03d}/{row:06d}.wav" for row, speaker in enumerate(speakers)]
    columns: dict[str, list[Any]] = {column: [None] * n for column in SCHEMA.names}
    columns |= {
        "utterance_id": ids,
        "path": ids,
        "native_label": [CLASSES[label] for label in labels],
        "speaker": [[f"s{speaker}"] for speaker in speakers],
        "size": [1] * n,
        "part": [0] * n,
    }
    digest = digest_of([shape.id, ids, labels.tolist()])
    table = pa.table(columns, schema=SCHEMA)
    workspace.write_table(f"manifests/{shape.id}/{digest}.parquet", table)
    test_part = np.sort(rng.permutation(n)[int(0.8 * n) :])
    return _Corpus(shape, labels, speakers, ids, test_part, digest)


def _predict(
    train: _Corpus, test: _Corpus, backbone: str, quality: float, seed: int
) -> Predictions:
    inside = train.shape.id == test.shape.id
    rows = test.test_part if inside else np.arange(len(test.labels))
    labels = test.labels[rows]
    rng = _rng("logits", backbone, train.shape.id, test.shape.id, seed)
    hardness = _rng("hardness", test.shape.id).uniform(0.5, 1.0)
    lean = _rng("lean", train.shape.id, backbone).normal(0, 0.5, len(CLASSES))
    accent = rng.normal(0, 0.5, (test.shape.speakers, len(CLASSES)))
    logits = rng.normal(0, 1, (len(rows), len(CLASSES))) + accent[test.speakers[rows]]
    logits[np.arange(len(rows)), labels] += (3.2 if inside else 0.9) * quality * hardness
    logits += (0.2 if inside else 1.0) * lean
    prior = train.counts() / train.counts().sum()
    logits += np.log(np.maximum(prior, 1e-3))
    return Predictions(
        rows=rows,
        utterance_ids=[test.ids[row] for row in rows],
        labels=labels,
        logits=logits.astype(np.float32),
        classes=CLASSES,
    )


def _rule(train: _Corpus, test: _Corpus) -> Rule | None:
    if train.shape.id == test.shape.id:
        return in_domain_rule(CLASSES)
    found = rules_between(train.shape.label_set, test.shape.label_set, [ClassRule.CLUSTER])
    return found[0] if found else None


def _failed(cell: ScoredCell, rule: Rule) -> ScoreRow:
    return ScoreRow(
        cell=replace(cell, complete=False),
        class_rule=rule.name,
        status=FAILED,
        reason="the simulated cell was left out",
    )


def _cell(
    protocol: Protocol,
    backbone: str,
    checkpoint: str | None,
    train: _Corpus,
    test: _Corpus,
    probe_key: str,
    n_train: int,
    seed: int,
) -> ScoredCell:
    inside = train.shape.id == test.shape.id
    speakers = set(train.speakers[train.test_part].tolist())
    rest = np.setdiff1d(np.arange(len(train.labels)), train.test_part)
    shared = len(speakers & set(train.speakers[rest].tolist()))
    return ScoredCell(
        backbone=backbone,
        checkpoint=checkpoint,
        layer="last",
        audio_path=protocol.audio_path,
        dtype="float32",
        train_corpus=train.shape.id,
        train_manifest=train.manifest,
        reading=protocol.reading,
        mapper=protocol.mapper,
        split=protocol.split,
        fold=0,
        split_seed=seed,
        probe="simulated",
        probe_settings="{}",
        probe_seed=seed,
        probe_key=probe_key,
        test_corpus=test.shape.id,
        test_manifest=test.manifest,
        prediction_key=digest_of(["prediction", probe_key, test.shape.id]),
        protocol=protocol.id,
        in_domain=inside,
        n_train=n_train,
        n_missing=0,
        complete=True,
        shared_speakers=shared if inside else 0,
        shared_texts=None if inside else 0,
        demo=test.shape.demo,
    )


def _write_probe_record(
    workspace: Workspace, key: str, train: _Corpus, trained: npt.NDArray[np.int64]
) -> None:
    workspace.write_json(
        f"probes/{key}/record.json",
        {
            "key": key,
            "classes": list(CLASSES),
            "train_corpus": train.shape.id,
            "train_counts": train.counts(trained).astype(int).tolist(),
            "n_train": len(trained),
        },
    )


def _record(
    name: str,
    protocol: Protocol,
    corpora: Sequence[_Corpus],
    backbones: Mapping[str, tuple[str | None, float]],
    seed: int,
    failed: int,
) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": name,
        "status": "ended",
        "written": "2024-01-01T00:00:00+00:00",
        "protocol": asdict(protocol),
        "settings": {"probe": "simulated", "seed": seed, "n_seeds": 1},
        "probe_settings": {},
        "corpora": {
            corpus.shape.id: {
                "title": corpus.shape.id.upper(),
                "language": "none",
                "licence": None,
                "demo": corpus.shape.demo,
                "cluster": corpus.shape.cluster,
                "ood_eligible": corpus.shape.eligible,
                "manifest": corpus.manifest,
                "utterances": len(corpus.labels),
                "classes": dict(zip(CLASSES, corpus.counts().astype(int).tolist(), strict=True)),
                "whole": True,
            }
            for corpus in corpora
        },
        "backbones": {
            backbone: {"title": backbone, "checkpoint": checkpoint, "demo": False}
            for backbone, (checkpoint, _) in backbones.items()
        },
        "missing": [],
        "environment": {"sercore": "simulated", "packages": {}},
        "counts": {},
        "problems": ["the simulated cells were left out"] if failed else [],
        "notes": ["every number of this run is simulated"],
    }


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(int(digest_of([str(part) for part in parts])[:15], 16))
