"""Folders, snapshots of the Hub and audformat databases as people and tools write them."""

from __future__ import annotations

import json
import pickle
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declared import declare
from declared import problems
from declared import read
from declared import rows
from declared import write_recordings
from sounds import noise
from sounds import wav_bytes

from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.errors import UnknownLabelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
EMOTIONS = {"label": "emotion"}


def embedded(names, labels, *, more=None, features=None, first=0):
    """Return the bytes of a Parquet file as ``datasets`` writes one, with wav files in it."""
    sounds = [wav_bytes(noise(first + number, 400)) for number in range(len(labels))]
    audio = [{"bytes": sound, "path": name} for sound, name in zip(sounds, names, strict=True)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"audio": pa.array(audio, kind), "emotion": labels, **(more or {})}
    found = pa.table(columns)
    if features is not None:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        found = found.replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(found, sink, row_group_size=2)
    return sink.getvalue().to_pybytes()


def write_files(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        def build(*paths, **settings):
            write_recordings(tmp_path / "clips", *paths)
            return read(declare("folder:clips", tmp_path, **settings), tmp_path / "workspace")

        return build

    def test_one_folder_a_label(self, folder):
        found = folder("angry/1.wav", "HAPPY/1.wav", "readme.txt", "take 2/angry/3.flac")

        assert rows(found, "utterance_id", "native_label", "official_split") == [
            ("HAPPY/1", "happy", None),
            ("angry/1", "angry", None),
            ("take 2/angry/3", "angry", None),
        ]
        assert found.problems == ()

    def test_folders_of_splits_above_those_of_labels(self, folder):
        found = folder("train/angry/1.wav", "test/happy/1.wav")

        assert rows(found, "native_label", "official_split") == [
            ("happy", "test"),
            ("angry", "train"),
        ]

    def test_a_recording_in_no_folder_is_left_out_with_a_sentence(self, folder):
        found = folder("angry/1.wav", "2.wav")

        assert problems(found) == [
            ("missing-annotation", "2.wav: it is in no folder of a label and was skipped")
        ]

    def test_only_recordings_in_no_folder_are_one_sentence(self, folder):
        with pytest.raises(CorpusError, match=r"no usable recording; 1\.wav: it is in no folder"):
            folder("1.wav")

    def test_folders_that_are_no_labels_are_named(self, folder):
        with pytest.raises(UnknownLabelError, match=r"without a class: 'speaker1' \(2\)"):
            folder("angry/speaker1/1.wav", "angry/speaker1/2.wav")

    @pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
    def test_a_table_of_metadata(self, folder, tmp_path, name):
        line = {"file_name": "a/1.wav", "emotion": "angry", "speaker": "S1"}
        text = json.dumps(line) + "\n"
        if name.endswith("csv"):
            text = ",".join(line) + "\n" + ",".join(line.values()) + "\n"
        write_files(tmp_path / "clips", {name: text.encode()})

        found = folder("a/1.wav", columns=EMOTIONS)

        assert rows(found, "path", "native_label", "speaker") == [("a/1.wav", "angry", ["S1"])]

    def test_metadata_of_every_split(self, folder, tmp_path):
        text = b"file_name,label\n1.wav,angry\n"
        write_files(
            tmp_path / "clips", {f"{split}/metadata.csv": text for split in ("train", "test")}
        )

        found = folder("train/1.wav", "test/1.wav")

        assert rows(found, "utterance_id", "official_split") == [
            ("test/1", "test"),
            ("train/1", "train"),
        ]

    def test_metadata_without_labels_leave_them_to_the_folders(self, folder, tmp_path):
        write_files(tmp_path / "clips", {"metadata.csv": b"file_name,speaker\nangry/1.wav,S1\n"})

        assert rows(folder("angry/1.wav"), "native_label", "speaker") == [("angry", ["S1"])]

    def test_a_missing_or_empty_folder_is_one_sentence(self, tmp_path):
        with pytest.raises(CorpusMissingError, match=r"there is no folder .*/clips; correct"):
            read(declare("folder:clips", tmp_path), tmp_path / "workspace")
        (tmp_path / "clips").mkdir()
        with pytest.raises(CorpusError, match=r"clips holds no recording that a table or folder l"):
            read(declare("folder:clips", tmp_path), tmp_path / "workspace")


class TestSnapshots:
    """A snapshot in the cache of the Hub, laid out as huggingface_hub lays it out."""

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        from huggingface_hub import constants

        place = tmp_path / "hub"
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place))
        repository = place / "datasets--org--name"

        def fill(files):
            for number, (name, content) in enumerate(files.items()):
                blob = repository / "blobs" / f"{number:064x}"
                blob.parent.mkdir(parents=True, exist_ok=True)
                blob.write_bytes(content)
                link = repository / "snapshots" / COMMIT / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(blob)
            (repository / "refs").mkdir(exist_ok=True)
            (repository / "refs" / "v1").write_text(COMMIT)

        return fill

    @pytest.mark.parametrize("revision", [COMMIT, "v1"])
    def test_parquet_with_embedded_audio(self, cache, tmp_path, revision):
        cache(
            {
                "README.md": b"# Name",
                "data/train-00000-of-00001.parquet": embedded(
                    ["x.wav", "y.wav"], ["angry", "happy"]
                ),
                "data/test-00000-of-00001.parquet": embedded(["z.wav"], ["angry"], first=9),
            }
        )

        found = read(declare(f"hf:org/name@{revision}", columns=EMOTIONS), tmp_path / "workspace")

        assert rows(found, "utterance_id", "row", "native_label", "official_split") == [
            ("x", 0, "angry", "train"),
            ("y", 1, "happy", "train"),
            ("z", 0, "angry", "test"),
        ]
        assert found.problems == ()

    def test_numbers_of_classes_have_the_names_of_the_schema(self, tmp_path):
        content = embedded(
            ["x.wav", "y.wav"],
            [1, 0],
            features={"emotion": {"names": ["angry", "happy"], "_type": "ClassLabel"}},
        )
        write_files(tmp_path / "snapshot", {"train.parquet": content})

        found = read(declare("hf:snapshot", tmp_path, columns=EMOTIONS), tmp_path / "workspace")

        assert rows(found, "native_label") == [("happy",), ("angry",)]

    def test_rows_without_names_of_their_own_are_named_by_their_place(self, tmp_path):
        content = embedded(["audio.wav", "audio.wav"], ["angry", "happy"])
        write_files(tmp_path / "snapshot", {"data/all.parquet": content})
        corpus = declare("hf:snapshot", tmp_path, columns=EMOTIONS)

        assert rows(read(corpus, tmp_path / "workspace"), "utterance_id") == [
            ("data/all#0",),
            ("data/all#1",),
        ]

    def test_a_row_without_audio_is_a_fault(self, tmp_path):
        audio = [
            {"bytes": None, "path": "x.wav"},
            {"bytes": wav_bytes(noise(0, 400)), "path": "y.wav"},
        ]
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        sink = pa.BufferOutputStream()
        pq.write_table(
            pa.table({"audio": pa.array(audio, kind), "label": ["angry", "happy"]}), sink
        )
        write_files(tmp_path / "snapshot", {"a.parquet": sink.getvalue().to_pybytes()})

        found = read(declare("hf:snapshot", tmp_path), tmp_path / "workspace")

        assert problems(found) == [
            ("missing-file", "a.parquet, row 1: it contains no audio; download it again")
        ]

    def test_a_missing_shard_is_a_fault(self, tmp_path):
        content = embedded(["x.wav"], ["angry"])
        write_files(tmp_path / "snapshot", {"data/train-00001-of-00003.parquet": content})
        corpus = declare("hf:snapshot", tmp_path, columns=EMOTIONS)

        assert problems(read(corpus, tmp_path / "workspace")) == [
            ("missing-file", "data/train: only 1 of its 3 files exist; download the snapshot again")
        ]

    def test_an_audiofolder(self, cache, tmp_path):
        write_recordings(tmp_path / "source", "train/angry/1.wav", "test/happy/2.wav")
        paths = list((tmp_path / "source").rglob("*.wav"))
        cache({str(path.relative_to(tmp_path / "source")): path.read_bytes() for path in paths})

        found = read(declare("hf:org/name@v1"), tmp_path / "workspace")

        assert rows(found, "native_label", "official_split") == [
            ("happy", "test"),
            ("angry", "train"),
        ]

    @pytest.mark.usefixtures("cache")
    def test_a_snapshot_that_is_not_here_is_one_sentence(self, tmp_path):
        with pytest.raises(CorpusMissingError) as error:
            read(declare("hf:org/name@v1"), tmp_path / "workspace")

        assert str(error.value) == (
            "hf:org/name@v1 is not in the cache of the Hugging Face Hub; download it with 'sercore "
            "run --download', or name a snapshot on this disk as mine=hf:DIR"
        )


