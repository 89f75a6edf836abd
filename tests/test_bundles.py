"""Result bundles: what is in them, what is not, and which files are refused."""

import getpass
import hashlib
import io
import json
import os
import platform
import re
import zipfile
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from sercore.bundles import layout
from sercore.bundles.public_record import public_record
from sercore.bundles.read import open_bundle
from sercore.bundles.write import bundle_of
from sercore.cli import cli
from sercore.errors import SercoreError
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.results.stored_run import read_run
from sercore.storage.seals import BLANK_SEAL
from sercore.storage.seals import KEY
from sercore.storage.seals import sealed
from sercore.storage.seals import sealed_json
from sercore.storage.seals import sealed_parquet
from sercore.storage.workspace import Workspace
from sercore.testing.simulated import SimulatedCorpus
from sercore.testing.simulated import simulate_run

SIX = ("happiness", "sadness", "disgust", "fear", "anger", "neutral")
CORPORA = [
    SimulatedCorpus(id=name, utterances=120, speakers=6, classes=SIX, eligible=True)
    for name in ("a", "b", "c")
]
SECRETS = ("/home/jane", "jane-laptop", "Jane Doe", "ich hab sie gesehen", "f4_anger_s3")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("bundles"))
    simulate_run(place, "mine", CORPORA, {"one": ("x/one", 0.9), "two": ("x/two", 0.5)}, n_seeds=3)
    _add_secrets(place, "mine")
    return place


def _add_secrets(place, name):
    """Put what must not leave a machine where a real run has it."""
    record = place.read_json(f"runs/{name}/run.json")
    for corpus in record["corpora"].values():
        corpus["root"] = "/home/jane/data"
    record["environment"] |= {"host": "jane-laptop", "system": "Linux-jane-laptop"}
    record["problems"] = ["/home/jane/data/a/f4_anger_s3.wav cannot be decoded"]
    record["notes"] = ["not found in /home/jane/data", "ich hab sie gesehen"]
    record["missing"] = [
        {"kind": "corpus", "name": "meld", "reason": "not in /home/jane/data", "named": False}
    ]
    record["owner"] = "Jane Doe"
    place.write_json(f"runs/{name}/run.json", record)
    for corpus in place.list("manifests"):
        for file in place.list(f"manifests/{corpus}"):
            table = place.read_table(f"manifests/{corpus}/{file}")
            speakers = [[f"Jane Doe {name[0]}"] for name in table["speaker"].to_pylist()]
            text = pa.array(["ich hab sie gesehen"] * len(table))
            column = table.schema.get_field_index("speaker")
            table = table.set_column(column, table.schema.field(column), pa.array(speakers))
            column = table.schema.get_field_index("text_id")
            table = table.set_column(column, table.schema.field(column), text)
            place.write_table(f"manifests/{corpus}/{file}", table)
    scores = place.read_table(f"runs/{name}/scores.parquet")
    column = scores.schema.get_field_index("reason")
    reason = pa.array(["/home/jane/data/a/f4_anger_s3.wav is silent"] * len(scores))
    scores = scores.set_column(column, scores.schema.field(column), reason)
    place.write_table(f"runs/{name}/scores.parquet", scores)


def bundled(place, name="mine", **given):
    run = read_run(place, name)
    return bundle_of(place, run.name, run.record, run.scores, **given)


@pytest.fixture(scope="module")
def bundle(workspace, tmp_path_factory):
    path = tmp_path_factory.mktemp("given") / "mine.zip"
    path.write_bytes(bundled(workspace, group="Speech Lab", contact="lab@example.org").data)
    return path


