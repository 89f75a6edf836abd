"""Corpora without a plugin from one command to the report, and what a second run computes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fresh_plugins import environment
from fresh_plugins import install
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.cli import cli
from sercore.notebook.evaluate import evaluate

pytestmark = pytest.mark.torch

PITCHES = {"angry": 330, "happy": 250, "neutral": 180, "sad": 115}
LABELS = 'labels = { angry = "anger", happy = "happiness", sad = "sadness" }'
RUN = ("run", "--backbone", "logmel", "--probe", "logistic", "--threads", "1", "--json")


def recordings(root, n_per_class=10):
    """Write recordings in one folder a label; yield path, label and speaker."""
    for number, (label, pitch) in enumerate(PITCHES.items()):
        for i in range(n_per_class):
            path = f"clips/{label}/{i}.wav"
            write_wav(root / path, pitch=pitch * (1 + 0.02 * (i % 5)), seed=100 * number + i)
            yield path, label, f"S{i % 3}"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a folder with recordings, a table and settings without a source."""
    root = tmp_path_factory.mktemp("source")
    lines = [",".join(row) for row in recordings(root)]
    (root / "labels.csv").write_text("path,label,speaker\n" + "\n".join(lines) + "\n")
    (root / "sercore.toml").write_text(f"[datasets.mine]\n{LABELS}\n")
    return root


