"""Folders and archives of corpora: what is listed, what is unpacked, what is refused."""

import io
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest

from sercore.corpora.archive_members import archive_stem
from sercore.corpora.archives import unpack
from sercore.corpora.files import CorpusFiles
from sercore.corpora.files import FileEntry
from sercore.corpora.interface import CorpusCard
from sercore.corpora.locate import find_corpus
from sercore.corpora.locate import open_corpus
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.storage.workspace import Workspace

CARD = CorpusCard(
    id="subesco",
    title="SUBESCO",
    language="Bangla",
    language_code="ben",
    licence=None,
    access="open",
    homepage=None,
    citation=None,
    folders=("SUBESCO", "Bangla Emotions"),
    obtain="",
    expected={},
    speakers=None,
)


def paths(files):
    return [entry.path for entry in files]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def zip_of(members, path=None):
    """A zip file of names and bytes, written to a path or returned."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in members.items():
            content.writestr(name, data)
    if path is not None:
        path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def tar_of(members, path=None, mode="w"):
    """A tar file of names and bytes; a `TarInfo` as value is written as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as content:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                content.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                content.addfile(info, io.BytesIO(data))
    if path is not None:
        path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def left_over(folder):
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


class TestListing:
    def test_files_are_sorted_with_their_sizes_and_without_litter(self, tmp_path):
        for name in ("b/2.wav", "a.txt", "b/1.wav", "b/Thumbs.db", "._a.txt", ".DS_Store"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x" * len(name))

        expected = [FileEntry("a.txt", 5), FileEntry("b/1.wav", 7), FileEntry("b/2.wav", 7)]
        assert list(CorpusFiles(tmp_path)) == expected

    def test_links_to_folders_are_followed_and_cycles_end(self, tmp_path):
        corpus, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
        corpus.mkdir()
        elsewhere.mkdir()
        (elsewhere / "1.wav").write_bytes(b"1")
        (corpus / "linked").symlink_to(elsewhere)
        (elsewhere / "back").symlink_to(corpus)
        (corpus / "self").symlink_to(corpus)

        assert paths(CorpusFiles(corpus)) == ["linked/1.wav"]

    def test_a_broken_link_is_a_problem_and_hides_nothing(self, tmp_path):
        (tmp_path / "1.wav").write_bytes(b"1")
        (tmp_path / "2.wav").symlink_to("nowhere")
        files = CorpusFiles(tmp_path)

        assert paths(files) == ["1.wav"]
        assert [(each.kind, each.where) for each in files.problems] == [("unreadable", "2.wav")]

    def test_an_unreadable_folder_is_a_problem(self, tmp_path, ordinary_user):
        (tmp_path / "shut").mkdir(mode=0)
        program = (
            "from pathlib import Path\nfrom sercore.corpora.files import CorpusFiles\n"
            f"print([each.where for each in CorpusFiles(Path({str(tmp_path)!r})).problems])"
        )

        answer = subprocess.run(
            [*ordinary_user, sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
        )

        assert answer.stdout.strip() == "['shut']"

    def test_names_that_are_not_utf8_are_shown_and_opened(self, tmp_path):
        folder = tmp_path / os.fsdecode(b"Col\x8are")
        folder.mkdir()
        (folder / "01-C-1-1.wav").write_bytes(b"sound")
        files = CorpusFiles(tmp_path)
        (entry,) = files

        assert entry.path.encode("utf-8").endswith(b"re/01-C-1-1.wav")
        assert files.read(entry.path) == b"sound"

    def test_ignored_files_are_not_listed(self, tmp_path):
        (tmp_path / "1.wav").write_bytes(b"1")
        (tmp_path / "notes.md").write_bytes(b"1")

        assert paths(CorpusFiles(tmp_path, ignore=["*.md"])) == ["1.wav"]

    def test_a_missing_folder_is_an_error(self, tmp_path):
        with pytest.raises(CorpusMissingError, match="does not exist"):
            CorpusFiles(tmp_path / "none")

    def test_touching_files_changes_nothing(self, tmp_path):
        (tmp_path / "1.wav").write_bytes(b"1")
        before = list(CorpusFiles(tmp_path))
        os.utime(tmp_path / "1.wav", (1, 1))

        assert list(CorpusFiles(tmp_path)) == before

    def test_as_many_files_as_the_largest_corpus_take_under_a_second(self, tmp_path):
        for actor in range(20):
            folder = tmp_path / f"M{actor:03}"
            folder.mkdir()
            for clip in range(500):
                (folder / f"{clip:03}.m4a").touch()
        start = time.perf_counter()
        count = len(list(CorpusFiles(tmp_path)))
        seconds = time.perf_counter() - start

        assert count == 10_000
        assert seconds < 1


class TestFinding:
    @pytest.mark.parametrize("name", ["subesco", "SUBESCO", "bangla emotions"])
    def test_folders_are_found_by_the_usual_names(self, tmp_path, name):
        (tmp_path / name).mkdir()
        (tmp_path / "other").mkdir()

        assert find_corpus(CARD, tmp_path) == tmp_path / name

    @pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".ZIP"])
    def test_archives_are_found_by_the_usual_names(self, tmp_path, suffix):
        (tmp_path / f"SUBESCO{suffix}").write_bytes(b"")

        assert find_corpus(CARD, tmp_path) == tmp_path / f"SUBESCO{suffix}"

    def test_a_folder_goes_before_its_archive(self, tmp_path):
        (tmp_path / "SUBESCO.zip").write_bytes(b"")
        (tmp_path / "subesco").mkdir()

        assert find_corpus(CARD, tmp_path) == tmp_path / "subesco"

    def test_the_data_folder_may_be_the_corpus(self, tmp_path):
        (tmp_path / "SUBESCO").mkdir()
        (tmp_path / "SUBESCO.tgz").write_bytes(b"")

        assert find_corpus(CARD, tmp_path / "SUBESCO") == tmp_path / "SUBESCO"
        assert find_corpus(CARD, tmp_path / "SUBESCO.tgz") == tmp_path / "SUBESCO.tgz"

    def test_nothing_is_found_where_nothing_is(self, tmp_path):
        (tmp_path / "emodb").mkdir()

        assert find_corpus(CARD, tmp_path) is None
        assert find_corpus(CARD, tmp_path / "none") is None

    def test_only_archives_have_a_stem(self):
        assert archive_stem("a.b.TAR.GZ") == "a.b"
        assert archive_stem("a.wav") is None
        assert archive_stem(".zip") is None