def members_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rezipped(path, members, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return path


def resealed(path, members):
    """Write a bundle whose index fits its members, as somebody does who wants to be believed."""
    index = json.loads(members[layout.INDEX])
    index.pop("seal")
    index["members"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
        if name != layout.INDEX
    }
    return rezipped(path, {**members, layout.INDEX: sealed_json(index)})


def invoke(*args):
    return CliRunner().invoke(cli, list(map(str, args)), catch_exceptions=True)


# What is in a bundle


def test_the_same_run_gives_the_same_bytes(workspace, bundle):
    assert (
        bundled(workspace, group="Speech Lab", contact="lab@example.org").data
        == bundle.read_bytes()
    )
    assert bundled(workspace, group="Other Lab").data != bundle.read_bytes()


def test_a_bundle_says_where_it_comes_from(bundle):
    facts = open_bundle(bundle).facts

    assert (facts.run, facts.group, facts.contact) == ("mine", "Speech Lab", "lab@example.org")
    assert facts.predictions == 3 * 3 * 3 * 2
    assert facts.lacking == 0
    assert facts.title == "mine (Speech Lab)"


def test_nothing_private_is_in_the_bytes(workspace, bundle):
    """Pages of Parquet are compressed, so the decoded values are searched, too."""
    private = [*SECRETS, workspace.root, str(Path.home())]
    private += [name for name in (getpass.getuser(), platform.node()) if len(name) > 5]
    texts = [bundle.read_bytes().decode("latin-1")]
    for name, data in members_of(bundle).items():
        if name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            texts.append(f"{table.schema}\n{table.to_pylist()}")

    for secret in private:
        assert not [text for text in texts if secret in text], secret


def test_no_column_names_an_utterance_or_holds_text(bundle):
    columns = {
        name.partition("/")[0]: tuple(pq.read_schema(io.BytesIO(data)).names)
        for name, data in members_of(bundle).items()
        if name.endswith(".parquet") and name != layout.SCORES
    }

    assert columns == {
        "predictions": ("row", "label", "logits"),
        "manifests": ("speaker", "group", "group_kind", "text_id", "native_label"),
        "probes": ("row", "part"),
    }


def test_a_bundle_gives_the_intervals_of_its_run(workspace, bundle, tmp_path):
    for name, run in (("run", "mine"), ("bundle", bundle)):
        result = invoke(
            "report", run, "--workspace", workspace.root, "--format", "csv",
            "--output", tmp_path / name,
        )  # fmt: skip
        assert result.exit_code == 0, result.output

    for file in ("cells.csv", "averages.csv"):
        ours, theirs = ((tmp_path / name / file).read_text() for name in ("run", "bundle"))
        assert theirs.replace("mine (Speech Lab)", "mine") == ours


def test_a_bundle_is_compared_with_its_run(workspace, bundle):
    result = invoke("compare", "mine", bundle, "--workspace", workspace.root, "--json")
    found = json.loads(result.output)

    assert result.exit_code == 0
    assert found["counts"] == {"equal": 18}
    assert found["record"] == []
    assert all(cell["low"] is not None for cell in found["cells"])


def test_a_bundle_needs_no_workspace(bundle, tmp_path):
    result = invoke("status", bundle, "--workspace", tmp_path / "none")

    assert result.exit_code == 0, result.output
    assert not (tmp_path / "none").exists()


def test_the_report_of_a_bundle_lands_beside_no_run(bundle, tmp_path):
    place = tmp_path / "space"
    result = invoke("report", bundle, "--workspace", place, "--format", "md")

    assert result.exit_code == 0, result.output
    assert Path(result.output.splitlines()[-1]) == place / "reports/mine-Speech-Lab/report.md"
    assert not (place / "runs").exists()


def test_the_command_writes_the_bundle(workspace, bundle, tmp_path):
    output = tmp_path / "out" / "given.zip"
    result = invoke(
        "export", "bundle", "mine", "--workspace", workspace.root, "--output", output,
        "--group", "Speech Lab", "--contact", "lab@example.org",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(output)
    assert output.read_bytes() == bundle.read_bytes()


def test_missing_predictions_are_counted(tmp_path):
    simulate_run(Workspace(tmp_path), "less", CORPORA[:2], {"one": (None, 0.9)})
    place = Workspace(tmp_path)
    place.remove("predictions/" + place.list("predictions")[0])
    result = invoke("export", "bundle", "less", "--workspace", tmp_path, "--output", tmp_path / "b")

    assert result.exit_code == 0, result.output
    assert "1 of 4 sets of predictions are not stored" in result.stderr


# What is refused when a bundle is written


def test_a_damaged_prediction_is_refused(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "broken", CORPORA[:2], {"one": (None, 0.9)})
    path = Path(place.path("predictions")) / place.list("predictions")[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(WorkspaceError, match="is damaged"):
        bundled(place, "broken")


@pytest.mark.parametrize(
    "path", ["/home/jane/model", "~/model", "C:\\models\\one", "\\\\server\\share"]
)
def test_a_path_in_a_name_is_refused(workspace, path):
    run = read_run(workspace, "mine")
    record = {**run.record, "probe_settings": {"mine": {"weights": path}}}

    with pytest.raises(SettingsError, match="looks like a path"):
        bundle_of(workspace, run.name, record, run.scores)


def test_names_on_the_hub_and_urls_are_no_paths(workspace):
    run = read_run(workspace, "mine")
    harmless = {
        "a": "openai/whisper-tiny",
        "b": "https://example.org/a/b",
        "c": "CC-BY/ODbL",
        "d": 3,
    }
    record = {**run.record, "probe_settings": {"mine": harmless}}
    written = bundle_of(workspace, run.name, record, run.scores)

    assert written.facts.run == "mine"


@pytest.mark.parametrize("group", ["", "two\nlines", "x" * 101, "\x1b[31m"])
def test_a_group_is_one_short_line(workspace, group):
    with pytest.raises(SettingsError, match="cannot be used"):
        bundled(workspace, group=group)


def test_a_bundle_and_the_published_matrices_are_not_bundled(workspace, bundle):
    for run, words in ((bundle, "is a bundle already"), ("published", "need no bundle")):
        result = invoke("export", "bundle", run, "--workspace", workspace.root)
        assert isinstance(result.exception, SettingsError)
        assert words in str(result.exception)


def test_a_bundle_is_not_rescored(workspace, bundle):
    result = invoke("score", bundle, "--workspace", workspace.root)

    assert isinstance(result.exception, SettingsError)
    assert "cannot be rescored" in str(result.exception)


# What is refused when a bundle is read


def refused(path):
    """Return the message with which every command refuses a file."""
    with pytest.raises(SercoreError) as caught:
        open_bundle(path)
    result = invoke("report", path, "--format", "md", "--output", path.parent / "out")
    assert isinstance(result.exception, SercoreError), result.exception
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    assert "No such file" in refused(tmp_path / "none.zip")


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "text.zip"
    path.write_text("this is no zip")

    assert "is not a zip file" in refused(path)


def test_a_foreign_zip_is_refused(tmp_path):
    assert "no bundle of sercore" in refused(rezipped(tmp_path / "other.zip", {"a.txt": b"hello"}))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_cut_file_is_refused(bundle, tmp_path, share):
    data = bundle.read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(data[: int(len(data) * share)])

    assert "is not a zip file, or is cut short" in refused(path)


def test_every_changed_byte_of_a_member_is_noticed(bundle, tmp_path):
    """One byte in each member, wherever the zip file states its position."""
    data = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as file:
        places = {
            member.filename: member.header_offset
            + 30
            + len(member.filename)
            + member.file_size // 2
            for member in file.infolist()
        }
    for name in (layout.INDEX, layout.RECORD, layout.SCORES, max(places), sorted(places)[2]):
        changed = bytearray(data)
        changed[places[name]] ^= 1
        path = tmp_path / "changed.zip"
        path.write_bytes(changed)
        assert name in refused(path) or "index" in refused(path)


def test_a_bundle_of_the_future_is_refused(bundle, tmp_path):
    members = members_of(bundle)
    index = json.loads(members[layout.INDEX])
    index.pop("seal")
    index["version"] = layout.VERSION + 1
    path = rezipped(tmp_path / "new.zip", {**members, layout.INDEX: sealed_json(index)})

    message = refused(path)
    assert f"version {layout.VERSION + 1}" in message
    assert "upgrade sercore" in message


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a\\..\\evil", "folder/"])
def test_a_member_outside_is_refused(bundle, tmp_path, name):
    path = rezipped(tmp_path / "evil.zip", {**members_of(bundle), name: b"x"})

    assert "is not used" in refused(path)
    assert not (tmp_path.parent / "evil.txt").exists()


def test_a_compressed_member_is_refused(bundle, tmp_path):
    """A zip bomb needs compression."""
    bomb = {**members_of(bundle), "predictions/bomb.parquet": bytes(10**7)}
    path = rezipped(tmp_path / "bomb.zip", bomb, compression=zipfile.ZIP_DEFLATED)

    assert "is compressed" in refused(path)


def test_a_member_named_twice_is_refused(bundle, tmp_path):
    path = tmp_path / "twice.zip"
    path.write_bytes(bundle.read_bytes())
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(layout.RECORD, "{}")

    assert "is there twice" in refused(path)


def test_a_parquet_bomb_is_refused(bundle, tmp_path):
    """A column of equal values takes no space in Parquet and all memory out of it."""
    members = members_of(bundle)
    name = next(name for name in members if name.startswith("predictions/"))
    buffer = io.BytesIO()
    block = pa.table({"row": pa.nulls(10**6, pa.int64())})
    with pq.ParquetWriter(buffer, block.schema) as writer:
        for _ in range(260):
            writer.write_table(block)
        writer.add_key_value_metadata({KEY: BLANK_SEAL})
    members[name] = sealed(buffer.getvalue())
    assert len(members[name]) < 600_000

    assert "values in memory" in refused(resealed(tmp_path / "bomb.zip", members))


def beyond_the_manifest(table):
    row = pa.array([10**6] + [0] * (len(table) - 1), pa.int64())
    return table.set_column(0, "row", row)


def changed_predictions(table):
    label = pa.array([99] + [0] * (len(table) - 1), pa.int8())
    return table.set_column(1, "label", label)


@pytest.mark.parametrize(
    ("folder", "change", "words"),
    [
        ("predictions", changed_predictions, "a label that does not exist"),
        ("predictions", beyond_the_manifest, "has a row that the manifest of"),
        ("probes", beyond_the_manifest, "has a row that the manifest of"),
        ("predictions", lambda table: table.drop_columns(["label"]), "other columns"),
        ("predictions", lambda table: table.replace_schema_metadata(None), "names no classes"),
        ("manifests", lambda table: table.append_column("text", table["group"]), "other columns"),
        ("scores.parquet", lambda table: table.drop_columns(["metric"]), "differ in metric"),
        (
            "scores.parquet",
            lambda table: table.set_column(
                table.schema.get_field_index("value"),
                "value",
                pa.array([float("inf")] * len(table)),
            ),
            "no finite number",
        ),
    ],
)
def test_a_table_that_sercore_does_not_write_is_refused(bundle, tmp_path, folder, change, words):
    members = members_of(bundle)
    name = next(
        name for name in sorted(members) if name.startswith(folder) and name.endswith("parquet")
    )
    table = pq.read_table(io.BytesIO(members[name]))
    metadata = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"seal"}
    members[name] = sealed_parquet(change(table.replace_schema_metadata(metadata)))

    assert words in refused(resealed(tmp_path / "odd.zip", members))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("audio/one.wav", b"RIFF", "is not part of a bundle"),
        ("probes/x/record.json", sealed_json({"classes": ["a"]}), "does not count classes"),
        ("probes/x/record.json", b"[" * 10**5, "damaged"),
    ],
)
def test_a_member_that_sercore_does_not_write_is_refused(bundle, tmp_path, name, data, words):
    assert words in refused(resealed(tmp_path / "odd.zip", {**members_of(bundle), name: data}))


