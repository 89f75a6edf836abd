"""Copies of corpora as people have them: strays, odd files, other containers, other names."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest

from sercore.corpora.files import CorpusFiles
from sercore.corpora.locate import find_corpus
from sercore.corpora.locate import has_files_of
from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.manifest import build_manifest
from sercore.corpora.problems import Problem
from sercore.corpora.problems import Severity
from sercore.corpora.problems import summarized
from sercore.errors import CorpusError
from sercore.plugins.registry import Registry
from sercore.settings import Settings
from sercore.settings import read_settings
from sercore.storage.workspace import Workspace

CASIA_SPEAKERS = ("ZhaoZuoxiang", "wangzhe", "liuchanhg", "zhaoquanyin")
CASIA_LABELS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="session")
def corpora():
    return Registry().corpora


def write(root, *paths, content=b"sound"):
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


def manifest(corpora, name, root, reading="corrected", **options):
    return build_manifest(corpora.get(name), CorpusFiles(root, **options), reading)


def casia_paths(suffix=".wav"):
    return [
        f"{speaker}/{label}/{number}{suffix}"
        for speaker in CASIA_SPEAKERS
        for label in CASIA_LABELS
        for number in range(201, 251)
    ]


def emovo_paths(suffix=".wav"):
    return [
        f"{speaker}/{label}-{speaker}-{text}{suffix}"
        for speaker in ("f1", "f2", "f3", "m1", "m2", "m3")
        for label in ("neu", "dis", "gio", "pau", "rab", "sor", "tri")
        for text in ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5",
                     "d1", "d2")
    ]  # fmt: skip


def paths(files):
    return [entry.path for entry in files]


def kinds(problems):
    return {problem.kind for problem in problems}


class TestSeverity:
    def test_stray_files_leave_a_complete_copy_complete(self, corpora, tmp_path):
        root = write(tmp_path / "CASIA", *casia_paths(), "list.pdf", "wangzhe/backup.wma")

        built = manifest(corpora, "casia", root)

        assert len(built) == 1200
        assert kinds(built.problems) == {"stray-file"}
        assert not any(problem.makes_incomplete for problem in built.problems)
        assert {problem.severity for problem in built.problems} == {Severity.NOTE}

    def test_litter_of_tools_is_not_even_a_stray_file(self, corpora, tmp_path):
        root = write(
            tmp_path / "CASIA",
            *casia_paths(),
            "checksums.md5",
            "wangzhe/angry/@eaDir/201.wav@SynoEAStream",
            ".ipynb_checkpoints/look-checkpoint.ipynb",
            ".cache/huggingface/download/data.lock",
            "__MACOSX/wangzhe/angry/._201.wav",
            "SHA256SUMS",
        )

        assert manifest(corpora, "casia", root).problems == ()

    @pytest.mark.parametrize(
        ("kind", "severity", "fails", "incomplete"),
        [
            ("stray-file", "note", False, False),
            ("known-bad", "note", False, False),
            ("count", "warning", False, True),
            ("conflict", "warning", False, False),
            ("duplicate", "fault", True, False),
            ("of-a-plugin", "warning", False, False),
            ("empty-file", "fault", True, True),
            ("missing-file", "fault", True, True),
        ],
    )
    def test_every_kind_has_one_of_three_levels(self, kind, severity, fails, incomplete):
        problem = Problem(kind=kind, where="x", message="m")

        assert problem.severity == severity
        assert (problem.is_fault, problem.makes_incomplete) == (fails, incomplete)

    def test_many_problems_of_one_kind_are_one_line_and_faults_come_first(self):
        strays = [Problem(kind="stray-file", where=f"{i}", message="stray") for i in range(9)]
        fault = Problem(kind="empty-file", where="z", message="empty")

        lines = [str(problem) for problem in summarized([*strays, fault])]

        assert lines == ["z: empty", "0, 1, 2 and 6 more: stray"]


class TestListing:
    def test_an_empty_file_is_a_fault_and_is_no_utterance(self, corpora, tmp_path):
        root = write(tmp_path, *emovo_paths())
        (root / "f1/neu-f1-b1.wav").write_bytes(b"")

        built = manifest(corpora, "emovo", root)

        found = {problem.kind: problem for problem in built.problems}
        assert len(built) == 587
        assert set(found) == {"empty-file", "count"}
        assert found["empty-file"].where == "f1/neu-f1-b1.wav"
        assert found["empty-file"].is_fault

    def test_a_bad_link_hides_nothing_beside_it(self, tmp_path):
        write(tmp_path, *(f"a/{i}.wav" for i in range(20)))
        (tmp_path / "a/5 loop").symlink_to("5 loop")
        (tmp_path / "a/6 gone").symlink_to("nowhere")
        (tmp_path / "a/7 long").symlink_to("x" * 255 + "/y")
        files = CorpusFiles(tmp_path)

        assert len(paths(files)) == 20
        assert [problem.where for problem in files.problems] == ["a/5 loop", "a/6 gone", "a/7 long"]

    def test_a_pipe_is_skipped_and_read_by_nobody(self, tmp_path):
        write(tmp_path, "1.wav")
        os.mkfifo(tmp_path / "2.wav")
        files = CorpusFiles(tmp_path)

        assert paths(files) == ["1.wav"]
        assert [(each.kind, each.where) for each in files.problems] == [("skipped", "2.wav")]

    @pytest.mark.timeout(20)
    def test_folders_that_link_to_each_other_are_listed_once(self, tmp_path):
        names = [f"d{number}" for number in range(12)]
        write(tmp_path, *(f"{name}/{name}.wav" for name in names))
        for name in names:
            for other in names:
                (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)

        assert paths(CorpusFiles(tmp_path)) == sorted(f"{name}/{name}.wav" for name in names)

    def test_a_folder_goes_by_its_own_name_before_any_link_to_it(self, tmp_path):
        write(tmp_path, "z/1.wav")
        (tmp_path / "a").symlink_to("z")

        assert paths(CorpusFiles(tmp_path)) == ["z/1.wav"]

    def test_composed_and_decomposed_names_are_one_name(self, tmp_path):
        decomposed = unicodedata.normalize("NFD", "Colère/Fort/01-C-2-1.wav")
        write(tmp_path, decomposed)
        files = CorpusFiles(tmp_path)

        assert paths(files) == [unicodedata.normalize("NFC", decomposed)]
        assert files.read(paths(files)[0]) == b"sound"

    def test_an_unreadable_part_does_not_matter_if_the_counts_are_complete(self, corpora, tmp_path):
        root = write(tmp_path / "EMOVO", *emovo_paths())
        (root / "notes.pdf").symlink_to("nowhere")

        (problem,) = manifest(corpora, "emovo", root).problems

        assert (problem.kind, problem.where) == ("skipped", "notes.pdf")
        (root / "f1/neu-f1-b1.wav").unlink()
        assert kinds(manifest(corpora, "emovo", root).problems) == {"unreadable", "count"}


class TestContainers:
    @pytest.mark.parametrize("suffix", [".WAV", ".flac", ".mp3", ".m4a"])
    def test_a_converted_copy_is_the_same_corpus(self, corpora, tmp_path, suffix):
        original = manifest(corpora, "emovo", write(tmp_path / "wav", *emovo_paths()))
        converted = manifest(corpora, "emovo", write(tmp_path / "other", *emovo_paths(suffix)))

        assert len(converted) == 588
        assert converted.problems == ()
        assert converted.utterance_ids == original.utterance_ids
        assert converted.column("native_label") == original.column("native_label")
        assert converted.column("path")[0].endswith(suffix)

    @pytest.mark.parametrize(
        ("name", "path", "converted"),
        [
            ("mead", "M003/audio/angry/level_3/030.m4a", "M003/audio/angry/level_3/030.wav"),
            ("enterface", "subject 1/anger/sentence 1/s1_an_1.avi",
             "subject 1/anger/sentence 1/s1_an_1.wav"),
            ("cafe", "Colere/Fort/01-C-2-1.wav", "Colere/Fort/01-C-2-1.FLAC"),
        ],
    )  # fmt: skip
    def test_a_video_may_have_become_a_recording(self, corpora, name, path, converted, tmp_path):
        first = manifest(corpora, name, write(tmp_path / "a", path))
        second = manifest(corpora, name, write(tmp_path / "b", converted))

        assert first.utterance_ids == second.utterance_ids
        assert "stray-file" not in kinds(second.problems)

    def test_the_authors_container_is_read_where_there_are_two(self, corpora, tmp_path):
        folder = "subject 1/anger/sentence 1"
        root = write(tmp_path, f"{folder}/s1_an_1.avi", f"{folder}/s1_an_1.wav")

        built = manifest(corpora, "enterface", root)

        assert built.column("path") == [f"{folder}/s1_an_1.avi"]
        (repeated,) = [p for p in built.problems if p.kind == "duplicate-file"]
        assert repeated.where == f"{folder}/s1_an_1.wav"
        assert not repeated.makes_incomplete

    def test_an_annotation_beside_a_recording_is_no_recording(self, corpora, tmp_path):
        root = write(tmp_path, "f1/neu-f1-b1.wav", "f1/neu-f1-b1.lab", "f1/neu-f1-b1.json")

        built = manifest(corpora, "emovo", root)

        assert len(built) == 1
        assert [p.where for p in built.problems if p.kind == "stray-file"] == [
            "f1/neu-f1-b1.json",
            "f1/neu-f1-b1.lab",
        ]


class TestLetterCase:
    def test_a_copy_from_a_medium_with_capitals_is_the_same_corpus(self, corpora, tmp_path):
        original = manifest(corpora, "emovo", write(tmp_path / "a", *emovo_paths()))
        shouted = [path.upper() for path in emovo_paths()]
        changed = manifest(corpora, "emovo", write(tmp_path / "b", *shouted))

        assert changed.problems == ()
        assert changed.utterance_ids == original.utterance_ids
        assert changed.column("speaker") == original.column("speaker")

    def test_labels_are_known_in_any_case(self, corpora, tmp_path):
        original = manifest(corpora, "casia", write(tmp_path / "a", *casia_paths()))
        titled = [path.replace("/a", "/A").replace("/s", "/S") for path in casia_paths(".WAV")]
        changed = manifest(corpora, "casia", write(tmp_path / "b", *titled))

        assert changed.problems == ()
        assert changed.utterance_ids == original.utterance_ids

    def test_a_lower_case_copy_keeps_every_label(self, corpora, tmp_path):
        root = write(tmp_path, "wav/03a01fa.wav", "wav/03a01nc.wav", "wav/03a01xa.wav")

        built = manifest(corpora, "emodb", root)

        assert sorted(built.column("native_label")) == ["F", "N"]
        assert [p.where for p in built.problems if p.kind == "stray-file"] == ["wav/03a01xa.wav"]

    def test_the_spelling_of_hub_copies_is_known(self, corpora, tmp_path):
        official = manifest(corpora, "casia", write(tmp_path / "a", "wangzhe/angry/201.wav"))
        hub = manifest(corpora, "casia", write(tmp_path / "b", "wangzhe/anger/201.wav"))

        assert hub.utterance_ids == official.utterance_ids == ["wangzhe/angry/201"]


class TestLabels:
    def test_an_unknown_label_is_one_sentence_with_both_ways_out(self, corpora, tmp_path):
        root = write(tmp_path, *casia_paths(), "wangzhe/bored/201.wav", "wangzhe/bored/202.wav")

        with pytest.raises(CorpusError) as error:
            manifest(corpora, "casia", root)

        assert "'bored' (2, as in wangzhe/bored/201.wav)" in error.value.message
        assert 'aliases = {"bored" = "angry"}' in error.value.hint
        assert 'ignore_labels = ["bored"]' in error.value.hint
        mapped = manifest(corpora, "casia", root, aliases={"bored": "neutral"})
        dropped = manifest(corpora, "casia", root, ignored_labels=["bored"])
        assert len(mapped) == 1202
        assert (len(dropped), dropped.problems) == (1200, ())

    def test_both_ways_out_work_in_the_settings(self, tmp_path):
        place = tmp_path / "sercore.toml"
        place.write_text(
            '[datasets.casia]\naliases = {"bored" = "neutral"}\nignore_labels = ["sleepy"]\n'
        )

        casia = read_settings(place).datasets["casia"]

        assert casia.aliases == {"bored": "neutral"}
        assert casia.ignore_labels == ("sleepy",)

    def test_a_speaker_given_as_a_string_is_one_sentence(self, corpora, tmp_path):
        emovo = corpora.get("emovo")
        spoiled = dataclasses.replace(emovo, complete=lambda found: {"speaker": found["speaker"]})
        root = write(tmp_path, "f1/neu-f1-b1.wav")

        with pytest.raises(CorpusError) as error:
            build_manifest(spoiled, CorpusFiles(root), "corrected")

        assert "gives the speaker of f1/neu-f1-b1 as 'f1'" in error.value.message
        assert "speaker=('f1',)" in error.value.hint


def zip_of(path, *names, content=b"sound"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def tar_of(path, *names, mode="w", content=b"sound"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def opened(corpora, tmp_path):
    """Return a function that builds a manifest through all that opens a corpus for a run."""
    workspace = Workspace(tmp_path / "workspace")

    def build(name, data, reading="corrected", settings=None):
        corpus = corpora.get(name)
        settings = settings or Settings()
        place = locate(corpus, [data], settings, workspace)
        assert place is not None
        return build_manifest(corpus, open_files(corpus, place, settings, workspace), reading)

    build.workspace = workspace
    return build


class TestMeadArchives:
    members = ("audio/angry/level_1/001.m4a", "audio/neutral/level_1/002.m4a")
    ids = ("M003/audio/angry/level_1/001", "M003/audio/neutral/level_1/002")

    @pytest.mark.parametrize(
        ("archive", "above"),
        [("M003/audio.tar", ""), ("M003.tar", ""), ("M003.tar", "M003/"), ("M003_audio.tar", "")],
    )
    def test_every_packing_of_an_actor_is_read(self, opened, tmp_path, archive, above):
        members = [f"{above}{member}" for member in self.members]
        tar_of(tmp_path / "data/MEAD" / archive, *members)

        assert opened("mead", tmp_path / "data").utterance_ids == list(self.ids)

    def test_archives_and_folders_of_actors_go_together(self, opened, tmp_path):
        tar_of(tmp_path / "data/MEAD/M003/audio.tar", *self.members)
        write(tmp_path / "data/MEAD/W009", "audio/sad/level_2/001.wav")

        assert len(opened("mead", tmp_path / "data")) == 3


class TestFolderNames:
    @pytest.mark.parametrize(
        ("name", "folder", "path"),
        [
            ("emodb", "EMO-DB", "wav/03a01Fa.wav"),
            ("emodb", "berlin-database-of-emotional-speech-emodb", "wav/03a01Fa.wav"),
            ("enterface", "eNTERFACE05", "subject 1/anger/sentence 1/s1_an_1.avi"),
            ("cafe", "CaFE_192k_1", "Neutre/03-N-1.aiff"),
            ("cafe", "cafe-dataset", "Neutre/03-N-1-1.wav"),
            ("urdu", "urdu-emotion-dataset", "Angry/SM1_F10_A010.wav"),
            ("emovo", "emovo-italian-ser-dataset", "EMOVO/f1/neu-f1-b1.wav"),
            ("casia", "casia-emotion-recognition", "wangzhe/angry/201.wav"),
            ("subesco", "subescobangla-speech-emotion-dataset", "F_01_OISHI_S_10_ANGRY_1.wav"),
            ("mesd", "mexican-emotional-speech-database-mesd", "Anger_C_A_abajo.wav"),
            ("mesd", "cy34mh68j9-5",
             "Mexican Emotional Speech Database (MESD)/Anger_C_A_abajo.wav"),
            ("aesdd", "acted-emotional-speech-dynamic-database-aesdd", "anger/a01 (1).wav"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("above", ["", "speech/"])
    def test_usual_names_are_found_at_two_levels(self, opened, tmp_path, name, folder, path, above):
        write(tmp_path / "data", f"{above}{folder}/{path}")

        assert len(opened(name, tmp_path / "data")) == 1

    def test_a_name_that_only_resembles_one_needs_files_of_the_corpus(self, corpora, tmp_path):
        write(tmp_path, "cafe pictures/2021/beans.jpg", "emodb-notes/plan.txt")

        assert find_corpus(corpora.get("cafe").card, tmp_path, corpora.get("cafe")) is None
        assert find_corpus(corpora.get("emodb").card, tmp_path, corpora.get("emodb")) is None

    def test_a_link_in_a_circle_hides_no_corpus(self, opened, tmp_path):
        write(tmp_path / "data/speech/EMO-DB", "wav/03a01Fa.wav")
        for name in ("a circle", "z circle", "speech/circle"):
            (tmp_path / "data" / name).symlink_to(tmp_path / "data" / name)

        assert len(opened("emodb", tmp_path / "data")) == 1

    @pytest.mark.timeout(20)
    def test_a_pipe_named_like_an_archive_is_no_corpus(self, corpora, tmp_path):
        write(tmp_path / "casia/plan", "notes.txt")
        os.mkfifo(tmp_path / "casia/plan/audio.zip")
        os.mkfifo(tmp_path / "my casia.zip")
        casia = corpora.get("casia")

        assert not has_files_of(casia, tmp_path / "casia")
        assert not has_files_of(casia, tmp_path / "my casia.zip")

    def test_the_full_folder_is_preferred_to_an_empty_one(self, opened, tmp_path):
        (tmp_path / "data/emodb").mkdir(parents=True)
        write(tmp_path / "data/EMO-DB", "wav/03a01Fa.wav")

        assert len(opened("emodb", tmp_path / "data")) == 1

    def test_the_snapshot_in_the_cache_of_the_hub_is_read(self, corpora, tmp_path):
        cache = tmp_path / "data/datasets--Aniemore--resd"
        for revision in ("old", "new"):
            write(cache / "snapshots" / revision / "data", "train-00000-of-00001-a.parquet")
        write(cache / "blobs", "3f2a")
        write(cache / "refs", "main", content=b"old")
        resd = corpora.get("resd")

        assert find_corpus(resd.card, tmp_path / "data", resd) == cache / "snapshots/old"


class TestUnrelatedArchives:
    def test_a_folder_of_downloads_is_nobodys_corpus(self, corpora, tmp_path):
        zip_of(tmp_path / "download/holiday.zip", "beach.jpg")
        emodb = corpora.get("emodb")

        assert find_corpus(emodb.card, tmp_path, emodb) is None

    def test_archives_without_a_file_of_the_corpus_are_not_unpacked(self, opened, tmp_path):
        root = write(tmp_path / "data/emodb", "wav/03a01Fa.wav")
        zip_of(root / "holiday.zip", "beach.jpg", "sound.wav")
        tar_of(root / "code.tar.gz", "a.py", mode="w:gz")

        built = opened("emodb", tmp_path / "data")

        assert len(built) == 1
        assert {problem.where for problem in built.problems if problem.kind == "stray-file"} == {
            "code.tar.gz",
            "holiday.zip",
        }
        assert not (tmp_path / "workspace").exists()

    def test_an_archive_named_like_a_corpus_is_refused_by_its_index(self, opened, tmp_path):
        zip_of(tmp_path / "data/EMOVO.zip", "beach.jpg")

        with pytest.raises(CorpusError, match=r"no file of EMOVO: 1 files, such as beach\.jpg"):
            opened("emovo", tmp_path / "data")
        assert not (tmp_path / "workspace").exists()

    @pytest.mark.parametrize("suffix", [".rar", ".7z"])
    def test_an_archive_that_a_user_must_unpack_is_named(self, opened, tmp_path, suffix):
        write(tmp_path / "data/CASIA", f"rest{suffix}", "wangzhe/angry/201.wav")

        problems = {p.where: str(p) for p in opened("casia", tmp_path / "data").problems}

        assert f"cannot unpack {suffix} archives" in problems[f"rest{suffix}"]
        assert "unpack it yourself" in problems[f"rest{suffix}"]

    def test_such_an_archive_in_place_of_the_folder_is_named(self, opened, tmp_path):
        write(tmp_path / "data", "EMOVO.rar")

        with pytest.raises(CorpusError, match=r"cannot unpack .*EMOVO\.rar; unpack it yourself"):
            opened("emovo", tmp_path / "data")

    def test_a_web_page_saved_as_an_archive_is_called_one(self, opened, tmp_path):
        write(tmp_path / "data", "EMOVO.zip", content=b"<!DOCTYPE html><html>Sign in</html>")

        with pytest.raises(CorpusError, match="is a web page, not an archive"):
            opened("emovo", tmp_path / "data")

    def test_the_aliases_of_the_settings_reach_the_corpus(self, opened, tmp_path):
        write(tmp_path / "data/CASIA", "wangzhe/bored/201.wav")
        (tmp_path / "sercore.toml").write_text('[datasets.casia.aliases]\nbored = "neutral"\n')

        built = opened(
            "casia", tmp_path / "data", settings=read_settings(tmp_path / "sercore.toml")
        )

        assert built.column("native_label") == ["neutral"]


EXPRESSO_SPLITS = {
    "train.txt": "# A comment, as in the authors' lists\nex01-ex02_default_007\t(60.0s,)\n",
    "dev.txt": (
        "# A comment\nex01-ex02_default_007\t(,60.0s)\nex01_default_longform_00001\t(,16.49s)\n"
    ),
    "test.txt": "ex01_happy_00001\n",
    "README": "how the lists are written\n",
}
EXPRESSO_SPEECH = """# start and end of speech
# of every channel
ex01-ex02_default_007/channel1\t(9.96, 17.19) (190.84, 193.87)
ex01-ex02_default_007/channel2\t(19.39, 22.17)
ex01_default_longform_00001\t(0.0, 75.29) (76.26, 94.63)
"""
MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


class TestOfficialFiles:
    @pytest.mark.parametrize("reading", ["paper", "corrected"])
    def test_the_official_lists_of_expresso_are_read(self, corpora, tmp_path, reading):
        root = write(
            tmp_path / "expresso",
            "audio_48khz/conversational/ex01-ex02/default/ex01-ex02_default_007.wav",
            "audio_48khz/read/ex01/default/longform/ex01_default_longform_00001.wav",
            "audio_48khz/read/ex01/happy/base/ex01_happy_00001.wav",
        )
        for name, text in EXPRESSO_SPLITS.items():
            write(root, f"splits/{name}", content=text.encode())
        write(root, "VAD_segments.txt", content=EXPRESSO_SPEECH.encode())

        built = manifest(corpora, "expresso", root, reading)

        splits = dict(zip(built.utterance_ids, built.column("official_split"), strict=True))
        conversation = "ex01-ex02_default_007"
        assert kinds(built.problems) == {"count"}
        assert splits["ex01_default_longform_00001"] == "dev"
        assert splits["ex01_happy_00001"] == "test"
        if reading == "paper":
            assert splits[conversation] is None  # it is in two parts
        else:
            assert splits[f"{conversation}/channel1/0001"] == "dev"
            assert splits[f"{conversation}/channel1/0002"] == "train"
            assert splits[f"{conversation}/channel2/0001"] == "dev"

    def test_both_spellings_of_cafe_are_one_corpus(self, corpora, tmp_path):
        plain = write(tmp_path / "a", "Neutre/03-N-1-1.wav", "Peur/Fort/12-P-2-5.wav")
        fine = write(tmp_path / "b", "Neutre/03-N-1.aiff", "Peur/Fort/12-P-2-5.aiff")

        first, second = manifest(corpora, "cafe", plain), manifest(corpora, "cafe", fine)

        assert first.utterance_ids == second.utterance_ids == ["03-N-1-1", "12-P-2-5"]
        assert first.column("intensity") == second.column("intensity") == ["1", "2"]
        assert "stray-file" not in kinds(second.problems)

    def test_corrected_clips_of_meld_replace_wrong_cuts(self, corpora, tmp_path):
        folder = "output_repeated_splits_test"
        root = write(
            tmp_path / "MELD.Raw",
            f"{folder}/dia108_utt0.mp4",
            f"{folder}/final_videos_testdia108_utt0.mp4",
            f"{folder}/dia108_utt1.mp4",
            f"{folder}/._final_videos_testdia108_utt1.mp4",
        )
        rows = "1,Hi,Joey,neutral,,108,0\n2,Hello,Ross,joy,,108,1\n"
        write(root, "test_sent_emo.csv", content=(MELD_HEADER + rows).encode())

        paper = manifest(corpora, "meld", root, "paper")
        corrected = manifest(corpora, "meld", root, "corrected")

        assert corrected.utterance_ids == ["test/dia108_utt0", "test/dia108_utt1"]
        assert [Path(path).name for path in paper.column("path")] == [
            "dia108_utt0.mp4",
            "dia108_utt1.mp4",
        ]
        assert [Path(path).name for path in corrected.column("path")] == [
            "final_videos_testdia108_utt0.mp4",
            "dia108_utt1.mp4",
        ]
        assert kinds(corrected.problems) == {"count"}

    def test_the_audio_only_meld_is_the_same_corpus(self, corpora, tmp_path):
        root = write(tmp_path / "MELD_audio", "test/dia0_utt0.flac")
        write(root, "test.csv", content=(MELD_HEADER + "1,Hi,Joey,neutral,,0,0\n").encode())

        built = manifest(corpora, "meld", root)

        assert built.utterance_ids == ["test/dia0_utt0"]
        assert built.column("official_split") == ["test"]

    def test_only_the_clips_of_baum1_that_no_sheet_describes_are_excused(self, corpora):
        unannotated = corpora.get("baum1").unannotated

        excused = [f"S{subject:03}_{clip:03}" for subject in range(1, 32) for clip in range(1, 80)]
        excused = [clip for clip in excused if any(re.fullmatch(e, clip) for e in unannotated)]
        assert len(excused) == 72
        assert {"S002_008", "S004_015", "S031_049"} <= set(excused)

    def test_the_tools_beside_aesdd_are_no_strays(self, corpora, tmp_path):
        root = write(
            tmp_path,
            "anger/a01 (1).wav",
            "Tools and Documentation/ESTrainer.mlapp",
            "Tools and Documentation/Speech Emotion Recognition.pdf",
        )

        assert kinds(manifest(corpora, "aesdd", root).problems) == {"count"}

    def test_the_only_emodb_with_a_published_digest_is_read(self, corpora, tmp_path):
        root = write(
            tmp_path / "emodb", "db.yaml", "db.files.csv", "db.speaker.csv", "wav/03a01Fa.wav"
        )

        built = manifest(corpora, "emodb", root)

        assert len(built) == 1
        assert kinds(built.problems) == {"count"}
