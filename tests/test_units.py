"""Units of a test set: speakers, weaker groups, utterances."""

import numpy as np
import pyarrow as pa

from sercore.corpora.manifest import SCHEMA
from sercore.evaluation.units import unit_counts
from sercore.evaluation.units import units_in
from sercore.evaluation.units import units_of


def manifest(**columns):
    n = len(next(iter(columns.values())))
    filled = {
        name: columns.get(
            name, [{"size": 1, "part": 0}.get(name, "x")] * n if not field.nullable else None
        )
        for name, field in zip(SCHEMA.names, SCHEMA, strict=True)
    }
    return pa.table(
        {name: pa.array(values or [None] * n, SCHEMA.field(name).type) for name, values in
         filled.items()}
    )  # fmt: skip


def test_speakers_are_the_units_and_conversations_join_them():
    units = units_of(manifest(speaker=[["a"], ["b", "c"], ["c"], ["d"], ["c", "e"], ["e"]]))

    assert units.kind == "speaker"
    assert len(set(units.codes.tolist())) == 3
    assert units.codes[1] == units.codes[2] == units.codes[4] == units.codes[5]


def test_weaker_groups_and_utterances_stand_in_where_speakers_are_unknown():
    groups = units_of(
        manifest(speaker=[["a"], None], group=["x", "y"], group_kind=["voice", "voice"])
    )
    assert groups.kind == "voice"
    assert groups.codes.tolist() == [0, 1]
    assert units_of(manifest(speaker=[None, None])).kind == "utterance"


def test_two_speakers_are_enough_and_one_is_not():
    units = units_of(manifest(speaker=[[f"s{i % 8}"] for i in range(40)]))

    two = units_in(units, np.array([0, 1, 8, 9]))
    assert two.kind == "speaker"
    assert two.codes[0] == two.codes[2] != two.codes[1] == two.codes[3]
    one = units_in(units, np.array([0, 8, 16]))
    assert one.kind == "utterance"
    assert one.codes.tolist() == [0, 8, 16]
    assert units_in(units, np.array([], dtype=np.int64)).kind == "utterance"


def test_counts_of_units_sum_to_the_confusion_counts():
    labels, predictions, units = (
        np.array([0, 1, 1, 2]),
        np.array([0, 1, 2, 2]),
        np.array([0, 0, 2, 2]),
    )

    counts = unit_counts(labels, predictions, units, 3, 3)

    assert counts.shape == (3, 3, 3)
    assert counts[1].sum() == 0
    assert counts[2, 1, 2] == counts[2, 2, 2] == 1
    assert counts.sum() == 4
