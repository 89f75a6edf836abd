"""Manifests, splits and results in the formats of other tools, loaded with those tools."""

import csv
import json
import re
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from sounds import write_sound

from sercore.bundles.write import bundle_of
from sercore.cli import cli
from sercore.corpora.labels import CLASSES
from sercore.errors import ProtocolError
from sercore.errors import SettingsError
from sercore.results.stored_run import read_run
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")


def invoke(*args):
    return CliRunner().invoke(cli, list(map(str, args)))


@pytest.fixture
def exported(data, tmp_path):
    """Return a function that exports the two small corpora and returns the folder."""

    def export(kind, *more, corpora=("emodb", "urdu")):
        result = invoke(
            "export", "manifest", *corpora, "--format", kind, "--output", tmp_path / "out",
            "--data", data, "--workspace", tmp_path / "space", *more,
        )  # fmt: skip
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return tmp_path / "out"

    return export


def rows_of(path):
    """Return the rows of a CSV file; an empty field is None."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: value or None for name, value in row.items()} for row in csv.DictReader(file)
        ]


def in_process(code, *args):
    """Run code of a heavy library in a process of its own: it warns, and it leaves threads."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def need(library):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


# Manifests


def test_csv_has_every_utterance_with_its_split(exported, data):
    folder = exported("csv", "--seeds", "2")
    rows = rows_of(folder / "emodb-csv/manifest.csv")

    assert len(rows) == len(list((data / "emodb").rglob("*.wav")))
    for row in rows:
        assert (data / "emodb" / row["path"]).is_file()
        assert row["emotion"] in CLASSES
        assert re.fullmatch(r"[0-9a-f]{64}", row["sha256"])
        assert row["standard-seed34"] in ("train", "test")
    assert {row["standard-seed34"] for row in rows} == {"train", "test"}
    assert [row["standard-seed34"] for row in rows] != [row["standard-seed35"] for row in rows]


def test_a_corpus_without_a_plugin_is_exported(tmp_path):
    """Its folders are the labels."""
    for label in ("anger", "neutral"):
        for take in range(4):
            path = tmp_path / "mine" / label / f"s{take}_{label}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_sound(path, seed=take)
    result = invoke(
        "export", "manifest", f"mine=folder:{tmp_path / 'mine'}", "--output", tmp_path / "out",
        "--workspace", tmp_path / "space",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "out/mine-csv/manifest.csv")
    assert {(row["path"].split("/")[0], row["emotion"]) for row in rows} == {
        ("anger", "anger"), ("neutral", "neutral"),
    }  # fmt: skip


def test_folds_of_a_protocol_test_every_utterance_once_and_no_speaker_twice(exported):
    folder = exported("csv", "--protocol", "speaker-disjoint", corpora=("emodb",))
    rows = rows_of(folder / "emodb-csv/manifest.csv")
    folds = {}
    for row in rows:
        folds.setdefault(row["speaker"], set()).add(row["speaker-disjoint-seed34"])

    assert all(len(found) == 1 and None not in found for found in folds.values())
    assert len({row["speaker-disjoint-seed34"] for row in rows}) > 1


