"""Tables of a user's own: what is read of them, and one sentence for every trap."""

from __future__ import annotations

import json
import os
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declared import declare
from declared import problems
from declared import read
from declared import rows
from declared import write_recordings

from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Counts
from sercore.corpora.labels import Emotion
from sercore.corpora.manifest import build_manifest
from sercore.corpora.table_corpus import TableCorpus
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.errors import SettingsError
from sercore.errors import UnknownLabelError

FULL = [
    ("path", "label", "speaker", "gender", "text", "split", "start", "end"),
    ("a/1.wav", "angry", "S1", "f", "Guten  Tag", "train", "", ""),
    ("a/2.wav", "Happy", "S2|S3", "male", "", "TEST", "0.01", "0.04"),
]


def separated(delimiter=",", lines=FULL):
    return "".join(delimiter.join(line) + "\n" for line in lines)


def objects(lines=FULL):
    header, *others = lines
    return "".join(json.dumps(dict(zip(header, line, strict=True))) + "\n" for line in others)


def parquet(lines=FULL):
    header, *others = lines
    sink = pa.BufferOutputStream()
    columns = [list(column) for column in zip(*others, strict=True)]
    pq.write_table(pa.table(columns, names=list(header)), sink)
    return sink.getvalue().to_pybytes()


TABLES = {
    "labels.csv": separated().encode(),
    "semicolon.csv": separated(";").encode(),
    "excel.csv": "\ufeff".encode() + separated(";").replace("\n", "\r\n").encode(),
    "utf16.csv": separated().encode("utf-16"),
    "labels.tsv": separated("\t").encode(),
    "LABELS.CSV": separated().encode(),
    "labels.jsonl": objects().encode(),
    "labels.parquet": parquet(),
}


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table beside recordings and reads the corpus."""
    write_recordings(tmp_path, "a/1.wav", "a/2.wav", "a/3.wav")

    def build(content, name="labels.csv", **settings):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return read(declare(f"table:{name}", tmp_path, **settings), tmp_path / "workspace")

    return build


class TestKinds:
    @pytest.mark.parametrize("name", TABLES)
    def test_every_kind_of_table_says_the_same(self, table, name):
        found = table(TABLES[name], name)

        columns = ("path", "native_label", "speaker", "gender", "text_id", "official_split")
        assert rows(found, "utterance_id", *columns, "start_s", "end_s") == [
            ("a/1", "a/1.wav", "angry", ["S1"], "female", "Guten Tag", "train", None, None),
            *[
                (
                    "a/2@0.01-0.04",
                    "a/2.wav",
                    "happy",
                    ["S2", "S3"],
                    "male",
                    None,
                    "test",
                    0.01,
                    0.04,
                )
            ],
        ]
        assert [kind for kind, _ in problems(found)] == ["skipped"]  # a/3.wav has no row

    def test_columns_have_any_name_that_the_settings_state(self, table):
        text = "Datei;Gefühl;Sprecherin\na/1.wav;angry;Ida\n"
        columns = {"path": "datei", "label": "Gefühl", "speaker": "Sprecherin"}

        assert rows(table(text, columns=columns), "native_label", "speaker") == [("angry", ["Ida"])]

    def test_a_missing_column_is_one_sentence_with_the_line_to_paste(self, table):
        with pytest.raises(CorpusError) as error:
            table("filename,emotion,spk\na/1.wav,angry,S1\n")

        assert str(error.value) == (
            "labels.csv has no column path, label; its columns are filename, emotion, spk; write "
            'columns = { path = "filename", label = "emotion", speaker = "spk" } under '
            "[datasets.mine] in sercore.toml"
        )

    def test_a_column_that_cannot_be_guessed_is_asked_for(self, table):
        with pytest.raises(CorpusError, match=r'label = "\?" } with the name of a column for'):
            table("path,x\na/1.wav,angry\n")

    def test_a_useful_column_under_another_name_is_a_note(self, table):
        found = table("path,label,speaker_id\na/1.wav,angry,S1\n")

        (note,) = [text for _, text in problems(found) if "speaker_id" in text]
        assert 'columns = { speaker = "speaker_id" } under [datasets.mine]' in note
        assert rows(found, "speaker") == [(None,)]

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("labels.xlsx", b"PK", "labels.xlsx is not a table that sercore reads; save it with"),
            ("labels.csv", b"", "labels.csv has no column path, label; its columns are none"),
            (
                "labels.csv",
                b"path,label\n",
                "holds no recording that a table or folder labels; add a row",
            ),
            ("labels.jsonl", b'["a"]\n', "line 1 of labels.jsonl is not a JSON object"),
            ("labels.jsonl", b'{"path": \n', "line 1 of labels.jsonl is not a JSON object"),
            ("labels.parquet", b"PAR1", "labels.parquet cannot be read: "),
        ],
    )
    def test_a_table_that_cannot_be_read_is_one_sentence(self, table, name, content, sentence):
        with pytest.raises(CorpusError) as error:
            table(content, name)

        assert sentence in str(error.value)
        assert "\n" not in str(error.value)

    def test_numbers_of_a_parquet_table_become_names(self, table):
        columns = {"path": ["a/1.wav", "a/2.wav"], "label": ["angry", "happy"]}
        speakers = pa.array([3, None], pa.int64())
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({**columns, "speaker": speakers, "start": [0.0, 0.01]}), sink)

        found = table(sink.getvalue().to_pybytes(), "labels.parquet")

        assert rows(found, "speaker", "start_s") == [(["3"], 0.0), (None, 0.01)]


class TestLabels:
    def test_an_unknown_label_is_one_sentence_with_the_map_to_paste(self, table):
        with pytest.raises(UnknownLabelError) as error:
            table("path,label\na/1.wav,ANGRY\na/2.wav,wut\na/3.wav,Sad\n")

        assert str(error.value) == (
            "mine has labels without a class: 'wut' (1), 'Sad' (1); write labels = { angry = "
            '"anger", happy = "happiness", wut = "?", Sad = "sadness" } with one of happiness, '
            "sadness, disgust, fear, surprise, anger, other, neutral for every ? under "
            "[datasets.mine] in sercore.toml; ignore_labels leaves labels out"
        )

    def test_names_of_classes_need_no_map_and_spellings_do(self, table):
        text = "path,label\na/1.wav,anger\na/2.wav,Neutral\n"

        assert rows(table(text, labels={}), "native_label") == [("anger",), ("neutral",)]
        with pytest.raises(UnknownLabelError, match="'angry'"):
            table("path,label\na/1.wav,angry\n", labels={})

    def test_a_map_says_what_the_name_of_a_class_means(self):
        corpus = declare("folder:.", labels={"Anger": "other"})

        assert corpus.labels["Anger"] is Emotion.OTHER
        assert "anger" not in corpus.labels

    def test_letter_case_of_labels_does_not_matter(self, table):
        found = table(
            "path,label\na/1.wav,Angry\na/2.wav,ANGRY\na/3.wav,Boredom\n",
            ignore_labels=("boredom",),
        )

        assert rows(found, "native_label") == [("angry",), ("angry",)]

    @pytest.mark.parametrize("missing", ["", "nan", "NaN", "<NA>", "null", "None"])
    def test_a_row_without_a_label_is_left_out_with_a_sentence(self, table, missing):
        found = table(f"path,label\na/1.wav,angry\na/2.wav,{missing}\n")

        assert rows(found, "path") == [("a/1.wav",)]
        assert ("missing-annotation", "labels.csv, line 3: it has no label and was skipped") in (
            problems(found)
        )

    def test_a_parquet_null_is_no_label(self, table):
        sink = pa.BufferOutputStream()
        columns = {"path": ["a/1.wav", "a/2.wav"], "label": ["angry", None]}
        pq.write_table(pa.table(columns), sink)

        found = table(sink.getvalue().to_pybytes(), "labels.parquet")

        assert rows(found, "path") == [("a/1.wav",)]

    def test_many_unknown_labels_mean_another_column(self, table):
        with pytest.raises(UnknownLabelError, match=r"has 41 labels without a class.*columns = "):
            table(_spans(41))

    def test_a_class_that_does_not_exist_is_one_sentence(self):
        with pytest.raises(SettingsError, match=r"'wut' of mine has the class '\?', which does"):
            declare("folder:.", labels={"wut": "?"})


def _spans(n):
    return "path,label,start\n" + "".join(f"a/1.wav,sentence {i},0.{i:03}\n" for i in range(n))


class TestSpeakers:
    def test_a_string_is_one_speaker(self, table):
        assert rows(table("path,label,speaker\na/1.wav,angry,SM1\n"), "speaker") == [(["SM1"],)]

    @pytest.mark.parametrize(
        ("separator", "speakers"), [("|", ["A, B"]), (",", ["A", "B"]), ("", ["A, B"])]
    )
    def test_the_separator_of_speakers_is_a_setting(self, table, separator, speakers):
        text = 'path,label,speaker\na/1.wav,angry,"A, B"\n'

        assert rows(table(text, speaker_separator=separator), "speaker") == [(speakers,)]

    def test_json_and_parquet_have_lists(self, table):
        line = json.dumps({"path": "a/1.wav", "label": "angry", "speaker": ["A", "B"]})

        assert rows(table(line, "labels.jsonl"), "speaker") == [(["A", "B"],)]

    @pytest.mark.parametrize(("text", "gender"), [("F", "female"), ("mixed", None), ("M", "male")])
    def test_an_unknown_gender_stays_unknown(self, table, text, gender):
        assert rows(table(f"path,label,gender\na/1.wav,angry,{text}\n"), "gender") == [(gender,)]


class TestPaths:
    def test_a_missing_file_is_a_fault(self, table):
        found = table("path,label\na/1.wav,angry\na/9.wav,angry\n")

        assert (
            "missing-file",
            "labels.csv, line 3 (a/9.wav): the file does not exist; copy it, or drop the row",
        ) in problems(found)

    def test_only_missing_files_are_one_sentence(self, table, tmp_path):
        with pytest.raises(CorpusError) as error:
            table("path,label\nb/8.wav,angry\nb/9.wav,angry\n")

        assert str(error.value) == (
            f"none of the 2 files that the table names exists below {tmp_path}, such as b/8.wav; "
            'paths are relative to the folder of the table, or to path = "DIR" under '
            "[datasets.mine] in sercore.toml"
        )

    def test_a_missing_table_is_one_sentence(self, tmp_path):
        with pytest.raises(CorpusMissingError, match=r"there is no table .*labels\.csv; correct"):
            read(declare("table:labels.csv", tmp_path), tmp_path / "workspace")

    def test_absolute_paths_below_the_root_are_those_of_the_corpus(self, table, tmp_path):
        found = table(f"path,label\n{tmp_path}/a/1.wav,angry\n")

        assert rows(found, "utterance_id", "path") == [("a/1", "a/1.wav")]

    def test_absolute_paths_elsewhere_name_the_line_to_paste(self, tmp_path):
        write_recordings(tmp_path / "speech", "x/1.wav", "y/2.wav")
        (tmp_path / "lists").mkdir()
        text = f"path,label\n{tmp_path}/speech/x/1.wav,angry\n{tmp_path}/speech/y/2.wav,happy\n"
        (tmp_path / "lists/labels.csv").write_text(text)

        with pytest.raises(CorpusError) as error:
            read(declare("table:lists/labels.csv", tmp_path), tmp_path / "w")
        named = declare("table:lists/labels.csv", tmp_path, path=tmp_path / "speech")

        assert f"the path does not lead below {tmp_path}/lists" in str(error.value)
        assert f'write path = "{tmp_path}/speech" under [datasets.mine]' in str(error.value)
        assert rows(read(named, tmp_path / "w"), "utterance_id") == [("x/1",), ("y/2",)]

    @pytest.mark.parametrize("path", ["../outside.wav", "/etc/passwd", "C:\\speech\\1.wav"])
    def test_one_path_out_of_the_corpus_is_a_fault_and_is_never_read(self, table, tmp_path, path):
        write_recordings(tmp_path.parent, "outside.wav")

        found = table(f"path,label\na/1.wav,angry\n{path},angry\n")

        assert rows(found, "path") == [("a/1.wav",)]
        (fault,) = [one for one in found.problems if one.is_fault]
        assert fault.where == f"labels.csv, line 3 ({path})"

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_blanks_umlauts_and_their_unicode_forms_do_not_matter(self, tmp_path, form):
        name = "große Gefühle/Ärger 1.wav"
        write_recordings(tmp_path, unicodedata.normalize(form, name))
        other = {"NFC": "NFD", "NFD": "NFC"}[form]
        text = f"path,label\n{unicodedata.normalize(other, name)},angry\n"
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8")

        found = read(declare("table:labels.csv", tmp_path), tmp_path / "w")

        assert rows(found, "utterance_id") == [("große Gefühle/Ärger 1",)]
        assert found.problems == ()

    @pytest.mark.parametrize("path", ["a\\1.wav", "./a/1.wav", "A/1.WAV", "a/1.flac"])
    def test_slashes_case_and_container_do_not_matter(self, table, path):
        assert rows(table(f"path,label\n{path},angry\n"), "path") == [("a/1.wav",)]

    def test_an_empty_file_is_a_fault(self, table, tmp_path):
        (tmp_path / "a/0.wav").write_bytes(b"")

        found = table("path,label\na/1.wav,angry\na/0.wav,angry\n")

        assert [kind for kind, _ in problems(found) if kind != "skipped"] == ["empty-file"]

    def test_a_broken_link_is_called_one(self, table, tmp_path):
        (tmp_path / "a/4.wav").symlink_to("nowhere.wav")

        found = table("path,label\na/1.wav,angry\na/4.wav,angry\n")

        assert any(
            text.startswith("a/4.wav: the file is a broken link") for _, text in problems(found)
        )

    def test_only_the_folders_that_a_table_names_are_listed(self, table, tmp_path):
        """A table in a home folder must not read the home folder, nor complain about it."""
        write_recordings(tmp_path, "a/deep/5.wav", "other/6.wav")
        os.mkfifo(tmp_path / "other/pipe")

        found = table("path,label\na/1.wav,angry\na/2.wav,angry\na/3.wav,angry\n")

        assert found.problems == ()


class TestSpans:
    @pytest.mark.parametrize(
        ("start", "end", "sentence"),
        [
            ("5", "2", "its end 2 s is not after its start 5 s and was skipped"),
            ("", "0", "its end 0 s is not after its start 0 s and was skipped"),
            ("-1", "", "its start '-1' is not a number of seconds and was skipped"),
            ("0:05", "", "its start '0:05' is not a number of seconds and was skipped"),
        ],
    )
    def test_a_span_that_is_none_is_a_fault(self, table, start, end, sentence):
        found = table(f"path,label,start,end\na/1.wav,angry,,\na/2.wav,angry,{start},{end}\n")

        assert rows(found, "path") == [("a/1.wav",)]
        assert ("unreadable", f"labels.csv, line 3: {sentence}; correct the table") in problems(
            found
        )

    def test_parts_of_one_recording_are_utterances_of_their_own(self, table):
        found = table("path,label,start,end\na/1.wav,angry,0,0.02\na/1.wav,happy,0.02,\n")

        assert rows(found, "utterance_id", "start_s", "end_s") == [
            ("a/1@0-0.02", 0.0, 0.02),
            ("a/1@0.02-", 0.02, None),
        ]


class TestRepeatedRows:
    def test_an_equal_row_is_a_note(self, table):
        found = table("path,label\na/1.wav,angry\na/1.wav,angry\n")

        assert len(found) == 1
        assert (
            "duplicate-file",
            "labels.csv, line 3: it repeats labels.csv, line 2 and was skipped",
        ) in problems(found)

    def test_two_labels_of_one_recording_leave_it_out(self, table):
        found = table("path,label\na/2.wav,angry\na/1.wav,angry\na/1.wav,happy\n")

        assert rows(found, "path") == [("a/2.wav",)]
        assert (
            "conflict",
            (
                "labels.csv, line 4: it labels a/1 'happy' and labels.csv, line 3 labels it "
                "'angry'; both were skipped; keep one of the two rows"
            ),
        ) in problems(found)

    def test_another_difference_keeps_the_first_row(self, table):
        found = table("path,label,speaker\na/1.wav,angry,A\na/1.wav,angry,B\n")

        assert rows(found, "speaker") == [(["A"],)]
        assert "conflict" in dict(problems(found))

    def test_an_id_of_two_recordings_is_a_warning(self, table):
        found = table("path,label,id\na/1.wav,angry,X\na/2.wav,angry,X\n")

        assert rows(found, "utterance_id", "path") == [("X", "a/1.wav")]
        assert "its id 'X' is that of labels.csv, line 2" in dict(problems(found))["conflict"]


class TestIdentity:
    def test_a_moved_corpus_is_the_same_corpus(self, tmp_path):
        for place in ("here", "there/deep"):
            write_recordings(tmp_path / place, "a/1.wav", "a/2.wav")
            (tmp_path / place / "labels.csv").write_text(
                "path,label\na/1.wav,angry\na/2.wav,happy\n"
            )

        found = [
            read(declare("table:labels.csv", tmp_path / place), tmp_path / "w")
            for place in ("here", "there/deep")
        ]

        assert found[0].digest == found[1].digest


CARD = CorpusCard(
    id="told",
    title="Told",
    language="German",
    language_code="deu",
    licence=None,
    access="request",
    homepage=None,
    citation=None,
    folders=("told",),
    obtain="Ask.",
    expected={"corrected": Counts(utterances=2)},
    speakers=None,
)


class TestPlugins:
    """The same reader serves plugins."""

    corpus = TableCorpus(
        card=CARD,
        labels={"W": Emotion.ANGER, "F": Emotion.HAPPINESS},
        tables=("lists/*.csv",),
        columns={"label": "emotion"},
        aliases={"Wut": "W"},
    )

    def test_tables_below_any_folder_are_read(self, tmp_path):
        write_recordings(tmp_path, "v1/lists/a/1.wav", "v1/lists/a/2.wav")
        text = "path,emotion,speaker\na/1.wav,wut,A|B\na/2.wav,F,A\n"
        (tmp_path / "v1/lists/labels.csv").write_text(text)

        found = build_manifest(self.corpus, CorpusFiles(tmp_path), "corrected")

        assert rows(found, "path", "native_label", "speaker") == [
            ("v1/lists/a/1.wav", "W", ["A", "B"]),
            ("v1/lists/a/2.wav", "F", ["A"]),
        ]
        assert found.problems == ()

    def test_a_missing_table_or_column_is_one_sentence(self, tmp_path):
        write_recordings(tmp_path, "1.wav")
        with pytest.raises(CorpusError, match=r"has no lists/\*\.csv, which Told needs"):
            build_manifest(self.corpus, CorpusFiles(tmp_path), "corrected")
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists/labels.csv").write_text("path,label\n")
        with pytest.raises(CorpusError, match="use the table that the authors distribute"):
            build_manifest(self.corpus, CorpusFiles(tmp_path), "corrected")