class TestArchives:
    @pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
    def test_an_archive_reads_like_the_folder_it_was_made_from(self, tmp_path, kind):
        members = {"wav/1.wav": b"one" * 1000, "wav/deep/2.wav": b"two", "readme.txt": b""}
        archive = tmp_path / f"corpus.{kind}"
        if kind == "zip":
            zip_of(members, archive)
        else:
            packing = {"tar": "w", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}.get(kind, "w:gz")
            tar_of(members, archive, packing)
        files = open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")

        assert {entry.path: files.read(entry.path) for entry in files} == members

    def test_it_is_unpacked_once_and_again_when_it_changes(self, tmp_path):
        archive = tmp_path / "corpus.zip"
        into = Workspace(tmp_path / "workspace"), "corpora"
        zip_of({"1.wav": b"old"}, archive)
        first = unpack(archive, *into)
        (first / "mark").write_bytes(b"")
        again = unpack(archive, *into)
        zip_of({"1.wav": b"new"}, archive)
        changed = unpack(archive, *into)

        assert again == first
        assert (again / "mark").exists()
        assert changed != first
        assert (changed / "1.wav").read_bytes() == b"new"

    def test_archives_inside_archives_are_unpacked_beside_each_other(self, tmp_path):
        train = tar_of({"train_splits/dia0_utt0.mp4": b"t"}, mode="w:gz")
        dev = zip_of({"dev_splits/dia0_utt0.mp4": b"d"})
        archive = tmp_path / "MELD.Raw.tar.gz"
        tar_of({"MELD.Raw/train.tar.gz": train, "MELD.Raw/dev.zip": dev}, archive, "w:gz")
        files = open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")

        assert paths(files) == [
            "MELD.Raw/dev/dev_splits/dia0_utt0.mp4",
            "MELD.Raw/train/train_splits/dia0_utt0.mp4",
        ]

    def test_archives_in_a_folder_are_read_as_if_unpacked_there(self, tmp_path):
        corpus = tmp_path / "ShEMO"
        corpus.mkdir()
        (corpus / "readme.md").write_bytes(b"r")
        zip_of({"female/F01A01.wav": b"f"}, corpus / "female.zip")
        zip_of({"M01A01.wav": b"m"}, corpus / "male.zip")
        files = open_corpus(corpus, Workspace(tmp_path / "workspace"), "corpora")

        assert paths(files) == ["female/F01A01.wav", "male/M01A01.wav", "readme.md"]
        assert files.read("male/M01A01.wav") == b"m"
        assert names(corpus) == ["female.zip", "male.zip", "readme.md"]

    @pytest.mark.parametrize("folder", ["female", "."])
    def test_an_archive_that_was_unpacked_by_hand_is_left_alone(self, tmp_path, folder):
        corpus = tmp_path / "ShEMO"
        (corpus / folder).mkdir(parents=True)
        (corpus / folder / "F01A01.wav").write_bytes(b"f")
        zip_of({"F01A01.wav": b"f"}, corpus / "female.zip")
        files = open_corpus(corpus, Workspace(tmp_path / "workspace"), "corpora")

        assert paths(files) == [os.path.normpath(f"{folder}/F01A01.wav")]
        assert not (tmp_path / "workspace").exists()

    def test_a_broken_archive_in_a_folder_is_a_problem_that_says_what_to_do(self, tmp_path):
        corpus = tmp_path / "ShEMO"
        corpus.mkdir()
        (corpus / "a.wav").write_bytes(b"a")
        (corpus / "female.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 1\n")
        files = open_corpus(corpus, Workspace(tmp_path / "workspace"), "corpora")

        assert paths(files) == ["a.wav"]
        assert [each.where for each in files.problems] == ["female.zip"]
        assert "git lfs pull" in (files.problems[0].hint or "")

    def test_unwanted_members_and_archives_are_not_unpacked(self, tmp_path):
        corpus = tmp_path / "MEAD"
        corpus.mkdir()
        tar_of({"audio/1.m4a": b"a", "video/1.mp4": b"v"}, corpus / "M003.tar")
        tar_of({"2.mp4": b"v"}, corpus / "video.tar")
        files = open_corpus(corpus, Workspace(tmp_path / "workspace"), "corpora", skip=["video*"])

        assert paths(files) == ["M003/audio/1.m4a", "video.tar"]

    def test_names_that_are_not_utf8_survive(self, tmp_path):
        """CaFE's zip: the accented folders are written without the flag for UTF-8."""
        data = zip_of({"Col_re/Faible/01-C-1-1.wav": b"c"}).replace(b"Col_re", b"Col\x8are")
        archive = tmp_path / "CaFE_48k.zip"
        archive.write_bytes(data)
        files = open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")

        assert paths(files) == ["Colère/Faible/01-C-1-1.wav"]
        assert files.read("Colère/Faible/01-C-1-1.wav") == b"c"

    def test_names_in_tar_files_that_are_not_utf8_survive(self, tmp_path):
        data = tar_of({"Col_re/1.wav": b"c"})
        data = data.replace(b"Col_re", b"Col\x8are")
        header = bytearray(data[:512])
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        archive = tmp_path / "cafe.tar"
        archive.write_bytes(bytes(header) + data[512:])
        files = open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")
        (entry,) = files

        assert entry.path == "Col\x8are/1.wav"
        assert files.read(entry.path) == b"c"

    def test_backslashes_are_folders(self, tmp_path):
        data = zip_of({"wav/1.wav": b"1"}).replace(b"wav/1.wav", b"wav\\1.wav")
        archive = tmp_path / "corpus.zip"
        archive.write_bytes(data)

        assert paths(open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")) == [
            "wav/1.wav"
        ]

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
    def test_links_inside_an_archive_become_copies(self, tmp_path, kind):
        target = "a/1.wav" if kind == tarfile.LNKTYPE else "../a/1.wav"
        archive = tmp_path / "corpus.tar"
        tar_of({"a/1.wav": b"one", "b/2.wav": link("b/2.wav", target, kind)}, archive)
        folder = unpack(archive, Workspace(tmp_path / "workspace"), "corpora")

        assert (folder / "b/2.wav").read_bytes() == b"one"
        assert not (folder / "b/2.wav").is_symlink()

    def test_a_tar_file_that_ends_in_a_zip_file_is_a_tar_file(self, tmp_path):
        archive = tmp_path / "corpus.tar"
        tar_of({"1.wav": b"one", "female.zip": zip_of({"2.wav": b"two"})}, archive)

        expected = ["1.wav", "female/2.wav"]
        assert paths(open_corpus(archive, Workspace(tmp_path / "workspace"), "corpora")) == expected


