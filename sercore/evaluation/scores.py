"""Scores: one row per cell, class rule, adjustment, metric and class, in long form.

This module alone knows the names of the columns. Everything else reads `ScoreRow` values, or
selects parts of a table with the functions below.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from typing import Any
from typing import Final
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sercore.errors import WorkspaceError

DONE: Final = "done"
FAILED: Final = "failed"
UNAVAILABLE: Final = "unavailable"

SCORE_SCHEMA = pa.schema(
    [
        # probe key
        ("backbone", pa.string()),
        ("checkpoint", pa.string()),
        ("revision", pa.string()),
        ("weights", pa.string()),
        ("layer", pa.string()),
        ("audio_path", pa.string()),
        ("dtype", pa.string()),
        ("train_corpus", pa.string()),
        ("train_manifest", pa.string()),
        ("reading", pa.string()),
        ("mapper", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int32()),
        ("split_seed", pa.int64()),
        ("probe", pa.string()),
        ("probe_settings", pa.string()),
        ("probe_seed", pa.int64()),
        ("probe_key", pa.string()),
        # prediction key
        ("test_corpus", pa.string()),
        ("test_manifest", pa.string()),
        ("prediction_key", pa.string()),
        # score key
        ("protocol", pa.string()),
        ("class_rule", pa.string()),
        ("adjustment", pa.string()),
        ("averaging", pa.string()),
        ("metric", pa.string()),
        ("class", pa.string()),
        # result
        ("value", pa.float64()),
        ("headline", pa.bool_()),
        ("in_domain", pa.bool_()),
        ("n_classes", pa.int32()),
        ("n_train", pa.int64()),
        ("n_test", pa.int64()),
        ("n_dropped", pa.int64()),
        ("n_missing", pa.int64()),
        ("complete", pa.bool_()),
        ("shared_speakers", pa.int64()),
        ("shared_texts", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("demo", pa.bool_()),
    ]
)
"""Columns of ``runs/<name>/scores.parquet``: the fields of `ScoredCell` and `ScoreRow`.

Released columns never change their meaning.
"""

_COLUMN_OF = {"class_name": "class"}  # `class` is a keyword of Python

_REQUIRED = ("backbone", "train_corpus", "test_corpus", "protocol", "status")

_ORDER = (
    *("backbone", "protocol", "train_corpus", "test_corpus", "class_rule", "split_seed", "fold"),
    *("probe_key", "adjustment", "metric", "class"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCell:
    """What all scores of a cell have in common: its keys and counts. None is unknown."""

    backbone: str
    """With its variant: ``whisper-medium:exact``."""
    train_corpus: str
    test_corpus: str
    protocol: str
    in_domain: bool
    demo: bool
    complete: bool | None = None
    """Whether both corpora were whole and nothing was missing."""
    checkpoint: str | None = None
    revision: str | None = None
    weights: str | None = None
    """Digest of the weights."""
    layer: str | None = None
    audio_path: str | None = None
    dtype: str | None = None
    train_manifest: str | None = None
    """Digest of the manifest."""
    test_manifest: str | None = None
    reading: str | None = None
    """The subset of utterances."""
    mapper: str | None = None
    split: str | None = None
    fold: int | None = None
    """None in rows over the predictions of all folds."""
    split_seed: int | None = None
    probe: str | None = None
    probe_settings: str | None = None
    """Canonical JSON."""
    probe_seed: int | None = None
    probe_key: str | None = None
    prediction_key: str | None = None
    n_train: int | None = None
    n_missing: int | None = None
    """Test utterances without features, because their audio cannot be decoded."""
    shared_speakers: int | None = None
    """Speakers in both the train and the test part."""
    shared_texts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One score, or why there is none."""

    cell: ScoredCell
    class_rule: str | None = None
    """`sercore.evaluation.class_rules.IN_DOMAIN`, or the class rule."""
    adjustment: str | None = None
    averaging: str | None = None
    metric: str | None = None
    class_name: str | None = None
    """None: the metric of the whole cell. The column is called ``class``."""
    value: float | None = None
    """None unless the status is ``done``, and where the metric is undefined."""
    headline: bool = False
    """Whether it has the adjustment that tables show, and the main metric."""
    n_classes: int | None = None
    """Classes that the average runs over."""
    n_test: int | None = None
    n_dropped: int | None = None
    """Test utterances outside the class rule."""
    status: str
    """``done``, ``failed``, ``unavailable`` or ``skipped``."""
    reason: str | None = None

    @property
    def n_predictions(self) -> int:
        """Predicted utterances, those outside the class rule included."""
        return (self.n_test or 0) + (self.n_dropped or 0)


