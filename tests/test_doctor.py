"""`sercore doctor` on corpora that are whole, differ, are damaged, unusable or absent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_corpora import write_emodb
from small_corpora import write_urdu

from sercore.cli import cli

pytestmark = pytest.mark.torch  # the command tries every library

IDS = sorted(
    path.parent.name
    for path in (Path(__file__).parent.parent / "plugins" / "datasets").glob("*/pyproject.toml")
)


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    """Return a function that runs the command and gives its exit code and output."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        command = ["doctor", "--workspace", str(tmp_path / "workspace"), *map(str, arguments)]
        result = CliRunner().invoke(cli, command)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    return run


def rows_of(output):
    """The rows of the table of corpora by id."""
    lines = output.split("backbones")[0].splitlines()
    start = next(i for i, line in enumerate(lines) if "utterances" in line)
    split = [line.split() for line in lines[start + 2 :] if line.split()]
    return {words[0]: words[1:] for words in split if words[0] in IDS}


def test_there_is_one_row_for_every_corpus(doctor, data):
    _, output = doctor("--data", data)

    rows = rows_of(output)
    assert sorted(rows) == IDS
    assert len(IDS) == 26
    assert max(map(len, output.split("emovo")[0].splitlines())) <= 80
    assert rows["emodb"] == ["yes", "72", "72", "535", "6/6", "differs", "emodb"]
    assert rows["urdu"][:6] == ["yes", "48", "48", "400", "4/4", "differs"]
    assert rows["mead"] == ["no", "-", "-", "31729", "-", "not", "found", "-"]
    assert "emodb: 72 utterances where a complete copy has 535" in output


def test_what_is_not_here_breaks_nothing_and_what_is_damaged_does(doctor, data):
    (data / "URDU-Dataset-master" / "backup.wav").write_bytes(b"RIFF")
    healthy, notes = doctor("--data", data, "--dataset", "urdu", "--dataset", "mead")
    (data / "URDU-Dataset-master" / "Sad" / "SM1_F1_S01.wav").write_bytes(b"")
    damaged, output = doctor("--data", data, "--dataset", "urdu")

    assert (healthy, damaged) == (0, 1)
    assert "urdu: backup.wav: this file is not part of URDU-Dataset as distributed" in notes
    assert "urdu: Sad/SM1_F1_S01.wav: the file is empty (0 bytes)" in output
    assert rows_of(output)["urdu"][5] == "problems"


def test_every_problem_has_its_severity_in_json(doctor, data):
    (data / "URDU-Dataset-master" / "backup.wav").write_bytes(b"RIFF")
    _, output = doctor("--data", data, "--dataset", "urdu", "--json")

    (urdu,) = json.loads(output)["corpora"]
    severities = {problem["kind"]: problem["severity"] for problem in urdu["problems"]}
    assert severities == {"count": "warning", "stray-file": "note"}


def test_a_folder_of_another_name_is_recognized_and_written_down(
    doctor, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = (data / "URDU-Dataset-master").rename(data / "my recordings")
    code, output = doctor("--data", data, "--write")
    again, after = doctor("--data", data)

    assert (code, again) == (0, 0)
    assert rows_of(output)["urdu"][:2] == ["no", "-"]
    assert f"{folder} looks like URDU-Dataset (48 of 400)" in output
    assert "sercore.toml: added emodb, urdu" in output
    assert rows_of(after)["urdu"][:3] == ["yes", "48", "48"]
    assert "looks like" not in after


def test_many_places_with_names_of_a_corpus_are_few_lines(doctor, tmp_path):
    for folder in range(10):
        place = tmp_path / "data" / f"recordings {folder}"
        place.mkdir(parents=True)
        for number in range(120):  # the names of EKK are plain numbers, too
            (place / f"{100 + number}.wav").write_bytes(b"x")

    code, output = doctor("--data", tmp_path / "data", "--dataset", "ekk")
    _, document = doctor("--data", tmp_path / "data", "--dataset", "ekk", "--json")

    assert code == 0
    assert output.count("fit Estonian Emotional Speech Corpus") == 8
    assert "ekk: 2 more places have names like it (--json has all)" in output
    assert len(json.loads(document)["recognized"]) == 10


def test_json_documents_every_corpus(doctor, data):
    _, output = doctor("--data", data, "--json")

    found = {each["id"]: each for each in json.loads(output)["corpora"]}
    assert sorted(found) == IDS
    urdu, mead = found["urdu"], found["mead"]
    assert urdu["classes"] == dict.fromkeys(("anger", "happiness", "neutral", "sadness"), 12)
    assert urdu["expected_classes"] == dict.fromkeys(urdu["classes"], 100)
    assert [each["kind"] for each in urdu["problems"]] == ["count"]
    assert Path(urdu["root"]) == data / "URDU-Dataset-master"
    assert (mead["verdict"], mead["root"], mead["files"]) == ("not found", None, None)
    assert "Accept the terms" in mead["obtain"]


def test_deep_names_the_recording_that_is_cut_short_and_the_copy(doctor, data):
    folder = data / "URDU-Dataset-master" / "Angry"
    sound = (folder / "SM1_F1_A01.wav").read_bytes()
    (folder / "SM2_F2_A02.wav").write_bytes(sound[:-2000])
    shutil.copy(folder / "SM3_F3_A03.wav", folder.parent / "Sad" / "SM3_F9_S99.wav")
    shallow, _ = doctor("--data", data, "--dataset", "urdu")

    deep, output = doctor("--data", data, "--dataset", "urdu", "--deep", "--json")

    (urdu,) = json.loads(output)["corpora"]
    problems = {each["kind"]: each["where"] for each in urdu["problems"]}
    assert (shallow, deep) == (0, 1)
    assert problems["undecodable"] == "Angry/SM2_F2_A02"
    assert problems["duplicate"] == "Sad/SM3_F9_S99"


def test_an_unknown_label_makes_a_corpus_unusable_and_leaves_the_others_alone(doctor, tmp_path):
    urdu = write_urdu(tmp_path / "data" / "urdu", n_per_class=2)
    write_emodb(tmp_path / "data" / "emodb", n_per_class=2)
    (urdu / "Sad" / "SM1_F1_Q01.wav").write_bytes(b"x")

    code, output = doctor("--data", tmp_path / "data")

    assert code == 1
    assert rows_of(output)["urdu"][5:] == ["unusable", "urdu"]
    assert rows_of(output)["emodb"][5] == "differs"
    assert "does not declare the label 'Q' (1, as in Sad/SM1_F1_Q01.wav)" in output


def test_an_archive_is_found_and_read(doctor, tmp_path):
    write_urdu(tmp_path / "made" / "URDU-Dataset-master", n_per_class=2)
    (tmp_path / "data").mkdir()
    shutil.make_archive(str(tmp_path / "data" / "URDU-Dataset-master"), "zip", tmp_path / "made")

    code, output = doctor("--data", tmp_path / "data", "--dataset", "urdu")

    assert code == 0
    assert rows_of(output)["urdu"][:5] == ["yes", "8", "8", "400", "4/4"]


def test_real_copies_are_complete(doctor, shared):
    _, output = doctor("--data", shared / "corpora", "--deep")

    rows = rows_of(output)
    assert rows["urdu"][2:6] == ["400", "400", "4/4", "complete"]
    assert rows["emodb"][2:6] == ["535", "535", "6/6", "complete"]
    assert rows["emovo"][5] == "differs"
