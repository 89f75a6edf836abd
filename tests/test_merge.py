"""Merging workspaces: by key, whole, idempotent, and never two truths."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import uuid

import numpy as np
import pytest
from click.testing import CliRunner
from small_corpora import write_emodb
from small_corpora import write_urdu

from sercore.cli.merge import merge as merge_command
from sercore.errors import WorkspaceError
from sercore.features.parts import ExtractedUtterance
from sercore.features.store import FeatureStore
from sercore.runs.merge import merge
from sercore.storage.workspace import Workspace

pytestmark = pytest.mark.torch

TIMED = ("run.json", "journal.parquet", "log.parquet", "summary.md")


def run(data, workspace, corpora, *more):
    words = ["run", "--backbone", "logmel", "--probe", "pooled", "--class-rule", "shared-classes"]
    words += ["--offline", "--threads", "1", "--json", "--data", str(data), *more]
    for corpus in corpora:
        words += ["--dataset", corpus]
    answer = subprocess.run(
        [sys.executable, "-m", "sercore", *words, "--workspace", str(workspace)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert answer.returncode == 0, (answer.stdout, answer.stderr)
    return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Return a folder with the workspaces of two machines and of one that did everything."""
    place = tmp_path_factory.mktemp("merge")
    write_urdu(place / "data" / "URDU-Dataset-master", n_per_class=6)
    write_emodb(place / "data" / "emodb", n_per_class=6)
    run(place / "data", place / "one", ["urdu"], "--name", "mine")
    run(place / "data", place / "two", ["emodb"])
    run(place / "data", place / "both", ["urdu", "emodb"])
    return place


@pytest.fixture
def place(originals, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(originals / name, tmp_path / name)
    return tmp_path


def results(workspace):
    """Return the bytes of everything that has a key."""
    place = Workspace(workspace)
    return {
        path: place.read_bytes(path)
        for path, _ in place.walk("")
        if path.startswith(("features", "probes", "predictions"))
        and not path.endswith((*TIMED, "store.json"))
    }


def test_what_two_machines_computed_is_found_where_it_was_merged(originals, place):
    before = results(place / "two")

    merged = merge(Workspace(place / "one"), Workspace(place / "two"))

    assert not merged.conflicts
    assert not merged.damaged
    assert merged.kept_runs == {}
    assert results(place / "two") == before | results(place / "one")
    said = run(originals / "data", place / "two", ["urdu", "emodb"])
    assert said["computed"].keys() == {"predict", "score"}
    assert said["computed"]["predict"] == 2
    assert results(place / "two") == results(originals / "both")
    scores = "runs/default/scores.parquet"
    assert (place / "two" / scores).read_bytes() == (originals / "both" / scores).read_bytes()
    assert (place / "two/runs/mine/run.json").exists()


def test_a_second_merge_copies_nothing_and_a_dry_run_never_does(place):
    source, target = Workspace(place / "one"), Workspace(place / "two")

    planned = merge(source, target, dry_run=True)
    assert results(place / "two").keys().isdisjoint(results(place / "one").keys())
    first, second = merge(source, target), merge(source, target)

    assert planned.copied == first.copied != ()
    assert second.copied == ()
    assert second.found == len(first.copied) + first.found
    assert merge(target, source, dry_run=True).copied != ()


def test_it_works_between_a_folder_and_a_store(place):
    store = Workspace(f"memory://bucket/{uuid.uuid4().hex}")

    merge(Workspace(place / "one"), store)
    back = merge(store, Workspace(place / "two"))

    assert not back.damaged
    assert set(results(place / "one")) <= set(results(place / "two"))


def change(workspace, path, make):
    """Replace the file of a result by another intact one."""
    place = Workspace(workspace)
    if path.endswith(".json"):
        place.write_json(path, make(place.read_json(path)))
    else:
        place.write_table(path, make(place.read_table(path)))


def test_the_same_key_with_other_bytes_names_both_machines_and_copies_nothing(place):
    shutil.rmtree(place / "two")
    shutil.copytree(place / "one", place / "two")
    (name,) = os.listdir(place / "two/predictions")
    change(place / "two", f"predictions/{name}", lambda table: table.slice(1))
    (part,) = [p for p, _ in Workspace(place / "two").walk("features") if "/parts/" in p
               and p.endswith(".json")]  # fmt: skip
    change(place / "two", f"features/{part}", lambda record: {**record, "digest": "0" * 64})
    change(place / "two", "runs/mine/journal.parquet", lambda table: table.set_column(
        table.schema.get_field_index("host"), "host", [["far"] * len(table)]))  # fmt: skip
    (key,) = os.listdir(place / "two/probes")
    shutil.rmtree(place / "two/probes" / key)

    result = CliRunner().invoke(
        merge_command, [str(place / "one"), "--into", str(place / "two")], catch_exceptions=False
    )

    assert result.exit_code == 1
    here = os.uname().nodename
    assert f"differs: predictions/{name}, computed on {here} in the source and on far in the " in (
        result.output
    )
    assert f"differs: features/{part}, computed on {here} in the source and on far" in result.output
    assert "nothing was copied" in result.stderr
    assert os.listdir(place / "two/probes") == []


def test_a_damaged_result_is_left_out_and_named_and_a_damaged_target_is_repaired(place):
    source, target = Workspace(place / "one"), Workspace(place / "two")
    paths = [path for path, _ in source.walk("") if path.endswith(("0.parquet", ".arrow"))
             or path.startswith("predictions")]  # fmt: skip
    frames = next(path for path in paths if path.endswith(".arrow") and "means" not in path)
    (prediction,) = [path for path in paths if path.startswith("predictions")]
    merge(source, target)
    for workspace, path in ((source, frames), (target, prediction)):
        data = bytearray(workspace.read_bytes(path))
        data[len(data) // 2] ^= 1
        workspace.write_bytes(path, bytes(data))
    record = frames.replace(".arrow", ".json")
    target.remove(record)

    result = merge(source, target)

    assert list(result.damaged) == [record]
    assert "is damaged" in result.damaged[record]
    assert not target.exists(record)
    assert result.copied == (prediction,)
    assert target.damage(prediction) is None


def stored(root, *, fails, layer_means):
    """Write a store of one part with two utterances; return the workspace and the part's record."""
    workspace = Workspace(root)
    identity = {"encoder": {"width": 4, "checkpoint": "c"}, "corpus": "c", "utterances": 2}
    store = FeatureStore(workspace, identity, ("one",), lambda: [np.arange(2)])
    values = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    utterances = [
        ExtractedUtterance(
            row=row,
            path=f"{row}.wav",
            frames=None if row in fails else values[row],
            layer_means=None if row in fails else values[row][:2],
            error="it is broken" if row in fails else None,
        )
        for row in range(2)
    ]
    store.write_part(0, utterances, layer_means=layer_means, plan={})
    store.write_description()
    return workspace, store.files.path(store.part_keys[0], ".json")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"fails": (), "layer_means": True}, {"fails": (), "layer_means": False}),
        ({"fails": (), "layer_means": False}, {"fails": (1,), "layer_means": True}),
    ],
    ids=["layer means", "failures"],
)
def test_of_two_parts_the_better_one_wins_both_ways(tmp_path, better, worse):
    first, record = stored(tmp_path / "first", **better)
    second, _ = stored(tmp_path / "second", **worse)
    expected = results(tmp_path / "first")

    assert merge(second, first).copied == ()
    assert results(tmp_path / "first") == expected
    assert merge(first, second).copied == (record,)
    assert {path: results(tmp_path / "second")[path] for path in expected} == expected
    store = FeatureStore.read(second, f"{record.split('/parts')[0]}/c-{_key(second, record)}")
    assert store.open().length.tolist() == [3, 3]