class ScoreKey(NamedTuple):
    """What a score of one set of predictions was computed from."""

    prediction_key: str | None
    class_rule: str | None
    adjustment: str | None


_CELL_FIELDS = tuple(field.name for field in fields(ScoredCell))
_ROW_FIELDS = tuple(field.name for field in fields(ScoreRow) if field.name != "cell")


def table_of(rows: Iterable[ScoreRow]) -> pa.Table:
    """Return rows as a table with the columns of `SCORE_SCHEMA`."""
    listed = list(rows)
    cells = [row.cell for row in listed]
    columns = {name: [getattr(cell, name) for cell in cells] for name in _CELL_FIELDS}
    for name in _ROW_FIELDS:
        columns[_COLUMN_OF.get(name, name)] = [getattr(row, name) for row in listed]
    return pa.table({name: columns[name] for name in SCORE_SCHEMA.names}, schema=SCORE_SCHEMA)


def rows_of(table: pa.Table) -> list[ScoreRow]:
    """Return the rows of a table. Rows of one cell share one `ScoredCell`.

    Raises:
        WorkspaceError: a row does not name its backbone, corpora, protocol or status.
    """
    for name in _REQUIRED:
        if table[name].null_count:
            raise WorkspaceError(
                f"{table[name].null_count} scores have no {name}", hint="run it again"
            )
    cells: dict[tuple[Any, ...], ScoredCell] = {}
    found = []
    for of_cell, of_row in zip(
        _values(table, _CELL_FIELDS), _values(table, _ROW_FIELDS), strict=True
    ):
        if of_cell not in cells:
            cells[of_cell] = _cell_of(dict(zip(_CELL_FIELDS, of_cell, strict=True)))
        fields_of = dict(zip(_ROW_FIELDS, of_row, strict=True))
        fields_of["headline"] = bool(fields_of["headline"])
        found.append(ScoreRow(cell=cells[of_cell], **fields_of))
    return found


