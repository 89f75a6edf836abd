"""The corpora beyond the paper's nineteen: exact counts, official partitions, and their traps."""

from __future__ import annotations

import json
import string
from collections import Counter
from functools import cache
from itertools import product

import pytest
from test_corpus_listings import EXTENDED
from test_corpus_listings import MAPPER
from test_corpus_listings import PAPER
from test_corpus_listings import SAMPLES
from test_corpus_listings import corpus
from test_corpus_listings import manifest
from test_corpus_listings import rows_of
from test_corpus_listings import write_files
from test_corpus_listings import write_skeleton

from sercore.corpora.interface import label_of
from sercore.errors import CorpusError
from sercore.evaluation.splits import official_split
from sercore.published import PAPER_SET
from sercore.published import published_corpora

CREMA_D_SENTENCES = ("DFA", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
IEMOCAP_LABELS = {
    "hap": 595,
    "exc": 1041,
    "sad": 1084,
    "ang": 1103,
    "neu": 1708,
    "fru": 1849,
    "sur": 107,
    "fea": 40,
    "dis": 2,
    "oth": 3,
    "xxx": 2507,
}


def crema_d():
    """Five labels of 1271 and 1087 neutral: the plan of the corpus less what was not recorded."""
    for label, lacking in (("ANG", 3), ("DIS", 3), ("FEA", 3), ("HAP", 3), ("SAD", 3), ("NEU", 5)):
        kinds = [(sentence, "XX") for sentence in CREMA_D_SENTENCES]
        levels = ("XX",) if label == "NEU" else ("LO", "MD", "HI")
        kinds += [("IEO", level) for level in levels]
        names = [
            f"{actor}_{sentence}_{label}_{level}.wav"
            for actor, (sentence, level) in product(range(1001, 1092), kinds)
        ]
        yield from (f"AudioWAV/{name}" for name in names[lacking:])


def ravdess():
    codes = product(range(1, 25), range(1, 9), (1, 2), (1, 2), (1, 2))
    for actor, label, level, sentence, take in codes:
        if label > 1 or level == 1:  # no strong neutral
            name = f"03-01-{label:02}-{level:02}-{sentence:02}-{take:02}-{actor:02}.wav"
            yield f"Audio_Speech_Actors_01-24/Actor_{actor:02}/{name}"


def esd():
    labels = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
    for speaker, (place, label), number in product(range(1, 21), enumerate(labels), range(350)):
        yield f"{speaker:04}/{label}/{speaker:04}_{350 * place + number + 1:06}.wav"


def tess():
    words = ["".join(letters) for letters in product(string.ascii_lowercase, repeat=2)][:200]
    labels = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    for speaker, word, label in product(("OAF", "YAF"), words, labels):
        yield f"{speaker}_{label}/{speaker}_{word}_{label}.wav"


def savee():
    for speaker, label in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        for number in range(1, 31 if label == "n" else 16):
            yield f"AudioData/{speaker}/{label}{number:02}.wav"


def iemocap():
    turns = [label for label, count in IEMOCAP_LABELS.items() for _ in range(count)]
    for number, label in enumerate(turns):
        session, turn = 1 + number % 5, number // 5
        dialogue = f"Ses0{session}{'FM'[turn % 2]}_impro{turn // 100:02}"
        stem = f"{dialogue}_{'MF'[turn // 2 % 2]}{turn % 100:03}"
        yield {
            "path": f"Session{session}/sentences/wav/{dialogue}/{stem}.wav",
            "native_label": label,
        }


PLANS = {
    "crema-d": crema_d, "ravdess": ravdess, "esd": esd, "tess": tess, "savee": savee,
    "iemocap": iemocap,
}  # fmt: skip


def complete(name, root):
    rows = [row if isinstance(row, dict) else {"path": row} for row in PLANS[name]()]
    return write_skeleton(name, rows, root)


def test_the_cards_say_which_set_a_corpus_is_in():
    assert sorted(PAPER) == sorted(published_corpora())
    assert {corpus(name).card.sets for name in PAPER} == {(PAPER_SET,)}
    assert {corpus(name).card.sets for name in EXTENDED} == {("extended",)}
    assert not any(corpus(name).card.cluster for name in EXTENDED)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a function that writes a complete copy, once."""
    return cache(lambda name: complete(name, tmp_path_factory.mktemp(name)))


# The largest has 35 000 files.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "esd")) for name in PLANS]
)
def test_a_complete_copy_has_exactly_the_stated_counts(name, whole):
    card = corpus(name).card

    built = manifest(name, whole(name))

    found = Counter(label_of(corpus(name), label).paper for label in built.column("native_label"))
    assert found == {
        one: count for one, count in card.expected["corrected"].classes.items() if count
    }
    assert built.problems == ()
    assert len({speaker for (speaker,) in built.column("speaker")}) == card.speakers


@pytest.mark.parametrize("name", ["ravdess", "savee"])
def test_a_copy_without_one_recording_is_not_complete(name, tmp_path):
    root = complete(name, tmp_path)
    next(path for path in sorted(root.rglob("*.wav"))).unlink()

    problems = manifest(name, root).problems

    assert "count" in {problem.kind for problem in problems}


def test_the_second_copy_in_a_kaggle_archive_changes_no_count(tmp_path):
    root = tmp_path / "kaggle"
    complete("tess", root)
    write_files((f"TESS Toronto emotional speech set data/{path}" for path in tess()), root)

    built = manifest("tess", root)

    assert len(built) == 2800
    assert {problem.kind for problem in built.problems} == {"duplicate-file"}
    assert not any(problem.makes_incomplete for problem in built.problems)


def test_the_mp3_copies_of_a_clone_are_not_read(tmp_path):
    paths = ["AudioWAV/1001_DFA_ANG_XX.wav", "AudioMP3/1001_DFA_ANG_XX.mp3"]
    write_files([*paths, "VideoFlash/1001_DFA_ANG_XX.flv", "SentenceFilenames.csv"], tmp_path)

    built = manifest("crema-d", tmp_path)

    assert built.column("path") == paths[:1]
    assert {problem.kind for problem in built.problems} == {"count"}


def test_songs_and_videos_beside_the_speech_are_no_strays(tmp_path):
    write_files(["a/03-01-01-01-01-01-01.wav", "a/03-02-01-01-01-01-01.wav"], tmp_path)
    write_files(["b/01-01-01-01-01-01-01.mp4", "b/02-01-01-01-01-01-01.mp4"], tmp_path)

    built = manifest("ravdess", tmp_path)

    assert (len(built), {problem.kind for problem in built.problems}) == (1, {"count"})


def test_the_chinese_names_of_esd_are_the_same_labels(tmp_path):
    write_files(["0001/中立/0001_000001.wav", "0001/惊喜/0001_001401.wav"], tmp_path)
    write_files(["0001/Happy/train/0001_000701.wav"], tmp_path)

    assert sorted(manifest("esd", tmp_path).column("native_label")) == (
        ["Happy", "Neutral", "Surprise"]
    )


def test_copies_of_savee_with_the_speaker_in_the_name_are_the_same(tmp_path):
    write_files(["AudioData/JK/sa05.wav"], tmp_path / "one")
    write_files(["ALL/JK_sa05.wav"], tmp_path / "two")

    one, two = (manifest("savee", tmp_path / name).utterance_ids for name in ("one", "two"))

    assert one == two == ["JK/sa05"]


@pytest.mark.parametrize(
    ("mapper", "happy", "total"), [("four-class", 1636, 5531), ("four-class-plain", 595, 4490)]
)
def test_iemocap_counts_excitement_as_the_mapper_says(mapper, happy, total, whole):
    module = __import__("sercore_dataset_iemocap")
    mappers = {**MAPPER, **{one.id: one for one in module.sercore_label_mappers()}}

    built = manifest("iemocap", whole("iemocap"))

    counts = built.class_counts(corpus("iemocap"), mappers[mapper])
    assert (counts["happiness"], sum(counts.values())) == (happy, total)
    assert (counts["anger"], counts["sadness"], counts["neutral"]) == (1103, 1084, 1708)


def msp(tmp_path, form):
    rows = rows_of(SAMPLES / "msp-podcast.tsv")
    root = write_skeleton("msp-podcast", rows, tmp_path)
    if form != "csv":
        table = root / "Labels" / "labels_consensus.csv"
        header, *lines = (line.split(",") for line in table.read_text().splitlines())
        facts = {line[0]: dict(zip(header[1:], line[1:], strict=True)) for line in lines}
        table.unlink()
        (root / "Labels" / f"{form}.json").write_text(json.dumps(facts))
    return root


@pytest.mark.parametrize("form", ["csv", "labels_consensus", "labels_concensus"])
def test_every_form_of_the_msp_labels_says_the_same(form, tmp_path):
    built = manifest("msp-podcast", msp(tmp_path, form))

    assert built.problems == ()  # no count is stated, so none can differ
    assert sorted(filter(None, built.column("official_split"))) == (
        ["dev", "test", "test", "test2", "train"]
    )
    assert built.column("speaker").count(None) == 1


def test_the_official_partitions_of_msp_podcast_train_and_test(tmp_path):
    built = manifest("msp-podcast", msp(tmp_path, "csv"))

    (fold,) = official_split(built, built.labels(corpus("msp-podcast"), MAPPER["corrected"]), 0, 1)

    parts = built.column("official_split")
    assert {parts[row] for row in fold.train} == {"train", "dev"}
    assert {parts[row] for row in fold.test} == {"test"}


def test_segments_without_agreement_are_left_out(tmp_path):
    root = msp(tmp_path, "csv")
    table = root / "Labels" / "labels_consensus.csv"
    table.write_text(table.read_text().replace(",H,", ",X,"))

    assert "H" not in manifest("msp-podcast", root).column("native_label")
    assert len(manifest("msp-podcast", root)) == 4


@pytest.mark.parametrize(
    ("form", "before", "after", "message"),
    [
        ("csv", "Test1", "Test9", "partition 'Test9'"),
        ("labels_consensus", '"EmoClass"', '"Emotion"', "KeyError"),
        ("labels_consensus", "{", "[", "not the table of labels"),
    ],
)
def test_other_tables_of_labels_are_refused(form, before, after, message, tmp_path):
    root = msp(tmp_path, form)
    (table,) = (root / "Labels").iterdir()
    table.write_text(table.read_text().replace(before, after))

    with pytest.raises(CorpusError, match=message):
        manifest("msp-podcast", root)
