"""``--cache-budget``: the frames of few backbones at a time, and nothing is computed twice."""

from __future__ import annotations

import json

import pytest
from small_corpora import write_emodb
from small_corpora import write_urdu

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_urdu(folder / "URDU-Dataset-master", 6)
    write_emodb(folder / "emodb", 6)
    return folder


@pytest.fixture
def run(data, tmp_path, capsys):
    """Return a function that runs two backbones and returns what was printed."""
    pytest.importorskip("torch")
    from sercore.cli import cli
    from sercore.testing.checkpoints import build_checkpoint

    build_checkpoint("hubert-large", tmp_path / "tiny")

    def call(*more, corpora=("urdu", "emodb")):
        words = ["run", "--backbone", "logmel", "--backbone", f"hf:{tmp_path / 'tiny'}"]
        words += [word for name in corpora for word in ("--dataset", name)]
        words += ["--offline", "--class-rule", "shared-classes", "--probe", "pooled"]
        words += ["--threads", "1", "--data", str(data), "--json", *map(str, more)]
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(words, standalone_mode=True)
        said = capsys.readouterr()
        assert ended.value.code == 0, said
        return json.loads(said.out)

    return call


def frames(workspace):
    """Return the number of corpora with frames, by encoder."""
    return [len(list(path.glob("*/store.json"))) for path in workspace.glob("features/*")]


def predictions(workspace):
    return {path.name: path.read_bytes() for path in workspace.glob("predictions/*")}


def test_finished_frames_are_removed_and_not_extracted_again(run, tmp_path):
    everything = run("--workspace", tmp_path / "all", "--cache-budget", "1GB")
    assert sorted(frames(tmp_path / "all")) == [2, 2]

    first = run("--workspace", tmp_path / "ws", "--cache-budget", "1kB")
    after = sorted(frames(tmp_path / "ws"))
    second = run("--workspace", tmp_path / "ws", "--cache-budget", "1kB")

    assert first["computed"] == everything["computed"]
    assert after == [0, 2]
    assert second["computed"] == {}
    assert second["cells"] == first["cells"] == {"done": 8}
    assert predictions(tmp_path / "ws") == predictions(tmp_path / "all")


def test_only_the_corpora_that_a_new_cell_needs_are_extracted_again(run, tmp_path):
    run("--workspace", tmp_path / "ws", "--cache-budget", "1kB", corpora=("urdu",))

    more = run("--workspace", tmp_path / "ws", "--cache-budget", "1kB")

    # One corpus of both backbones is new, and the other one is needed by the probes of the new.
    assert more["computed"]["fit"] == 2
    assert more["computed"]["predict"] == 6
    assert len(predictions(tmp_path / "ws")) == 8
