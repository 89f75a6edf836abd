"""Kept manifests: the same as built ones, and built anew whenever something has changed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pytest
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.corpora.manifest_cache import code_digest
from sercore.corpora.manifest_cache import load_manifest
from sercore.errors import UnknownLabelError
from sercore.plugins.registry import Registry
from sercore.storage.workspace import Workspace


@dataclass
class Counted:
    """A corpus that tells how often it was read."""

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

    def load(root, reading="corrected"):
        return load_manifest(urdu, CorpusFiles(root), reading, workspace, "sercore_dataset_urdu")

    return load


def test_an_unchanged_corpus_is_not_read_again(urdu, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    (root / "notes.wma").write_bytes(b"x")
    built = build_manifest(urdu.corpus, CorpusFiles(root), "corrected")

    first, again = load(root), load(root)

    assert urdu.scans == ["corrected"]
    for manifest in (first, again):
        assert manifest.table.equals(built.table)
        assert manifest.problems == built.problems
        assert {problem.kind for problem in manifest.problems} == {"stray-file", "count"}
        assert manifest.digest == built.digest
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


@pytest.mark.parametrize("damage", [b"", b"PAR1 and more", None])
def test_a_damaged_copy_is_made_anew(damage, urdu, load, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    digest = load(root).digest
    (kept,) = (tmp_path / "workspace").rglob("corrected.parquet")
    kept.write_bytes(kept.read_bytes()[:-20] if damage is None else damage)

    assert load(root).digest == digest
    assert len(urdu.scans) == 2


def test_a_plugin_that_was_edited_reads_anew(tmp_path, monkeypatch):
    (tmp_path / "some_plugin.py").write_text("labels = {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("some_plugin")
    monkeypatch.setitem(sys.modules, "some_plugin", sys.modules["some_plugin"])
    before = code_digest("some_plugin")
    (tmp_path / "some_plugin.py").write_text("labels = {'A': 1}\n")
    code_digest.cache_clear()

    assert code_digest("some_plugin") != before
