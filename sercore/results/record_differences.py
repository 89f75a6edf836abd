"""What differs between the records of two runs, short enough to read."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sercore.results.record import section

_PASSING = frozenset(
    {
        "name",
        "written",
        "status",
        "counts",
        "problems",
        "notes",
        "scoring",
        "schema",
        "rescored_from",
    }
)
"""Parts of a record that say how a run went, not what its scores depend on."""

_NAMED = ("corpora", "backbones")
"""Sections whose entries are things with a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDifference:
    """An entry of the records that differs; None if a run lacks it."""

    path: str
    first: Any
    second: Any


def record_differences(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> Iterator[RecordDifference]:
    """Yield the entries that differ, sorted.

    A corpus or backbone that one run lacks is one entry, and so are other contents of a corpus:
    another manifest has other counts of classes.
    """
    one, other = (
        dict(_flat({**_without_details(mine, theirs), "missing": _names(mine)}))
        for mine, theirs in ((first, second), (second, first))
    )
    for path in sorted({*one, *other}):
        if one.get(path) != other.get(path):
            yield RecordDifference(path=path, first=one.get(path), second=other.get(path))


def _without_details(record: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in _PASSING}
    for name in _NAMED:
        entries, theirs = section(record, name), section(other, name)
        kept[name] = {
            thing: _details(entry, theirs[thing]) if thing in theirs else "in this run"
            for thing, entry in entries.items()
        }
    return kept


def _details(entry: Any, other: Any) -> Any:
    if not (isinstance(entry, Mapping) and isinstance(other, Mapping)):
        return entry
    if entry.get("manifest") == other.get("manifest"):
        return entry
    return {name: value for name, value in entry.items() if name != "classes"}


def _names(record: Mapping[str, Any]) -> str | None:
    """Return what a run looked for and did not find."""
    found = [
        str(entry.get("name"))
        for entry in record.get("missing") or ()
        if isinstance(entry, Mapping)
    ]
    return ", ".join(sorted(found)) or None


def _flat(value: Any, path: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _flat(entry, (*path, str(name)))
    else:
        yield ".".join(path), value
