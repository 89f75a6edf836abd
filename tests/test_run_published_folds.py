"""``run --protocol official:NAME``: real runs on folds of plugins, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import product

import pyarrow.parquet as pq
import pytest
from fresh_plugins import environment
from fresh_plugins import install
from small_corpora import write_wav

pytestmark = pytest.mark.torch

SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")


def write_emovo(root, speakers=SPEAKERS):
    takes = product(speakers, ((140.0, "rab"), (220.0, "gio"), (330.0, "tri")), ("b1", "b2"))
    for seed, (speaker, (pitch, label), sentence) in enumerate(takes):
        path = root / speaker / f"{label}-{speaker}-{sentence}.wav"
        write_wav(path, pitch=pitch + seed, seed=seed)
    return root


@pytest.fixture
def run(tmp_path):
    plugins = install(tmp_path / "plugins", "sercore_folds_lab", name="lab")

    def command(protocol, *more, corpus="emovo", root=None, code=0):
        words = [
            *(sys.executable, "-m", "sercore", "run", "--protocol", protocol, "--offline"),
            *("--dataset", f"{corpus}={root or tmp_path / 'EMOVO'}", "--backbone", "logmel"),
            *("--probe", "logistic", "--seeds", "1", "--device", "cpu"),
            *("--workspace", str(tmp_path / "ws"), *more),
        ]
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, timeout=300,
            env=environment(plugins, COLUMNS="300"),
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


def record(tmp_path):
    return json.loads((tmp_path / "ws" / "runs" / "default" / "run.json").read_text())


def test_published_folds_are_run_and_their_disjointness_is_shown(run, tmp_path):
    write_emovo(tmp_path / "EMOVO")
    sentence = (
        "emovo: folds 'emobox' (emo-box/EmoBox, data/emovo/fold_1 to fold_6): 6 folds test 36 of "
        "36 utterances; no speaker is on both sides"
    )

    planned = run("official:emobox", "--dry-run")
    printed = run("official:emobox")

    assert sentence in planned
    assert sentence in printed
    stored = record(tmp_path)
    assert stored["splits"] == [sentence]
    assert sentence in stored["notes"]
    assert stored["protocol"]["split"] == "official:emobox"
    scores = pq.read_table(tmp_path / "ws/runs/default/scores.parquet").to_pylist()
    folds = Counter(row["fold"] for row in scores if row["headline"] and row["class"] is None)
    assert set(folds) == {None, 0, 1, 2, 3, 4, 5}
    assert {row["shared_speakers"] for row in scores if row["fold"] is not None} == {0}

    again = run("official:emobox")

    assert "nothing to compute" in again


def test_a_copy_without_a_speaker_is_counted_and_one_more_is_an_error(run, tmp_path):
    root = write_emovo(tmp_path / "EMOVO", SPEAKERS[:-1])

    missing = run("official:by-sex", "--dry-run")
    few = run("official:emobox", code=3)
    write_emovo(root, ("m4",))
    more = run("official:by-sex", code=3)

    assert "1 of the listed speakers are not in this copy (m3 ...)" in missing
    assert "leaves its test part empty" in few
    assert "do not name speaker m4 of this copy" in more


def test_folds_that_share_speakers_are_refused_unless_they_are_accepted(run, tmp_path):
    write_emovo(tmp_path / "EMOVO")

    refused = run("official:by-sentence", code=3)
    accepted = run("official:by-sentence", "--accept-shared-speakers")

    names = ", ".join(SPEAKERS)
    assert f"the folds 'by-sentence' of emovo have speakers {names} on both sides" in refused
    assert "--accept-shared-speakers" in refused
    assert f"2 folds test 36 of 36 utterances; speakers {names} on both sides" in accepted
    assert record(tmp_path)["settings"]["accept_shared_speakers"] is True


def test_a_corpus_without_such_folds_says_which_it_has(run, tmp_path):
    write_emovo(tmp_path / "EMOVO")

    printed = run("official:audb", code=3)

    assert "emovo has no published folds named 'audb'" in printed
    assert "it has by-sentence, by-sex, emobox" in printed
    assert "no protocol named 'official:nope'" in run("official:nope", code=1)


def test_changed_folds_train_other_probes(run, tmp_path):
    write_emovo(tmp_path / "EMOVO")
    run("official:by-sex")
    plugin = tmp_path / "plugins" / "sercore_folds_lab.py"
    text = plugin.read_text()
    plugin.write_text(text.replace("test=(WOMEN, MEN)", "test=(WOMEN[:2], (*WOMEN[2:], *MEN))"))

    printed = run("official:by-sex")

    assert "2 trained" in printed