def cells_of(table: pa.Table) -> list[ScoredCell]:
    """Return one cell per prediction key, in the order of the rows.

    Args:
        table: rows that all have a prediction key.
    """
    keys = table["prediction_key"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(keys, return_index=True)
    return [row.cell for row in rows_of(table.take(np.sort(first)))]


def whole_cells(table: pa.Table) -> pa.Table:
    """Return the rows of whole cells, without those of single classes."""
    return table.filter(pc.is_null(table["class"]))


def with_status(table: pa.Table, *statuses: str) -> pa.Table:
    """Return the rows that have one of some statuses."""
    return table.filter(pc.is_in(table["status"], value_set=pa.array(statuses, pa.string())))


def without_status(table: pa.Table, status: str) -> pa.Table:
    """Return the rows that have another status."""
    return table.filter(pc.not_equal(table["status"], status))


def in_domain(table: pa.Table) -> pa.Table:
    """Return the rows of in-domain cells."""
    return table.filter(pc.fill_null(table["in_domain"], False))


def headlines(table: pa.Table) -> pa.Table:
    """Return the rows that tables show."""
    return table.filter(pc.fill_null(table["headline"], False))


def under_rules(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the rows under some class rules."""
    return table.filter(pc.is_in(table["class_rule"], value_set=pa.array(names, pa.string())))


def of_metric(table: pa.Table, metric: str) -> pa.Table:
    """Return the rows of one metric that have a value."""
    return table.filter(pc.and_(pc.equal(table["metric"], metric), pc.is_valid(table["value"])))


def shown_rows(table: pa.Table, metric: str) -> pa.Table:
    """Return the rows that a matrix of one metric is built from.

    Those are the rows of the metric, the headlines, and all rows that are not done.
    """
    measured = pc.fill_null(pc.equal(table["metric"], metric), False)
    undone = pc.not_equal(table["status"], DONE)
    headline = pc.fill_null(table["headline"], False)
    return table.filter(pc.or_(pc.or_(measured, headline), undone))


def with_predictions(table: pa.Table) -> pa.Table:
    """Return the done rows that name their predictions. Rows over all folds do not."""
    return table.filter(
        pc.and_(pc.equal(table["status"], DONE), pc.is_valid(table["prediction_key"]))
    )


def without_refused_adjustments(table: pa.Table) -> pa.Table:
    """Return the rows without those of adjustments that predictions did not allow."""
    refused = pc.and_(pc.equal(table["status"], UNAVAILABLE), pc.is_valid(table["prediction_key"]))
    return table.filter(pc.invert(refused))


def without_out_of_fold(table: pa.Table) -> pa.Table:
    """Return the rows without those over the predictions of all folds of an in-domain cell."""
    over_folds = pc.and_(
        pc.and_(pc.is_null(table["fold"]), table["in_domain"]), pc.equal(table["status"], DONE)
    )
    return table.filter(pc.invert(pc.fill_null(over_folds, False)))


def sort_scores(table: pa.Table) -> pa.Table:
    """Return rows in the order that their keys decide."""
    return table.sort_by([(name, "ascending") for name in _ORDER]).combine_chunks()


def by_prediction(table: pa.Table) -> dict[tuple[str, str], pa.Table]:
    """Return the rows of each prediction key and class rule, as slices of a sorted table.

    Args:
        table: rows that all have a prediction key, as `sort_scores` returns them.
    """
    if not len(table):
        return {}
    keys = table["prediction_key"].dictionary_encode().combine_chunks()
    rules = table["class_rule"].dictionary_encode().combine_chunks()
    codes = np.stack([keys.indices.to_numpy(), rules.indices.to_numpy()])
    starts = np.flatnonzero(np.r_[True, (codes[:, 1:] != codes[:, :-1]).any(axis=0)])
    ends = np.r_[starts[1:], len(table)]
    return {
        (
            keys.dictionary[int(codes[0, start])].as_py(),
            rules.dictionary[int(codes[1, start])].as_py(),
        ): table.slice(start, end - start)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    }


class ClassValues:
    """Class names and values of the rows of one metric, by what they were scored from.

    A full run has hundreds of thousands of these rows, and most readers want a part of them. So
    rows become Python values when they are asked for.

    Args:
        table: rows of one metric, at least with the columns that a `ScoreKey` and a value need.
    """

    def __init__(self, table: pa.Table) -> None:
        encoded = [_encoded(table, name) for name in ("prediction_key", "class_rule", "adjustment")]
        codes = np.stack([column.indices.to_numpy() for column in encoded])
        order = np.lexsort(codes[::-1])
        codes = codes[:, order]
        starts = np.flatnonzero(np.r_[len(order) > 0, (codes[:, 1:] != codes[:, :-1]).any(axis=0)])
        ends = np.r_[starts[1:], len(order)] if len(starts) else starts
        names = [column.dictionary.to_pylist() for column in encoded]
        self._places = {
            ScoreKey(*(known[code] for known, code in zip(names, group, strict=True))): place
            for group, *place in zip(codes[:, starts].T.tolist(), starts, ends, strict=True)
        }
        classes = _encoded(table, "class")
        self._names = classes.dictionary.to_pylist()
        self._classes = classes.indices.to_numpy()[order]
        self._values = table["value"].to_numpy()[order]

    def get(self, key: ScoreKey) -> list[tuple[str, float]] | None:
        """Return class names and values in the order of their rows; None if there are none."""
        place = self._places.get(key)
        if place is None:
            return None
        rows = slice(*place)
        names = (self._names[code] for code in self._classes[rows].tolist())
        return list(zip(names, self._values[rows].tolist(), strict=True))


def _encoded(table: pa.Table, name: str) -> pa.DictionaryArray:
    return pc.dictionary_encode(table[name].combine_chunks(), null_encoding="encode")


def _values(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[_COLUMN_OF.get(name, name)].to_pylist() for name in names), strict=True)


def _cell_of(values: dict[str, Any]) -> ScoredCell:
    if values["in_domain"] is None:
        values["in_domain"] = values["train_corpus"] == values["test_corpus"]
    return ScoredCell(**{**values, "demo": bool(values["demo"])})
