"""Write the results of a run as a bundle."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.__about__ import __version__
from sercore.bundles import layout
from sercore.bundles.public_record import public_record
from sercore.bundles.public_tables import pairs_of
from sercore.bundles.public_tables import public_predictions
from sercore.bundles.public_tables import public_probe
from sercore.bundles.public_tables import public_scores
from sercore.bundles.public_tables import public_split
from sercore.bundles.public_tables import public_units
from sercore.bundles.public_tables import refuse_paths
from sercore.errors import SettingsError
from sercore.evaluation.predictions import predictions_path
from sercore.probes.store import probe_record_path
from sercore.probes.store import split_path
from sercore.storage.seals import sealed_json
from sercore.storage.seals import sealed_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

    import pyarrow as pa

    from sercore.storage.workspace import Workspace

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can state
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A bundle in memory."""

    data: bytes
    facts: layout.BundleFacts


def bundle_of(
    workspace: Workspace,
    name: str,
    record: Mapping[str, Any],
    scores: pa.Table,
    *,
    group: str | None = None,
    contact: str | None = None,
) -> WrittenBundle:
    """Return the bundle of a run.

    Args:
        workspace: holds its predictions, probes and manifests.
        name: of the run.
        record: of the run.
        scores: of the run, as `sercore.evaluation.scores.SCORE_SCHEMA`.
        group: who computed it.
        contact: how to reach them.

    Raises:
        SettingsError: the group or contact is not one short line, or a name is a path.
        WorkspaceError: a stored file is damaged.
    """
    for what, text in (("group", group), ("contact", contact)):
        _check_line(what, text)
    public, table = {**public_record(record), "name": name}, public_scores(scores)
    refuse_paths(public, table)
    members = {
        layout.RECORD: sealed_json(public),
        layout.SCORES: sealed_parquet(table),
    }
    keys = {key for key in table["prediction_key"].unique().to_pylist() if key}
    stored = {key for key in keys if workspace.exists(predictions_path(key))}
    members |= _results(workspace, stored, table, record)
    plugins: dict[str, str] = public.get("plugins") or {}
    index = {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        "run": name,
        "group": group,
        "contact": contact,
        "sercore": __version__,
        "plugins": plugins,
        "predictions": len(stored),
        "lacking": len(keys - stored),
        "members": {
            path: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in members.items()
        },
    }
    sealed_index = sealed_json(index)
    facts = layout.BundleFacts(
        run=name,
        group=group,
        contact=contact,
        sercore=__version__,
        digest=hashlib.sha256(sealed_index).hexdigest(),
        predictions=len(stored),
        lacking=len(keys - stored),
        plugins=plugins,
    )
    return WrittenBundle(_zipped({layout.INDEX: sealed_index, **members}), facts)


def _results(
    workspace: Workspace, keys: set[str], scores: pa.Table, record: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return the members with predictions, units of corpora, and splits and counts of probes."""
    found = {
        predictions_path(key): sealed_parquet(
            public_predictions(workspace.read_table(predictions_path(key)))
        )
        for key in sorted(keys)
    }
    for corpus, path in sorted(set(_manifests(scores))):
        if workspace.exists(path):
            found[path] = sealed_parquet(
                public_units(workspace.read_table(path), _labels(record, corpus))
            )
    for key in sorted({key for key in scores["probe_key"].unique().to_pylist() if key}):
        path = probe_record_path(key)
        if workspace.exists(path):
            found[path] = sealed_json(public_probe(workspace.read_json(path)))
        path = split_path(key)
        if workspace.exists(path):
            found[path] = sealed_parquet(public_split(workspace.read_table(path)))
    return found


def _labels(record: Mapping[str, Any], corpus: str) -> Mapping[str, str | None]:
    """Return the class of each native label of a corpus; empty if the record is older than it."""
    described = (record.get("corpora") or {}).get(corpus) or {}
    labels: Mapping[str, str | None] = described.get("labels") or {}
    return labels


def _manifests(scores: pa.Table) -> Iterator[tuple[str, str]]:
    """Yield the corpora of scores, with the paths of their manifests."""
    for side in ("train", "test"):
        for corpus, digest in pairs_of(scores, f"{side}_corpus", f"{side}_manifest"):
            yield corpus, f"manifests/{corpus}/{digest}.parquet"


def _zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip file that depends on nothing but its members: no time, no compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3  # Unix, on every system
            member.external_attr = 0o644 << 16
            file.writestr(member, members[name])
    return buffer.getvalue()


def _check_line(what: str, text: str | None) -> None:
    if text is None:
        return
    if not text.strip() or len(text) > _LONGEST_NAME or re.search(r"[\x00-\x1f\x7f]", text):
        raise SettingsError(
            f"the {what} {json.dumps(text[: _LONGEST_NAME + 1])} cannot be used",
            hint=f"give one line of 1 to {_LONGEST_NAME} characters",
        )