@pytest.fixture
def here(source, tmp_path, monkeypatch):
    """Return a copy of the source, which is the current folder."""
    shutil.copytree(source, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def sercore(*words):
    """Return the document that a command prints."""
    result = CliRunner().invoke(cli, [*map(str, words), "--workspace", "results"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return json.loads(result.stdout)


def run(*words):
    return sercore(*RUN, *words)


def values(result):
    """Return the headline scores by pair of corpora and class rule."""
    return {
        (score["train_corpus"], score["test_corpus"], score["class_rule"]): score["value"]
        for score in result["scores"]
    }


class TestOneCommand:
    @pytest.mark.usefixtures("here")
    def test_a_table_and_the_second_and_third_command(self):
        first = run("--dataset", "mine=table:labels.csv")
        again = run("--dataset", "mine=table:labels.csv")
        disjoint = run("--dataset", "mine=table:labels.csv", "--protocol", "speaker-disjoint")

        assert first["exit_status"] == 0
        assert values(first)["mine", "mine", "in-domain"] > 0.9
        assert first["computed"] == {"extract": 1, "fit": 1, "predict": 1, "score": 1}
        assert again["computed"] == {}
        assert "extract" not in disjoint["computed"]
        assert all(
            score["shared_speakers"] == 0
            for score in disjoint["scores"]
            if score["fold"] is not None
        )

    @pytest.mark.usefixtures("here")
    def test_a_folder(self):
        found = run("--dataset", "mine=folder:clips")

        assert (found["exit_status"], found["problems"]) == (0, [])
        assert values(found)["mine", "mine", "in-domain"] > 0.9

    def test_a_snapshot_of_the_hub(self, here, monkeypatch):
        import pyarrow as pa
        import pyarrow.parquet as pq
        from huggingface_hub import constants

        commit = "0123456789abcdef0123456789abcdef01234567"
        repository = here / "hub/datasets--org--name"
        snapshot = repository / "snapshots" / commit / "data"
        snapshot.mkdir(parents=True)
        clips = sorted(Path("clips").rglob("*.wav"))
        audio = [{"bytes": clip.read_bytes(), "path": clip.name} for clip in clips]
        labels = [clip.parent.name for clip in clips]
        (repository / "blobs").mkdir()
        pq.write_table(pa.table({"audio": audio, "label": labels}), repository / "blobs/0")
        (snapshot / "train-00000-of-00001.parquet").symlink_to(repository / "blobs/0")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(here / "hub"))

        found = run("--dataset", f"mine=hf:org/name@{commit}")

        assert (found["exit_status"], found["problems"]) == (0, [])
        assert values(found)["mine", "mine", "in-domain"] > 0.9

    @pytest.mark.filterwarnings("ignore:The inplace keyword")  # audformat with pandas 3.1
    @pytest.mark.usefixtures("here")
    def test_a_database_in_audformat(self):
        audformat = pytest.importorskip("audformat")
        clips = sorted(str(clip) for clip in Path("clips").rglob("*.wav"))
        database = audformat.Database("mine")
        database.schemes["emotion"] = audformat.Scheme("str", labels=list(PITCHES))
        table = database["emotion"] = audformat.Table(audformat.filewise_index(clips))
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set([Path(clip).parent.name for clip in clips])
        database.save(".", storage_format="csv")

        found = run("--dataset", "mine=audformat:.")

        assert (found["exit_status"], found["problems"]) == (0, [])
        assert values(found)["mine", "mine", "in-domain"] > 0.9

    @pytest.mark.usefixtures("here")
    def test_from_python(self):
        found = evaluate(
            {"mine": "table:labels.csv"}, "logmel", probes="logistic", seeds=1, threads=1,
            workspace="results", progress=False,
        )  # fmt: skip
        again = run("--dataset", "mine=table:labels.csv")

        assert found.problems == ()
        assert again["computed"] == {}

    def test_an_unknown_label_is_a_problem_of_one_line(self, here):
        (here / "sercore.toml").unlink()

        found = run("--dataset", "mine=table:labels.csv")

        assert found["exit_status"] == 3
        assert any(
            'write labels = { angry = "anger", happy = "happiness", sad = "sadness" } under '
            "[datasets.mine]" in problem
            for problem in found["problems"]
        )

    def test_a_missing_file_fails_the_run_and_marks_the_copy(self, here):
        (here / "clips/sad/0.wav").unlink()

        found = run("--dataset", "mine=table:labels.csv")

        assert found["exit_status"] == 1
        assert found["problems"] == [
            (
                "mine: labels.csv, line 32 (clips/sad/0.wav): the file does not exist; copy it, or "
                "drop the row"
            )
        ]
        assert not found["scores"][0]["complete"]


class TestDeclared:
    def test_a_declared_corpus_needs_its_name_only_and_joins_all(self, here):
        text = (here / "sercore.toml").read_text()
        (here / "sercore.toml").write_text(f'{text}source = "table:labels.csv"\n')

        named = run("--dataset", "mine")
        everything = run("--all", "--name", "all")

        assert ("mine", "mine", "in-domain") in values(named)
        assert ("mine", "mine", "in-domain") in values(everything)

    def test_pairs_with_it_are_scored_on_shared_classes(self, here):
        write_urdu(here / "data/URDU-Dataset-master")

        found = run("--dataset", "mine=table:labels.csv", "--dataset", "urdu", "--data", "data")

        assert set(values(found)) == {
            ("mine", "mine", "in-domain"),
            ("urdu", "urdu", "in-domain"),
            ("mine", "urdu", "shared-classes"),
            ("urdu", "mine", "shared-classes"),
        }
        assert any(
            "no published cluster includes your own corpora (mine)" in n for n in found["notes"]
        )

    def test_a_run_with_it_can_be_rescored(self, here):
        write_urdu(here / "data/URDU-Dataset-master")
        found = run("--dataset", "mine=table:labels.csv", "--dataset", "urdu", "--data", "data")

        scored = CliRunner().invoke(cli, ["score", "default", "--workspace", "results", "--json"])

        assert scored.exit_code == 0, scored.output
        assert json.loads(scored.stdout)["cells"] == len(found["scores"])


class TestSecondRun:
    def test_a_changed_map_fits_again_and_extracts_nothing(self, here):
        run("--dataset", "mine=table:labels.csv")
        changed = (here / "sercore.toml").read_text().replace('"sadness"', '"fear"')
        (here / "sercore.toml").write_text(changed)

        second = run("--dataset", "mine=table:labels.csv")

        assert second["computed"] == {"fit": 1, "predict": 1, "score": 1}

    def test_a_label_that_the_map_no_longer_has_is_one_sentence(self, here):
        run("--dataset", "mine=table:labels.csv")
        (here / "sercore.toml").write_text('[datasets.mine]\nlabels = { angry = "anger" }\n')

        second = run("--dataset", "mine=table:labels.csv")

        assert second["exit_status"] == 3
        assert "mine has labels without a class: 'happy' (10), 'sad' (10)" in second["problems"][0]

    def test_a_changed_table_fits_again_and_extracts_nothing(self, here):
        run("--dataset", "mine=table:labels.csv")
        table = here / "labels.csv"
        table.write_text(table.read_text().replace("angry/0.wav,angry", "angry/0.wav,happy"))

        second = run("--dataset", "mine=table:labels.csv")

        assert second["computed"] == {"fit": 1, "predict": 1, "score": 1}

    def test_a_changed_recording_extracts_its_part(self, here):
        run("--dataset", "mine=table:labels.csv")
        write_wav(here / "clips/angry/0.wav", pitch=500, seed=77)

        assert run("--dataset", "mine=table:labels.csv")["computed"]["extract"] == 1

    def test_a_moved_corpus_computes_nothing(self, here):
        run("--dataset", "mine=table:labels.csv")
        (here / "moved").mkdir()
        for name in ("labels.csv", "clips"):
            (here / name).rename(here / "moved" / name)

        assert run("--dataset", "mine=table:moved/labels.csv")["computed"] == {}

    def test_another_table_of_the_name_is_another_corpus(self, here):
        first = run("--dataset", "mine=table:labels.csv")
        lines = (here / "labels.csv").read_text().splitlines(keepends=True)
        (here / "half.csv").write_text("".join(lines[:1] + lines[1::2]))

        second = run("--dataset", "mine=table:half.csv")
        third = run("--dataset", "mine=table:labels.csv")

        assert second["scores"][0]["n_train"] == 16
        assert third["scores"][0]["probe_key"] == first["scores"][0]["probe_key"]


def test_fresh_processes_rebuild_the_corpus_from_the_specification(here, tmp_path):
    """A worker has no settings file and no command line, only its task and the workspace."""
    installed = install(tmp_path / "plugins", "sercore_executor_spawn")
    (here / "sercore.toml").rename(tmp_path / "elsewhere.toml")
    words = [*RUN, "--dataset", "mine=table:labels.csv", "--executor", "spawn"]
    words += ["--config", str(tmp_path / "elsewhere.toml"), "--workspace", "results"]

    ran = subprocess.run(
        [sys.executable, "-m", "sercore", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment(
            installed, SPAWN_LOG=str(tmp_path / "log"), SPAWN_TASKS=str(tmp_path / "tasks")
        ),
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["computed"] == {"extract": 1, "fit": 1, "predict": 1, "score": 1}
    assert "elsewhere" not in (tmp_path / "tasks").read_text()


def test_aliases_and_ignored_labels_of_a_plugin_reach_a_run(here):
    """Doctor used them, and a run did not."""
    folder = write_urdu(here / "data/URDU-Dataset-master")
    recording = folder / "Angry/SM1_F1_A01.wav"
    recording.rename(folder / "Angry/SM1_F1_B01.wav")
    text = '[datasets.urdu]\naliases = { B = "A" }\n'
    (here / "sercore.toml").write_text(text)

    found = run("--dataset", "urdu", "--data", "data")

    assert found["exit_status"] == 0, found["problems"]
    assert found["scores"][0]["n_train"] + found["scores"][0]["n_test"] == 48
