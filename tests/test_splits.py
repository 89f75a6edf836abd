"""Splits: nobody on both sides, everything tested, nothing but ids and the seed decides."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.errors import ProtocolError
from sercore.evaluation.splits import SPLITS
from sercore.evaluation.splits import count_shared
from sercore.evaluation.splits import probe_seed_split
from sercore.evaluation.splits import random_kfold
from sercore.evaluation.splits import random_split
from sercore.evaluation.splits import speaker_disjoint


def manifest_of(rows, corpus="test"):
    """Return a manifest from (id, speakers, text, official split) rows."""
    records = [
        {
            **dict.fromkeys(SCHEMA.names),
            "utterance_id": name,
            "path": f"{name}.wav",
            "native_label": "x",
            "size": 1,
            "speaker": speakers,
            "text_id": text,
            "official_split": official,
        }
        for name, speakers, text, official in sorted(rows)
    ]
    return Manifest(corpus, "corrected", pa.Table.from_pylist(records, schema=SCHEMA))


@st.composite
def corpora(draw):
    """Return a manifest with speakers (some utterances have two) and labels, some left out."""
    n = draw(st.integers(12, 60))
    names = [f"s{i}" for i in range(draw(st.integers(3, 8)))]
    rows = [
        (
            f"u{i:03d}",
            draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
            if draw(st.integers(0, 9)) == 0
            else [draw(st.sampled_from(names))],
            f"t{i % 5}",
            None,
        )
        for i in range(n)
    ]
    labels = np.array([draw(st.integers(-1, 3)) for _ in range(n)], dtype=np.int8)
    return manifest_of(rows), labels


@given(corpora(), st.integers(0, 3))
def test_a_random_split_is_a_partition_of_the_labelled(case, seed):
    manifest, labels = case

    (fold,) = random_split(manifest, labels, seed, 1)

    assert not set(fold.train) & set(fold.test)
    assert set(fold.train) | set(fold.test) == set(np.flatnonzero(labels >= 0))


def test_a_random_split_trains_on_the_published_share():
    manifest = manifest_of([(f"u{i}", ["s"], "t", None) for i in range(535)])

    (fold,) = random_split(manifest, np.zeros(535, np.int8), 34, 1)

    assert len(fold.train) == int(0.8 * 535)
    assert len(fold.test) == 535 - int(0.8 * 535)


def test_a_random_split_depends_on_ids_alone():
    rows = [(f"u{i}", ["s"], "t", None) for i in range(50)]
    whole = manifest_of(rows)
    labels = np.zeros(50, np.int8)

    (fold,) = random_split(whole, labels, 34, 1)
    (again,) = random_split(manifest_of(rows[::-1]), labels, 34, 1)
    (other,) = random_split(whole, labels, 35, 1)

    assert fold.test.tolist() == again.test.tolist()
    assert fold.test.tolist() != other.test.tolist()
    # The stored value holds the rule still: another would change every published key.
    assert [whole.utterance_ids[row] for row in fold.test] == [
        *("u10", "u16", "u19", "u23", "u28", "u35", "u37", "u40", "u46", "u9")
    ]


@given(corpora(), st.integers(0, 3), st.integers(2, 5))
def test_no_speaker_is_on_both_sides_and_everything_is_tested_once(case, seed, n_folds):
    manifest, labels = case
    speakers = manifest.column("speaker")
    try:
        folds = speaker_disjoint(manifest, labels, seed, n_folds)
    except ProtocolError:
        return

    if folds[0].kind == "speaker":
        for fold in folds:
            train = {name for row in fold.train for name in speakers[row]}
            test = {name for row in fold.test for name in speakers[row]}
            assert not train & test
            assert count_shared(manifest, "speaker", fold) == 0
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == np.flatnonzero(labels >= 0).tolist()


def test_one_speaker_falls_back_to_texts():
    rows = [(f"u{i}", ["only"], f"t{i % 6}", None) for i in range(60)]
    manifest = manifest_of(rows)
    labels = np.array([i % 3 for i in range(60)], np.int8)

    folds = speaker_disjoint(manifest, labels, 34, 3)

    assert {fold.kind for fold in folds} == {"text"}
    for fold in folds:
        assert count_shared(manifest, "text_id", fold) == 0


def test_nothing_to_keep_apart_is_refused():
    manifest = manifest_of([(f"u{i}", None, None, None) for i in range(10)])

    with pytest.raises(ProtocolError, match="names neither two speakers nor two texts"):
        speaker_disjoint(manifest, np.zeros(10, np.int8), 34, 3)


def test_the_official_split_is_what_the_authors_published():
    rows = [(f"u{i}", ["s"], "t", ("train", "dev", "test")[i % 3]) for i in range(9)]
    manifest = manifest_of(rows)

    (fold,) = SPLITS["official"](manifest, np.zeros(9, np.int8), 34, 1)

    assert fold.test.tolist() == [2, 5, 8]
    with pytest.raises(ProtocolError, match="has no official split"):
        SPLITS["official"](manifest_of([("u", ["s"], "t", None)]), np.zeros(1, np.int8), 34, 1)


def test_what_is_unknown_is_not_counted_as_nothing_shared():
    manifest = manifest_of([(f"u{i}", None, f"t{i % 2}", None) for i in range(20)])
    (fold,) = random_split(manifest, np.zeros(20, np.int8), 34, 1)

    assert count_shared(manifest, "speaker", fold) is None
    assert count_shared(manifest, "text_id", fold) == 2


def test_random_folds_test_every_labelled_utterance_once_and_keep_the_classes():
    found = manifest_of([(f"u{row:02d}", [f"s{row % 8}"], f"t{row}", None) for row in range(40)])
    labels = np.array([row % 3 if row % 7 else -1 for row in range(40)], dtype=np.int8)
    disjoint = speaker_disjoint(found, labels, 34, 5)

    folds = random_kfold(found, labels, 34, 5)

    assert len(folds) == len(disjoint)
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    np.testing.assert_array_equal(tested, np.flatnonzero(labels >= 0))
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == len(tested)
    for label in range(3):
        counts = [int((labels[fold.test] == label).sum()) for fold in folds]
        assert max(counts) - min(counts) <= 1
    again = random_kfold(found, labels, 34, 5)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(folds, again, strict=True))
    other = random_kfold(found, labels, 35, 5)
    assert not np.array_equal(folds[0].test, other[0].test)


def test_random_and_speaker_disjoint_folds_start_their_probes_alike():
    assert probe_seed_split("random-kfold") == probe_seed_split("speaker-disjoint")
    assert probe_seed_split("random") == "random"
