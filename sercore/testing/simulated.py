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
from functools import partial
from itertools import product
from types import MappingProxyType
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
from sercore.evaluation.held_out import HeldOutParts
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.out_of_fold import add_out_of_fold
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.predictions import write_predictions
from sercore.evaluation.protocols import PROTOCOLS
from sercore.evaluation.protocols import ClassRule
from sercore.evaluation.protocols import SplitScheme
from sercore.evaluation.scores import FAILED
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import table_of
from sercore.evaluation.scoring import score
from sercore.probes.store import StoredSplit
from sercore.probes.store import split_table
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
    sets: tuple[str, ...] = ("paper",)
    """The sets of corpora that it is in."""
    language: str = "none"
    speech: str | None = None
    """As in `sercore.corpora.interface.CorpusCard`."""

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
    manifest: str
    seed: int

    def test_parts(self, protocol: Protocol, split_seed: int) -> list[npt.NDArray[np.int64]]:
        """Return the test part of each fold: one over files, or k folds."""
        n = len(self.labels)
        parts = () if split_seed == self.seed else ("split", split_seed)
        order = _rng("corpus", self.shape.id, self.seed, "order", *parts).permutation(n)
        if protocol.n_folds < 2:
            return [np.sort(order[int(0.8 * n) :])]
        folds = np.empty(n, dtype=np.int64)
        folds[order] = np.arange(n) % protocol.n_folds
        if protocol.split == SplitScheme.SPEAKER_DISJOINT:
            numbers = _rng("speakers", self.shape.id, split_seed).permutation(self.shape.speakers)
            folds = numbers[self.speakers] % protocol.n_folds
        return [np.flatnonzero(folds == fold) for fold in range(protocol.n_folds)]

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
            language=row["language"],
        )
        for row in table1()
    )


_ONE_PROBE: Mapping[str, float] = MappingProxyType({"simulated": 0.0})


def simulate_run(
    workspace: Workspace,
    name: str,
    corpora: Sequence[SimulatedCorpus],
    backbones: Mapping[str, tuple[str | None, float]],
    *,
    protocol: str = "standard",
    seed: int = 0,
    n_seeds: int = 1,
    probes: Mapping[str, float] = _ONE_PROBE,
    layers: Sequence[str] = ("last",),
    lacking: Sequence[tuple[str, str, str]] = (),
    floors: Sequence[str] = (),
) -> None:
    """Write a run with simulated logits.

    Args:
        workspace: receives the files.
        name: of the run.
        corpora: shapes of its corpora.
        backbones: name to checkpoint and quality; 0 is chance, 1 is good.
        protocol: one of the built-in protocols.
        seed: of all random numbers; the first split seed.
        n_seeds: split seeds; the corpora stay the same.
        probes: name to how much it adds to the quality of each backbone.
        layers: names of the layers that have a matrix of their own.
        lacking: cells (backbone, train corpus, test corpus) that failed.
        floors: the backbones that count as features without pre-training.
    """
    chosen = next(known for known in PROTOCOLS if known.id == protocol)
    built = [_build(workspace, shape, seed) for shape in corpora]
    rows: list[ScoreRow] = []
    for backbone, probe, layer, train, split_seed in product(
        backbones, probes, layers, built, range(seed, seed + n_seeds)
    ):
        checkpoint, quality = backbones[backbone]
        parts = train.test_parts(chosen, split_seed)
        for fold, test_part in enumerate(parts):
            trained = np.setdiff1d(np.arange(len(train.labels)), test_part)
            fit = _Fit(
                name, chosen, backbone, checkpoint, quality + probes[probe], probe, layer, train,
                trained, test_part, fold, len(parts), split_seed,
            )  # fmt: skip
            _write_probe_record(workspace, fit)
            rows += _score_fit(workspace, fit, built, lacking)
    table = table_of(rows)
    if chosen.n_folds > 1:
        table = add_out_of_fold(table, partial(read_predictions, workspace), chosen, METRICS)
    workspace.write_table(f"runs/{name}/scores.parquet", table)
    record = _record(name, chosen, built, backbones, seed, len(lacking), floors)
    record["settings"] |= {"n_seeds": n_seeds, "probes": list(probes)}
    workspace.write_json(f"runs/{name}/run.json", record)


@dataclass(frozen=True)
class _Fit:
    """One simulated probe."""

    run: str
    protocol: Protocol
    backbone: str
    checkpoint: str | None
    quality: float
    probe: str
    layer: str
    train: _Corpus
    trained: npt.NDArray[np.int64]
    test_part: npt.NDArray[np.int64]
    fold: int
    n_folds: int
    split_seed: int

    @property
    def random_parts(self) -> tuple[object, ...]:
        """What its random numbers depend on, apart from corpora and backbone."""
        parts: list[object] = [self.split_seed]
        if self.n_folds > 1:
            parts.append(self.fold)
        if (self.probe, self.layer) != ("simulated", "last"):
            parts += [self.probe, self.layer]
        return tuple(parts)

    @property
    def key(self) -> str:
        return digest_of(
            ["probe", self.run, self.backbone, self.train.shape.id, *map(str, self.random_parts)]
        )


