"""Score rows: one set of columns, read and written without loss."""

from dataclasses import fields

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sercore.errors import WorkspaceError
from sercore.evaluation.scores import SCORE_SCHEMA
from sercore.evaluation.scores import ClassValues
from sercore.evaluation.scores import ScoredCell
from sercore.evaluation.scores import ScoreKey
from sercore.evaluation.scores import ScoreRow
from sercore.evaluation.scores import by_prediction
from sercore.evaluation.scores import cells_of
from sercore.evaluation.scores import rows_of
from sercore.evaluation.scores import shown_rows
from sercore.evaluation.scores import sort_scores
from sercore.evaluation.scores import table_of
from sercore.evaluation.scores import with_predictions
from sercore.published import published_scores


def row(train, test, **changes):
    cell = {name: changes.pop(name) for name in list(changes) if name in ScoredCell.__slots__}
    return ScoreRow(
        cell=ScoredCell(
            backbone="one",
            train_corpus=train,
            test_corpus=test,
            protocol="standard",
            in_domain=train == test,
            demo=False,
            **cell,
        ),
        **{"class_rule": "cluster", "status": "done", **changes},
    )


def test_every_column_is_a_field_and_every_field_a_column():
    names = {field.name for kind in (ScoredCell, ScoreRow) for field in fields(kind)}

    assert {*names} - {"cell", "class_name"} | {"class"} == set(SCORE_SCHEMA.names)
    assert len(SCORE_SCHEMA.names) == len(set(SCORE_SCHEMA.names)) == len(names) - 1


def test_rows_are_read_as_they_were_written():
    rows = [
        row("a", "a", fold=2, split_seed=7, value=0.5, metric="f1", class_name="anger"),
        row("a", "b", prediction_key="k", headline=True, n_test=3, complete=False),
        row("b", "a", status="failed", reason="no space left"),
    ]

    table = table_of(rows)

    assert table.schema.equals(SCORE_SCHEMA)
    assert rows_of(table) == rows
    assert table_of(rows_of(published_scores())).equals(published_scores())


def test_rows_of_one_cell_share_it():
    first, second = rows_of(table_of([row("a", "b", metric="uar"), row("a", "b", metric="f1")]))

    assert first.cell is second.cell


@pytest.mark.parametrize("name", ["backbone", "train_corpus", "test_corpus", "protocol", "status"])
def test_rows_without_a_name_are_refused(name):
    table = table_of([row("a", "b")])
    place = table.schema.get_field_index(name)
    broken = table.set_column(place, table.schema.field(name), pa.nulls(1, pa.string()))

    with pytest.raises(WorkspaceError, match=f"1 scores have no {name}"):
        rows_of(broken)


def test_cells_and_slices_follow_the_prediction_keys():
    rows = [
        row("a", "b", probe_key=f"p{key}", prediction_key=key, class_rule=rule, metric=metric)
        for key in ("k2", "k1")
        for rule in ("shared-classes", "cluster")
        for metric in ("uar", "f1")
    ]
    table = sort_scores(with_predictions(table_of([*rows, row("a", "a"), row("a", "a")])))

    found = by_prediction(table)

    assert [cell.prediction_key for cell in cells_of(table_of(rows))] == ["k2", "k1"]
    assert found.keys() == {(k, r) for k in ("k1", "k2") for r in ("cluster", "shared-classes")}
    for (key, rule), part in found.items():
        assert [row.metric for row in rows_of(part)] == ["f1", "uar"]
        assert {(row.cell.prediction_key, row.class_rule) for row in rows_of(part)} == {(key, rule)}


def test_nothing_has_no_rows_cells_or_slices():
    empty = SCORE_SCHEMA.empty_table()

    assert rows_of(empty) == cells_of(empty) == []
    assert by_prediction(empty) == {}
    assert table_of([]).equals(empty)


NAMES = st.sampled_from([None, "a", "b", "c"])


@given(
    st.lists(
        st.tuples(NAMES, NAMES, NAMES, st.sampled_from(["x", "y"]), st.floats(0, 9)), max_size=30
    )
)
def test_class_values_are_those_of_a_loop_over_rows(listed):
    expected: dict[ScoreKey, list[tuple[str, float]]] = {}
    rows = []
    for key, rule, adjustment, class_name, value in listed:
        found = expected.setdefault(ScoreKey(key, rule, adjustment), [])
        found.append((class_name, value))
        rows.append(
            row("a", "b", prediction_key=key, class_rule=rule, adjustment=adjustment,
                class_name=class_name, value=value)
        )  # fmt: skip

    values = ClassValues(table_of(rows))

    assert {key: values.get(key) for key in expected} == expected
    assert values.get(ScoreKey("other", None, None)) is None


def test_a_matrix_needs_its_metric_the_headlines_and_what_is_not_done():
    rows = [
        row("a", "b", metric="uar", value=0.5),
        row("a", "b", metric="macro-f1", value=0.4, headline=True),
        row("a", "b", metric="accuracy", value=0.6),
        row("b", "a", status="failed"),
    ]

    shown = rows_of(shown_rows(table_of(rows), "uar"))

    assert shown == [rows[0], rows[1], rows[3]]
