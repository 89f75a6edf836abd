"""The part of a run's record that may leave the machine.

Only what is named here passes, and only with the type that it should have. The same function reads
the record of a bundle of someone else, so that no entry of it can surprise the rest of sercore.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

_Pick = Callable[[Any], Any]
_NOTHING = object()


def public_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a record that say nothing about the machine and its folders.

    Problems and notes are counted and left out: their sentences name files and folders.

    Args:
        record: as in ``runs/<name>/run.json``, or as this function returned it.
    """
    picked = _RECORD(record)
    public: dict[str, Any] = {} if picked is _NOTHING else picked
    left_out = _left_out(record)
    if left_out:
        public["notes"] = [left_out]
    return public


def _left_out(record: Mapping[str, Any]) -> str | None:
    counts = {
        name: len(record[name])
        for name in ("problems", "notes")
        if isinstance(record.get(name), list) and record[name]
    }
    if not counts:
        return None
    if counts == {"notes": 1} and str(record["notes"][0]).endswith(_ENDING):
        return str(record["notes"][0])
    parts = [f"{count} {name if count > 1 else name[:-1]}" for name, count in counts.items()]
    return f"{' and '.join(parts)} {_ENDING}"


_ENDING = "of the run stayed with its group: such sentences name files and folders"


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else _NOTHING


def _number(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else _NOTHING


def _decimal(value: Any) -> Any:
    return value if isinstance(value, float) and abs(value) < float("inf") else _NOTHING


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else _NOTHING


def _or_null(pick: _Pick) -> _Pick:
    return lambda value: None if value is None else pick(value)


def _either(*picks: _Pick) -> _Pick:
    def pick(value: Any) -> Any:
        found = (choice(value) for choice in picks)
        return next((kept for kept in found if kept is not _NOTHING), _NOTHING)

    return pick


def _list_of(pick: _Pick) -> _Pick:
    def picked(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return _NOTHING
        return [kept for kept in map(pick, value) if kept is not _NOTHING]

    return picked


def _map_of(pick: _Pick) -> _Pick:
    def picked(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return _NOTHING
        found = {str(name): pick(entry) for name, entry in value.items()}
        return {name: kept for name, kept in found.items() if kept is not _NOTHING}

    return picked


def _class_names(value: Any) -> Any:
    """Return the classes of a map from native labels to classes, as a map to themselves."""
    if not isinstance(value, Mapping):
        return _NOTHING
    return {name: name for name in sorted({text for text in value.values() if _is_text(text)})}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _object(**picks: _Pick) -> _Pick:
    def picked(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return _NOTHING
        found = {name: pick(value[name]) for name, pick in picks.items() if name in value}
        return {name: kept for name, kept in found.items() if kept is not _NOTHING}

    return picked


_SCALAR = _either(_flag, _number, _text, _or_null(_decimal))


_TEXTS = _list_of(_text)

_PROTOCOL = _object(
    id=_text,
    summary=_text,
    reading=_text,
    mapper=_text,
    split=_text,
    n_folds=_number,
    n_seeds=_number,
    class_rules=_TEXTS,
    adjustments=_TEXTS,
    headline=_text,
    averaging=_text,
    audio_path=_text,
)

_SETTINGS = _object(
    probe=_text,
    probes=_TEXTS,
    layer=_either(_text, _number),
    dtype=_text,
    device=_text,
    seed=_number,
    n_seeds=_number,
    corpora=_TEXTS,
    accept_shared_speakers=_flag,
    small_clusters=_flag,
    threads=_number,
    frame_budget=_or_null(_either(_number, _text)),
)

_CORPUS = _object(
    title=_text,
    language=_text,
    licence=_or_null(_text),
    citation=_or_null(_text),
    demo=_flag,
    sets=_TEXTS,
    cluster=_or_null(_text),
    ood_eligible=_flag,
    manifest=_text,
    utterances=_number,
    expected=_or_null(_number),
    classes=_map_of(_number),
    labels=_class_names,
    declared=_flag,
    speech=_or_null(_text),
    human_accuracy=_or_null(_either(_decimal, _number)),
    whole=_or_null(_flag),
)

_BACKBONE = _object(
    title=_text,
    family=_text,
    licence=_or_null(_text),
    demo=_flag,
    floor=_flag,
    checkpoint=_or_null(_text),
    revision=_or_null(_text),
    weights=_or_null(_text),
    width=_or_null(_number),
    options=_map_of(_SCALAR),
    overlap=_map_of(_text),
)

_RECORD = _object(
    schema=_number,
    name=_text,
    status=_text,
    written=_text,
    scoring=_text,
    rescored_from=_text,
    protocol=_PROTOCOL,
    settings=_SETTINGS,
    probe_settings=_map_of(_map_of(_SCALAR)),
    corpora=_map_of(_CORPUS),
    backbones=_map_of(_BACKBONE),
    missing=_list_of(_object(kind=_text, name=_text, named=_flag, failed=_flag)),
    plugins=_map_of(_text),
    environment=_object(sercore=_text, python=_text, packages=_map_of(_or_null(_text))),
    counts=_map_of(_number),
    planned=_map_of(_number),
    costs=_map_of(_object(tasks=_number, seconds=_either(_decimal, _number))),
)
