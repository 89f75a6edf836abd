"""The part of a run's tables that may leave the machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sercore.bundles.layout import PREDICTION_COLUMNS
from sercore.bundles.layout import SPLIT_SCHEMA
from sercore.bundles.layout import UNIT_SCHEMA
from sercore.errors import SettingsError
from sercore.evaluation.scores import SCORE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATH = re.compile(r"(?<![\w/])(?:~?(?:/[\w.+~-]+){2,}|~/|[A-Za-z]:[\\/]|\\\\\w)")
"""A path on a machine: ``/home/x``, ``~/x``, ``C:\\x``; a name on the hub and a URL are none."""


def public_scores(scores: pa.Table) -> pa.Table:
    """Return scores without the reasons of what failed: they name files and folders."""
    table = scores.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA)
    place = SCORE_SCHEMA.get_field_index("reason")
    blank = pa.nulls(len(table), pa.string())
    return table.set_column(place, SCORE_SCHEMA.field(place), blank).replace_schema_metadata()


def public_predictions(table: pa.Table) -> pa.Table:
    """Return predictions without the names of utterances; the row of the manifest names them."""
    return table.select(PREDICTION_COLUMNS)


def public_units(manifest: pa.Table, labels: Mapping[str, str | None]) -> pa.Table:
    """Return which utterances share a speaker, a group or a text, with numbers in place of names.

    The numbers have the order of the names, so that statistics come out the same to the last bit.

    Args:
        manifest: rows as in `sercore.corpora.manifest.SCHEMA`.
        labels: the class of each native label, as the record of the run states it.
    """
    speakers = manifest["speaker"].to_pylist()
    of_speaker = _numbers(name for names in speakers for name in names or ())
    return pa.table(
        {
            "speaker": [
                None if names is None else [of_speaker[name] for name in names]
                for names in speakers
            ],
            "group": _numbered(manifest["group"].to_pylist()),
            "group_kind": manifest["group_kind"],
            "text_id": _numbered(manifest["text_id"].to_pylist()),
            "native_label": [
                labels.get(native) or "" for native in manifest["native_label"].to_pylist()
            ],
        },
        schema=UNIT_SCHEMA,
    )


def public_split(table: pa.Table) -> pa.Table:
    """Return the split of a probe without the names of utterances."""
    return table.select(SPLIT_SCHEMA.names).cast(SPLIT_SCHEMA).replace_schema_metadata()


def public_probe(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what adjustments need of the record of a probe: its classes and their counts."""
    return {name: list(record[name]) for name in ("classes", "train_counts")}


def refuse_paths(record: Mapping[str, Any], scores: pa.Table) -> None:
    """Check that no text of a bundle is a path on this machine.

    Raises:
        SettingsError: one is, such as a setting of a probe.
    """
    for where, text in (*_texts(record, "record"), *_columns(scores)):
        found = _PATH.search(text)
        if found:
            raise SettingsError(
                f"{where} of the run holds '{text[found.start() :][:60]}', which looks like a path "
                "on this machine, so it does not go into a bundle",
                hint="give the probe or backbone a name or setting without a path, and run again",
            )


def _texts(value: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield f"the name of '{name}' in the {where}", str(name)
            yield from _texts(entry, f"{where} entry '{name}'")
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _texts(entry, where)
    elif isinstance(value, str):
        yield f"the {where}", value


def _columns(scores: pa.Table) -> Iterator[tuple[str, str]]:
    for field in scores.schema:
        if pa.types.is_string(field.type):
            for text in pc.unique(scores[field.name]).to_pylist():
                yield from ((f"the column '{field.name}'", text) for _ in range(bool(text)))


def _numbered(names: Sequence[str | None]) -> list[str | None]:
    known = _numbers(name for name in names if name is not None)
    return [None if name is None else known[name] for name in names]


def _numbers(names: Iterable[str]) -> dict[str, str]:
    ordered: Sequence[str] = sorted(set(names))
    width = len(str(len(ordered)))
    return {name: f"{position:0{width}}" for position, name in enumerate(ordered, start=1)}


def pairs_of(table: pa.Table, first: str, second: str) -> list[tuple[str, str]]:
    """Return the pairs of values of two columns that occur together, sorted, nulls left out."""
    unique = table.select([first, second]).group_by([first, second]).aggregate([]).to_pylist()
    return sorted((row[first], row[second]) for row in unique if row[first] and row[second])


def classes_of(table: pa.Table) -> tuple[str, ...]:
    """Return the class space of a table of predictions."""
    return tuple(json.loads((table.schema.metadata or {})[b"classes"]))
