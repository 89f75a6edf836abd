"""Fingerprints: equal for equal samples in any container, and what is said about other copies."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner
from small_corpora import write_urdu

from scripts.fingerprints import published_lengths
from sercore.audio.audit import audit_audio
from sercore.cli import cli
from sercore.corpora.contents import read_contents
from sercore.corpora.files import CorpusFiles
from sercore.corpora.manifest import build_manifest
from sercore.diagnostics.fingerprint import Fingerprint
from sercore.diagnostics.fingerprint import Print
from sercore.diagnostics.fingerprint import fingerprint_of
from sercore.diagnostics.fingerprint import fingerprint_text
from sercore.diagnostics.fingerprint import prints_of
from sercore.diagnostics.fingerprint import read_fingerprint
from sercore.diagnostics.identity import compare
from sercore.diagnostics.identity import verdict_of
from sercore.errors import CorpusError
from sercore.plugins.registry import Registry

REPOSITORY = Path(__file__).parent.parent
REFERENCE = REPOSITORY.parent / "shared" / "reference"


@pytest.fixture(scope="module")
def urdu():
    return Registry().corpora.get("urdu")


def heard(corpus, root):
    files = CorpusFiles(root)
    manifest = build_manifest(corpus, files, "corrected", read_contents)
    return manifest, audit_audio(files, manifest)[0]


@pytest.fixture
def published(urdu, tmp_path):
    """A small corpus, and its fingerprint."""
    root = write_urdu(tmp_path / "published", n_per_class=5)
    return root, fingerprint_of(*heard(urdu, root), "the first copy")


def changed_copy(root, target, change, suffix=".wav", **options):
    """Copy a corpus, with every recording rewritten by a function of samples and rate."""
    for path in root.rglob("*.wav"):
        place = (target / path.relative_to(root)).with_suffix(suffix)
        place.parent.mkdir(parents=True, exist_ok=True)
        sound, rate = soundfile.read(path, dtype="float32")
        soundfile.write(place, *change(sound, rate), **options)
    return target


def compared(urdu, published, root):
    return compare(published[1], prints_of(*heard(urdu, root)))


CHANGES = {
    "same audio": (lambda sound, rate: (sound, rate), ".flac", {"subtype": "PCM_16"}),
    "resampled": (lambda sound, rate: (soxr.resample(sound, rate, 8000), 8000), ".wav", {}),
    "mixed": (lambda sound, rate: (np.stack([sound, sound], 1), rate), ".wav", {}),
    "re-encoded": (lambda sound, rate: (0.7 * sound, rate), ".mp3", {}),
    "trimmed": (lambda sound, rate: (sound[: len(sound) // 2], rate), ".wav", {}),
    "lengthened": (lambda sound, rate: (np.pad(sound, (0, rate)), rate), ".wav", {}),
}


@pytest.mark.parametrize("verdict", CHANGES)
def test_every_change_of_a_copy_has_its_word(verdict, urdu, published, tmp_path):
    change, suffix, options = CHANGES[verdict]
    copy = changed_copy(published[0], tmp_path / "copy", change, suffix, **options)

    found = compared(urdu, published, copy)

    assert {name: len(ids) for name, ids in found.kinds.items()} == {verdict: 20}
    assert (found.absent, found.unknown) == ((), ())
    assert (found.problem is None) == (verdict == "same audio")
    assert found.is_same == (verdict == "same audio")


def test_the_same_files_are_bit_identical(urdu, published):
    found = compared(urdu, published, published[0])

    assert str(found) == "all 20 recordings are bit-identical to the first copy"
    assert found.problem is None


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".wav", {"subtype": "FLOAT"}),
        (".wav", {"subtype": "PCM_24"}),
        (".flac", {}),
        (".aiff", {}),
        (".w64", {}),
        (".caf", {}),
    ],
)
def test_the_digest_of_samples_is_the_same_in_every_lossless_container(
    suffix, options, urdu, published, tmp_path
):
    same = changed_copy(
        published[0], tmp_path / "copy", lambda sound, rate: (sound, rate), suffix, **options
    )
    prints = prints_of(*heard(urdu, same))

    assert {name: one.audio for name, one in prints.items()} == {
        name: one.audio for name, one in published[1].prints.items()
    }
    assert not {one.sha256 for one in prints.values()} & {
        one.sha256 for one in published[1].prints.values()
    }


def test_few_changed_files_are_counted_and_named(urdu, published, tmp_path):
    copy = shutil.copytree(published[0], tmp_path / "copy")
    first, second = copy / "Sad/SM1_F1_S01.wav", copy / "Sad/SM2_F2_S02.wav"
    sound, rate = soundfile.read(first)
    soundfile.write(first, sound * np.linspace(0, 1, len(sound)), rate)
    soundfile.write(second, sound[: rate // 4], rate)
    (copy / "Sad/SM3_F3_S03.wav").unlink()
    shutil.copy(copy / "Sad/SM1_F4_S04.wav", copy / "Sad/SM1_F9_S09.wav")

    found = compared(urdu, published, copy)

    assert {name: ids for name, ids in found.kinds.items() if name != "identical"} == {
        "trimmed": ("Sad/SM2_F2_S02",),
        "other audio": ("Sad/SM1_F1_S01",),
    }
    assert len(found.kinds["identical"]) == 17
    assert found.absent == ("Sad/SM3_F3_S03",)
    assert found.unknown == ("Sad/SM1_F9_S09",)
    assert "1 shorter (such as Sad/SM2_F2_S02)" in found.problem.message


def test_swapped_recordings_are_other_audio(urdu, tmp_path, shared):
    names = ("SM6_F4_S0100", "SM6_F2_S098", "SM6_F3_S099")
    (tmp_path / "Sad").mkdir()
    for name, other in zip(names, (names[1], names[0], names[2]), strict=True):
        source = shared / "corpora/URDU-Dataset-master/Sad" / f"{other}.wav"
        shutil.copy(source, tmp_path / "Sad" / f"{name}.wav")

    found = compare(read_fingerprint(urdu.card.fingerprint), prints_of(*heard(urdu, tmp_path)))

    assert found.kinds == {
        "identical": ("Sad/SM6_F3_S099",),
        "other audio": ("Sad/SM6_F2_S098", "Sad/SM6_F4_S0100"),
    }


@pytest.mark.parametrize(
    ("published", "here", "verdict"),
    [
        (Print(duration_s=2.0), Print(duration_s=2.05, rate=16000), "same length"),
        (Print(duration_s=2.0), Print(duration_s=1.8), "trimmed"),
        (Print(duration_s=2.0, rate=16000), Print(duration_s=2.0, rate=22050), "resampled"),
        (Print(sha256="a"), Print(sha256="b"), None),
        (Print(sha256="a", audio="c"), Print(sha256="b", audio="c"), "same audio"),
    ],
)
def test_only_what_is_published_is_compared(published, here, verdict):
    assert verdict_of(published, here) == verdict


def test_a_copy_of_one_length_is_recognized_as_cut_or_padded():
    lengths = [1.2, 1.9, 2.6, 4.0, 2.8, 3.3, 3.1, 2.4, 1.5, 6.0]
    published = {str(n): Print(duration_s=seconds) for n, seconds in enumerate(lengths)}
    here = {name: Print(duration_s=2.0) for name in published}

    found = compare(Fingerprint(corpus="x", source="theirs", prints=published), here)

    assert found.uniform_s == 2.0
    assert "nearly all last 2.00 s: they were cut or padded" in str(found)
    assert compare(Fingerprint(corpus="x", source="", prints=here), here).uniform_s is None


class TestFile:
    def test_it_reads_what_it_writes(self, published, tmp_path):
        fingerprint = published[1]
        place = tmp_path / "print.tsv"
        odd = {'a\tb "c"': Print(duration_s=1.0), "ö": Print(rate=8000)}
        for one in (fingerprint, replace(fingerprint, prints=odd)):
            place.write_text(fingerprint_text(one), encoding="utf-8")

            assert read_fingerprint(place) == one

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is not a fingerprint"),
            (b"\xff\xfe\x00", "is not text"),
            (b"path,label\na,b\n", "its first line"),
            (b"# sercore fingerprint 1\n# corpus: x\n# source: y\nid\n1\n", "utterance_id"),
            (b"# sercore fingerprint 1\nutterance_id\n1\n", "corpus"),
            (
                b"# sercore fingerprint 1\n# corpus: x\n# source: y\nutterance_id\trate\n1\tmany\n",
                "many",
            ),
        ],
    )
    def test_what_is_no_fingerprint_is_one_sentence(self, content, reason, tmp_path):
        place = tmp_path / "print.tsv"
        place.write_bytes(content)

        with pytest.raises(CorpusError) as error:
            read_fingerprint(place)

        assert str(place) in error.value.message
        assert reason in error.value.message
        assert "sercore fingerprint" in error.value.hint


class TestShipped:
    SHIPPED = sorted((REPOSITORY / "plugins/datasets").glob("*/*_fingerprint.tsv"))

    @pytest.mark.parametrize("place", SHIPPED, ids=[path.parent.name for path in SHIPPED])
    def test_every_table_is_that_of_its_reference(self, place):
        if not REFERENCE.is_dir():
            pytest.skip("the published lists are not beside the repository")
        name = place.parent.name
        shipped = read_fingerprint(place)
        lines = (REFERENCE / "listings" / f"{name}.tsv").read_text().splitlines()[1:]
        listed = [line.split("\t")[3] for line in lines]

        lengths = sorted(one.duration_s for one in shipped.prints.values())
        assert lengths == pytest.approx(sorted(float(seconds) for seconds in listed if seconds))
        assert (shipped.corpus, bool(shipped.source)) == (name, True)
        if name != "urdu" and len(lengths) < 2000:
            made = published_lengths(Registry().corpora.get(name), REFERENCE)
            assert fingerprint_text(made) == place.read_text(encoding="utf-8")

    def test_digests_of_urdu_are_the_published_ones(self, urdu):
        if not REFERENCE.is_dir():
            pytest.skip("the published digests are not beside the repository")
        lines = (REFERENCE / "fingerprints/urdu.tsv").read_text().splitlines()[1:]
        published = {
            line.split("\t")[0].removesuffix(".wav"): line.split("\t")[4] for line in lines
        }

        shipped = read_fingerprint(urdu.card.fingerprint).prints

        assert {name: one.sha256 for name, one in shipped.items()} == published

    def test_the_real_copies_are_what_they_are(self, shared):
        words = {}
        for name, folder in (
            ("urdu", "URDU-Dataset-master"),
            ("emodb", "emodb"),
            ("emovo", "EMOVO"),
        ):
            corpus = Registry().corpora.get(name)
            prints = prints_of(*heard(corpus, shared / "corpora" / folder))
            words[name] = compare(read_fingerprint(corpus.card.fingerprint), prints)

        assert {name: len(ids) for name, ids in words["urdu"].kinds.items()} == {"identical": 400}
        emodb = words["emodb"]
        assert len(emodb.kinds["trimmed"]) + len(emodb.kinds["lengthened"]) > 450
        assert (emodb.uniform_s, emodb.rates) == (2.0, (16000, 22050))
        assert {name: len(ids) for name, ids in words["emovo"].kinds.items()} == {"same length": 98}
        assert len(words["emovo"].absent) == 490


class TestCommands:
    def run(self, tmp_path, *arguments):
        command = [*map(str, arguments), "--workspace", str(tmp_path / "workspace")]
        return CliRunner().invoke(cli, command)

    @pytest.mark.torch
    def test_a_colleague_compares_a_copy(self, published, tmp_path):
        place = tmp_path / "urdu.tsv"
        made = self.run(
            tmp_path, "fingerprint", f"urdu={published[0]}", "--output", place, "--source", "Ann's"
        )
        copy = changed_copy(
            published[0], tmp_path / "copy", lambda sound, rate: (sound[: rate // 5], rate)
        )
        same = self.run(
            tmp_path, "doctor", "--dataset", f"urdu={published[0]}", "--fingerprint", place
        )
        other = self.run(
            tmp_path, "doctor", "--dataset", f"urdu={copy}", "--fingerprint", place, "--json"
        )

        assert made.exit_code == 0
        assert "20 recordings of urdu" in made.output
        assert "urdu: all 20 recordings are bit-identical to Ann's" in same.output
        (check,) = json.loads(other.stdout)["corpora"]
        identity = next(one for one in check["identity"] if one["source"] == "Ann's")
        assert identity["counts"] == {"trimmed": 20}
        assert min(identity["differing"]["trimmed"]) == "Angry/SM1_F1_A01"
        altered = [p for p in check["problems"] if p["kind"] == "altered"]
        assert {problem["severity"] for problem in altered} == {"warning"}
        assert other.exit_code == 0

    @pytest.mark.torch
    def test_the_settings_name_a_fingerprint(self, published, tmp_path):
        place, config = tmp_path / "print.tsv", tmp_path / "sercore.toml"
        place.write_text(fingerprint_text(published[1]), encoding="utf-8")
        config.write_text(f'[datasets.urdu]\npath = "{published[0]}"\nfingerprint = "print.tsv"\n')
        arguments = ("doctor", "--dataset", "urdu", "--config", config)

        shallow, deep = self.run(tmp_path, *arguments), self.run(tmp_path, *arguments, "--deep")
        place.write_text(fingerprint_text(replace(published[1], corpus="emodb")))
        wrong = self.run(tmp_path, *arguments, "--deep")

        assert "bit-identical" not in shallow.output
        assert "urdu: all 20 recordings are bit-identical to the first copy" in deep.output
        assert wrong.exit_code == 1
        assert "belongs to 'emodb', not to urdu" in wrong.output

    def test_a_fingerprint_of_a_corpus_that_is_not_checked_is_refused(self, published, tmp_path):
        place = tmp_path / "print.tsv"
        place.write_text(fingerprint_text(published[1]), encoding="utf-8")

        found = self.run(tmp_path, "doctor", "--dataset", "emodb", "--fingerprint", place)

        assert "belongs to 'urdu', which is not checked" in str(found.exception)

    def test_standard_output_is_the_file(self, published, tmp_path):
        found = self.run(
            tmp_path, "fingerprint", f"urdu={published[0]}", "--source", "the first copy"
        )

        assert found.stdout == fingerprint_text(published[1])

    def test_a_fingerprint_of_a_damaged_copy_says_so(self, published, tmp_path):
        (published[0] / "Sad/SM1_F1_S01.wav").write_bytes(b"RIFF")

        found = self.run(tmp_path, "fingerprint", f"urdu={published[0]}")

        assert found.exit_code == 1
        assert "Sad/SM1_F1_S01" in found.stderr

    def test_the_command_is_quick_to_explain_itself(self):
        answer = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "sercore", "fingerprint", "--help"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip

        assert "Write the fingerprint of a corpus" in answer.stdout
        assert not {"numpy", "pyarrow", "torch"} & set(answer.stderr.split())
