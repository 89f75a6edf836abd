"""Manifests: exact counts on real corpora, keys that do not move, named faults, stable parts."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from small_corpora import write_urdu

from sercore.corpora.contents import read_contents
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import PART_SIZE
from sercore.corpora.manifest import build_manifest
from sercore.corpora.manifest import paper_counts
from sercore.errors import CorpusError
from sercore.errors import UnknownLabelError
from sercore.plugins.registry import registry


def corpus(name):
    return registry().corpora.get(name)


@pytest.mark.parametrize(("name", "folder"), [("urdu", "URDU-Dataset-master"), ("emodb", "emodb")])
def test_real_corpora_give_their_exact_class_counts(shared, name, folder):
    facts = {
        each["id"]: each for each in json.loads((shared / "reference/corpora.json").read_text())
    }
    expected = {k: n for k, n in facts[name]["class_counts_in_paper"].items() if n}

    for reading in ("paper", "corrected"):
        manifest = build_manifest(corpus(name), CorpusFiles(shared / "corpora" / folder), reading)

        assert paper_counts(manifest, corpus(name)) == expected
        assert manifest.problems == ()


def test_what_names_say_is_in_the_manifest(data):
    manifest = build_manifest(corpus("emodb"), CorpusFiles(data / "emodb"), "corrected")
    row = manifest.utterance_ids.index("03a00Wa")

    utterance = manifest.utterance(row)

    assert utterance.speaker == ("03",)
    assert utterance.gender == "male"
    assert (utterance.text_id, utterance.native_label, utterance.take) == ("a00", "W", "a")
    assert utterance.official_split is None


def test_moving_touching_and_pointing_elsewhere_change_no_key(data, tmp_path):
    first = build_manifest(corpus("emodb"), CorpusFiles(data / "emodb"), "corrected")
    moved = tmp_path / "elsewhere" / "emodb"
    shutil.copytree(data / "emodb", moved)
    for file in moved.rglob("*.wav"):
        file.touch()

    assert build_manifest(corpus("emodb"), CorpusFiles(moved), "paper").digest == first.digest
    inside = build_manifest(corpus("emodb"), CorpusFiles(moved / "wav"), "corrected")
    assert inside.digest == first.digest


def test_added_removed_and_changed_files_are_noticed(data):
    root = data / "URDU-Dataset-master"
    digests = {build_manifest(corpus("urdu"), CorpusFiles(root), "corrected").digest}
    (root / "Sad" / "SM1_F1_S01.wav").unlink()
    digests.add(build_manifest(corpus("urdu"), CorpusFiles(root), "corrected").digest)
    with (root / "Sad" / "SM2_F2_S02.wav").open("ab") as file:
        file.write(b"\0\0")
    digests.add(build_manifest(corpus("urdu"), CorpusFiles(root), "corrected").digest)

    assert len(digests) == 3


def test_an_unknown_label_names_the_file_and_the_label(data):
    root = data / "URDU-Dataset-master"
    shutil.copy(root / "Sad/SM1_F1_S01.wav", root / "Sad/SM1_F1_X01.wav")

    with pytest.raises(UnknownLabelError, match=r"label 'X' \(1, as in Sad/SM1_F1_X01\.wav\)"):
        build_manifest(corpus("urdu"), CorpusFiles(root), "corrected")


def test_what_does_not_belong_is_named(data):
    root = data / "URDU-Dataset-master"
    (root / "Sad" / "notes.txt").write_text("my notes")
    (root / ".DS_Store").write_bytes(b"")

    manifest = build_manifest(corpus("urdu"), CorpusFiles(root), "corrected")

    stray = [problem for problem in manifest.problems if problem.kind == "stray-file"]
    assert [problem.where for problem in stray] == ["Sad/notes.txt"]
    ignoring = build_manifest(corpus("urdu"), CorpusFiles(root, ["*/notes.txt"]), "corrected")
    assert not [problem for problem in ignoring.problems if problem.kind == "stray-file"]


def test_a_part_of_a_corpus_says_so(data):
    root = data / "URDU-Dataset-master"
    manifest = build_manifest(corpus("urdu"), CorpusFiles(root), "corrected")

    (problem,) = manifest.problems

    assert problem.kind == "count"
    assert not problem.is_fault
    assert problem.makes_incomplete
    assert "48 utterances where a complete copy has 400" in problem.message


def test_a_folder_that_is_another_corpus_is_refused(data):
    with pytest.raises(CorpusError, match="holds no utterance of URDU-Dataset"):
        build_manifest(corpus("urdu"), CorpusFiles(data / "emodb"), "corrected")


def test_mappers_change_classes_and_nothing_else(data):
    manifest = build_manifest(corpus("emodb"), CorpusFiles(data / "emodb"), "corrected")
    mappers = registry().label_mappers

    four = manifest.class_counts(corpus("emodb"), mappers.get("four-class"))
    valence = manifest.class_counts(corpus("emodb"), mappers.get("valence"))

    assert four == {"happiness": 12, "sadness": 12, "anger": 12, "neutral": 12}
    assert valence == {"negative": 48, "neutral": 12, "positive": 12}
    assert (manifest.labels(corpus("emodb"), mappers.get("four-class")) < 0).sum() == 24


def test_a_manifest_of_thousands_builds_quickly(tmp_path):
    for folder, letter in (("Angry", "A"), ("Sad", "S")):
        (tmp_path / folder).mkdir()
        for i in range(2000):
            (tmp_path / folder / f"SM{i % 20}_F{i % 100}_{letter}{i:04d}.wav").write_bytes(b"x")
    started = time.process_time()

    manifest = build_manifest(corpus("urdu"), CorpusFiles(tmp_path), "corrected")

    assert len(manifest) == 4000
    assert manifest.digest
    assert time.process_time() - started < 5


def test_write_urdu_is_what_it_says(tmp_path):
    write_urdu(tmp_path, n_per_class=3)

    assert len(list(tmp_path.rglob("*.wav"))) == 12


@pytest.fixture
def many(tmp_path):
    """Return a corpus of four parts whose files are all of one size."""
    for number in range(3 * PART_SIZE + 10):
        folder, letter = (("Angry", "A"), ("Sad", "S"))[number % 2]
        path = tmp_path / "many" / folder / f"SM{number % 9}_F1_{letter}{number:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%08d" % number)
    return tmp_path / "many"


def contents_of_parts(root, before=None):
    files = CorpusFiles(root)
    manifest = build_manifest(corpus("urdu"), files, "corrected", read_contents, before)
    assert all(len(rows) <= PART_SIZE for rows in manifest.part_rows)
    assert sorted(row for rows in manifest.part_rows for row in rows) == list(range(len(manifest)))
    return manifest, set(manifest.digests.parts)


def test_a_changed_recording_changes_its_part_alone(many):
    first, before = contents_of_parts(many)
    (many / "Sad" / "SM1_F1_S0001.wav").write_bytes(b"changed!")
    second, after = contents_of_parts(many)

    assert len(after - before) == len(before - after) == 1
    assert first.digest != second.digest
    assert first.digests.audio != second.digests.audio


def test_a_corrected_label_changes_no_part(many):
    """Where names carry labels, correcting one renames the file: it is known by its content."""
    first, before = contents_of_parts(many)
    (many / "Sad" / "SM1_F1_S0001.wav").rename(many / "Angry" / "SM1_F1_A9999.wav")
    second, after = contents_of_parts(many, first)

    assert after == before
    assert second.digest != first.digest


@pytest.mark.parametrize("change", ["added", "removed", "longer"])
def test_one_file_more_less_or_longer_changes_one_part(change, many):
    first, before = contents_of_parts(many)
    if change == "added":
        (many / "Sad" / "SM1_F1_S9999.wav").write_bytes(b"new and longer than the others")
    elif change == "removed":
        (many / "Sad" / "SM1_F1_S0001.wav").unlink()
    else:
        (many / "Sad" / "SM1_F1_S0001.wav").write_bytes(b"longer than the others")
    _, after = contents_of_parts(many, first)

    assert len(after - before) == len(before - after) == 1


def test_parts_of_another_corpus_are_not_kept(many, data):
    other = build_manifest(
        corpus("urdu"), CorpusFiles(data / "URDU-Dataset-master"), "corrected", read_contents
    )
    fresh, _ = contents_of_parts(many)
    after_other, _ = contents_of_parts(many, other)

    assert after_other.digests == fresh.digests


def test_a_manifest_without_contents_says_so(data):
    manifest = build_manifest(corpus("emodb"), CorpusFiles(data / "emodb"), "corrected")

    assert not manifest.has_contents
