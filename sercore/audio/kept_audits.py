"""Audits that the workspace keeps: only recordings that are new or changed are decoded again.

What was measured is kept by the content of a recording, so that neither its name nor its place
matters. Failures are not kept.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from sercore.audio.audit import SCHEMA as AUDIT_SCHEMA
from sercore.audio.audit import audit_audio
from sercore.corpora.contents import known_contents
from sercore.corpora.manifest import build_manifest
from sercore.errors import DamagedError
from sercore.storage.code import code_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from sercore.audio.audit import AudioKey
    from sercore.audio.audit import Facts
    from sercore.audio.audit import Progress
    from sercore.corpora.contents import Place
    from sercore.corpora.contents import Progress as ReadProgress
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.manifest import Manifest
    from sercore.corpora.problems import Problem
    from sercore.storage.workspace import Workspace

_KEY = pa.schema(
    [
        pa.field("content", pa.string(), nullable=False),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("channel", pa.int32()),
    ]
)
_FACTS = pa.schema(field for field in AUDIT_SCHEMA if field.name not in ("utterance_id", "error"))
SCHEMA = pa.schema([*_KEY, *_FACTS])
"""Columns of the kept table: what was heard, and the columns of an audit."""
_CODE = b"code"


def audited(
    corpus: Corpus,
    files: CorpusFiles,
    reading: str,
    workspace: Workspace,
    *,
    progress: Progress | None = None,
    read_progress: ReadProgress | None = None,
    note: Callable[[str], None] | None = None,
) -> tuple[Manifest, pa.Table, tuple[Problem, ...]]:
    """Return the manifest and the audit of a corpus; only what may have changed is read.

    Args:
        corpus: the corpus.
        files: the corpus on disk.
        reading: which utterances.
        workspace: keeps the digests of files, and what was measured.
        progress: called after every decoded recording.
        read_progress: called with the bytes that are read to compute digests.
        note: given one sentence where stored digests were damaged.

    Returns:
        The manifest with contents; and table and problems as `sercore.audio.audit.audit_audio`.

    Raises:
        CorpusError, UnknownLabelError: as `sercore.corpora.manifest.build_manifest`.
        DiskFullError, WorkspaceError: the workspace cannot be written.
    """
    read = partial(
        known_contents, corpus.card.id, workspace=workspace, progress=read_progress, note=note
    )

    def contents(files: CorpusFiles, places: Sequence[Place]) -> Sequence[str]:
        return read(files, places).digests

    manifest = build_manifest(corpus, files, reading, contents)
    relative = f"audits/{corpus.card.id}.parquet"
    known = _read(workspace, relative)
    n_before = len(known)
    try:
        table, problems = audit_audio(files, manifest, progress, known)
    finally:
        # What was measured before an interruption is kept, too.
        if len(known) != n_before:
            _write(workspace, relative, known)
    return manifest, table, problems


def _read(workspace: Workspace, relative: str) -> dict[AudioKey, Facts]:
    """Return what is kept by key; nothing if it is damaged or other code measured it."""
    if not workspace.exists(relative):
        return {}
    try:
        table = workspace.read_table(relative)
    except DamagedError:
        return {}
    if not table.schema.equals(SCHEMA) or table.schema.metadata.get(_CODE) != _code():
        return {}
    keys = zip(*(table.column(name).to_pylist() for name in _KEY.names), strict=True)
    return dict(zip(keys, table.select(_FACTS.names).to_pylist(), strict=True))


def _write(workspace: Workspace, relative: str, known: dict[AudioKey, Facts]) -> None:
    rows = [{**dict(zip(_KEY.names, key, strict=True)), **facts} for key, facts in known.items()]
    table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata({_CODE: _code()}))
    workspace.write_table(relative, table)


def _code() -> bytes:
    return code_identity(__name__).encode()