def test_a_record_with_odd_entries_is_read_without_them(bundle, tmp_path):
    members = members_of(bundle)
    record = json.loads(members[layout.RECORD])
    record.pop("seal")
    record["corpora"]["a"]["classes"] = {"anger": "many", "fear": 3}
    record["corpora"]["b"] = ["no", "object"]
    record |= {"missing": 7, "problems": "text", "environment": None, "evil": "<script>"}
    members[layout.RECORD] = sealed_json(record)
    path = resealed(tmp_path / "odd.zip", members)
    found = open_bundle(path).record

    assert found["corpora"]["a"]["classes"] == {"fear": 3}
    assert not {"b"} & found["corpora"].keys()
    assert not {"missing", "problems", "environment", "evil"} & found.keys()
    result = invoke("report", path, "--format", "html,md", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output


def test_a_run_with_the_name_of_a_zip_file_goes_first(tmp_path):
    place = Workspace(tmp_path)
    simulate_run(place, "mine.zip", CORPORA[:2], {"one": (None, 0.9)})

    assert read_run(place, "mine.zip").bundle is None


def flat(record, path=""):
    """Return the paths of the entries of a record."""
    if not isinstance(record, dict):
        return [path]
    return [
        inner
        for name, value in record.items()
        for inner in flat(value, f"{path}.{name}".strip("."))
    ]


@pytest.mark.torch
def test_a_real_run_names_its_plugins_in_the_bundle(data, tmp_path):
    """The bundle of a real run states versions, and no name of a file or folder."""
    pytest.importorskip("torch")
    place = tmp_path / "space"
    run = invoke(
        "run", "--dataset", "emodb", "--data", data, "--backbone", "logmel", "--quiet",
        "--workspace", place, "--seeds", "1",
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    result = invoke("export", "bundle", "--workspace", place, "--output", tmp_path / "b.zip")
    assert result.exit_code == 0, result.output
    facts = open_bundle(tmp_path / "b.zip").facts
    raw = (tmp_path / "b.zip").read_bytes()

    # What a new version records is passed on, or left out on purpose.
    record = read_run(Workspace(place), "default").record
    lost = set(flat(record)) - set(flat(public_record(record)))
    lost -= {name for name in lost if re.match(r"costs\.\w+\.devices\.", name)}  # names of hosts
    assert lost - {"notes", "missing", "problems"} == {
        *("corpora.emodb.root", "corpora.emodb.source", "splits"),
        *("environment.host", "environment.processors", "environment.system"),
        *(f"corpora.emodb.labels.{native}" for native in record["corpora"]["emodb"]["labels"]),
    }
    assert facts.plugins == {"sercore-dataset-emodb": version("sercore-dataset-emodb")}
    assert facts.predictions == 1
    for secret in (str(tmp_path), str(data), ".wav", *(path.stem for path in data.rglob("*.wav"))):
        assert secret.encode() not in raw, secret


def test_a_closed_pipe_ends_a_command_with_0(workspace):
    """As `| head` does. rich would exit with 1."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "sercore", "compare", "mine", "mine", "--all"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*command, "--probe", "simulated", "--workspace", workspace.root, "--adjustment", "uniform",
         "--adjustment", "none"],
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, "")
