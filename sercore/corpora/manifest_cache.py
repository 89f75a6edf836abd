"""Manifests that were built before: loaded again while nothing they were built from has changed.

A manifest is kept with the stamp of the corpus's files and of the code that read them. Whatever
changes, it is built anew; its digest, on which all results rest, never depends on a stamp.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.corpora.manifest import build_manifest
from sercore.corpora.problems import Problem
from sercore.errors import WorkspaceError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.storage.workspace import Workspace

_READERS = Path(__file__).parent
"""The package whose modules a manifest's rows come from."""
_FACTS = b"sercore"


def load_manifest(
    corpus: Corpus, files: CorpusFiles, reading: str, workspace: Workspace, module: str
) -> Manifest:
    """Return the manifest of a corpus on disk, built only if something has changed.

    Names, sizes and times of all files are compared, none is opened.

    Args:
        corpus: the corpus.
        files: the corpus on disk.
        reading: which utterances.
        workspace: keeps the manifest.
        module: the entry point of the plugin that registered the corpus.

    Raises:
        CorpusError, UnknownLabelError: as `sercore.corpora.manifest.build_manifest`.
        WorkspaceError: the manifest cannot be written.
    """
    relative = f"manifests/{corpus.card.id}/{reading}.parquet"
    code = code_digest(module.partition(":")[0], type(corpus).__module__)
    stamp = digest_of([files.stamp(), code])
    kept = _kept(workspace, relative, stamp)
    if kept is not None:
        table, facts = kept
        return Manifest(
            corpus.card.id,
            reading,
            table.cast(SCHEMA),
            tuple(Problem(**each) for each in facts["problems"]),
            known_digest=facts["digest"],
        )
    manifest = build_manifest(corpus, files, reading)
    facts = {
        "stamp": stamp,
        "digest": manifest.digest,
        "problems": [asdict(problem) for problem in manifest.problems],
    }
    workspace.write_table(
        relative, manifest.table.replace_schema_metadata({_FACTS: json.dumps(facts)})
    )
    return manifest


def _kept(
    workspace: Workspace, relative: str, stamp: str
) -> tuple[pa.Table, dict[str, Any]] | None:
    """Return the rows and facts that are kept, if they are of this stamp and whole."""
    if not workspace.exists(relative):
        return None
    try:
        table = workspace.read_table(relative)
        facts: dict[str, Any] = json.loads(table.schema.metadata[_FACTS])
    except (WorkspaceError, KeyError, TypeError, ValueError):
        return None  # written by another version, or damaged: it is only a copy
    if facts.get("stamp") != stamp or not table.schema.equals(SCHEMA):
        return None
    return table, facts


@cache
def code_digest(*modules: str) -> str:
    """Return a digest of the source of some modules and of all readers in the core.

    A plugin under development changes without changing its version.
    """
    sources = [place.read_bytes().hex() for place in sorted(_READERS.glob("*.py"))]
    for name in modules:
        place = getattr(sys.modules.get(name), "__file__", None)
        sources.append(Path(place).read_bytes().hex() if place else name)
    return digest_of(sources)
