"""Copies whose letter case changed: the same utterances, under the same ids."""

from __future__ import annotations

import pytest
from test_corpus_listings import IDS
from test_corpus_listings import SAMPLES
from test_corpus_listings import manifest
from test_corpus_listings import rows_of
from test_corpus_listings import write_skeleton
from test_layouts import columns
from test_layouts import renamed

from sercore.corpora.names import NamePattern

EQUAL = ("utterance_id", "native_label", "speaker", "gender", "text_id", "take", "official_split")
CHANGES = {"upper": str.upper, "lower": str.lower, "swapped": str.swapcase}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", IDS)
def test_a_copy_in_another_case_has_the_same_ids(name, change, tmp_path):
    rows = rows_of(SAMPLES / f"{name}.tsv")
    if name == "masc":  # the names of its phrases and paragraphs are not public
        rows = [row for row in rows if "/utterance/" in row["path"]]
    plain = manifest(name, write_skeleton(name, rows, tmp_path / "plain"))
    root = write_skeleton(name, rows, tmp_path / "changed")
    renamed(root, CHANGES[change])

    changed = manifest(name, root)

    assert columns(changed, EQUAL) == columns(plain, EQUAL)


def matched(pattern, labels, path):
    found = NamePattern(pattern, labels).match(path)
    return None if found is None else {name: text for name, text in found.items() if text}


PATTERN = r"(?P<speaker>[A-Z]\d)/(?P<label>[^/]+)/x_(?P<text_id>[a-z]+)(?P<take>[A-Z])\.wav"


@pytest.mark.parametrize(
    "path", ["A1/Sad/x_homeB.wav", "a1/sad/X_HOMEb.WAV", "A1/SAD/X_HOMEB.WAV", "a1/sad/x_homeb.wav"]
)
def test_every_part_is_spelt_as_the_pattern_wants(path):
    assert matched(PATTERN, ["Sad"], path) == {
        "_own": "A1/Sad/x_homeB", "speaker": "A1", "label": "Sad", "text_id": "home", "take": "B",
    }  # fmt: skip


def test_the_folders_of_the_user_keep_their_spelling():
    found = NamePattern(PATTERN, ["Sad"]).match("My Data/a1/SAD/x_homeb.wav")

    assert found["_own"] == "A1/Sad/x_homeB"


def test_a_mixed_spelling_with_an_undeclared_label_is_another_file():
    assert matched(PATTERN, ["Sad"], "a1/Bored/X_homeb.wav") is None


def test_a_pattern_without_labels_matches_in_any_case():
    pattern = r"(?P<id>Ses(?P<session>\d)_(?P<turn>[FM]\d+))\.wav"

    assert matched(pattern, [], "SES1_F02.WAV")["id"] == "Ses1_F02"
    assert matched(pattern, [], "seS1_f02.wav")["id"] == "Ses1_F02"


def test_a_spelling_that_no_part_can_have_keeps_the_name():
    pattern = r"(?P<id>(?P<label>[a-z]+)_xYz)\.wav"

    assert matched(pattern, ["sad"], "SAD_XYZ.wav") == {
        "_own": "sad_XYZ",
        "id": "sad_XYZ",
        "label": "sad",
    }
