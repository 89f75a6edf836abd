"""Answers that know a text or a speaker and no sound, against scikit-learn and plain loops."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from sercore.evaluation.protocols import SplitScheme
from sercore.results.shortcuts import Shortcuts
from sercore.results.shortcuts import most_frequent
from sercore.results.stored_run import matrices_of
from sercore.results.stored_run import read_run
from sercore.statistics.intervals import Note
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

FOUR = ("happiness", "sadness", "anger", "neutral")
SHAPES = [
    SimulatedCorpus(id=name, utterances=160, speakers=8, classes=FOUR, eligible=True)
    for name in ("emovo", "cafe")
]


def simulated(folder, protocol="standard", n_seeds=3):
    """Return a run in which emovo has texts that give most classes away, and cafe has none."""
    place = Workspace(folder)
    simulate_run(place, "run", SHAPES, {"one": (None, 0.8)}, protocol=protocol, n_seeds=n_seeds)
    digest = place.read_json("runs/run/run.json")["corpora"]["emovo"]["manifest"]
    path = f"manifests/emovo/{digest}.parquet"
    table = place.read_table(path)
    rng = np.random.default_rng(0)
    texts = [
        label if rng.uniform() < 0.7 else f"t{rng.integers(3)}"
        for label in table["native_label"].to_pylist()
    ]
    column = table.schema.get_field_index("text_id")
    place.write_table(path, table.set_column(column, "text_id", pa.array(texts, pa.string())))
    return read_run(place, "run")


def shortcuts(run):
    (matrix,) = matrices_of(run.scores, run.record)
    return {found.known: found for found in Shortcuts(run).of(matrix.setting, matrix.in_domain)}


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40),
    st.lists(st.integers(0, 6), max_size=10),
)
def test_the_most_frequent_class_of_a_value_is_said(train, asked):
    values, labels = (np.array(column) for column in zip(*train, strict=True))
    overall = Counter(labels.tolist())

    said = most_frequent(values, labels, np.array(asked, dtype=np.int64), 4)

    for value, answer in zip(asked, said.tolist(), strict=True):
        here = Counter(labels[values == value].tolist())
        best = max(range(4), key=lambda name: (here[name], overall[name], -name))
        assert answer == best


def splits_of(run, corpus):
    """Return train and test rows of every probe that was trained on a corpus."""
    found = []
    for key in run.workspace.list("probes"):
        if run.workspace.read_json(f"probes/{key}/record.json")["train_corpus"] == corpus:
            table = run.workspace.read_table(f"probes/{key}/split.parquet")
            rows, parts = table["row"].to_numpy(), np.array(table["part"].to_pylist())
            found.append((rows[parts == "train"], rows[parts == "test"]))
    return found


def column_of(run, corpus, name):
    digest = run.record["corpora"][corpus]["manifest"]
    table = run.workspace.read_table(f"manifests/{corpus}/{digest}.parquet")
    return np.array(table[name].to_pylist())


def test_the_score_is_that_of_the_most_frequent_class_per_text(tmp_path):
    run = simulated(tmp_path)

    text = shortcuts(run)["text"]

    assert list(text.cells) == ["emovo"]  # cafe names no text
    labels, texts = (column_of(run, "emovo", name) for name in ("native_label", "text_id"))
    scores = []
    for train, test in splits_of(run, "emovo"):
        overall = Counter(labels[train].tolist())
        said = []
        for value in texts[test]:
            here = Counter(labels[train][texts[train] == value].tolist())
            said.append(max(sorted(overall), key=lambda name: (here[name], overall[name])))
        scores.append(sk.f1_score(labels[test], said, average="macro"))
    own = text.cells["emovo"]
    assert sorted(own.by_seed.values()) == pytest.approx(sorted(scores), abs=1e-12)
    assert text.mean == pytest.approx(np.mean(scores), abs=1e-12)
    assert text.mean > 0.7
    assert own.interval.low < text.mean < own.interval.high
    assert (own.interval.unit, own.interval.n_units) == ("speaker", 8)
    assert Note.ONE_PROBE not in own.interval.notes
    assert text.interval.low < text.interval.centre < text.interval.high


def test_speakers_that_do_not_tell_the_class_score_at_chance(tmp_path):
    speaker = shortcuts(simulated(tmp_path))["speaker"]

    assert set(speaker.cells) == {"emovo", "cafe"}
    assert speaker.mean < 1 / 4 + 0.1
    assert speaker.mean == pytest.approx(
        np.mean([found.cell.value for found in speaker.cells.values()])
    )


def test_a_new_speaker_tells_nothing(tmp_path):
    """With folds that share no speaker, one class is said in every fold."""
    run = simulated(tmp_path, protocol=SplitScheme.SPEAKER_DISJOINT, n_seeds=1)

    found = shortcuts(run)["speaker"].cells["cafe"]

    labels = column_of(run, "cafe", "native_label")
    said = labels.copy()
    for train, test in splits_of(run, "cafe"):
        said[test] = Counter(sorted(labels[train])).most_common(1)[0][0]
    assert found.cell.value == pytest.approx(sk.f1_score(labels, said, average="macro"))
    assert found.cell.value < 1 / 4


def test_without_classes_or_splits_no_shortcut_is_known(tmp_path):
    run = simulated(tmp_path)
    for corpus in run.record["corpora"].values():
        del corpus["labels"]
    assert shortcuts(run) == {}

    again = read_run(run.workspace, "run")
    for key in again.workspace.list("probes"):
        again.workspace.remove(f"probes/{key}/split.parquet")
    assert shortcuts(again) == {}