def write_database(root, *, segments=False, storage="csv"):
    """Write a database through audformat itself: two splits, speakers with a gender, texts."""
    audformat = pytest.importorskip("audformat")
    names = ["wav/a.wav", "wav/b.wav", "wav/c.wav"]
    write_recordings(root, *names)
    database = audformat.Database("small")
    schemes = {
        "emotion": ["angry", "happy"],
        "speaker": {3: {"gender": "male"}, 8: {"gender": "female"}},
        "transcription": {"a01": "Der Lappen", "a02": "Das will sie"},
    }
    for name, labels in schemes.items():
        kind = "int" if name == "speaker" else "str"
        database.schemes[name] = audformat.Scheme(kind, labels=labels)
    facts = {"speaker": [3, 8, 8], "transcription": ["a01", "a02", "a01"]}
    for split, files, emotions in (
        ("train", names[:2], ["angry", "happy"]),
        ("test", names[2:], ["angry"]),
    ):
        database.splits[split] = audformat.Split(split)
        index = audformat.filewise_index(files)
        if segments:
            index = audformat.segmented_index(files, ["0.01s"] * len(files), ["0.03s"] * len(files))
        table = database[f"emotion.{split}"] = audformat.Table(index, split_id=split)
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set(emotions)
    table = database["files"] = audformat.Table(audformat.filewise_index(names))
    for name, values in facts.items():
        table[name] = audformat.Column(scheme_id=name)
        table[name].set(values)
    database.save(str(root), storage_format=storage)
    return database


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # audformat with pandas 3.1
class TestAudformat:
    @pytest.mark.parametrize("storage", ["csv", "parquet"])
    def test_labels_speakers_texts_and_splits(self, tmp_path, storage):
        write_database(tmp_path / "db", storage=storage)

        found = read(declare("audformat:db", tmp_path), tmp_path / "workspace")

        columns = ("native_label", "speaker", "gender", "text_id", "official_split", "start_s")
        assert rows(found, "utterance_id", *columns) == [
            ("wav/a", "angry", ["3"], "male", "Der Lappen", "train", None),
            ("wav/b", "happy", ["8"], "female", "Das will sie", "train", None),
            ("wav/c", "angry", ["8"], "female", "Der Lappen", "test", None),
        ]
        assert found.problems == ()

    def test_segments(self, tmp_path):
        write_database(tmp_path / "db", segments=True)

        found = read(declare("audformat:db", tmp_path), tmp_path / "workspace")

        assert rows(found, "utterance_id", "start_s", "end_s")[0] == ("wav/a@0.01-0.03", 0.01, 0.03)

    def test_the_scheme_and_the_tables_are_settings(self, tmp_path):
        write_database(tmp_path / "db")
        corpus = declare("audformat:db", tmp_path, columns=EMOTIONS, files=("db.emotion.test.*",))

        assert rows(read(corpus, tmp_path / "workspace"), "path") == [("wav/c.wav",)]

    def test_an_unknown_scheme_is_one_sentence(self, tmp_path):
        write_database(tmp_path / "db")
        corpus = declare("audformat:db", tmp_path, columns={"label": "mood"})

        with pytest.raises(CorpusError) as error:
            read(corpus, tmp_path / "workspace")

        assert "has no label in a scheme 'mood'; its schemes are emotion, speaker, tr" in str(
            error.value
        )

    def test_several_labels_of_one_recording_are_one_sentence(self, tmp_path):
        audformat = pytest.importorskip("audformat")
        database = write_database(tmp_path / "db")
        table = database["raters"] = audformat.Table(audformat.filewise_index(["wav/a.wav"]))
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set(["happy"])
        database.save(str(tmp_path / "db"), storage_format="csv")

        with pytest.raises(
            CorpusError, match=r"several values of 'emotion'; choose one of db\.emo"
        ):
            read(declare("audformat:db", tmp_path), tmp_path / "workspace")

    def test_a_pickle_is_refused_and_not_loaded(self, tmp_path):
        write_database(tmp_path / "db")
        (tmp_path / "db/db.files.pkl").write_bytes(pickle.dumps(_Bomb(str(tmp_path / "bang"))))

        with pytest.raises(
            CorpusError, match=r"has the pickle db\.files\.pkl, which could run code"
        ):
            read(declare("audformat:db", tmp_path), tmp_path / "workspace")
        assert not (tmp_path / "bang").exists()

    def test_a_header_that_runs_code_is_refused(self, tmp_path):
        write_database(tmp_path / "db")
        header = tmp_path / "db/db.yaml"
        bang = tmp_path / "bang"
        header.write_text(header.read_text() + f"meta: !!python/object/apply:os.mkdir ['{bang}']\n")

        with pytest.raises(CorpusError, match="cannot be read as a database in audformat"):
            read(declare("audformat:db", tmp_path), tmp_path / "workspace")
        assert not bang.exists()

    def test_a_folder_that_is_no_database_is_one_sentence(self, tmp_path):
        pytest.importorskip("audformat")
        write_recordings(tmp_path / "db", "a.wav")

        with pytest.raises(CorpusError, match=r"name the folder that contains its db\.yaml"):
            read(declare("audformat:db", tmp_path), tmp_path / "workspace")

    def test_the_library_is_asked_for_where_it_is_missing(self, tmp_path, monkeypatch):
        write_recordings(tmp_path / "db", "a.wav")
        monkeypatch.setitem(sys.modules, "audformat", None)

        with pytest.raises(CorpusError, match=r"pip install 'sercore\[audformat\]'"):
            read(declare("audformat:db", tmp_path), tmp_path / "workspace")


class _Bomb:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        import os

        return os.mkdir, (self.place,)