@pytest.mark.torch
def test_the_splits_are_those_of_a_run(data, tmp_path):
    """The run stores its split beside the probe."""
    place = Workspace(tmp_path / "space")
    run = invoke(
        "run", "--dataset", "emodb", "--data", data, "--backbone", "logmel", "--quiet",
        "--workspace", place.root, "--seeds", "1",
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    (key,) = place.list("probes")
    stored = place.read_table(f"probes/{key}/split.parquet").to_pylist()
    result = invoke(
        "export", "splits", "emodb", "--data", data, "--workspace", place.root, "--seeds", "1",
        "--output", tmp_path / "splits.csv",
    )  # fmt: skip
    rows = rows_of(tmp_path / "splits.csv")

    assert result.exit_code == 0, result.output
    sides = {row["utterance_id"]: row["side"] for row in rows}
    assert sides == {row["utterance_id"]: row["part"] for row in stored}
    assert {row["manifest"] for row in rows} == {
        read_run(place, "default").record["corpora"]["emodb"]["manifest"]
    }


def test_audformat_loads_the_database(exported):
    need("audformat")
    folder = exported("audformat", "--seeds", "1")
    found = in_process(
        """
import json, sys, audformat
db = audformat.Database.load(sys.argv[1])
table = db["utterances"].get()
print(json.dumps({
    "name": db.name, "languages": db.languages, "tables": sorted(db.tables),
    "emotions": sorted(map(str, db.schemes["emotion"].labels)),
    "used": sorted(set(map(str, table["emotion"]))), "rows": len(table),
    "files": list(table.index[:2]), "speakers": sorted(set(map(str, table["speaker"]))),
    "split": len(db["standard-seed34.train"].get()) + len(db["standard-seed34.test"].get()),
    "types": [db.splits[db[f"standard-seed34.{side}"].split_id].type for side in ("train", "test")],
}))
""",
        folder / "emodb-audformat",
    )
    exported("csv", "--seeds", "1")
    rows = rows_of(folder / "emodb-csv/manifest.csv")

    assert found["name"] == "emodb"
    assert found["languages"] == ["deu"]
    assert found["tables"] == ["standard-seed34.test", "standard-seed34.train", "utterances"]
    assert found["emotions"] == sorted(CLASSES)
    assert found["rows"] == found["split"] == len(rows)
    assert found["files"] == [row["path"] for row in rows[:2]]
    assert found["used"] == sorted({row["emotion"] for row in rows})
    assert found["speakers"] == sorted({row["speaker"] for row in rows})
    assert found["types"] == ["train", "test"]


def test_datasets_loads_the_folder(exported):
    need("datasets")
    folder = exported("hf", "--seeds", "1", corpora=("urdu",))
    found = in_process(
        """
import json, sys, datasets
whole = datasets.load_dataset(sys.argv[1], "all")["utterances"]
parts = datasets.load_dataset(sys.argv[1], "standard-seed34")
label = parts["train"].features["emotion"]
print(json.dumps({
    "configs": datasets.get_dataset_config_names(sys.argv[1]), "whole": len(whole),
    "parts": {side: len(part) for side, part in parts.items()}, "names": label.names,
    "first": [label.int2str(whole[0]["emotion"]), whole[0]["path"], whole[0]["speaker"]],
    "kind": type(label).__name__,
}))
""",
        folder / "urdu-hf",
    )
    exported("csv", "--seeds", "1", corpora=("urdu",))
    rows = rows_of(folder / "urdu-csv/manifest.csv")

    assert sorted(found["configs"]) == ["all", "standard-seed34"]
    assert found["whole"] == sum(found["parts"].values()) == len(rows)
    assert found["names"] == list(CLASSES)
    assert found["kind"] == "ClassLabel"
    assert found["first"] == [rows[0]["emotion"], rows[0]["path"], [rows[0]["speaker"]]]


def test_mlcroissant_validates_and_reads_the_metadata(exported):
    need("mlcroissant")
    folder = exported("croissant", "--seeds", "1", corpora=("emodb",))
    found = in_process(
        """
import json, sys, mlcroissant as mlc
dataset = mlc.Dataset(sys.argv[1])
text = lambda value: value.decode() if isinstance(value, bytes) else value
rows = [{name: text(value) for name, value in row.items()} for row in dataset.records("utterances")]
print(json.dumps({
    "issues": [*dataset.metadata.ctx.issues.errors], "name": dataset.metadata.name,
    "rows": len(rows), "first": rows[0]["utterances/path"],
    "emotion": rows[0]["utterances/emotion"],
    "splits": len(list(dataset.records("splits"))),
    "conforms": json.loads(open(sys.argv[1]).read())["conformsTo"],
}, default=str))
""",
        folder / "emodb-croissant/croissant.json",
    )
    rows = rows_of(folder / "emodb-croissant/utterances.csv")

    assert found["issues"] == []
    assert found["name"] == "emodb"
    assert found["rows"] == found["splits"] == len(rows)
    assert (found["first"], found["emotion"]) == (rows[0]["path"], rows[0]["emotion"])
    assert found["conforms"] == "http://mlcommons.org/croissant/1.0"


def test_a_changed_corpus_gives_another_version(exported, data):
    need("mlcroissant")
    versions = []
    for more in ((), ("--replace",)):
        folder = exported("croissant", "--seeds", "1", *more, corpora=("emodb",))
        content = json.loads((folder / "emodb-croissant/croissant.json").read_text())
        versions.append(content["version"])
        next(iter(sorted((data / "emodb").rglob("*.wav")))).unlink()

    assert len(set(versions)) == 2


def test_an_existing_folder_is_replaced_on_request_only(exported, tmp_path):
    folder = exported("csv", corpora=("urdu",)) / "urdu-csv"
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"urdu-csv exists"):
        exported("csv", corpora=("urdu",))
    assert (folder / "mine.txt").exists()
    exported("csv", "--replace", corpora=("urdu",))

    assert sorted(path.name for path in folder.iterdir()) == ["manifest.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["urdu-csv"]


def test_a_missing_library_is_one_sentence(exported, monkeypatch):
    monkeypatch.setattr("sercore.exports.formats.find_spec", lambda _: None)

    with pytest.raises(SettingsError, match=r"needs audformat.*sercore\[audformat\]"):
        exported("audformat")


def test_a_split_that_a_corpus_lacks_is_named(exported):
    with pytest.raises(ProtocolError, match="has no official split"):
        exported("csv", "--protocol", "official", corpora=("urdu",))


# Results


@pytest.fixture(scope="module")
def run_place(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("results"))
    shapes = [
        SimulatedCorpus(id=name, utterances=90, speakers=5, classes=SIX, eligible=True)
        for name in ("a", "b", "c")
    ]
    backbones = {"one": ("hub/one", 0.9), "mine": (None, 0.5)}
    simulate_run(place, "default", shapes, backbones, n_seeds=3)
    record = place.read_json("runs/default/run.json")
    place.write_json("runs/default/run.json", {**record, "written": "2026-03-01T10:20:30+00:00"})
    return place


def test_eval_results_are_read_by_huggingface_hub(run_place, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    yaml = pytest.importorskip("yaml")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub knows no evaluation results")
    result = invoke(
        "export", "results", "--format", "eval-results", "--benchmark", "me/emotions",
        "--source-url", "https://example.org/board", "--workspace", run_place.root,
        "--output", tmp_path / "out", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (path,) = json.loads(result.stdout)["files"]
    entries = hub.parse_eval_result_entries(yaml.safe_load(Path(path).read_text()))

    assert "/hub--one/.eval_results/" in path
    assert [entry.task_id for entry in entries] == ["in-domain", "out-of-domain"]
    assert {entry.dataset_id for entry in entries} == {"me/emotions"}
    assert {entry.source_url for entry in entries} == {"https://example.org/board"}
    assert all(0 < entry.value < 1 for entry in entries)
    assert "protocol standard" in entries[0].notes
    assert "95 % interval" in entries[0].notes
    assert entries[0].date == "2026-03-01T10:20:30+00:00"


def test_every_eval_ever_fits_its_schema(run_place, tmp_path):
    # Its requirements exclude ours, so it is installed alone: pip install --no-deps every-eval-ever
    need("every_eval_ever")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((files("every_eval_ever.schemas") / "eval.schema.json").read_text())
    result = invoke(
        "export", "results", "--format", "every-eval-ever", "--organization", "Speech Lab",
        "--workspace", run_place.root, "--output", tmp_path / "out", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    paths = json.loads(result.stdout)["files"]
    records = [json.loads(Path(path).read_text()) for path in paths]

    assert len(records) == 2
    for record in records:
        jsonschema.validate(record, schema)
        assert record["schema_version"] == schema["version"]
        assert len(record["evaluation_results"]) == 9
        assert record["source_metadata"]["source_organization_name"] == "Speech Lab"
    one = next(record for record in records if record["model_info"]["id"] == "hub/one")
    cell = one["evaluation_results"][1]
    around = cell["score_details"]["uncertainty"]["confidence_interval"]
    assert around["lower"] < cell["score_details"]["score"] < around["upper"]
    assert "speaker" in around["method"]


def test_the_group_of_a_bundle_is_the_organization(run_place, tmp_path):
    run = read_run(run_place, "default")
    bundle = tmp_path / "given.zip"
    written = bundle_of(run_place, run.name, run.record, run.scores, group="Speech Lab")
    bundle.write_bytes(written.data)
    args = ("export", "results", bundle, "--format", "every-eval-ever")
    result = invoke(*args, "--output", tmp_path / "out", "--json")

    assert result.exit_code == 0, result.output
    record = json.loads(Path(json.loads(result.stdout)["files"][0]).read_text())
    assert record["source_metadata"]["source_organization_name"] == "Speech Lab"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--format", "eval-results"), "needs --benchmark"),
        (("--format", "every-eval-ever"), "needs --organization"),
    ],
)
def test_what_only_the_user_knows_is_asked_for(run_place, args, words):
    result = invoke("export", "results", "--workspace", run_place.root, *args)

    assert result.exit_code == 2
    assert words in result.output


def test_demo_data_are_no_results(tmp_path):
    place = Workspace(tmp_path)
    shapes = [
        SimulatedCorpus(id=name, utterances=60, speakers=4, classes=SIX, eligible=True, demo=True)
        for name in ("a", "b")
    ]
    simulate_run(place, "default", shapes, {"one": ("hub/one", 0.9)})
    result = invoke(
        "export", "results", "--format", "every-eval-ever", "--organization", "x",
        "--workspace", tmp_path,
    )  # fmt: skip

    assert isinstance(result.exception, SettingsError)
    assert "demo data are no results" in str(result.exception)
