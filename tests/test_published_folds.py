"""Published folds: they divide each corpus once, share nobody, and never hide a mismatch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_corpus_listings import LISTED
from test_corpus_listings import MAPPER
from test_corpus_listings import corpus
from test_corpus_listings import listing
from test_corpus_listings import manifest
from test_corpus_listings import needs_reference
from test_corpus_listings import write_skeleton
from test_extended_corpora import complete

from sercore import PublishedFolds
from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.errors import ProtocolError
from sercore.evaluation.published_folds import protocols_of
from sercore.evaluation.splits import missing_units
from sercore.evaluation.splits import published_split
from sercore.evaluation.splits import shared_names
from sercore.plugins.registry import registry

OFFERED = sorted(folds.id for folds in registry().folds if folds.refused is None)
REFUSED = sorted(folds.id for folds in registry().folds if folds.refused is not None)


def made(speakers, corpus_name="made"):
    """A manifest with an utterance for every entry."""
    import pyarrow as pa

    n = len(speakers)
    columns = {
        "utterance_id": [f"u{row}" for row in range(n)],
        "path": [f"u{row}.wav" for row in range(n)],
        "native_label": ["x"] * n,
        "speaker": [None if name is None else [name] for name in speakers],
        "size": [1] * n,
        "part": [0] * n,
    }
    rows = {name: columns.get(name, [None] * n) for name in SCHEMA.names}
    return Manifest(corpus_name, "corrected", pa.table(rows, schema=SCHEMA))


def labels_of(built):
    return np.zeros(len(built), dtype=np.int8)


def folds_like(test, **more):
    return PublishedFolds(corpus="made", name="mine", source="a test", test=test, **more)


@given(st.lists(st.integers(0, 7), min_size=8, max_size=60), st.integers(2, 4))
def test_any_folds_by_speaker_are_a_partition_without_shared_speakers(numbers, k):
    speakers = [f"s{number}" for number in [*range(8), *numbers]]
    built = made(speakers)
    test = tuple(tuple(f"s{number}" for number in range(8) if number % k == i) for i in range(k))

    folds = published_split(built, labels_of(built), folds_like(test))

    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == list(range(len(built)))
    assert shared_names(built, folds) == ()
    for fold in folds:
        assert sorted([*fold.train, *fold.test]) == list(range(len(built)))


def test_folds_by_utterance_show_the_speakers_they_share():
    built = made(["a", "a", "b", "b"])
    folds = published_split(
        built, labels_of(built), folds_like((("u0",), ("u1", "u2", "u3")), unit="utterance_id")
    )

    assert shared_names(built, folds) == ("a",)


def test_a_speaker_on_disk_that_no_fold_names_is_an_error():
    built = made(["a", "b", "c"])

    with pytest.raises(ProtocolError, match="do not name speaker c of this copy"):
        published_split(built, labels_of(built), folds_like((("a",), ("b",))))


def test_a_speaker_that_trains_in_every_fold_is_known():
    built = made(["a", "b", "c"])

    (fold,) = published_split(built, labels_of(built), folds_like((("a",),), train=("b", "c")))

    assert (list(fold.test), list(fold.train)) == ([0], [1, 2])


def test_a_listed_speaker_that_the_copy_lacks_is_counted():
    built = made(["a", "b", "c"])
    folds = folds_like((("a", "d"), ("b",)), train=("c", "e"))

    assert len(published_split(built, labels_of(built), folds)) == 2
    assert missing_units(built, folds) == ("d", "e")


@pytest.mark.parametrize(
    ("speakers", "test", "message"),
    [
        (["a", "b"], (("a",), ("b",), ("c",)), "leaves its test part empty"),
        (["a", "a"], (("a",),), "leaves its train part empty"),
        (["a", "b"], (("a",), ("a", "b")), "use speaker a more than once"),
        (["a", None], (("a",),), "does not name the speaker"),
    ],
)  # fmt: skip
def test_folds_that_do_not_fit_are_an_error(speakers, test, message):
    built = made(speakers)

    with pytest.raises(ProtocolError, match=message):
        published_split(built, labels_of(built), folds_like(test))


def test_the_protocol_follows_the_data():
    one = folds_like((("a",), ("b",)))
    other = replace(one, corpus="other", test=(("x",),))

    protocols = protocols_of([one, other, replace(one, corpus="third", test=(), refused="why")])

    (protocol,) = protocols.values()
    assert (protocol.id, protocol.split, protocol.n_folds) == (
        "official:mine", "official:mine", 2,
    )  # fmt: skip
    assert protocol.summary.endswith("of made, other")


@pytest.mark.parametrize("name", REFUSED)
def test_refused_folds_say_who_is_on_both_sides(name):
    built = made(["a", "b"])

    with pytest.raises(ProtocolError, match=r"on both sides") as error:
        published_split(built, labels_of(built), registry().folds.get(name))

    assert "speaker-disjoint" in str(error.value.hint)


# The test parts of the published lists: emobox_folds.txt.
SIZES = {
    "cafe-emobox": [312] * 3,
    "casia-emobox": [300] * 4,
    "emovo-emobox": [98] * 6,
    "subesco-emobox": [1400] * 5,
    "savee-emobox": [120] * 4,
}


@needs_reference
@pytest.mark.parametrize("name", OFFERED)
def test_the_folds_of_a_complete_copy_share_no_speaker(name, tmp_path):
    folds = registry().folds.get(name)
    if folds.corpus in LISTED:
        root = write_skeleton(folds.corpus, listing(folds.corpus), tmp_path)
    else:
        root = complete(folds.corpus, tmp_path)
    built = manifest(folds.corpus, root)
    labels = built.labels(corpus(folds.corpus), MAPPER["corrected"])

    divided = published_split(built, labels, folds)

    assert shared_names(built, divided) == ()
    assert missing_units(built, folds) == ()
    tested = np.concatenate([fold.test for fold in divided])
    assert len(set(tested.tolist())) == len(tested)
    if not folds.train:
        assert len(tested) == len(built)
    if name in SIZES:
        assert [len(fold.test) for fold in divided] == SIZES[name]
