"""Decoding a whole corpus once: what the audit measures, and the damage that it reports."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import soundfile
from small_corpora import write_urdu
from small_corpora import write_wav

from sercore.audio.audit import SCHEMA
from sercore.audio.audit import audit_audio
from sercore.audio.audit import overlong
from sercore.audio.audit import repeated_audio
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.plugins.registry import Registry


@pytest.fixture
def corpus():
    return Registry().corpora.get("urdu")


def audited(corpus, root, **options):
    files = CorpusFiles(root)
    return audit_audio(files, build_manifest(corpus, files, "corrected"), **options)


def test_every_recording_is_measured_in_manifest_order(corpus, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    write_wav(root / "Sad" / "SF9_F1_S09.wav", seconds=1.25, rate=44100)
    stereo = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2)).astype(np.float32)
    soundfile.write(root / "Sad" / "SF9_F2_S10.wav", stereo, 8000, subtype="FLOAT")

    table, problems = audited(corpus, root)

    assert table.schema == SCHEMA
    assert problems == ()
    ids = table.column("utterance_id").to_pylist()
    assert ids == sorted(ids)
    rows = {row["utterance_id"]: row for row in table.to_pylist()}
    measured = {
        name: (row["duration_s"], row["source_rate"], row["channels"]) for name, row in rows.items()
    }
    assert measured.pop("Sad/SF9_F1_S09") == (1.25, 44100, 1)
    assert measured.pop("Sad/SF9_F2_S10") == (1.0, 8000, 2)
    assert set(measured.values()) == {(0.5, 16000, 1)}
    digest = hashlib.sha256(b"8000 2 " + stereo.tobytes()).hexdigest()
    assert rows["Sad/SF9_F2_S10"]["audio_digest"] == digest


def test_damaged_empty_silent_and_repeated_recordings_are_named(corpus, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=3)
    folder = root / "Angry"
    whole = (folder / "SM1_F1_A01.wav").read_bytes()
    (folder / "SM2_F2_A02.wav").write_bytes(whole[:-3000])
    (folder / "SM3_F3_A03.wav").write_bytes(b"RIFF")
    write_wav(folder / "SM4_F4_A04.wav")
    soundfile.write(folder / "SM4_F4_A04.wav", np.zeros(4000), 16000, subtype="PCM_16")
    soundfile.write(folder / "SM5_F5_A05.wav", np.zeros(0), 16000, subtype="PCM_16")
    # The same sound in another container: only decoding can tell.
    sound, rate = soundfile.read(folder / "SM1_F1_A01.wav", dtype="int16")
    with (root / "Sad" / "SM6_F6_S06.wav").open("wb") as file:
        soundfile.write(file, sound, rate, subtype="PCM_16", format="FLAC")

    table, problems = audited(corpus, root)

    found = {(problem.kind, problem.where) for problem in problems}
    assert found == {
        ("undecodable", "Angry/SM2_F2_A02"),
        ("undecodable", "Angry/SM3_F3_A03"),
        ("silent", "Angry/SM4_F4_A04"),
        ("silent", "Angry/SM5_F5_A05"),
        ("duplicate", "Sad/SM6_F6_S06"),
    }
    assert all(problem.hint for problem in problems)
    (copy,) = [problem for problem in problems if problem.kind == "duplicate"]
    assert "Angry/SM1_F1_A01" in copy.message
    failed = {row["utterance_id"]: row for row in table.to_pylist() if row["error"]}
    assert set(failed) == {where for kind, where in found if kind != "duplicate"}
    assert all(row["audio_digest"] is row["duration_s"] is None for row in failed.values())


def test_progress_ends_with_all_of_them(corpus, tmp_path):
    seen = []

    audited(
        corpus, write_urdu(tmp_path / "urdu", n_per_class=2), progress=lambda *n: seen.append(n)
    )

    assert seen == [(n, 8) for n in range(1, 9)]


def test_the_first_of_several_copies_is_the_one_that_counts():
    problems = repeated_audio(["a", "b", "c", "d", "e"], ["x", None, "x", "x", None])

    assert [(p.where, p.message) for p in problems] == [
        ("c", "it is the same audio as a"),
        ("d", "it is the same audio as a"),
    ]


@pytest.mark.parametrize(
    ("name", "folder", "n"), [("urdu", "URDU-Dataset-master", 400), ("emodb", "emodb", 535)]
)
def test_real_copies_hold_no_damage(name, folder, n, shared):
    table, problems = audited(Registry().corpora.get(name), shared / "corpora" / folder)

    assert (table.num_rows, problems) == (n, ())
    assert len(set(table.column("audio_digest").to_pylist())) == n


def test_a_clip_that_is_wrongly_cut_is_named(corpus, tmp_path):
    root = write_urdu(tmp_path / "urdu", n_per_class=2)
    write_wav(root / "Sad" / "SF9_F1_S09.wav", seconds=45.0, rate=8000)

    _, problems = audited(corpus, root)

    (problem,) = problems
    assert (problem.kind, problem.where) == ("overlong", "Sad/SF9_F1_S09")
    assert "lasts 45 s" in problem.message
    assert not problem.makes_incomplete


def test_long_utterances_among_long_ones_are_no_outliers():
    assert overlong(["a", "b", "c"], [100.0, 120.0, 305.0]) == ()
    assert [problem.where for problem in overlong(["a", "b", "c"], [3.0, None, 305.1])] == []
    assert [p.where for p in overlong(["a", "b", "c", "d"], [3.0, 3.0, 2.0, 305.1])] == ["d"]
