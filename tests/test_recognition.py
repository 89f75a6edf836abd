"""Corpora that are recognized by the names of their files, below folders of any name."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sercore.corpora.recognition import recognize
from sercore.diagnostics.recognized import recognize_all
from sercore.diagnostics.recognized import write_settings
from sercore.errors import SettingsError
from sercore.plugins.registry import Registry
from sercore.settings import Settings
from sercore.settings import read_settings

EMOVO = [
    f"{speaker}/{label}-{speaker}-{text}.wav"
    for speaker in ("f1", "f2", "f3", "m1", "m2", "m3")
    for label in ("neu", "dis", "gio", "pau", "rab", "sor", "tri")
    for text in ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2")
]
CAFE = [
    f"{label}-{level}/{speaker:02}-{label}-{level}-{text}.wav"
    for speaker in range(1, 13)
    for label, level in [*itertools.product("CDJPST", "12"), ("N", "1")]
    for text in range(1, 7)
]
MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


@pytest.fixture(scope="module")
def corpora():
    return [corpus for corpus in Registry().corpora if not corpus.card.demo]


def write(root, paths, content=b"sound"):
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def found(data, corpora):
    """Corpus, place below the data folder and number of names of every candidate."""
    return {
        (one.corpus, one.place.relative_to(data).as_posix(), one.names)
        for one in recognize(data, corpora)
    }


def sentences(data, corpora, known=()):
    return [str(one) for one in recognize_all([data], corpora, known, "corrected")]


@pytest.mark.parametrize("place", ["x", "speech/x", "speech/italian/x"])
def test_a_complete_corpus_is_recognized_three_levels_deep(place, corpora, tmp_path):
    write(tmp_path / place, EMOVO)

    assert found(tmp_path, corpora) == {("emovo", place, 588)}
    assert sentences(tmp_path, corpora) == [f"{tmp_path / place} looks like EMOVO (588 of 588)"]


def test_two_corpora_and_much_else_in_one_folder(corpora, tmp_path):
    write(tmp_path / "a", EMOVO)
    write(tmp_path / "b", CAFE)
    write(tmp_path / "music", [f"album {n}/track {n}.mp3" for n in range(300)])

    assert found(tmp_path, corpora) == {("emovo", "a", 588), ("cafe", "b", 936)}


def test_two_copies_of_one_corpus_are_two_places(corpora, tmp_path):
    write(tmp_path / "wav", EMOVO)
    write(tmp_path / "flac", [path.replace(".wav", ".flac") for path in EMOVO])

    assert found(tmp_path, corpora) == {("emovo", "wav", 588), ("emovo", "flac", 588)}


def test_a_corpus_in_parts_is_recognized_in_the_folder_of_the_parts(corpora, tmp_path):
    write(tmp_path / "fine/part 1", [path for path in CAFE if "/0" in path])
    write(tmp_path / "fine/part 2", [path for path in CAFE if "/1" in path])

    assert found(tmp_path, corpora) == {("cafe", "fine", 936)}


def test_a_small_part_of_a_corpus_is_not_left_behind(corpora, tmp_path):
    acted = [f"DEMOS/NP_f_{s:02}_col{n:02}a.wav" for s in range(60) for n in range(40)]
    neutral = [f"NEU/f_{s:02}_neu01a.wav" for s in range(60)]
    write(tmp_path / "x/wav", [*acted, *neutral])

    assert found(tmp_path, corpora) == {("demos", "x/wav", 2460)}


def test_numbers_of_another_corpus_do_not_move_the_place(corpora, tmp_path):
    write(tmp_path / "estonian", [f"{n}.wav" for n in range(1000, 2164)])
    write(tmp_path / "other", [f"{label}/{n}.wav" for label in "ab" for n in range(100, 150)])

    assert ("ekk", "estonian", 1164) in found(tmp_path, corpora)


def test_parts_of_one_corpus_hide_no_smaller_corpus_beside_them(corpora, tmp_path):
    write(tmp_path / "fine_1", [path for path in CAFE if "/0" in path])
    write(tmp_path / "fine_2", [path for path in CAFE if "/1" in path])
    write(tmp_path / "x", EMOVO)

    assert found(tmp_path, corpora) == {("cafe", ".", 936), ("emovo", "x", 588)}


def test_archives_of_parts_are_one_corpus(corpora, tmp_path):
    for actor in range(9, 25):
        place = tmp_path / f"x/M{actor:03}/audio.tar"
        place.parent.mkdir(parents=True)
        with tarfile.open(place, "w") as archive:
            for number in range(1, 301):
                name = f"audio/angry/level_1/{number:03}.m4a"
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())

    assert found(tmp_path, corpora) == {("mead", "x", 4800)}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_are_recognized_by_their_index(kind, corpora, tmp_path):
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
            for path in EMOVO:
                archive.writestr(f"corpus/{path}", b"")
    else:
        with tarfile.open(
            tmp_path / f"download.{kind}", "w:gz" if "gz" in kind else "w"
        ) as archive:
            for path in EMOVO:
                archive.addfile(tarfile.TarInfo(f"corpus/{path}"), io.BytesIO())

    assert found(tmp_path, corpora) == {("emovo", f"download.{kind}", 588)}
    assert sentences(tmp_path, corpora) == [
        f"{tmp_path / f'download.{kind}'} looks like EMOVO (588 of 588)"
    ]


def test_a_damaged_archive_stops_nothing(corpora, tmp_path):
    write(tmp_path, ["broken.zip", "broken.tar.gz"], content=b"PK\3\4 or not")
    write(tmp_path / "x", EMOVO)

    assert found(tmp_path, corpora) == {("emovo", "x", 588)}


def test_linked_folders_are_recognized_and_cycles_end(corpora, tmp_path):
    write(tmp_path / "disk/x", EMOVO)
    data = tmp_path / "data"
    data.mkdir()
    (data / "y").symlink_to(tmp_path / "disk/x")
    (data / "again").symlink_to(data)

    assert found(data, corpora) == {("emovo", "y", 588)}


def test_a_part_of_a_corpus_is_counted(corpora, tmp_path):
    write(tmp_path / "x", [path for path in EMOVO if path.startswith(("f", "m1"))])

    assert sentences(tmp_path, corpora) == [f"{tmp_path / 'x'} looks like EMOVO (392 of 588)"]


def test_a_near_miss_says_what_is_missing(corpora, tmp_path):
    clips = [f"x/train_splits/dia{d}_utt{u}.mp4" for d in range(200) for u in range(10)]
    write(tmp_path, clips)

    (sentence,) = sentences(tmp_path, corpora)

    assert sentence.startswith(f"2000 names in {tmp_path / 'x'}")
    assert "fit MELD" in sentence
    assert "has no train_sent_emo.csv" in sentence


def test_the_folder_with_the_tables_is_the_place(corpora, tmp_path):
    write(tmp_path / "x", [f"train_splits/dia0_utt{u}.mp4" for u in range(2000)])
    rows = "".join(f"{u},Hi,Joey,joy,,0,{u}\n" for u in range(2000))
    write(tmp_path / "x", ["train_sent_emo.csv"], content=(MELD_HEADER + rows).encode())

    assert found(tmp_path, corpora) == {("meld", "x", 2000)}


def test_an_unknown_label_is_a_near_miss_with_both_ways_out(corpora, tmp_path):
    write(tmp_path / "x", [*EMOVO, "f1/xyz-f1-b1.wav"])

    (sentence,) = sentences(tmp_path, corpora)

    assert "fit EMOVO, but" in sentence
    assert 'ignore_labels = ["xyz"]' in sentence


def test_what_was_found_by_name_is_not_told_again(corpora, tmp_path):
    write(tmp_path / "EMOVO", EMOVO)

    assert sentences(tmp_path, corpora, known=[str(tmp_path / "EMOVO")]) == []


def test_a_known_folder_is_not_listed_again(corpora, tmp_path, monkeypatch):
    write(tmp_path / "EMOVO", EMOVO)
    write(tmp_path / "x", CAFE)
    (tmp_path / "link").symlink_to(tmp_path / "EMOVO")
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda place: listed.append(place) or scandir(place))

    recognized = recognize(tmp_path, corpora, [tmp_path / "EMOVO"])

    assert {one.corpus for one in recognized} == {"cafe"}
    assert not [place for place in listed if "EMOVO" in str(place) or "link" in str(place)]


def test_twenty_thousand_unrelated_recordings_take_under_a_second(corpora, tmp_path):
    write(tmp_path, [f"{n // 500}/{n} some song.mp3" for n in range(20_000)])

    start = time.process_time()
    assert found(tmp_path, corpora) == set()
    assert time.process_time() - start < 1


class TestSettings:
    def test_places_are_added_and_the_rest_stays(self, corpora, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "data/x", [*EMOVO, "notes [old].odt"])
        place = tmp_path / "sercore.toml"
        before = '# mine\ndata = ["data"]\n\n[datasets.urdu]\npath = "elsewhere"\n'
        place.write_text(before)
        (one,) = recognize_all([tmp_path / "data"], corpora, [], "corrected")

        target, added = write_settings(
            read_settings(place),
            [(one.corpus, one.place, one.strays), ("urdu", str(tmp_path), ())],
        )

        settings = read_settings(place)
        assert (target, added) == (place, ("emovo",))
        assert place.read_text().startswith(before)
        assert settings.datasets["emovo"].path == tmp_path / "data/x"
        assert settings.datasets["urdu"].path == tmp_path / "elsewhere"
        assert (
            (tmp_path / "data/x/notes [old].odt")
            .relative_to(tmp_path / "data/x")
            .match(settings.datasets["emovo"].ignore[0])
        )

    def test_a_new_file_is_written_where_there_is_none(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        target, _ = write_settings(Settings(), [("emovo", str(tmp_path / 'a "b"'), ())])

        assert read_settings(target).datasets["emovo"].path == tmp_path / 'a "b"'

    def test_patterns_for_many_strays_match_no_utterance(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        strays = [f"{n}.peak" for n in range(50)] + ["odd.wav"]

        write_settings(Settings(), [("emovo", str(tmp_path), strays)])

        ignore = read_settings(tmp_path / "sercore.toml").datasets["emovo"].ignore
        assert ignore == ("*.peak",)

    def test_a_file_that_is_not_toml_stays_as_it_is(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        place = tmp_path / "sercore.toml"
        place.write_text("not toml")

        with pytest.raises(SettingsError):
            write_settings(Settings(source=place), [("emovo", str(tmp_path), ())])

        assert place.read_text() == "not toml"
        assert [path.name for path in tmp_path.iterdir()] == ["sercore.toml"]


# -- Parquet ---------------------------------------------------------------------------------------


def write_parquet(root, rows, columns=("path", "emotion", "speech")):
    """Write shards as the Hub has them; the audio is beside the name of its file, or not."""
    root.mkdir(parents=True, exist_ok=True)
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for part in ("train", "test"):
        chosen = [row for row in rows if row["path"].startswith(f"{part}/")]
        names = [row["path"].rpartition("/")[2] for row in chosen]
        values = {
            "path": pa.array(names),
            "emotion": pa.array([row["native_label"] for row in chosen]),
            "speech": pa.array([{"bytes": b"x", "path": name} for name in names], audio),
        }
        table = pa.table({name: values[name] for name in columns})
        pq.write_table(table, root / f"{part}-00000-of-00001.parquet")


def resd_rows():
    return [
        {
            "path": f"{part}/x/{dialogue:02}_sadness_happiness_s_{number:03}.wav",
            "native_label": "anger",
        }
        for part, dialogues in (("train", range(1, 12)), ("test", range(12, 15)))
        for dialogue in dialogues
        for number in range(100)
    ]


@pytest.mark.parametrize("place", ["x/data", "hub/downloads/x"])
def test_parquet_files_are_recognized_by_the_names_in_them(place, corpora, tmp_path):
    write_parquet(tmp_path / place, resd_rows())

    assert found(tmp_path, corpora) == {("resd", place, 1400)}
    assert "looks like RESD" in sentences(tmp_path, corpora)[0]


def test_names_beside_the_audio_are_enough(corpora, tmp_path):
    write_parquet(tmp_path / "x", resd_rows(), ("emotion", "speech"))

    assert {one[0] for one in found(tmp_path, corpora)} == {"resd"}
    assert "no column path" in sentences(tmp_path, corpora)[0]  # the reader says what it needs


def test_a_parquet_copy_of_a_corpus_that_reads_no_parquet_is_not_found(corpora, tmp_path):
    table = pa.table({"file": EMOVO, "emotion": ["x"] * len(EMOVO)})
    pq.write_table(table, tmp_path / "train.parquet")

    assert found(tmp_path, corpora) == set()


@pytest.mark.parametrize("content", [b"", b"PAR1 not really", b"version https://git-lfs"])
def test_files_that_only_look_like_parquet_are_passed_over(content, corpora, tmp_path):
    (tmp_path / "train.parquet").write_bytes(content)
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "other.parquet")
    pq.write_table(pa.table({"name": pa.array([], pa.string())}), tmp_path / "empty.parquet")

    assert found(tmp_path, corpora) == set()
