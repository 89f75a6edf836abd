"""Kept manifests: the same as built ones, and built again whenever something has changed."""

from __future__ import annotations

import os
import sys
import uuid
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pytest
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.corpora.contents import read_contents
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.corpora.manifest_cache import load_manifest
from sercore.corpora.manifest_cache import manifest_path
from sercore.errors import UnknownLabelError
from sercore.plugins.registry import Registry
from sercore.storage.code import forget_code_identities
from sercore.storage.workspace import Workspace


@dataclass
class Counted:
    """A corpus that counts how often it was read."""

    corpus: Any
    scans: list[str] = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.corpus, name)

    def scan(self, files, reading):
        self.scans.append(reading)
        return self.corpus.scan(files, reading)


@pytest.fixture
def urdu():
    return Counted(Registry().corpora.get("urdu"))


@pytest.fixture
def load(urdu, tmp_path):
    workspace = Workspace(tmp_path / "workspace")

    def load(root, reading="corrected", **told):
        module = "sercore_dataset_urdu"
        return load_manifest(urdu, CorpusFiles(root), reading, workspace, module, **told)

    return load


def test_an_unchanged_corpus_is_not_read_again(urdu, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    (root / "notes.wma").write_bytes(b"x")
    built = build_manifest(urdu.corpus, CorpusFiles(root), "corrected", read_contents)

    first, again = load(root), load(root)

    assert urdu.scans == ["corrected"]
    for manifest in (first, again):
        assert manifest.table.equals(built.table)
        assert manifest.problems == built.problems
        assert {problem.kind for problem in manifest.problems} == {"stray-file", "count"}
        assert manifest.digests == built.digests
    assert again.table.schema.equals(built.table.schema, check_metadata=True)
    load(root, "paper")
    assert urdu.scans == ["corrected", "paper"]


def test_what_was_added_changed_or_removed_is_noticed(load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    digests = [load(root).digest]
    write_wav(root / "Sad" / "SM9_F9_S99.wav")
    digests.append(load(root).digest)
    write_wav(root / "Sad" / "SM9_F9_S99.wav", seconds=0.7)
    digests.append(load(root).digest)
    (root / "Sad" / "SM9_F9_S99.wav").rename(root / "Sad" / "SM9_F9_S98.wav")
    digests.append(load(root).digest)
    (root / "Sad" / "SM9_F9_S98.wav").unlink()

    assert len(set(digests)) == 4
    assert load(root).digest == digests[0]


def test_touching_and_moving_change_no_digest(urdu, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    digest = load(root).digest
    for path in root.rglob("*.wav"):
        os.utime(path, (1, 1))
    touched = load(root).digest
    moved = load(root.rename(tmp_path / "elsewhere")).digest

    assert touched == moved == digest
    assert len(urdu.scans) == 2  # touched files may be others, moved ones are not


def test_an_error_is_never_kept(load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    wrong = root / "Sad" / "SM1_F1_Q01.wav"
    wrong.write_bytes(b"x")
    for _ in range(2):
        with pytest.raises(UnknownLabelError):
            load(root)
    wrong.unlink()

    assert len(load(root)) == 8


@pytest.mark.parametrize("stem", ["corrected", "contents"])
@pytest.mark.parametrize("damage", ["empty", "other", "short", "flipped"])
def test_a_damaged_file_is_one_sentence_and_made_again(stem, damage, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    digests = load(root).digests
    pattern = "manifests/urdu/corrected.parquet" if stem == "corrected" else "contents/urdu/*"
    (kept,) = (tmp_path / "workspace").glob(pattern)
    whole = kept.read_bytes()
    middle = len(whole) // 2
    kept.write_bytes(
        {
            "empty": b"",
            "other": b"PAR1 and more",
            "short": whole[:-20],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        }[damage]
    )
    os.utime(root / "Sad" / "SM1_F1_S01.wav")  # the digests are needed again
    told = []

    assert load(root, note=told.append).digests == digests
    assert len(told) == 1
    assert "damaged" in told[0]
    assert load(root, note=told.append).digests == digests
    assert len(told) == 1


@pytest.mark.parametrize("damage", [b"", b"PAR1 and more"])
def test_the_rows_that_reports_read_are_written_again(damage, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    manifest = load(root)
    rows = tmp_path / "workspace" / manifest_path(manifest)
    whole = rows.read_bytes()
    rows.write_bytes(damage)
    told = []
    load(root, note=told.append)

    assert rows.read_bytes() == whole
    assert len(told) == 1


def test_a_changed_helper_module_builds_the_manifest_again(urdu, tmp_path, monkeypatch):
    """The code of a plugin is its whole package, not the module of its entry point."""
    name = f"some_plugin_{uuid.uuid4().hex}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "helper.py").write_text("labels = {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__(name)
    monkeypatch.setitem(sys.modules, name, sys.modules[name])
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    workspace = Workspace(tmp_path / "workspace")
    for text, scans in (("labels = {}\n", 1), ("labels = {}\n", 1), ("labels = {'A': 1}\n", 2)):
        (tmp_path / name / "helper.py").write_text(text)
        forget_code_identities()
        load_manifest(urdu, CorpusFiles(root), "corrected", workspace, f"{name}:plugin")

        assert len(urdu.scans) == scans
