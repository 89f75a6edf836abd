"""Every corpus plugin, on skeletons with the real file names and annotation files.

The names come from `tests/samples` (a few telling ones a corpus, with all that a manifest must say
about them) and, where the reference lies beside the repository, from the complete listings.
Annotation files are written here in the formats of the corpora's authors. Manifests never open
audio, so most skeletons hold none; at the end all of them are written with tiny real recordings,
each with a sound of its own, and every utterance is decoded.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
import sys
import time
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path
from pathlib import PurePosixPath

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sounds import noise
from sounds import wav_bytes
from sounds import write_sound

from sercore import Emotion
from sercore.audio.audit import audit_audio
from sercore.corpora.files import CorpusFiles
from sercore.corpora.interface import READINGS
from sercore.corpora.interface import label_of
from sercore.corpora.labels import MAPPERS
from sercore.corpora.manifest import build_manifest
from sercore.corpora.manifest_cache import load_manifest
from sercore.errors import CorpusError
from sercore.errors import UnknownLabelError
from sercore.storage.workspace import Workspace

REPOSITORY = Path(__file__).parent.parent
SAMPLES = REPOSITORY / "tests" / "samples"
REFERENCE = REPOSITORY.parent / "shared" / "reference"
IDS = sorted(path.stem for path in SAMPLES.glob("*.tsv"))
EXTENDED = ["crema-d", "esd", "iemocap", "msp-podcast", "ravdess", "savee", "tess"]
PAPER = [name for name in IDS if name not in EXTENDED]
LISTED = [name for name in PAPER if name != "masc"]  # of which no listing is public
MAPPER = {mapper.id: mapper for mapper in MAPPERS}

needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the complete listings are not beside the repository"
)

# What `paper` holds more or less than the paper when built from the complete listings.
BEYOND_PAPER = {
    "mead": {"happiness": 2, "fear": 3},
    "baum1": {"sadness": 1},
    "meld": {"neutral": -1},
}


@cache
def corpus(name):
    """Return the corpus of a plugin folder, installed or not."""
    module = f"sercore_dataset_{name.replace('-', '_')}"
    if module not in sys.modules:
        path = REPOSITORY / "plugins" / "datasets" / name / f"{module}.py"
        spec = importlib.util.spec_from_file_location(module, path)
        sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    (found,) = sys.modules[module].sercore_corpora()
    return found


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def listing(name):
    return rows_of(REFERENCE / "listings" / f"{name}.tsv")


def counts(name, reading):
    readings = json.loads((REFERENCE / "readings.json").read_text())
    return readings[name][reading]["classes"]


def manifest(name, root, reading="corrected"):
    return build_manifest(corpus(name), CorpusFiles(root), reading)


def found_classes(name, built, mapper="paper"):
    return built.class_counts(corpus(name), MAPPER[mapper])


# -- skeletons -----------------------------------------------------------------------------------


def write_skeleton(name, rows, root):
    """Write a file for every row, and the annotation files that belong to them."""
    write_files((row["path"] for row in rows), root)
    write_annotations = ANNOTATIONS.get(name)
    if write_annotations:
        write_annotations(rows, root)
    return root


def write_files(paths, root):
    made = set()
    for path in paths:
        target = root / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(path.encode())


BAUM1_CODES = {
    "a": [
        "Anger", "Boredom", "Disgust", "Fear", "Happiness", "Interest", "Sadness", "Surprise",
        "Unsure",
    ],
    "s": [
        "Anger", "Boredom", "Bothered", "Concentrating", "Contempt", "Disgust", "Fear",
        "Happiness", "Neutral", "Sadness", "Surprise", "Thinking", "Unsure",
    ],
}  # fmt: skip
BAUM1_TYPOS = {"Interest": "Intrest", "Contempt": "Contepmt", "Anger": "anger"}
BAUM1_HEADER = (
    "Number", "Subject Label", "Clip", "Clip Name", "Emotion", "Emotion Code", "Gender"
)  # fmt: skip


def write_baum1(rows, root):
    for subset, codes in BAUM1_CODES.items():
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        sheet.append([f"BAUM-1{subset}", None, "273 clips"])
        sheet.append(BAUM1_HEADER)
        chosen = [row for row in rows if row["path"].startswith(f"BAUM1{subset}")]
        for number, row in enumerate(chosen, start=1):
            clip = PurePosixPath(row["path"]).stem.upper()
            label = row["native_label"]
            code = 1 + (codes.index("Neutral") if clip == "S015_007" else codes.index(label))
            text = "Sadnes" if clip == "S018_036" else BAUM1_TYPOS.get(label, label)
            gender = "Female" if int(row["speaker"]) % 2 == 0 else "M"
            sheet.append([number, int(row["speaker"]), number, clip, text, code, gender])
        workbook.save(root / f"Annotations_BAUM1{subset}.xlsx")


def write_ekk(rows, root):
    encodings = {"213": "utf-16", "120574": "latin-1"}
    for row in rows:
        stem = PurePosixPath(row["path"]).stem
        text = textgrid(phoneme="ö", word="õun", sentence="", emotion=row["native_label"])
        encoding = encodings.get(stem, "utf-8")
        (root / f"{stem}.TextGrid").write_bytes(text.encode(encoding))


def textgrid(**tiers):
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "xmax = 2",
        "tiers? <exists>", f"size = {len(tiers)}", "item []:",
    ]  # fmt: skip
    for number, (tier, text) in enumerate(tiers.items(), start=1):
        lines += [
            f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{tier}"',
            "        xmin = 0", "        xmax = 2", "        intervals: size = 1",
            "        intervals [1]:", "            xmin = 0", "            xmax = 2",
            f'            text = "{text}"',
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


MELD_FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
MELD_HEADER = (
    "Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID",
    "Season", "Episode", "StartTime", "EndTime",
)  # fmt: skip


def write_meld(rows, root):
    for split, folder in MELD_FOLDERS.items():
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(MELD_HEADER)
        chosen = [row for row in rows if row["path"].startswith(f"{folder}/")]
        if split == "dev":  # described, and in no copy
            chosen = [
                *chosen,
                {"path": "/dia110_utt7", "speaker": "Joey", "native_label": "neutral"},
            ]
        for number, row in enumerate(chosen, start=1):
            dialogue, utterance = re.search(r"/dia(\d+)_utt(\d+)", row["path"]).groups()
            said = f"Utterance {utterance} of dialogue {dialogue}, isn\u2019t it?"
            labels = (row["speaker"], row["native_label"], "")
            times = (1, 1, "00:00:00,000", "00:00:01,000")
            writer.writerow([number, said, *labels, dialogue, utterance, *times])
        (root / f"{split}_sent_emo.csv").write_bytes(table.getvalue().encode("cp1252"))


def write_resd(rows, root):
    for split in ("train", "test"):
        with (root / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "path", "emotion"])
            writer.writerows(resd_columns(rows, split))


def resd_columns(rows, split):
    for row in rows:
        part, _, path = row["path"].partition("/")
        if part == split:
            yield PurePosixPath(path).stem, path, row["native_label"]


def write_resd_parquet(rows, root, sounds=None):
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("name", pa.string()), ("path", pa.string()), ("emotion", pa.string()), ("speech", audio)]
    )
    (root / "data").mkdir()
    for split in ("train", "test"):
        columns = list(resd_columns(rows, split))
        table = pa.table(
            {
                "name": [name for name, _, _ in columns],
                "path": [path for _, path, _ in columns],
                "emotion": [emotion for _, _, emotion in columns],
                "speech": [
                    {"bytes": (sounds or {}).get(f"{split}/{path}", path.encode()), "path": path}
                    for _, path, _ in columns
                ],
            },
            schema=schema,
        )
        pq.write_table(
            table, root / "data" / f"{split}-00000-of-00001-0f1e.parquet", row_group_size=100
        )


def write_expresso(rows, root):
    stems = [PurePosixPath(row["path"]).stem for row in rows]
    listed = [stem for stem in stems if "_singing_" not in stem]
    divided = {stem for stem in listed if "longform" in stem or "sympathetic-sad" in stem}
    (root / "splits").mkdir()
    train = [f"{stem}\t(0.0,10.0)" if stem in divided else stem for stem in listed]
    (root / "splits" / "train.txt").write_text("\n".join(train) + "\n")
    test = [f"{stem}\t(10.0,1000.0)" for stem in divided]
    (root / "splits" / "test.txt").write_text("\n".join(test) + "\n")
    (root / "splits" / "dev.txt").write_text("")
    texts = [f"{stem}\tWords  of {stem} " for stem in stems if "-" not in stem]
    (root / "read_transcriptions.txt").write_text("\n".join(texts) + "\n")
    conversations = [stem for stem in stems if "-" in stem]
    spans = expresso_spans(conversations)
    lines = [
        f"{stem}/channel{channel}\t"
        + " ".join(f"({at}.0, {at}.5)" for at in range(spans[stem, channel]))
        for stem, channel in spans
    ]
    (root / "VAD_segments.txt").write_text("\n".join(lines) + "\n")


# How many stretches of speech the shipped file has in each class, as the corpus's facts tell.
EXPRESSO_STRETCHES = {
    Emotion.NEUTRAL: 2042,
    Emotion.HAPPINESS: 1428,
    Emotion.DISGUST: 1055,
    Emotion.SADNESS: 926,
    Emotion.ANGER: 702,
    Emotion.FEAR: 413,
    Emotion.SURPRISE: 395,
    Emotion.OTHER: 8480,
}


def expresso_spans(conversations):
    """Deal the stretches of each class to the channels of that class; few, for a sample."""
    channels = {emotion: [] for emotion in Emotion}
    for stem in conversations:
        styles = stem.split("_")[1].split("-")
        for channel in (1, 2):
            label = label_of(corpus("expresso"), styles[channel - 1 if len(styles) > 1 else 0])
            channels[label.paper].append((stem, channel))
    spans = {}
    for emotion, places in channels.items():
        total = EXPRESSO_STRETCHES[emotion] if len(conversations) > 50 else 15 * len(places)
        for number, place in enumerate(places):
            spans[place] = total // len(places) + (number < total % len(places))
    return spans


def expresso_singing():
    """The files that no list names: their number is known, their speakers are not."""
    return [
        {
            "path": f"audio_48khz/read/ex01/singing/base/ex01_singing_{number:05}.wav",
            "native_label": "singing",
            "speaker": "ex01",
        }
        for number in range(1, 12)
    ]


def write_iemocap(rows, root):
    folders = {}
    for row in rows:
        stem = PurePosixPath(row["path"]).stem
        session, dialogue = row["path"].split("/")[0], stem.rpartition("_")[0]
        folders.setdefault((session, dialogue), []).append((stem, row))
    for (session, dialogue), turns in folders.items():
        labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        words = []
        for number, (stem, row) in enumerate(turns):
            turn = f"[{number}.2901 - {number}.8357]\t{stem}\t{row['native_label']}"
            labels += [f"{turn}\t[2.5000, 2.5000, 2.5000]", "C-E2:\tNeutral;\t()", ""]
            words.append(f"{stem} [00{number}.2901-00{number}.8357]: {row.get('text_id', '')}")
        for folder, lines in (("EmoEvaluation", labels), ("transcriptions", words)):
            target = root / session / "dialog" / folder / f"{dialogue}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("\n".join(lines) + "\n")


MSP_PARTS = {"train": "Train", "dev": "Development", "test": "Test1", "test2": "Test2"}


def write_msp_podcast(rows, root):
    header = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
    (root / "Labels").mkdir(exist_ok=True)
    with (root / "Labels" / "labels_consensus.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            name, ratings = PurePosixPath(row["path"]).name, (4.0, 4.0, 4.0)
            speaker, gender = row["speaker"] or "Unknown", row.get("gender", "").title()
            part = MSP_PARTS[row.get("official_split") or "train"]
            writer.writerow([name, row["native_label"], *ratings, speaker, gender, part])


ANNOTATIONS = {
    "iemocap": write_iemocap,
    "msp-podcast": write_msp_podcast,
    "baum1": write_baum1,
    "ekk": write_ekk,
    "expresso": write_expresso,
    "meld": write_meld,
    "resd": write_resd,
}


# -- a few names of every corpus -----------------------------------------------------------------


@pytest.fixture(params=IDS)
def sample(request, tmp_path):
    name = request.param
    rows = rows_of(SAMPLES / f"{name}.tsv")
    return name, rows, write_skeleton(name, rows, tmp_path / "a b" / "copy")


def told(built, columns):
    """Return rows of a manifest as the samples write them."""
    values = {column: built.column(column) for column in columns}
    rows = zip(*(values[column] for column in columns), strict=True)
    return sorted(tuple(as_text(value) for value in row) for row in rows)


def as_text(value):
    return "-".join(value) if isinstance(value, list) else value or ""


def test_a_manifest_says_all_that_the_corpus_tells(sample):
    name, rows, root = sample

    built = manifest(name, root, "paper")

    columns = list(rows[0])
    expected = rows
    if name == "meld":  # dia0_utt0 is neutral in two splits, and the later one replaced it
        expected = [row for row in rows if row["utterance_id"] != "train/dia0_utt0"]
    assert told(built, columns) == sorted(
        tuple(row[column] for column in columns) for row in expected
    )
    assert {problem.kind for problem in built.problems} <= {"count", "known-bad"}


@pytest.mark.parametrize("above", ["..", "../.."])
@pytest.mark.parametrize("reading", READINGS)
def test_what_a_corpus_is_does_not_depend_on_the_folder_named(sample, above, reading):
    name, _, root = sample

    assert manifest(name, (root / above).resolve(), reading).digest == (
        manifest(name, root, reading).digest
    )


@pytest.mark.parametrize("name", IDS)
def test_litter_and_documents_are_left_alone(name, tmp_path):
    rows = rows_of(SAMPLES / f"{name}.tsv")
    root = write_skeleton(name, rows, tmp_path)
    write_files(["Thumbs.db", "README.md", ".git/config", "LICENSE.txt", "x/._01.wav"], root)

    kinds = {problem.kind for problem in manifest(name, root).problems}

    assert kinds <= {"count", "known-bad"}


def test_every_stray_file_is_reported(sample):
    name, _, root = sample
    write_files(["notes/backup.wma"], root)

    strays = [p for p in manifest(name, root).problems if p.kind == "stray-file"]

    assert [problem.where for problem in strays] == ["notes/backup.wma"]
    assert f"datasets.{name}.ignore" in strays[0].hint


# One wrong name or annotation a corpus, and the label that the error must show.
UNKNOWN = {
    "urdu": ("Angry/SM1_F10_X010.wav", "X"),
    "emodb": ("wav/03a01Xa.wav", "X"),
    "emovo": ("f1/xyz-f1-b1.wav", "xyz"),
    "enterface": ("subject 1/boredom/sentence 1/s1_bo_1.avi", "boredom"),
    "mesd": ("Mexican Emotional Speech Database (MESD)/Boredom_C_A_abajo.wav", "Boredom"),
    "masc": ("data/001/boredom/utterance/201a.wav", "boredom"),
    "demos": ("wav_DEMoS/DEMOS/NP_f_01_xyz07b.wav", "xyz"),
    "casia": ("wangzhe/bored/201.wav", "bored"),
    "aesdd": ("anger/x01 (1).wav", "x"),
    "thorsten": ("bored/00f0a2d86d55a19e08c1676a16307cbd.wav", "bored"),
    "mead": ("M003/audio/bored/level_1/001.m4a", "bored"),
    "cafe": ("Ennui/01-E-1-1.wav", "E"),
    "expresso": ("audio_48khz/read/ex01/bleak/base/ex01_bleak_00001.wav", "bleak"),
    "shemo": ("female/F01X01.wav", "X"),
    "subesco": ("F_01_OISHI_S_10_BORED_1.wav", "BORED"),
    "baum1": ("BAUM1s_MP4 - All/s031/S031_060.mp4", "xyz (code 14)"),
    "ekk": ("999.wav", "xyz"),
    "meld": ("train_splits/dia9_utt1.mp4", "xyz"),
    "resd": ("train/x/49_sadness_happiness_s_990.wav", "xyz"),
    "crema-d": ("AudioWAV/1001_DFA_BOR_XX.wav", "BOR"),
    "ravdess": ("Actor_01/03-01-09-01-01-01-01.wav", "09"),
    "esd": ("0001/Bored/0001_000001.wav", "Bored"),
    "tess": ("OAF_back_bored.wav", "bored"),
    "savee": ("AudioData/DC/b01.wav", "b"),
    "iemocap": ("Session5/sentences/wav/Ses05M_impro01/Ses05M_impro01_F999.wav", "xyz"),
    "msp-podcast": ("Audios/MSP-PODCAST_9999_0001.wav", "xyz"),
}


def test_every_plugin_has_a_wrong_label_here():
    assert sorted(UNKNOWN) == IDS


@pytest.mark.parametrize("name", IDS)
def test_an_unknown_label_is_an_error_that_names_file_and_label(name, tmp_path, monkeypatch):
    path, label = UNKNOWN[name]
    rows = rows_of(SAMPLES / f"{name}.tsv")
    native = label.split(" ")[0]
    rows.append({**rows[-1], "path": path, "native_label": native, "speaker": "31"})
    monkeypatch.setitem(BAUM1_CODES, "s", [*BAUM1_CODES["s"], "xyz"])
    write_skeleton(name, rows, tmp_path)

    with pytest.raises(UnknownLabelError) as error:
        manifest(name, tmp_path)

    assert path in str(error.value)
    assert f"'{label}'" in str(error.value)


@pytest.mark.parametrize("name", IDS)
def test_a_folder_without_the_corpus_is_refused(name, tmp_path):
    write_files(["notes.txt", "song.mp3"], tmp_path)

    with pytest.raises(CorpusError) as error:
        manifest(name, tmp_path)

    assert str(tmp_path) in str(error.value)


def test_every_label_of_a_card_has_a_class_under_every_mapper(sample):
    name, _, _ = sample
    labels = [label_of(corpus(name), native) for native in corpus(name).labels]

    for mapper in MAPPERS:
        assert {mapper.map(label) for label in labels} <= {*mapper.classes, None}


# -- what is peculiar to one corpus --------------------------------------------------------------


def sample_of(name, root):
    return write_skeleton(name, rows_of(SAMPLES / f"{name}.tsv"), root)


@needs_reference
def test_emodb_with_the_files_of_its_second_release_is_not_complete(skeletons, tmp_path):
    _, root = skeletons("emodb")
    shutil.copytree(root, tmp_path / "emodb")
    extra = [f"emodb/wav/03a01F{letter}.wav" for letter in "klmnopqrst"]
    write_files(["emodb/db.yaml", "emodb/db.files.csv", *extra], tmp_path)

    (problem,) = manifest("emodb", tmp_path).problems

    assert problem.kind == "count"
    assert "545 utterances where a complete copy has 535" in problem.message


def test_mesd_leaves_reduced_copies_to_the_paper(tmp_path):
    root = sample_of("mesd", tmp_path)

    assert len(manifest("mesd", root, "paper")) == 8
    assert set(manifest("mesd", root, "corrected").column("take")) == {None}


def test_aesdd_skips_and_names_the_file_without_audio(tmp_path):
    root = sample_of("aesdd", tmp_path)
    write_files(["sadness/s05 (3).wav"], root)

    built = manifest("aesdd", root)

    assert len(built) == 6
    assert [p.where for p in built.problems if p.kind == "known-bad"] == ["sadness/s05 (3).wav"]


def test_casia_reports_the_loose_copies_at_the_top(tmp_path):
    root = sample_of("casia", tmp_path / "CASIA")
    write_files(["201.wav", "wangzhe/happy/250.lab"], root)

    strays = [p.where for p in manifest("casia", root).problems if p.kind == "stray-file"]

    assert strays == ["201.wav"]


def test_cafe_reads_folder_names_in_any_encoding(tmp_path):
    for folder in (b"Col\x8are", b"Col\xe8re", "Colère".encode()):
        target = bytes(tmp_path) + b"/" + folder + b"/Fort"
        Path(target.decode("utf-8", "surrogateescape")).mkdir(parents=True)
    for number, folder in enumerate((b"Col\x8are", b"Col\xe8re", "Colère".encode()), start=1):
        place = bytes(tmp_path) + b"/" + folder + f"/Fort/01-C-2-{number}.wav".encode()
        Path(place.decode("utf-8", "surrogateescape")).write_bytes(b"sound")

    files = CorpusFiles(tmp_path)
    built = build_manifest(corpus("cafe"), files, "corrected")

    assert built.utterance_ids == ["01-C-2-1", "01-C-2-2", "01-C-2-3"]
    assert [files.read(path) for path in built.column("path")] == [b"sound"] * 3


def test_cafe_holds_one_utterance_whose_wav_and_aiff_are_there(tmp_path):
    write_files(["48k/Joie/01-J-1-1.wav", "192k/Joie/01-J-1-1.aiff"], tmp_path)

    built = manifest("cafe", tmp_path)

    assert len(built) == 1
    assert "duplicate-file" in {problem.kind for problem in built.problems}


def test_shemo_tells_a_pointer_from_an_archive(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "female.zip").write_bytes(pointer)

    with pytest.raises(CorpusError, match="Git LFS pointer"):
        manifest("shemo", tmp_path)


def test_shemo_has_fear_only_where_the_slip_is_repaired(tmp_path):
    built = manifest("shemo", sample_of("shemo", tmp_path))

    assert found_classes("shemo", built, "paper")["other"] == 1
    assert found_classes("shemo", built, "corrected")["fear"] == 1


def test_mead_leaves_the_video_alone(tmp_path):
    root = sample_of("mead", tmp_path)
    write_files(["M003/video/front/angry/level_1/001.mp4"], root)

    assert "stray-file" not in {problem.kind for problem in manifest("mead", root).problems}


def test_baum1_believes_codes_and_reports_clips_without_a_row(tmp_path):
    root = sample_of("baum1", tmp_path)
    write_files(["BAUM1a_MP4_all/s002/S002_008.mp4", "BAUM1s_MP4 - All/s031/S031_077.mp4"], root)

    built = manifest("baum1", root)

    problems = {problem.where: problem.kind for problem in built.problems}
    assert len(built) == 8
    assert problems["BAUM1a_MP4_all/s002/S002_008.mp4"] == "known-bad"
    assert problems["BAUM1s_MP4 - All/s031/S031_077.mp4"] == "missing-annotation"


@needs_reference
def test_baum1_with_the_clips_that_no_sheet_describes_is_whole(tmp_path):
    root = write_skeleton("baum1", listing("baum1"), tmp_path)
    acted = ["S002_008", "S007_005", "S015_003", "S017_008", "S017_009", "S018_009"]
    acted += ["S020_005", "S022_002"]
    for clip in acted:
        write_files([f"BAUM1a_MP4_all/{clip[:4].lower()}/{clip}.mp4"], root)

    built = manifest("baum1", root)

    assert found_classes("baum1", built) == counts("baum1", "corrected")
    assert {problem.kind for problem in built.problems} == {"known-bad"}
    assert not any(problem.makes_incomplete for problem in built.problems)
    assert len([problem for problem in built.problems if problem.kind == "known-bad"]) == 8


def test_baum1_says_which_row_has_no_clip(tmp_path):
    root = sample_of("baum1", tmp_path)
    (root / "BAUM1a_MP4_all/s001/S001_003.mp4").unlink()

    (problem,) = [p for p in manifest("baum1", root).problems if p.kind == "missing-file"]

    assert problem.where == "Annotations_BAUM1a.xlsx, row 4"
    assert "S001_003" in problem.message


def test_baum1_refuses_a_sheet_that_is_none(tmp_path):
    root = sample_of("baum1", tmp_path)
    (root / "Annotations_BAUM1s.xlsx").write_bytes(b"not a sheet")

    with pytest.raises(CorpusError, match=r"Annotations_BAUM1s\.xlsx"):
        manifest("baum1", root)


@pytest.mark.parametrize(
    "text",
    [
        "no textgrid at all",
        textgrid(phoneme="a").replace("intervals: size = 1", "intervals: size = 0")[:-120],
        "",
    ],
)
def test_ekk_names_the_textgrid_that_says_nothing(text, tmp_path):
    root = sample_of("ekk", tmp_path)
    (root / "105.TextGrid").write_text(text)

    built = manifest("ekk", root)

    problems = {problem.where: problem.kind for problem in built.problems}
    assert "105" not in built.utterance_ids
    assert problems["105.TextGrid"] == "unreadable"
    assert problems["105.wav"] == "missing-annotation"


def test_resd_is_the_same_in_both_packagings(tmp_path):
    rows = rows_of(SAMPLES / "resd.tsv")
    write_skeleton("resd", rows, tmp_path / "folders")
    (tmp_path / "parquet").mkdir()
    write_resd_parquet(rows, tmp_path / "parquet")

    folders = manifest("resd", tmp_path / "folders")
    packed = manifest("resd", tmp_path / "parquet")

    same = [name for name in folders.table.column_names if name not in ("path", "row", "size")]
    assert folders.table.select(same).equals(packed.table.select(same))
    assert packed.column("size") == [
        len(path.partition("/")[2].encode()) for path in folders.column("path")
    ]
    assert packed.column("row") == [0, 0, 2, 1]


def test_resd_has_the_words_where_its_annotated_release_tells_them(tmp_path):
    rows = rows_of(SAMPLES / "resd.tsv")
    write_resd_parquet(rows, tmp_path)
    plain = manifest("resd", tmp_path)
    for path in (tmp_path / "data").glob("*.parquet"):
        table = pq.read_table(path)
        words = [f" Words of  {name}" for name in table.column("name").to_pylist()]
        pq.write_table(table.append_column("text", pa.array(words)), path)

    annotated = manifest("resd", tmp_path)

    assert set(plain.column("text_id")) == {None}
    assert annotated.column("text_id") == [f"Words of {name}" for name in plain.utterance_ids]


def test_meld_names_the_two_clips_that_nobody_has(tmp_path):
    root = sample_of("meld", tmp_path)
    write_files(["train_splits/dia125_utt3.mp4", "train_splits/dia1_utt1.mp4"], root)
    write_files(["output_repeated_splits_test/final_videos_testdia1_utt1.mp4"], root)

    built = manifest("meld", root)

    problems = {(problem.kind, problem.where) for problem in built.problems}
    assert ("known-bad", "train_splits/dia125_utt3.mp4") in problems
    assert ("known-bad", "dev/dia110_utt7") in problems
    assert ("missing-annotation", "train_splits/dia1_utt1.mp4") in problems
    assert "stray-file" not in {kind for kind, _ in problems}


def test_meld_speaks_once_of_a_split_that_was_not_unpacked(tmp_path):
    root = sample_of("meld", tmp_path)
    for path in (root / "train_splits").iterdir():
        path.unlink()

    (problem,) = [p for p in manifest("meld", root).problems if p.kind == "missing-file"]

    assert problem.where == "train_sent_emo.csv"
    assert "2 files" in problem.message


def test_meld_keeps_clips_of_one_name_apart_unless_the_paper_asks(tmp_path):
    root = sample_of("meld", tmp_path)

    overwritten = [i for i in manifest("meld", root, "paper").utterance_ids if "dia0_utt0" in i]
    apart = [i for i in manifest("meld", root, "corrected").utterance_ids if "dia0_utt0" in i]

    # Two are neutral, one is sad: one of the neutral ones was replaced.
    assert overwritten == ["dev/dia0_utt0", "test/dia0_utt0"]
    assert apart == ["dev/dia0_utt0", "test/dia0_utt0", "train/dia0_utt0"]


def test_expresso_cuts_conversations_by_speaker_and_style(tmp_path):
    root = sample_of("expresso", tmp_path)
    (root / "VAD_segments.txt").write_text(
        "ex01-ex02_default_001/channel1\t(0.5, 2.0) (3.0, 4.25)\n"
        "ex01-ex02_default_001/channel2\t(2.0, 3.0)\n"
        "ex03-ex04_sympathetic-sad_002/channel1\t(1.0,2.0)\n"
        "ex03-ex04_sympathetic-sad_002/channel2\t(9.0s,12.5s)\n"
    )

    built = manifest("expresso", root)

    columns = ("utterance_id", "native_label", "channel", "start_s", "end_s", "official_split")
    cut = [row for row in zip(*(built.column(c) for c in columns), strict=True) if "-" in row[0]]
    first, second = "ex01-ex02_default_001", "ex03-ex04_sympathetic-sad_002"
    assert cut == [
        (f"{first}/channel1/0001", "default", 0, 0.5, 2.0, "train"),
        (f"{first}/channel1/0002", "default", 0, 3.0, 4.25, "train"),
        (f"{first}/channel2/0001", "default", 1, 2.0, 3.0, "train"),
        (f"{second}/channel1/0001", "sympathetic", 0, 1.0, 2.0, "train"),
        (f"{second}/channel2/0001", "sad", 1, 9.0, 12.5, "test"),
    ]
    speakers = dict(zip(built.utterance_ids, built.column("speaker"), strict=True))
    assert speakers[f"{second}/channel2/0001"] == ["ex04"]
    assert built.column("size")[built.utterance_ids.index(f"{first}/channel2/0001")] == 144_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no VAD_segments"),
        ("ex01-ex02_default_001\t(0.5, 2.0)\n", "/channel1 or /channel2"),
        ("ex01-ex02_default_001/channel1\t(half, 2.0)\n", "two times"),
    ],
)
def test_expresso_cannot_be_cut_without_the_file_that_says_where(content, message, tmp_path):
    root = sample_of("expresso", tmp_path)
    (root / "VAD_segments.txt").unlink()
    if content:
        (root / "VAD_segments.txt").write_text(content)

    with pytest.raises(CorpusError, match=message):
        manifest("expresso", root, "corrected")
    assert len(manifest("expresso", root, "paper")) == 6


def test_expresso_reports_what_its_lists_name_and_lack(tmp_path):
    root = sample_of("expresso", tmp_path)
    (root / "audio_48khz/read/ex04/whisper/base/ex04_whisper_00380.wav").unlink()
    vad = root / "VAD_segments.txt"
    kept = [line for line in vad.read_text().splitlines() if "sympathetic" not in line]
    vad.write_text("\n".join([*kept, "ex01-ex02_fast_009/channel1\t(1, 2)"]))

    problems = {problem.where: problem.kind for problem in manifest("expresso", root).problems}

    assert problems["ex04_whisper_00380"] == "missing-file"
    assert problems["ex01-ex02_fast_009"] == "missing-file"
    (uncut,) = [where for where, kind in problems.items() if kind == "missing-annotation"]
    assert uncut.endswith("ex03-ex04_sympathetic-sad_002.wav")


# -- complete listings ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def skeletons(tmp_path_factory):
    """Return a function that writes the skeleton of a corpus, once, and tells its rows."""
    made = {}

    def skeleton(name):
        if name not in made:
            rows = listing(name)
            if name == "expresso":
                rows += expresso_singing()
            if name == "mesd":
                rows += listing("mesd.inferred-reduced")
            made[name] = rows, write_skeleton(name, rows, tmp_path_factory.mktemp(name))
        return made[name]

    return skeleton


@pytest.fixture(scope="module")
def complete(skeletons):
    """Return a function that builds the manifest of a complete copy, once."""
    return cache(lambda name, reading: manifest(name, skeletons(name)[1], reading))


KNOWN_BAD = {
    "aesdd": {"sadness/s05 (3).wav"},
    "meld": {"train_splits/dia125_utt3.mp4"},
}


@needs_reference
@pytest.mark.parametrize("name", LISTED)
def test_a_complete_copy_gives_exactly_the_listed_utterances(name, skeletons, complete):
    rows, _ = skeletons(name)
    whole = "corrected" if name == "meld" else "paper"  # the reading that leaves nothing out

    built = complete(name, whole)

    speaker = {"mesd": "group", "resd": "group"}.get(name, "speaker")
    assert told(built, ["path", "native_label", speaker]) == sorted(
        (row["path"], row["native_label"], row["speaker"])
        for row in rows
        if row["path"] not in KNOWN_BAD.get(name, ())
    )
    assert {p.where for p in built.problems if p.kind != "known-bad"} == set()
    named = {each for speakers in built.column("speaker") for each in speakers or ()}
    assert len(named) == (corpus(name).card.speakers or 0)


@needs_reference
@pytest.mark.parametrize("name", LISTED)
@pytest.mark.parametrize("reading", READINGS)
def test_a_complete_copy_has_the_counts_of_the_reading(name, reading, complete):
    expected = Counter(counts(name, reading))
    if reading == "paper":
        expected.update(BEYOND_PAPER.get(name, {}))

    built = complete(name, reading)

    assert found_classes(name, built) == dict(expected)
    assert {problem.kind for problem in built.problems} <= {"known-bad"}


@needs_reference
def test_expresso_without_its_singing_files_is_admitted(tmp_path):
    rows = listing("expresso")
    write_skeleton("expresso", rows, tmp_path)

    built = manifest("expresso", tmp_path, "paper")

    expected = counts("expresso", "paper")
    assert found_classes("expresso", built) == {**expected, "other": expected["other"] - 11}
    assert built.problems == ()


@needs_reference
def test_resd_as_parquet_has_the_counts_too(tmp_path):
    write_resd_parquet(listing("resd"), tmp_path)

    built = manifest("resd", tmp_path)

    assert found_classes("resd", built) == counts("resd", "corrected")
    assert built.problems == ()


@needs_reference
def test_shemo_with_its_slip_repaired_has_38_of_fear(complete):
    found = found_classes("shemo", complete("shemo", "corrected"), "corrected")

    assert (found["fear"], found["other"]) == (38, 0)


@needs_reference
def test_the_manifest_of_the_largest_corpus_takes_under_five_seconds(skeletons):
    _, root = skeletons("mead")

    start = time.process_time()  # so that a busy machine does not fail the test
    built = manifest("mead", root)

    assert len(built) == 31729
    assert time.process_time() - start < 5


@needs_reference
def test_the_manifest_of_the_largest_corpus_loads_in_a_third_of_a_second(skeletons, tmp_path):
    _, root = skeletons("mead")
    workspace = Workspace(tmp_path)

    def load():
        start = time.process_time()
        built = load_manifest(
            corpus("mead"), CorpusFiles(root), "corrected", workspace, "sercore_dataset_mead"
        )
        assert built.digest
        return len(built), time.process_time() - start

    load()
    sizes, seconds = zip(*(load() for _ in range(5)), strict=True)

    assert set(sizes) == {31729}
    assert min(seconds) < 0.3


def test_masc_has_the_counts_of_its_design(tmp_path):
    speakers = [f"{number:03}" for number in range(1, 69)]
    emotions = ["anger", "elation", "neutral", "panic", "sadness"]
    spoken = [f"utterance/2{item:02}{take}" for item, take in product(range(1, 21), "abc")]
    spoken += [f"phrase/1{item:02}{take}" for item, take in product(range(1, 6), "abc")]
    names = product(speakers, emotions, spoken)
    paths = [f"data/{speaker}/{emotion}/{name}.wav" for speaker, emotion, name in names]
    paths += [f"data/{s}/neutral/paragraph/30{number}.wav" for s in speakers for number in (1, 2)]
    write_files(paths, tmp_path)

    built = manifest("masc", tmp_path)

    assert len(built) == 25636
    assert built.problems == ()
    assert found_classes("masc", built)["neutral"] == 5236
    assert len({name for (name,) in built.column("speaker")}) == 68
    assert len(set(built.column("text_id")) - {None}) == 20


@needs_reference
@pytest.mark.parametrize("name", PAPER)
@pytest.mark.parametrize("reading", READINGS)
def test_cards_expect_what_the_reference_says(name, reading):
    expected = corpus(name).card.expected[reading]

    classes = {emotion.value: expected.classes.get(emotion, 0) for emotion in Emotion}
    assert classes == counts(name, reading)
    assert expected.utterances == sum(classes.values())


@needs_reference
@pytest.mark.parametrize("name", PAPER)
def test_cards_and_labels_agree_with_the_reference(name):
    facts = {each["id"]: each for each in json.loads((REFERENCE / "corpora.json").read_text())}
    card = corpus(name).card

    mapping = {native: label_of(corpus(name), native).paper for native in facts[name]["mapping"]}
    assert mapping == facts[name]["mapping"]
    assert card.language_code == facts[name]["language_code"]
    assert card.ood_eligible == facts[name]["paper"]["ood_eligible"]
    assert card.homepage in facts[name]["homepage"]


# -- real recordings -----------------------------------------------------------------------------

REAL = REPOSITORY.parent / "shared" / "corpora"


@pytest.mark.parametrize(
    ("name", "folder", "missing"), [("urdu", "URDU-Dataset-master", 0), ("emodb", "emodb", 0),
                                    ("emovo", "EMOVO", 490)]
)  # fmt: skip
def test_real_copies_hold_what_their_cards_say(name, folder, missing):
    if not (REAL / folder).is_dir():
        pytest.skip("the real recordings are not beside the repository")

    built = manifest(name, REAL / folder)

    assert len(built) == corpus(name).card.expected["corrected"].utterances - missing
    assert {problem.kind for problem in built.problems} == ({"count"} if missing else set())


# -- sound in every file -------------------------------------------------------------------------


def write_sounding(name, rows, root, seconds=0.1):
    """Write a skeleton whose every file is a real recording in its own container."""
    write_skeleton(name, rows, root)
    for number, row in enumerate(rows):
        path = root / row["path"]
        if "conversational" in row["path"]:  # long enough for its stretches, a speaker a channel
            longest = 1 + max(expresso_ends(root, path.stem), default=0)
            write_sound(path, number, longest, channels=2)
        else:
            write_sound(path, number, seconds)
    return root


def expresso_ends(root, stem):
    """Return where the stretches of speech of a conversation end, in seconds."""
    for line in (root / "VAD_segments.txt").read_text().splitlines():
        if line.startswith(f"{stem}/"):
            yield from (float(end) for end in re.findall(r", ([\d.]+)\)", line))


def decoded(name, root, reading):
    files = CorpusFiles(root)
    built = build_manifest(corpus(name), files, reading)
    table, problems = audit_audio(files, built)
    assert problems == ()
    assert table.column("utterance_id").to_pylist() == built.utterance_ids
    return built, table


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", IDS)
def test_every_utterance_of_a_sample_is_decoded(name, reading, tmp_path):
    root = write_sounding(name, rows_of(SAMPLES / f"{name}.tsv"), tmp_path)

    built, table = decoded(name, root, reading)

    # One that is cut out of a conversation lasts as long as the list of its stretches says.
    cut = zip(built.column("start_s"), built.column("end_s"), strict=True)
    wanted = [0.1 if end is None else end - start for start, end in cut]
    conversations = [i for i, speakers in enumerate(built.column("speaker"))
                     if len(speakers or ()) > 1]  # fmt: skip
    for number, (seconds, expected) in enumerate(
        zip(table.column("duration_s").to_pylist(), wanted, strict=True)
    ):
        assert number in conversations or abs(seconds - expected) < 0.1


def test_embedded_recordings_are_decoded(tmp_path):
    rows = rows_of(SAMPLES / "resd.tsv")
    sounds = {row["path"]: wav_bytes(noise(i, 800)) for i, row in enumerate(rows)}
    write_resd_parquet(rows, tmp_path, sounds)

    _, table = decoded("resd", tmp_path, "corrected")

    assert set(table.column("duration_s").to_pylist()) == {0.1}
    assert table.num_rows == len(rows)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@needs_reference
@pytest.mark.parametrize("name", LISTED)
def test_every_utterance_of_a_complete_copy_is_decoded(name, tmp_path):
    rows = [row for row in listing(name) if row["path"] not in KNOWN_BAD.get(name, ())]
    root = write_sounding(name, rows, tmp_path, seconds=0.05)

    built, table = decoded(name, root, "paper")
    assert len(set(table.column("audio_digest").to_pylist())) == len(built)
    if manifest(name, root, "corrected").digest != built.digest:
        built, table = decoded(name, root, "corrected")
        assert len(set(table.column("audio_digest").to_pylist())) == len(built)
    shutil.rmtree(root)
