"""The second audit decodes only what changed, whatever changed it."""

from __future__ import annotations

import pytest
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.audio import kept_audits
from sercore.audio.kept_audits import audited
from sercore.corpora.files import CorpusFiles
from sercore.plugins.registry import Registry
from sercore.storage.workspace import Workspace


class Audits:
    """Audits of one small corpus, with the number of decoded recordings."""

    def __init__(self, folder):
        self.root = write_urdu(folder / "urdu", n_per_class=3)
        self.workspace = Workspace(folder / "workspace")
        self.corpus = Registry().corpora.get("urdu")

    def run(self, root=None):
        seen = []
        _, table, problems = audited(
            self.corpus,
            CorpusFiles(root or self.root),
            "corrected",
            self.workspace,
            progress=lambda done, total: seen.append((done, total)),
        )
        return len(seen), table, problems


@pytest.fixture
def audits(tmp_path):
    return Audits(tmp_path)


def test_nothing_is_decoded_twice_and_the_result_is_the_same(audits):
    n_first, first, _ = audits.run()
    n_second, second, problems = audits.run()

    assert (n_first, n_second) == (12, 0)
    assert second.equals(first)
    assert problems == ()


def test_only_a_changed_file_is_decoded_again(audits):
    _, before, _ = audits.run()
    write_wav(audits.root / "Sad/SM1_F1_S01.wav", seconds=0.75, seed=99)

    n, after, _ = audits.run()

    changed = [
        old["utterance_id"]
        for old, new in zip(before.to_pylist(), after.to_pylist(), strict=True)
        if old != new
    ]
    assert (n, changed) == (1, ["Sad/SM1_F1_S01"])


def test_a_renamed_or_copied_corpus_is_not_decoded_again(audits, tmp_path):
    _, before, _ = audits.run()
    (audits.root / "Sad/SM1_F1_S01.wav").rename(audits.root / "Sad/SM1_F7_S77.wav")
    moved = audits.root.rename(tmp_path / "elsewhere")

    n, after, _ = audits.run(moved)

    assert n == 0
    assert sorted(after.column("audio_digest").to_pylist()) == (
        sorted(before.column("audio_digest").to_pylist())
    )


def test_a_failure_is_tried_again_every_time(audits):
    sound = (audits.root / "Sad/SM1_F1_S01.wav").read_bytes()
    (audits.root / "Sad/SM1_F1_S01.wav").write_bytes(sound[:-2000])

    results = [audits.run() for _ in range(2)]

    assert [n for n, _, _ in results] == [12, 1]
    assert [[p.kind for p in problems] for _, _, problems in results] == [["undecodable"]] * 2


def test_an_interrupted_audit_keeps_what_it_measured(audits):
    def stop(done, _):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(
            audits.corpus, CorpusFiles(audits.root), "corrected", audits.workspace, progress=stop
        )

    n, _, _ = audits.run()
    assert n == 7


def test_a_damaged_or_outdated_table_is_measured_again(audits, monkeypatch):
    audits.run()
    place = audits.workspace.path("audits/urdu.parquet")
    with open(place, "r+b") as file:
        file.seek(200)
        file.write(b"damage")
    n_damaged, _, _ = audits.run()
    monkeypatch.setattr(kept_audits, "_code", lambda: b"another version")
    n_outdated, _, _ = audits.run()

    assert (n_damaged, n_outdated, audits.run()[0]) == (12, 12, 0)
