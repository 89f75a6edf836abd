"""Whole runs on real files: what is computed, what is kept, and what faults do."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_corpora import write_emodb
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch

PAIR = ["--dataset", "urdu", "--dataset", "emodb", "--backbone", "logmel", "--offline"]
PAIR += ["--class-rule", "shared-classes", "--threads", "1"]


def command(data, workspace, *more):
    where = ["--data", str(data), "--workspace", str(workspace)]
    return [sys.executable, "-m", "sercore", "run", *PAIR, *where, *more]


def sercore(words, *, prefix=(), **options):
    return subprocess.run(
        [*prefix, *words], capture_output=True, text=True, check=False, timeout=250, **options
    )


def hear_signals():
    """Undo in a child that whoever started the tests ignores signals, as background jobs do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start_until(said, words, **options):
    """Start a run and return its process as soon as it prints a line that starts so."""
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=hear_signals,
        **options,
    )
    for line in process.stdout:
        if line.startswith(said):
            return process
    return pytest.fail(f"the run never said '{said}'")


def run_json(data, workspace, *more, **options):
    answer = sercore(command(data, workspace, "--json", *more), **options)
    assert "Traceback" not in answer.stderr, answer.stderr
    found = json.loads(answer.stdout)
    assert found["exit_status"] == answer.returncode
    return found


def results(workspace):
    """Return the bytes that a run must give again: weights, predictions, scores."""
    root = Path(workspace)
    chosen = [
        *root.glob("features/*/parts/*.arrow"),
        *root.glob("probes/*/weights.safetensors"),
        *root.glob("probes/*/split.parquet"),
        *root.glob("predictions/*.parquet"),
        *root.glob("runs/*/scores.parquet"),
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in chosen}


@pytest.fixture(scope="module")
def finished(corpora, tmp_path_factory):
    """Return a workspace with a finished run, what the run said, and what it left."""
    workspace = tmp_path_factory.mktemp("finished")
    said = run_json(corpora, workspace)
    return workspace, said, results(workspace)


def test_two_corpora_and_a_backbone_give_four_cells(finished):
    _, said, _ = finished

    assert said["exit_status"] == 0
    assert said["cells"] == {"done": 4}
    assert said["computed"] == {"extract": 2, "fit": 2, "predict": 4, "score": 4}
    pairs = {(row["train_corpus"], row["test_corpus"]): row for row in said["scores"]}
    assert set(pairs) == {(a, b) for a in ("urdu", "emodb") for b in ("urdu", "emodb")}
    # Six of EmoDB's seven classes are in the small copy; four of them are URDU's too.
    assert pairs["urdu", "emodb"]["n_classes"] == 4
    assert pairs["urdu", "emodb"]["class_rule"] == "shared-classes"
    assert pairs["urdu", "urdu"]["n_train"] == int(0.8 * 48)
    assert all(0 <= row["value"] <= 1 for row in said["scores"])

    # Pitch tells these classes, and the baseline hears pitch.
    assert pairs["urdu", "urdu"]["value"] > 0.5


def test_estimated_class_frequencies_are_scored_with_the_rest(finished):
    workspace, _, _ = finished
    scores = pq.read_table(workspace / "runs/default/scores.parquet").to_pylist()

    found = {
        (row["train_corpus"], row["adjustment"]): row["status"]
        for row in scores
        if not row["in_domain"] and row["metric"] == "macro-f1"
    }
    adjustments = ("uniform", "em", "bbse", "oracle", "none", "published")
    assert set(found) == {(train, name) for train in ("urdu", "emodb") for name in adjustments}
    assert all(found[train, "em"] == "done" for train in ("urdu", "emodb"))
    refused = [row for row in scores if row["status"] == "unavailable"]
    assert all("every class that can be said" in row["reason"] for row in refused)