def _key(workspace, record):
    root = record.split("/parts")[0]
    return next(name for name in workspace.list(root) if name != "parts").partition("-")[2]


def test_a_run_that_both_have_is_kept(place):
    source, target = Workspace(place / "one"), Workspace(place / "two")
    os.rename(place / "one/runs/mine", place / "one/runs/default")
    before = target.read_bytes("runs/default/scores.parquet")

    result = merge(source, target)

    assert result.kept_runs == {"default": "the target has another run of that name"}
    assert target.read_bytes("runs/default/scores.parquet") == before


def test_what_cannot_be_merged_is_refused(place, tmp_path):
    with pytest.raises(WorkspaceError, match="holds no results"):
        merge(Workspace(tmp_path / "none"), Workspace(place / "two"))
    with pytest.raises(WorkspaceError, match="into itself"):
        merge(Workspace(place / "one"), Workspace(place / "one"))


KILLED = """
import os, signal, sys
from sercore.runs.merge import merge
from sercore.storage.workspace import Workspace
count = int(sys.argv[3])
real = os.replace
def replace(*places):
    global count
    count -= 1
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*places)
os.replace = replace
merge(Workspace(sys.argv[1]), Workspace(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_killed_merge_leaves_whole_files_and_the_next_one_continues(place, number):
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(place / "one"), str(place / "two")]
    done = subprocess.run([*words, str(number)], check=False, timeout=100)
    assert done.returncode == -signal.SIGKILL

    target = Workspace(place / "two")
    for path, _ in target.walk(""):
        if path.endswith((".json", ".parquet", ".safetensors")) and path[0] != ".":
            assert target.damage(path) is None
    left = merge(Workspace(place / "one"), target)

    assert not left.conflicts
    assert set(results(place / "one")) <= set(results(place / "two"))