EVIL = {
    "parent": {"../evil.wav": b"e"},
    "deep parent": {"a/../../evil.wav": b"e"},
    "absolute": {"/tmp/sercore-evil.wav": b"e"},
    "drive": {"C:/evil.wav": b"e"},
    "link outside": {"l": link("l", "../../outside")},
    "absolute link": {"l": link("l", "/etc/passwd")},
    "hard link outside": {"l": link("l", "../outside", tarfile.LNKTYPE)},
    "write through a link": {"l": link("l", ".."), "l/evil.wav": b"e"},
    "link to nothing": {"l": link("l", "nothing")},
    "file as folder": {"a": b"file", "a/b": b"under it"},
}


class TestRefusals:
    @pytest.mark.parametrize("name", EVIL)
    def test_a_tar_file_that_reaches_outside_is_refused_whole(self, tmp_path, name):
        (tmp_path / "outside").write_bytes(b"secret")
        archive = tmp_path / "evil.tar"
        tar_of({"good.wav": b"g", **EVIL[name]}, archive)

        with pytest.raises(CorpusError, match=r"evil\.tar"):
            unpack(archive, Workspace(tmp_path / "in/workspace"), "corpora")
        assert left_over(tmp_path / "in") == []
        assert not list(tmp_path.rglob("evil.wav"))

    @pytest.mark.parametrize("name", ["parent", "deep parent", "absolute", "drive"])
    def test_a_zip_file_that_reaches_outside_is_refused_whole(self, tmp_path, name):
        archive = tmp_path / "evil.zip"
        zip_of({"good.wav": b"g", **EVIL[name]}, archive)

        with pytest.raises(CorpusError, match="leads outside its folder"):
            unpack(archive, Workspace(tmp_path / "in/workspace"), "corpora")
        assert left_over(tmp_path / "in") == []

    def test_backslashes_do_not_reach_outside_either(self, tmp_path):
        archive = tmp_path / "evil.zip"
        archive.write_bytes(zip_of({"../evil.wav": b"e"}).replace(b"../evil", b"..\\evil"))

        with pytest.raises(CorpusError, match="leads outside its folder"):
            unpack(archive, Workspace(tmp_path / "workspace"), "corpora")

    def test_a_link_in_a_zip_file_does_not_reach_outside(self, tmp_path):
        info = zipfile.ZipInfo("l")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as content:
            content.writestr(info, "../../etc/passwd")

        with pytest.raises(CorpusError, match="leads outside its folder"):
            unpack(tmp_path / "evil.zip", Workspace(tmp_path / "workspace"), "corpora")

    def test_a_bomb_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("sercore.corpora.archives._ALWAYS_ALLOWED", 2**20)
        archive = tmp_path / "bomb.zip"
        zip_of({f"{i}.wav": bytes(2**20) for i in range(4)}, archive)

        with pytest.raises(CorpusError, match="more than 100 times its own size"):
            unpack(archive, Workspace(tmp_path / "workspace"), "corpora")
        assert left_over(tmp_path / "workspace") == []

    def test_a_bomb_inside_an_archive_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("sercore.corpora.archives._ALWAYS_ALLOWED", 2**20)
        inner = zip_of({f"{i}.wav": bytes(2**20) for i in range(4)})
        archive = tmp_path / "bomb.tar.gz"
        tar_of({"a.zip": inner}, archive, "w:gz")

        with pytest.raises(CorpusError, match="more than 100 times its own size"):
            unpack(archive, Workspace(tmp_path / "workspace"), "corpora")

    def test_archives_nested_without_end_are_refused(self, tmp_path):
        data = zip_of({"1.wav": b"1"})
        for _ in range(6):
            data = zip_of({"a.zip": data})
        (tmp_path / "deep.zip").write_bytes(data)

        with pytest.raises(CorpusError, match="is nested in more than 4 archives"):
            unpack(tmp_path / "deep.zip", Workspace(tmp_path / "workspace"), "corpora")

    @pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
    @pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.97])
    def test_a_truncated_archive_is_refused_whole(self, tmp_path, kind, kept):
        members = {f"{i}.wav": os.urandom(3000) for i in range(20)}
        if kind == "zip":
            data = zip_of(members)
        else:
            data = tar_of(members, mode={"tar": "w", "tar.gz": "w:gz"}.get(kind, "w:xz"))
        archive = tmp_path / f"corpus.{kind}"
        # The padding after a tar file's end marker is no loss.
        whole = len(data) if kind != "tar" else 20 * (512 + 3072)
        archive.write_bytes(data[: int(whole * kept)])

        with pytest.raises(CorpusError, match=r"corpus\."):
            unpack(archive, Workspace(tmp_path / "workspace"), "corpora")
        assert left_over(tmp_path / "workspace") == []

    def test_a_tar_file_cut_between_two_members_is_refused(self, tmp_path):
        data = tar_of({f"{i}.wav": bytes(512) for i in range(4)})
        for cut in (2 * 1024, 2 * 1024 + 100):
            archive = tmp_path / f"{cut}.tar"
            archive.write_bytes(data[:cut])
            with pytest.raises(CorpusError, match="damaged or incomplete"):
                unpack(archive, Workspace(tmp_path / "workspace"), "corpora")

    def test_a_damaged_member_is_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as content:
            content.writestr("1.wav", b"sound" * 100)
        data = bytearray((tmp_path / "a.zip").read_bytes())
        data[100] ^= 0xFF
        (tmp_path / "a.zip").write_bytes(data)

        with pytest.raises(CorpusError, match="damaged or incomplete"):
            unpack(tmp_path / "a.zip", Workspace(tmp_path / "workspace"), "corpora")

    def test_an_encrypted_archive_is_refused(self, tmp_path):
        data = bytearray(zip_of({"1.wav": b"1"}))
        for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            position = data.find(signature) + at
            (flags,) = struct.unpack_from("<H", data, position)
            struct.pack_into("<H", data, position, flags | 1)
        (tmp_path / "a.zip").write_bytes(data)

        with pytest.raises(CorpusError, match="encrypted"):
            unpack(tmp_path / "a.zip", Workspace(tmp_path / "workspace"), "corpora")

    def test_something_else_is_refused(self, tmp_path):
        (tmp_path / "a.zip").write_text("Sign in to download")

        with pytest.raises(CorpusError, match="neither a zip nor a tar"):
            unpack(tmp_path / "a.zip", Workspace(tmp_path / "workspace"), "corpora")
        with pytest.raises(CorpusMissingError, match="does not exist"):
            unpack(tmp_path / "none.zip", Workspace(tmp_path / "workspace"), "corpora")

    def test_two_processes_may_unpack_at_once(self, tmp_path, monkeypatch):
        archive = tmp_path / "a.zip"
        into = Workspace(tmp_path / "workspace"), "corpora"
        zip_of({"1.wav": b"1"}, archive)
        import sercore.corpora.archives as module

        plain = module._unpack_into

        def overtaken(*arguments, **options):
            monkeypatch.setattr(module, "_unpack_into", plain)
            unpack(archive, *into)
            plain(*arguments, **options)

        monkeypatch.setattr(module, "_unpack_into", overtaken)

        assert (unpack(archive, *into) / "1.wav").read_bytes() == b"1"
        folders = [path for path in (tmp_path / "workspace/corpora").iterdir() if path.is_dir()]
        assert len(folders) == 1