def test_scores_hold_every_part_of_the_three_keys(finished):
    workspace, _, _ = finished

    table = pq.read_table(workspace / "runs/default/scores.parquet")

    wanted = {
        *("backbone", "checkpoint", "revision", "layer", "audio_path", "dtype", "train_corpus"),
        *("train_manifest", "reading", "mapper", "split", "fold", "split_seed", "probe"),
        *("probe_settings", "probe_seed", "test_corpus", "protocol", "class_rule", "adjustment"),
        *("metric", "value", "n_classes", "n_test", "status"),
    }
    assert wanted <= set(table.column_names)
    # The small copies have classes without a held-out utterance, which bbse needs.
    statuses = {row["status"] for row in table.to_pylist() if row["adjustment"] != "bbse"}
    assert statuses == {"done"}
    classes = set(table.column("class").to_pylist()) - {None}
    assert {"anger", "happiness", "neutral", "sadness"} <= classes
    record = json.loads((workspace / "runs/default/run.json").read_text())
    assert record["status"] == "ended"
    assert record["corpora"]["urdu"]["classes"]["anger"] == 12
    assert {"torch", "transformers"} <= set(record["environment"]["packages"])
    summary = (workspace / "runs/default/summary.md").read_text()
    assert "logmel" in summary


def test_a_run_says_what_can_be_scored_without_sound(finished):
    workspace, _, _ = finished

    record = json.loads((workspace / "runs/default/run.json").read_text())
    summary = (workspace / "runs/default/summary.md").read_text()
    intervals = pq.read_table(workspace / "runs/default/intervals.parquet").to_pylist()

    assert set(record["corpora"]["urdu"]["labels"].values()) == {
        "anger", "happiness", "neutral", "sadness"
    }  # fmt: skip
    assert record["backbones"]["logmel"]["floor"] is True
    assert "logmel (floor)" in summary
    assert "demo" not in summary  # a floor on real corpora stands beside the encoders
    # EmoDB names its texts, URDU does not; both name their speakers.
    (text,) = (line for line in summary.splitlines() if line.startswith("| text alone |"))
    assert "| 1 of 2 |" in text
    (speaker,) = (line for line in summary.splitlines() if line.startswith("| speaker alone |"))
    assert "| 2 of 2 |" in speaker
    pairs = {(row["train_corpus"], row["test_corpus"]) for row in intervals}
    assert len(pairs) == len(intervals) == 4
    assert all(row["low"] <= row["value"] <= row["high"] for row in intervals)


def test_a_second_run_computes_nothing_and_changes_nothing(finished, corpora):
    workspace, _, _ = finished
    before = results(workspace)

    again = run_json(corpora, workspace)

    assert again["computed"] == {}
    assert again["cells"] == {"done": 4}
    assert results(workspace) == before


def test_a_run_of_one_seed_continues_as_a_run_of_three(corpora, tmp_path):
    logistic = ("--probe", "logistic")
    run_json(corpora, tmp_path / "grown", "--seeds", "1", *logistic)
    before = results(tmp_path / "grown")

    said = run_json(corpora, tmp_path / "grown", "--seeds", "3", *logistic)

    assert said["cells"] == {"done": 12}
    assert said["computed"] == {"fit": 4, "predict": 8, "score": 8}
    assert {row["split_seed"] for row in said["scores"]} == {34, 35, 36}
    after = results(tmp_path / "grown")
    scores = "runs/default/scores.parquet"
    assert {name: after[name] for name in before if name != scores} == {
        name: data for name, data in before.items() if name != scores
    }
    at_once = run_json(corpora, tmp_path / "at-once", "--seeds", "3", *logistic)
    assert at_once["computed"] == {"extract": 2, "fit": 6, "predict": 12, "score": 12}
    assert results(tmp_path / "at-once") == after


def test_moving_the_corpora_computes_nothing(finished, tmp_path):
    workspace, _, _ = finished
    write_urdu(tmp_path / "elsewhere" / "URDU-Dataset-master")
    write_emodb(tmp_path / "elsewhere" / "emodb")

    assert run_json(tmp_path / "elsewhere", workspace)["computed"] == {}


def test_another_class_rule_neither_trains_nor_predicts(finished, corpora):
    workspace, _, _ = finished

    other = run_json(corpora, workspace, "--name", "exact", "--class-rule", "exact-classes")

    assert "fit" not in other["computed"]
    assert "extract" not in other["computed"]


