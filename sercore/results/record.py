"""The record of a run (``runs/<name>/run.json``), read into values with types.

A record can come from another version or another machine. An entry that is missing or of another
type reads as unknown, never as an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import MISSING
from dataclasses import dataclass
from dataclasses import fields
from typing import Any

from sercore.corpora.interface import OTHER_SET
from sercore.evaluation.class_rules import LabelSet
from sercore.evaluation.protocols import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRecord:
    """A corpus as the record of a run describes it."""

    title: str
    language: str | None
    speech: str | None
    """How its emotions came about: ``acted``, ``elicited``, ``read``, ..."""
    licence: str | None
    citation: str | None
    demo: bool
    cluster: str | None
    ood_eligible: bool
    sets: tuple[str, ...]
    """The sets of corpora that it is in, `OTHER_SET` included."""
    manifest: str | None
    """Digest of the manifest."""
    utterances: int | None
    expected: int | None
    """Utterances of a complete copy."""
    classes: Mapping[str, int]
    """Utterances per class, under the label mapper of the run."""
    labels: Mapping[str, str | None]
    """The class of each native label; None for one that the mapper leaves out."""
    human_accuracy: float | None
    """Of human listeners, as the authors of the corpus published it."""
    whole: bool | None
    """Whether the copy is complete."""
    declared: bool = False
    """Whether the user declared it; no published set includes it."""

    @property
    def label_set(self) -> LabelSet:
        """What class rules ask about the corpus."""
        return LabelSet(
            classes=frozenset(name for name, count in self.classes.items() if count),
            cluster=self.cluster,
            ood_eligible=self.ood_eligible,
            demo=self.demo,
            declared=self.declared,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneRecord:
    """A backbone as the record of a run describes it."""

    title: str
    checkpoint: str | None
    revision: str | None
    floor: bool
    """Whether it is features without pre-training."""


def corpora_of(record: Mapping[str, Any]) -> dict[str, CorpusRecord]:
    """Return the corpora of a run by name, sorted."""
    return {
        name: CorpusRecord(
            title=str(entry.get("title") or name),
            language=entry.get("language"),
            speech=entry.get("speech"),
            licence=entry.get("licence"),
            citation=entry.get("citation"),
            demo=bool(entry.get("demo")),
            cluster=entry.get("cluster"),
            ood_eligible=bool(entry.get("ood_eligible")),
            sets=_sets(entry),
            manifest=entry.get("manifest"),
            utterances=entry.get("utterances"),
            expected=entry.get("expected"),
            classes=_mapping(entry.get("classes")),
            labels=_mapping(entry.get("labels")),
            human_accuracy=entry.get("human_accuracy"),
            whole=entry.get("whole"),
            declared=bool(entry.get("declared")),
        )
        for name, entry in _entries(record, "corpora")
    }


def backbones_of(record: Mapping[str, Any]) -> dict[str, BackboneRecord]:
    """Return the backbones of a run by name, sorted."""
    return {
        name: BackboneRecord(
            title=str(entry.get("title") or name),
            checkpoint=entry.get("checkpoint"),
            revision=entry.get("revision"),
            floor=bool(entry.get("floor")),
        )
        for name, entry in _entries(record, "backbones")
    }


def missing_corpora(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the corpora that a run looked for and did not find, with the sets they are in."""
    return {
        str(entry.get("name")): _sets(entry)
        for entry in record.get("missing") or ()
        if isinstance(entry, Mapping) and entry.get("kind") == "corpus"
    }


def corpus_sets(record: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the real corpora of every set of corpora in a run, the missing ones included."""
    members = {name: one.sets for name, one in corpora_of(record).items() if not one.demo}
    members |= missing_corpora(record)
    found: dict[str, set[str]] = {}
    for name, sets in members.items():
        for one in sets:
            found.setdefault(one, set()).add(name)
    return {name: frozenset(corpora) for name, corpora in sorted(found.items())}


def protocol_of(record: Mapping[str, Any]) -> Protocol | None:
    """Return the protocol of a run, or None if the record does not hold all of it."""
    stored = _mapping(record.get("protocol"))
    known = {field.name: field for field in fields(Protocol)}
    needed = {name for name, field in known.items() if field.default is MISSING}
    if not needed <= stored.keys():
        return None
    values = {name: stored[name] for name in known.keys() & stored.keys()}
    for name in {"class_rules", "adjustments"} & values.keys():
        values[name] = tuple(values[name])
    return Protocol(**values)


def sentences(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the ``problems`` or ``notes`` of a run, one sentence per entry."""
    return tuple(_sentence(entry) for entry in record.get(name) or ())


def section(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of a record that is an object; empty if it is missing."""
    return _mapping(record.get(name))


def _sets(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sets of a corpus; none if the record is older than sets."""
    sets = entry.get("sets")
    return (tuple(map(str, sets)) or (OTHER_SET,)) if isinstance(sets, Sequence) else ()


def _sentence(problem: object) -> str:
    """Return a problem as a sentence; it is stored as a sentence, or as the fields of `Problem`."""
    if not isinstance(problem, Mapping):
        return str(problem)
    text = f"{problem.get('where', '')}: {problem.get('message', '')}".strip(": ")
    hint = problem.get("hint")
    return f"{text}; {hint}" if hint else text


def _entries(record: Mapping[str, Any], name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return [
        (str(key), entry)
        for key, entry in sorted(_mapping(record.get(name)).items())
        if isinstance(entry, Mapping)
    ]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