def _score_fit(
    workspace: Workspace,
    fit: _Fit,
    built: Sequence[_Corpus],
    lacking: Sequence[tuple[str, str, str]],
) -> list[ScoreRow]:
    """Predict and score all test corpora of one probe."""
    rows: list[ScoreRow] = []
    known = HeldOutParts(lambda _: _predict(fit, fit.train), {fit.key: fit.key}).of(fit.key)
    for test in built:
        rule = _rule(fit.train, test)
        if rule is None:
            continue
        cell = _cell(fit, test)
        if (fit.backbone, fit.train.shape.id, test.shape.id) in lacking:
            rows.append(_failed(cell, rule))
            continue
        predictions = _predict(fit, test)
        write_predictions(workspace, cell.prediction_key or "", predictions)
        counts = ClassCounts(
            train_part=fit.train.counts(fit.trained),
            train_corpus=fit.train.counts(),
            test_corpus=test.counts(),
        )
        rows += score(cell, predictions, rule, counts, fit.protocol, METRICS, held_out=known)
    return rows


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
    return _Corpus(shape, labels, speakers, ids, digest, seed)


def _predict(fit: _Fit, test: _Corpus) -> Predictions:
    train, backbone, quality = fit.train, fit.backbone, fit.quality
    inside = train.shape.id == test.shape.id
    rows = fit.test_part if inside else np.arange(len(test.labels))
    labels = test.labels[rows]
    rng = _rng("logits", backbone, train.shape.id, test.shape.id, *fit.random_parts)
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


def _cell(fit: _Fit, test: _Corpus) -> ScoredCell:
    train, protocol = fit.train, fit.protocol
    inside = train.shape.id == test.shape.id
    speakers = set(train.speakers[fit.test_part].tolist())
    shared = len(speakers & set(train.speakers[fit.trained].tolist()))
    return ScoredCell(
        backbone=fit.backbone,
        checkpoint=fit.checkpoint,
        layer=fit.layer,
        audio_path=protocol.audio_path,
        dtype="float32",
        train_corpus=train.shape.id,
        train_manifest=train.manifest,
        reading=protocol.reading,
        mapper=protocol.mapper,
        split=protocol.split,
        fold=fit.fold,
        split_seed=fit.split_seed,
        probe=fit.probe,
        probe_settings="{}",
        probe_seed=fit.split_seed,
        probe_key=fit.key,
        test_corpus=test.shape.id,
        test_manifest=test.manifest,
        prediction_key=digest_of(["prediction", fit.key, test.shape.id]),
        protocol=protocol.id,
        in_domain=inside,
        n_train=len(fit.trained),
        n_missing=0,
        complete=True,
        shared_speakers=shared if inside else 0,
        shared_texts=None if inside else 0,
        demo=test.shape.demo,
    )


def _write_probe_record(workspace: Workspace, fit: _Fit) -> None:
    train = fit.train
    workspace.write_json(
        f"probes/{fit.key}/record.json",
        {
            "key": fit.key,
            "classes": list(CLASSES),
            "train_corpus": train.shape.id,
            "train_counts": train.counts(fit.trained).astype(int).tolist(),
            "n_train": len(fit.trained),
        },
    )
    split = split_table(StoredSplit(fit.trained, fit.test_part), train.ids)
    workspace.write_table(f"probes/{fit.key}/split.parquet", split)


def _record(
    name: str,
    protocol: Protocol,
    corpora: Sequence[_Corpus],
    backbones: Mapping[str, tuple[str | None, float]],
    seed: int,
    failed: int,
    floors: Sequence[str],
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
                "language": corpus.shape.language,
                "speech": corpus.shape.speech,
                "licence": None,
                "demo": corpus.shape.demo,
                "sets": list(corpus.shape.sets),
                "cluster": corpus.shape.cluster,
                "ood_eligible": corpus.shape.eligible,
                "manifest": corpus.manifest,
                "utterances": len(corpus.labels),
                "classes": dict(zip(CLASSES, corpus.counts().astype(int).tolist(), strict=True)),
                "labels": {name: name for name in corpus.shape.classes},
                "whole": True,
            }
            for corpus in corpora
        },
        "backbones": {
            backbone: {
                "title": backbone,
                "checkpoint": checkpoint,
                "demo": False,
                "floor": backbone in floors,
            }
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