def test_a_protocol_that_reproduces_defects_is_kept_apart(finished, corpora):
    workspace, _, _ = finished

    paper = run_json(corpora, workspace, "--name", "paper", "--protocol", "paper")

    assert {row["protocol"] for row in paper["scores"]} == {"paper"}
    assert {row["adjustment"] for row in paper["scores"] if row["class_rule"] != "in-domain"} == {
        "published"
    }


@pytest.mark.parametrize("stop_at", ["extracting", "training", "done"])
def test_killed_at_any_moment_and_started_again_the_bytes_are_the_same(
    finished, corpora, tmp_path, stop_at
):
    _, _, reference = finished
    process = start_until(stop_at, command(corpora, tmp_path))
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL

    after = run_json(corpora, tmp_path)

    assert after["cells"] == {"done": 4}
    assert results(tmp_path) == reference
    assert not list(tmp_path.rglob("*.partial*"))


@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGINT],
        [signal.SIGTERM],
        [signal.SIGHUP],
        [signal.SIGINT, signal.SIGINT, signal.SIGINT],
        [signal.SIGTERM, signal.SIGINT],
    ],
    ids=lambda signals: "+".join(number.name for number in signals),
)
def test_a_signal_keeps_finished_work_and_says_how_to_continue(corpora, tmp_path, signals):
    process = start_until("training", command(corpora, tmp_path), stderr=subprocess.PIPE)
    time.sleep(0.3)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.01)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "run the same command again to continue" in out
    record = json.loads((tmp_path / "runs/default/run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["counts"] == {}


def test_a_signal_that_the_caller_ignores_stays_ignored(corpora, tmp_path):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = subprocess.Popen(
        command(corpora, tmp_path, "--quiet"), stdout=subprocess.PIPE, preexec_fn=ignore
    )
    time.sleep(2.0)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=200)

    assert process.returncode == 0


def test_training_while_the_next_corpus_is_extracted_gives_the_same_bytes(
    finished, corpora, tmp_path
):
    _, said, reference = finished

    overlapped = run_json(corpora, tmp_path, "--overlap")

    assert overlapped["computed"] == said["computed"]
    assert results(tmp_path) == reference


def test_ctrl_c_ends_both_stages_of_an_overlapped_run(corpora, tmp_path, finished):
    _, _, reference = finished
    words = command(corpora, tmp_path, "--overlap")
    process = start_until("training", words, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "run the same command again to continue" in out
    assert run_json(corpora, tmp_path)["cells"] == {"done": 4}
    assert results(tmp_path) == reference


def test_a_second_run_of_one_name_may_have_another_selection(corpora, tmp_path):
    """Records of the first run are read again and joined with those of the second."""
    assert run_json(corpora, tmp_path, "--probe", "pooled")["exit_status"] == 0

    again = run_json(corpora, tmp_path, "--probe", "pooled", "--seed", "35")

    assert again["exit_status"] == 0
    assert not [text for text in again["problems"] if "Error" in text]


def test_a_run_waits_for_another_one_of_its_name(finished, corpora):

    workspace, _, reference = finished
    with Workspace(workspace).lease("runs/default", "the run"):
        process = subprocess.Popen(
            command(corpora, workspace), stdout=subprocess.PIPE, text=True, preexec_fn=hear_signals
        )
        said = process.stdout.readline()
        assert said.startswith("note: the run 'default' is being computed by")
        assert process.poll() is None

    process.communicate(timeout=200)
    assert process.returncode == 0
    assert reference.items() <= results(workspace).items()


def spoil(data, kind):
    """Spoil one recording or folder of URDU and return what the message must name."""
    folder = data / "URDU-Dataset-master" / "Angry"
    victim = folder / "SM1_F1_A01.wav"
    if kind == "truncated":
        victim.write_bytes(victim.read_bytes()[:4000])
    elif kind == "text":
        victim.write_text("this is not audio\n" * 50)
    elif kind == "empty":
        victim.write_bytes(b"")
    elif kind == "stray":
        victim = folder / "notes.docx"
        victim.write_bytes(b"PK not audio")
    return victim.name


def test_a_stray_file_is_a_note_and_fails_nothing(data, tmp_path):
    name = spoil(data, "stray")

    said = run_json(data, tmp_path / "ws")

    assert said["exit_status"] == 0
    assert said["problems"] == []
    assert any(name in note and "urdu" in note for note in said["notes"])
    assert all(row["n_missing"] == 0 for row in said["scores"])


def test_an_empty_file_is_a_fault_and_the_rest_is_scored(data, tmp_path):
    name = spoil(data, "empty")

    said = run_json(data, tmp_path / "ws")
    again = run_json(data, tmp_path / "ws")

    assert said["exit_status"] == again["exit_status"] == 1
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert "urdu" in problem
    assert f"{name}: the file is empty (0 bytes)" in problem
    assert not any(row["complete"] for row in said["scores"] if row["test_corpus"] == "urdu")
    assert again["computed"] == {}


@pytest.mark.parametrize("kind", ["truncated", "text"])
def test_a_bad_file_is_named_and_the_rest_is_scored(data, tmp_path, kind):
    name = spoil(data, kind)

    said = run_json(data, tmp_path / "ws")

    assert said["exit_status"] == 1
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert name in problem
    assert "urdu" in problem
    missing = {
        row["test_corpus"]: row["n_missing"]
        for row in said["scores"]
        if row["train_corpus"] == "emodb"
    }
    assert missing["urdu"] == 1
    # What failed is tried again, since it may have been repaired; nothing else is.
    again = run_json(data, tmp_path / "ws")
    assert again["problems"] == said["problems"]
    assert again["computed"] == {"extract": 1}


def test_the_same_audio_twice_is_named(data, tmp_path):
    folder = data / "URDU-Dataset-master" / "Angry"
    (folder / "SM3_F9_A99.wav").write_bytes((folder / "SM1_F1_A01.wav").read_bytes())

    said = run_json(data, tmp_path / "ws")

    assert said["exit_status"] == 1
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert "SM3_F9_A99" in problem
    assert "the same audio as Angry/SM1_F1_A01" in problem


def test_an_unknown_label_stops_its_corpus_and_no_other(data, tmp_path):
    write_wav(data / "URDU-Dataset-master" / "Angry" / "SM1_F1_X01.wav")

    said = run_json(data, tmp_path / "ws")

    assert said["exit_status"] == 3  # urdu was named
    assert said["cells"] == {"done": 1}
    assert any("SM1_F1_X01.wav" in text and "'X'" in text for text in said["problems"])


def test_an_unreadable_folder_is_named_and_the_rest_is_scored(data, tmp_path, ordinary_user):
    folder = data / "URDU-Dataset-master" / "Angry"
    folder.chmod(0)
    try:
        said = run_json(data, tmp_path / "ws", prefix=ordinary_user)
    finally:
        folder.chmod(0o755)

    assert said["exit_status"] == 1
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert problem == (
        "urdu: Angry: the folder cannot be read: Permission denied; check its permissions"
    )
    assert not any(row["complete"] for row in said["scores"] if "urdu" in row["test_corpus"])


def test_a_missing_checkpoint_is_named_and_the_other_backbone_runs(data, tmp_path):
    said = run_json(data, tmp_path / "ws", "--backbone", "hf:/nowhere/at/all")

    assert said["exit_status"] == 3
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert "/nowhere/at/all" in problem


def test_several_probes_and_all_layers_are_one_command_and_one_extraction(corpora, tmp_path):
    from sercore.testing.checkpoints import build_checkpoint

    encoder = build_checkpoint("hubert-large", tmp_path / "tiny-hubert")
    words = ["run", "--dataset", "urdu", "--backbone", f"hf:{encoder}", "--layer", "all"]
    words += ["--probe", "pooled", "--probe", "logistic", "--offline", "--threads", "1"]
    words += ["--frame-budget", "auto"]
    where = ["--data", str(corpora), "--workspace", str(tmp_path / "ws"), "--json"]

    answer = sercore([sys.executable, "-m", "sercore", *words, *where])

    said = json.loads(answer.stdout)
    assert said["exit_status"] == 0, said["problems"]
    assert said["computed"]["extract"] == 1
    table = pq.read_table(tmp_path / "ws/runs/default/scores.parquet").to_pylist()
    cells = {(row["layer"], row["probe"]) for row in table if row["headline"]}
    layers = {layer for layer, _ in cells}
    assert layers == {str(n) for n in range(len(layers))}
    assert len(layers) > 2
    assert cells == {(layer, probe) for layer in layers for probe in ("pooled", "logistic")}
    # The last layer's means are the means of the frames of the last layer.
    key = next(
        row["probe_key"]
        for row in table
        if row["layer"] == str(len(layers) - 1) and row["probe"] == "logistic"
    )
    angry = corpora / "URDU-Dataset-master/Angry/SM1_F1_A01.wav"
    predict = [sys.executable, "-m", "sercore", "predict", key, str(angry), *where[2:]]
    (one,) = json.loads(sercore(predict).stdout)
    assert one["error"] is None
    assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_a_sweep_over_layers_asks_for_a_probe_that_pools(corpora, tmp_path):
    answer = sercore(command(corpora, tmp_path, "--layer", "all"))

    assert answer.returncode == 1
    assert "logistic, pooled" in answer.stderr


def test_a_run_without_a_cell_does_not_pass_for_a_good_one(tmp_path):
    (tmp_path / "data").mkdir()
    words = ["run", "--all", "--data", str(tmp_path / "data"), "--offline", "--json"]

    answer = sercore([sys.executable, "-m", "sercore", *words, "--workspace", str(tmp_path / "ws")])

    assert answer.returncode == 1
    assert "there is nothing to run: no corpus and no backbone" in answer.stderr


def test_a_backbone_that_is_there_is_not_said_to_be_missing(tmp_path):
    words = ["--dataset", f"emodb={tmp_path / 'no'}", "--backbone", "logmel", "--quiet"]
    answer = sercore([sys.executable, "-m", "sercore", "run", *words, "--workspace", str(tmp_path)])

    assert answer.returncode == 3
    assert "there is nothing to run: no corpus was found" in answer.stderr


def test_a_full_disk_is_named_and_nothing_half_written_is_taken_for_done(
    finished, corpora, tmp_path
):
    _, _, reference = finished
    largest = max(len(data) for name, data in reference.items() if name.startswith("features/"))

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, largest - 1))

    said = run_json(corpora, tmp_path, preexec_fn=fill)

    assert said["exit_status"] == 1
    assert said["cells"]["failed"] >= 1
    assert any("there is no space left to write" in text for text in said["problems"])
    after = run_json(corpora, tmp_path)
    assert after["exit_status"] == 0
    assert after["cells"] == {"done": 4}
    assert after["computed"]["extract"] >= 1
    scores = "runs/default/scores.parquet"
    assert results(tmp_path)[scores] == reference[scores]


