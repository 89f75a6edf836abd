"""Scores recomputed from stored predictions, and folds joined into one test set."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sklearn.metrics as sk
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax

from sercore.cli import cli
from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.errors import SettingsError
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.out_of_fold import add_out_of_fold
from sercore.evaluation.out_of_fold import join_folds
from sercore.evaluation.predictions import Predictions
from sercore.evaluation.predictions import read_predictions
from sercore.evaluation.predictions import write_predictions
from sercore.evaluation.protocols import PROTOCOLS
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.results.matrices import matrices
from sercore.results.stored_run import read_run
from sercore.runs.rescore import rescore
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SEVEN = tuple(name for name in CLASSES if name != "other")
WITHOUT_SURPRISE = tuple(name for name in SEVEN if name != "surprise")
CORPORA = [
    SimulatedCorpus(id="a", utterances=200, speakers=10, classes=SEVEN, eligible=True),
    SimulatedCorpus(id="b", utterances=200, speakers=10, classes=SEVEN, eligible=True),
    SimulatedCorpus(
        id="poor", utterances=200, speakers=10, classes=WITHOUT_SURPRISE, eligible=True
    ),
    SimulatedCorpus(id="apart", utterances=90, speakers=9, classes=SEVEN, eligible=False),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("score"))
    for protocol in ("paper", "standard"):
        simulate_run(place, protocol, CORPORA, {"one": (None, 0.9), "two": (None, 0.3)},
                     protocol=protocol, lacking=[("two", "a", "b")])  # fmt: skip
    return place


def invoke(workspace, *args):
    return CliRunner().invoke(cli, ["score", *args, "--workspace", workspace.root])


def rows(table, **wanted):
    found = table.to_pylist()
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def headline(table, **wanted):
    return {
        (row["backbone"], row["train_corpus"], row["test_corpus"]): row["value"]
        for row in rows(table, headline=True, status="done", **wanted)
    }


@pytest.mark.parametrize("name", ["paper", "standard"])
def test_without_options_it_gives_the_stored_scores(workspace, name):
    stored = read_run(workspace, name)

    found = rescore(stored, METRICS)

    order = [(column, "ascending") for column in SCORE_SCHEMA.names if column != "value"]
    assert found.scores.sort_by(order).equals(stored.scores.sort_by(order))
    assert found.problems == ()


def test_more_threads_change_nothing(workspace):
    stored = read_run(workspace, "standard")

    assert rescore(stored, METRICS, threads=1).scores.equals(
        rescore(stored, METRICS, threads=4).scores
    )


def test_the_published_adjustment_makes_a_constant_predictor_and_the_mask_does_not(workspace):
    """The published defect: a probe trained without `surprise` says nothing else."""
    stored = read_run(workspace, "standard")
    scores = rescore(stored, METRICS, adjustments=["published", "uniform"]).scores
    for test in ("a", "b"):

        def value(adjustment, test=test):
            (row,) = rows(scores, backbone="one", train_corpus="poor", test_corpus=test,
                          adjustment=adjustment, metric="macro-f1")  # fmt: skip
            return row["value"]

        (key,) = {row["prediction_key"] for row in rows(
            scores, backbone="one", train_corpus="poor", test_corpus=test)}  # fmt: skip
        labels = read_predictions(workspace, key).labels
        constant = np.full(len(labels), CLASSES.index("surprise"))
        expected = sk.f1_score(labels, constant, average="macro", labels=np.unique(labels),
                               zero_division=0)  # fmt: skip
        assert value("published") == pytest.approx(expected, abs=1e-12)
        assert value("uniform") > expected + 0.1
        surprise = rows(scores, backbone="one", train_corpus="poor", test_corpus=test,
                        adjustment="published", metric="recall")  # fmt: skip
        recalls = {row["class"]: row["value"] for row in surprise}
        assert recalls["surprise"] == 1
        assert recalls["anger"] == 0


def test_another_headline_and_fewer_metrics_become_a_run_of_their_own(workspace):
    done = invoke(workspace, "standard", "--adjustment", "none", "--adjustment", "oracle",
                  "--metric", "uar", "--name", "bare", "--json")  # fmt: skip

    assert done.exit_code == 0, (done.output, done.exception)
    told = json.loads(done.stdout)
    assert told["headline"] == "none"
    assert told["cells"] == 19  # of two backbones, one of which lacks a cell
    run = read_run(workspace, "bare")
    done_rows = run.scores.filter(pc.equal(run.scores["status"], "done"))
    assert set(done_rows["metric"].to_pylist()) == {"macro-f1", "uar", "confusion"}
    outside = done_rows.filter(pc.equal(done_rows["class_rule"], "cluster"))
    assert set(outside["adjustment"].to_pylist()) == {"none", "oracle"}
    assert run.record["rescored_from"] == "standard"
    assert run.record["protocol"]["headline"] == "none"
    assert rows(run.scores, status="failed")[0]["reason"] == "the simulated cell was left out"
    (one, *_) = matrices(run.scores)
    assert one.setting.adjustment == "none"


def test_pairs_that_nobody_predicted_are_told_and_count_as_missing(workspace):
    done = invoke(workspace, "standard", "--class-rule", "shared-classes", "--name", "shared")

    assert done.exit_code == 0, (done.output, done.exception)
    assert "6 pairs of corpora have no stored predictions" in done.stderr
    run = read_run(workspace, "shared")
    gone = rows(run.scores, status="unavailable", backbone="one")
    assert {(row["train_corpus"], row["test_corpus"]) for row in gone} == {
        pair for name in ("a", "b", "poor") for pair in ((name, "apart"), ("apart", name))
    }
    # both sides' classes: `surprise` cannot be said about a corpus that lacks it
    wanted = {"train_corpus": "a", "test_corpus": "poor", "class_rule": "shared-classes"}
    classes = {row["class"] for row in rows(run.scores, metric="confusion", **wanted)}
    assert not any("surprise" in pair for pair in classes)
    (matrix, _) = matrices(run.scores)
    assert ("a", "apart") in matrix.missing


def test_exact_classes_come_from_the_label_sets(workspace):
    scores = rescore(read_run(workspace, "standard"), METRICS, class_rules=["exact-classes"]).scores

    done = headline(scores, backbone="one", in_domain=False)
    assert set(done) == {("one", "a", "b"), ("one", "b", "a")}


def cell_of(scores, adjustment, train="a", test="b", **wanted):
    """Return the scores of a cell by metric, and its confusion counts by pair."""
    found = rows(scores, backbone="one", train_corpus=train, test_corpus=test,
                 adjustment=adjustment, **wanted)  # fmt: skip
    whole = {row["metric"]: row["value"] for row in found if row["class"] is None}
    counts = {row["class"]: row["value"] for row in found if row["metric"] == "confusion"}
    return whole, counts


def test_em_is_that_of_an_independent_implementation(workspace):
    """Calibration by another optimiser and parametrisation, then plain EM steps."""
    stored = read_run(workspace, "standard")
    scores = rescore(stored, METRICS, adjustments=["uniform", "em", "bbse", "oracle"]).scores
    keys = {
        row["test_corpus"]: row["prediction_key"]
        for row in rows(stored.scores, backbone="one", train_corpus="a", metric="macro-f1")
    }
    held, test = (read_predictions(workspace, keys[name]) for name in ("a", "b"))
    seven = [CLASSES.index(name) for name in SEVEN]
    inside = held.logits[:, seven].astype(float)
    labels = np.searchsorted(seven, held.labels)

    def logs(logits, parameters):
        return log_softmax(logits * np.exp(parameters[0]) + parameters[1:], axis=1)

    def loss(parameters):
        own = logs(inside, parameters)[np.arange(len(labels)), labels].sum()
        return (1e-3 * (parameters[1:] ** 2).sum() / 2 - own) / len(labels)

    best = minimize(loss, np.zeros(8), method="BFGS", options={"gtol": 1e-9}).x
    source = np.exp(logs(inside, best)).mean(axis=0)
    probable = np.exp(logs(test.logits[:, seven].astype(float), best))
    prior = source.copy()
    for _ in range(20_000):
        weighted = probable * prior / source
        prior = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
    said = np.array(seven)[(probable * np.maximum(prior, 1e-6) / source).argmax(axis=1)]
    expected = sk.f1_score(test.labels, said, average="macro", labels=np.unique(test.labels))

    assert cell_of(scores, "em")[0]["macro-f1"] == pytest.approx(expected, abs=0.01)
    values = {name: cell_of(scores, name)[0]["macro-f1"] for name in ("uniform", "bbse", "oracle")}
    assert len({*values.values(), expected}) == 4


def test_estimated_frequencies_use_no_label_of_the_test_corpus(tmp_path):
    """With the labels of a test corpus in another order, every answer stays what it was."""
    place = Workspace(tmp_path)
    simulate_run(place, "run", CORPORA[:2], {"one": (None, 0.9)})
    stored = read_run(place, "run")
    wanted = {"adjustments": ["em", "bbse"]}
    before = rescore(stored, METRICS, **wanted).scores
    key = next(row["prediction_key"] for row in stored.scores.to_pylist()
               if (row["train_corpus"], row["test_corpus"]) == ("a", "b"))  # fmt: skip
    predictions = read_predictions(place, key)
    order = np.random.default_rng(0).permutation(len(predictions))
    write_predictions(place, key, replace(predictions, labels=predictions.labels[order]))
    after = rescore(stored, METRICS, **wanted).scores

    def said(scores, adjustment):
        totals = Counter()
        for pair, count in cell_of(scores, adjustment)[1].items():
            totals[pair.split("→")[1]] += count
        return +totals

    for adjustment in ("em", "bbse"):
        assert said(after, adjustment) == said(before, adjustment)
        assert cell_of(after, adjustment)[0] != cell_of(before, adjustment)[0]


def test_without_in_domain_predictions_a_row_says_why(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "run", CORPORA[:2], {"one": (None, 0.9)}, lacking=[("one", "a", "a")])

    scores = rescore(read_run(place, "run"), METRICS, adjustments=["uniform", "em"]).scores

    (row,) = rows(scores, train_corpus="a", test_corpus="b", adjustment="em")
    assert row["status"] == "unavailable"
    assert "the in-domain predictions of this probe are not stored" in row["reason"]
    assert cell_of(scores, "uniform")[0]["macro-f1"] > 0


def test_rescoring_twice_keeps_one_row_for_what_is_not_there(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "run", CORPORA[:2], {"one": (None, 0.9)}, lacking=[("one", "a", "a")])
    assert invoke(place, "run", "--adjustment", "uniform", "--adjustment", "em").exit_code == 0

    again = rescore(read_run(place, "run-rescored"), METRICS)

    assert len(rows(again.scores, status="unavailable")) == 1


def test_a_computed_run_is_never_written_over(workspace):
    done = invoke(workspace, "standard", "--name", "paper")

    assert isinstance(done.exception, SettingsError)
    assert "not made by 'sercore score'" in str(done.exception)
    assert invoke(workspace, "standard", "--name", "twice").exit_code == 0
    assert invoke(workspace, "standard", "--name", "twice").exit_code == 0


def test_a_rule_or_adjustment_that_does_not_exist_is_one_sentence(workspace):
    for option, value in (("--class-rule", "all"), ("--adjustment", "magic")):
        done = invoke(workspace, "standard", option, value)
        assert isinstance(done.exception, ProtocolError)
        assert f"named '{value}'" in str(done.exception)


def test_predictions_that_are_gone_are_a_problem_not_a_traceback(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "run", CORPORA[:2], {"one": (None, 0.9)})
    place.remove(f"predictions/{place.list('predictions')[0]}")

    done = invoke(place, "run")

    assert done.exit_code == 1
    assert "cannot be read" in done.stderr
    assert len(headline(read_run(place, "run-rescored").scores)) == 3


# Folds


def part(rows_, seed=0, n_classes=8):
    rng = np.random.default_rng([seed, *rows_])
    return Predictions(
        rows=np.array(rows_, dtype=np.int64),
        utterance_ids=[f"u{row}" for row in rows_],
        labels=rng.integers(0, n_classes, len(rows_)),
        logits=rng.normal(size=(len(rows_), n_classes)).astype(np.float32),
        classes=CLASSES,
    )


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=40), st.randoms(use_true_random=False))
def test_pooling_gives_every_utterance_once_in_any_order_of_folds(folds, random):
    whole = part(list(range(len(folds))))
    parts = []
    for fold in set(folds):
        chosen = np.flatnonzero(np.array(folds) == fold)
        parts.append(
            Predictions(
                rows=whole.rows[chosen],
                utterance_ids=[whole.utterance_ids[row] for row in chosen],
                labels=whole.labels[chosen],
                logits=whole.logits[chosen],
                classes=CLASSES,
            )
        )
    random.shuffle(parts)

    found = join_folds(parts)

    assert found.utterance_ids == whole.utterance_ids
    np.testing.assert_array_equal(found.rows, whole.rows)
    np.testing.assert_array_equal(found.labels, whole.labels)
    np.testing.assert_array_equal(found.logits, whole.logits)


def test_an_utterance_in_two_folds_is_refused():
    with pytest.raises(ValueError, match="two folds"):
        join_folds([part([0, 1]), part([1, 2])])


def fold_row(fold, key, **changes):
    row = dict.fromkeys(SCORE_SCHEMA.names)
    return row | {
        "backbone": "one", "train_corpus": "a", "test_corpus": "a", "split_seed": 0, "fold": fold,
        "prediction_key": key, "probe_key": f"p{key}", "protocol": "speaker-disjoint",
        "class_rule": "in-domain", "adjustment": "none", "averaging": "supported",
        "metric": "macro-f1", "value": 0.1, "headline": True, "in_domain": True, "n_missing": 1,
        "n_test": 4, "complete": True, "shared_speakers": 0, "status": "done", "demo": False,
        **changes,
    }  # fmt: skip


def pooled_of(given_rows, parts):
    protocol = next(each for each in PROTOCOLS if each.id == "speaker-disjoint")
    table = pa.Table.from_pylist(given_rows, schema=SCORE_SCHEMA)
    return add_out_of_fold(table, parts.__getitem__, protocol, METRICS)


def test_the_score_over_folds_is_that_of_all_their_predictions():
    parts = {"x": part([0, 2, 4, 6, 8]), "y": part([1, 3, 5]), "z": part([7, 9])}
    given_rows = [fold_row(fold, key) for fold, key in enumerate(parts)]
    outside = [{**row, "test_corpus": "b", "in_domain": False} for row in given_rows]

    found = pooled_of([*given_rows, *outside], parts)

    whole = rows(found, fold=None, metric="macro-f1")
    assert len(whole) == 1
    labels = np.concatenate([each.labels for each in parts.values()])
    said = np.concatenate([each.logits.argmax(axis=1) for each in parts.values()])
    expected = sk.f1_score(labels, said, average="macro", labels=np.unique(labels), zero_division=0)
    assert whole[0]["value"] == pytest.approx(expected)
    assert whole[0]["n_test"] == 10
    assert whole[0]["n_missing"] == 3
    assert whole[0]["shared_texts"] is None
    assert whole[0]["prediction_key"] is None
    (matrix,) = matrices(found)
    assert matrix.cells["a", "a"].value == pytest.approx(expected)
    assert matrix.cells["a", "a"].pooled
    # pooling once more replaces, never adds
    again = add_out_of_fold(found, parts.__getitem__, PROTOCOLS[2], METRICS)
    assert again.equals(found)


def test_single_folds_and_unfinished_cells_are_not_pooled():
    parts = {"x": part([0, 1]), "y": part([2, 3])}
    single = [fold_row(0, "x")]
    failed = [fold_row(0, "x"), fold_row(1, "y"),
              fold_row(2, None, status="failed", value=None)]  # fmt: skip

    assert rows(pooled_of(single, parts), fold=None) == []
    assert rows(pooled_of(failed, parts), fold=None, status="done") == []


def test_seeds_are_pooled_apart():
    parts = {"x": part([0, 1]), "y": part([2, 3]), "u": part([0, 2]), "v": part([1, 3])}
    places = [(0, 0, "x"), (0, 1, "y"), (1, 0, "u"), (1, 1, "v")]
    given_rows = [fold_row(fold, key, split_seed=seed) for seed, fold, key in places]

    found = rows(pooled_of(given_rows, parts), fold=None, metric="accuracy")

    assert sorted(row["split_seed"] for row in found) == [0, 1]


@pytest.mark.parametrize("name", ["../../x", "..", ".x", "a/b", "\x1b]0;x\x07"])
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written_or_swept(
    workspace, tmp_path_factory, name
):
    stranger = tmp_path_factory.getbasetemp() / "x" / "draft.partial-1"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("mine")
    words = ["-m", "sercore", "score", "paper", "--name"]
    before = sorted(tmp_path_factory.getbasetemp().rglob("*"))

    done = subprocess.run(
        [sys.executable, *words, name, "--workspace", workspace.root],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("sercore: the run name '")
    assert "\x1b" not in done.stderr
    assert sorted(tmp_path_factory.getbasetemp().rglob("*")) == before
    assert stranger.read_text() == "mine"
