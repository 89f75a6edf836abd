"""Unpacked and generated corpora in the workspace that lose files are filled again."""

from __future__ import annotations

import shutil

import pytest
from small_corpora import write_urdu

from sercore.corpora.archives import unpack
from sercore.corpora.filled import filled_folder
from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.manifest import build_manifest
from sercore.plugins.registry import Registry
from sercore.settings import Settings
from sercore.storage.trial import on_trial
from sercore.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace")


def lose(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


class Filling:
    """Fills a folder, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, folder):
        self.times += 1
        for name in ("1.wav", "ö/2.wav"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"sound" * 100)


def test_a_whole_folder_is_filled_once(workspace):
    fill = Filling()

    places = {filled_folder(workspace, "corpora/a/b", fill) for _ in range(3)}

    assert fill.times == 1
    assert len(places) == 1


@pytest.mark.parametrize("damage", [lose, cut])
def test_a_folder_that_changed_is_filled_again_and_then_whole(workspace, damage):
    fill = Filling()
    place = filled_folder(workspace, "corpora/a/b", fill)
    damage(place / "ö" / "2.wav")

    for _ in range(2):
        assert filled_folder(workspace, "corpora/a/b", fill) == place

    assert fill.times == 2
    assert sorted(path.name for path in place.rglob("*.wav")) == ["1.wav", "2.wav"]
    assert (place / "ö" / "2.wav").stat().st_size == 500


def test_a_damaged_record_is_no_proof(workspace):
    fill = Filling()
    filled_folder(workspace, "corpora/a/b", fill)
    workspace.write_bytes("corpora/a/b.files.parquet", b"damage")

    filled_folder(workspace, "corpora/a/b", fill)
    filled_folder(workspace, "corpora/a/b", fill)

    assert fill.times == 2


def test_a_folder_without_a_record_is_kept(workspace):
    fill = Filling()
    filled_folder(workspace, "corpora/a/b", fill)
    workspace.remove("corpora/a/b.files.parquet")

    filled_folder(workspace, "corpora/a/b", fill)

    assert fill.times == 1
    assert workspace.exists("corpora/a/b.files.parquet")


def test_files_of_other_programs_do_not_matter(workspace):
    fill = Filling()
    place = filled_folder(workspace, "corpora/a/b", fill)
    (place / "ö" / ".DS_Store").write_bytes(b"x")

    filled_folder(workspace, "corpora/a/b", fill)

    assert fill.times == 1


def test_an_unpacked_corpus_heals(workspace, tmp_path):
    write_urdu(tmp_path / "made" / "URDU-Dataset-master", n_per_class=2)
    (tmp_path / "data").mkdir()
    shutil.make_archive(str(tmp_path / "data" / "URDU-Dataset-master"), "zip", tmp_path / "made")
    urdu = Registry().corpora.get("urdu")

    def utterances():
        place = locate(urdu, [tmp_path / "data"], Settings(), workspace)
        files = open_files(urdu, place, Settings(), workspace)
        return files.root, len(build_manifest(urdu, files, "corrected"))

    root, before = utterances()
    for path in list(root.rglob("*_S0*.wav")):
        path.unlink()

    assert (before, utterances()) == (8, (root, 8))


def test_a_generated_corpus_heals(workspace):
    studio = Registry().corpora.get("demo-studio")
    place = locate(studio, [], Settings(), workspace)
    names = sorted(path.name for path in place.rglob("*.wav"))
    next(place.rglob("*.wav")).unlink()

    again = locate(studio, [], Settings(), workspace)

    assert again == place
    assert sorted(path.name for path in place.rglob("*.wav")) == names


def test_a_trial_repairs_nothing_that_is_stored(workspace, tmp_path):
    archive = shutil.make_archive(
        str(tmp_path / "urdu"), "zip", write_urdu(tmp_path / "made", n_per_class=2)
    )
    place = unpack(tmp_path / "urdu.zip", workspace, "corpora/urdu")
    next(place.rglob("*.wav")).unlink()

    with on_trial(workspace) as trial:
        healed = unpack(tmp_path / "urdu.zip", trial, "corpora/urdu")
        assert len(list(healed.rglob("*.wav"))) == 8

    assert archive.endswith(".zip")
    assert len(list(place.rglob("*.wav"))) == 7