def test_a_plugin_that_raises_on_import_is_named_and_the_rest_runs(finished, corpora, tmp_path):
    workspace, _, _ = finished
    (tmp_path / "sercore_backbone_broken.py").write_text("raise RuntimeError('no licence server')")
    info = tmp_path / "sercore_backbone_broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sercore-backbone-broken\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[sercore]\nbroken = sercore_backbone_broken\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}

    said = run_json(corpora, workspace, "--name", "broken", env=env)

    assert said["exit_status"] == 1
    assert said["cells"] == {"done": 4}
    (problem,) = said["problems"]
    assert "sercore-backbone-broken" in problem
    assert "no licence server" in problem


def test_new_audio_is_labelled_by_a_stored_probe(finished, corpora, tmp_path):
    workspace, said, _ = finished
    (key,) = {row["probe_key"] for row in said["scores"] if row["train_corpus"] == "urdu"}
    angry = corpora / "URDU-Dataset-master/Angry/SM1_F1_A01.wav"
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    words = [sys.executable, "-m", "sercore", "predict", key[:12]]

    answer = sercore([*words, str(angry), str(bad), "--json", "--workspace", str(workspace)])

    assert answer.returncode == 1
    good, failed = json.loads(answer.stdout)
    assert good["label"] == "anger"
    assert sum(good["probabilities"].values()) == pytest.approx(1)
    assert "bad.wav" in failed["error"]
