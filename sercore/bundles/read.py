"""Open a bundle, which may be damaged, newer than this sercore, or made to do harm."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.bundles import layout
from sercore.bundles.public_record import public_record
from sercore.bundles.public_tables import pairs_of
from sercore.bundles.read_tables import check_predictions
from sercore.bundles.read_tables import check_probe
from sercore.bundles.read_tables import check_scores
from sercore.bundles.read_tables import check_split
from sercore.bundles.read_tables import check_units
from sercore.errors import SettingsError
from sercore.errors import WorkspaceError
from sercore.evaluation.predictions import predictions_path
from sercore.probes.store import split_path
from sercore.storage import seals
from sercore.storage.names import check_name
from sercore.storage.workspace import Workspace
from sercore.storage.zip_files import ZipFiles

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST_JSON = 256 * 1024**2
_UPGRADE = "upgrade sercore to read it: pip install --upgrade sercore"
_ASK = "ask its group for the file again"


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """The content of a bundle."""

    facts: layout.BundleFacts
    record: Mapping[str, Any]
    scores: pa.Table
    """As `sercore.evaluation.scores.SCORE_SCHEMA`."""
    workspace: Workspace
    """Holds the predictions, probes and manifests; read only."""


def is_bundle(name: str) -> bool:
    """Return whether a name that stands for a run is the path of a bundle."""
    return name.lower().endswith(layout.SUFFIX)


def open_bundle(path: str | Path) -> OpenBundle:
    """Open a bundle and check all of it.

    Every member must be the one that the index names, with the columns and types that sercore
    writes. So nothing behind this function meets a value that it does not expect.

    Raises:
        WorkspaceError: it is not a bundle, damaged, of a newer version, or holds what sercore does
            not write into a bundle.
    """
    place = Path(path).expanduser().absolute()
    files = ZipFiles(place)
    index = _index(files, place)
    try:
        facts = _facts(index, hashlib.sha256(files.member(layout.INDEX)).hexdigest())
        _check_members(files, index["members"])
        record = _json(files, layout.RECORD)
        scores = check_scores(files.member(layout.SCORES))
        _check_contents(files, scores)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WorkspaceError(f"{place} is not a whole bundle ({error})", hint=_ASK) from error
    except (ValueError, OSError) as error:
        raise WorkspaceError(f"{place} cannot be used: {error}", hint=_ASK) from error
    return OpenBundle(facts, public_record(record), scores, Workspace(place, files))


def _index(files: ZipFiles, place: Path) -> dict[str, Any]:
    """Return the index of a bundle that this version of sercore can read."""
    if layout.INDEX not in files.names:
        raise WorkspaceError(
            f"{place} is a zip file, but no bundle of sercore",
            hint="'sercore export bundle RUN' writes one",
        )
    try:
        index: Any = _json(files, layout.INDEX)
    except (ValueError, OSError, RecursionError) as error:
        raise WorkspaceError(f"{place} is damaged: its index {error}", hint=_ASK) from error
    if not isinstance(index, dict) or index.get("format") != layout.FORMAT:
        raise WorkspaceError(
            f"{place} is a zip file, but no bundle of sercore",
            hint="'sercore export bundle RUN' writes one",
        )
    version = index.get("version")
    if not isinstance(version, int) or version > layout.VERSION:
        raise WorkspaceError(
            f"{place} is a bundle of version {version}, and this sercore reads version "
            f"{layout.VERSION}",
            hint=_UPGRADE,
        )
    return index


def _facts(index: Mapping[str, Any], digest: str) -> layout.BundleFacts:
    """Return what an index says about its bundle.

    Raises:
        ValueError: an entry has another type.
    """
    texts = {name: index[name] for name in ("group", "contact")}
    plugins, counts = index["plugins"], (index["predictions"], index["lacking"])
    if not all(text is None or isinstance(text, str) for text in texts.values()):
        raise ValueError("its group or contact is not a text")
    if not isinstance(plugins, dict) or not all(isinstance(value, int) for value in counts):
        raise ValueError("its index has entries of another type")
    try:
        run = check_name(str(index["run"]), "the run name")
    except SettingsError as error:
        raise ValueError(error.message) from error
    return layout.BundleFacts(
        run=run,
        **texts,
        sercore=str(index["sercore"]),
        digest=digest,
        predictions=counts[0],
        lacking=counts[1],
        plugins={str(name): str(version) for name, version in plugins.items()},
    )


def _check_members(files: ZipFiles, members: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare all members with the index.

    Raises:
        ValueError: a member is missing, not named, or has other bytes.
    """
    listed = {*members, layout.INDEX}
    if listed != files.names:
        odd = min(listed ^ files.names)
        raise ValueError(f"its index and its members differ in '{odd}'")
    for name, stated in members.items():
        data = files.member(name)
        if len(data) != stated["bytes"] or hashlib.sha256(data).hexdigest() != stated["sha256"]:
            raise ValueError(f"its member '{name}' is damaged")


def _check_contents(files: ZipFiles, scores: pa.Table) -> None:
    """Check every member but the index, the record and the scores.

    Raises:
        ValueError: a member is not what sercore writes under its name, or names a row that the
            manifest of its corpus does not have.
    """
    heights: dict[str, int] = {}
    rows: dict[str, int] = {}
    for name in sorted(files.names - {layout.INDEX, layout.RECORD, layout.SCORES}):
        folder, _, rest = name.partition("/")
        if folder == "predictions" and rest.endswith(".parquet"):
            rows[name] = check_predictions(name, files.member(name))
        elif folder == "manifests" and rest.endswith(".parquet"):
            corpus, height = rest.partition("/")[0], check_units(name, files.member(name))
            heights[corpus] = min(height, heights.get(corpus, height))
        elif folder == "probes" and rest.endswith("/split.parquet"):
            rows[name] = check_split(name, files.member(name))
        elif folder == "probes" and rest.endswith("/record.json"):
            check_probe(name, _json(files, name))
        else:
            raise ValueError(f"its member '{name}' is not part of a bundle")
    named = [(predictions_path(key), corpus) for key, corpus in _tested(scores)]
    named += [(split_path(key), corpus) for key, corpus in _trained(scores)]
    for name, corpus in named:
        if name in rows and corpus in heights and rows[name] >= heights[corpus]:
            raise ValueError(f"its member '{name}' has a row that the manifest of {corpus} lacks")


def _tested(scores: pa.Table) -> list[tuple[str, str]]:
    return pairs_of(scores, "prediction_key", "test_corpus")


def _trained(scores: pa.Table) -> list[tuple[str, str]]:
    return pairs_of(scores, "probe_key", "train_corpus")


def _json(files: ZipFiles, name: str) -> Any:
    """Return the value of a sealed JSON member, without its seal.

    Raises:
        ValueError: it is too large, damaged, or no JSON object.
        OSError: it cannot be read.
    """
    if files.size(name) > _LARGEST_JSON:
        raise ValueError(f"has a member '{name}' of {files.size(name)} bytes")
    data = files.member(name)
    damage = seals.damage(data)
    if damage:
        raise ValueError(f"member '{name}' is damaged: {damage}")
    value = json.load(io.BytesIO(data))
    if not isinstance(value, dict):
        raise ValueError(f"member '{name}' is no JSON object")  # noqa: TRY004 - a fault of the file
    value.pop(seals.KEY, None)
    return value
