"""Manifests that the workspace keeps, loaded again while their sources have not changed.

A manifest is kept with a stamp: names, sizes and times of the corpus's files, and the identity of
the code that reads them. If the stamp differs, the manifest is built again. No key depends on a
stamp.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from sercore.corpora.contents import Contents
from sercore.corpora.contents import contents_are_intact
from sercore.corpora.contents import known_contents
from sercore.corpora.manifest import SCHEMA
from sercore.corpora.manifest import Manifest
from sercore.corpora.manifest import ManifestDigests
from sercore.corpora.manifest import build_manifest
from sercore.corpora.problems import Problem
from sercore.errors import DamagedError
from sercore.storage.code import code_identity
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from sercore.corpora.contents import Place
    from sercore.corpora.contents import Progress
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.storage.workspace import Workspace

_FACTS = b"sercore"


def load_manifest(
    corpus: Corpus,
    files: CorpusFiles,
    reading: str,
    workspace: Workspace,
    module: str,
    *,
    stamp: str = "",
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Manifest:
    """Return the manifest of a corpus on disk, built only if something has changed.

    Names, sizes and times of all files are compared. Only recordings that are new or have another
    size or time are read, to compute their digests.

    Args:
        corpus: the corpus.
        files: the corpus on disk.
        reading: which utterances.
        workspace: keeps the manifest.
        module: the entry point of the plugin that registered the corpus.
        stamp: a digest of all else that the utterances depend on.
        progress: called with the bytes of audio that are read; not called if nothing is read.
        note: given one sentence where a stored file was damaged and is computed again.

    Raises:
        CorpusError, UnknownLabelError: as `sercore.corpora.manifest.build_manifest`.
        WorkspaceError: the manifest cannot be written.
    """
    return _Cache(corpus, files, reading, workspace, progress, note or _ignore).load(module, stamp)


class _Cache:
    """One call of `load_manifest`."""

    def __init__(
        self,
        corpus: Corpus,
        files: CorpusFiles,
        reading: str,
        workspace: Workspace,
        progress: Progress | None,
        note: Callable[[str], None],
    ) -> None:
        self._corpus = corpus
        self._files = files
        self._reading = reading
        self._workspace = workspace
        self._note = note
        self._relative = f"manifests/{corpus.card.id}/{reading}.parquet"
        self._contents_of = partial(
            known_contents, corpus.card.id, workspace=workspace, progress=progress, note=note
        )

    def load(self, module: str, extra: str) -> Manifest:
        code = code_identity(module.partition(":")[0], type(self._corpus).__module__, __name__)
        stamp = digest_of([self._files.stamp(), code, extra])
        kept = self._read()
        before = None
        if kept is not None:
            before, facts = kept
            trusted = facts["settled"] and contents_are_intact(
                self._corpus.card.id, self._files, self._workspace
            )
            if facts["stamp"] == stamp and (trusted or self._still_holds(before, facts)):
                self._copy(before)
                return before
        return self._build(stamp, before)

    def _read(self) -> tuple[Manifest, dict[str, Any]] | None:
        """Return the kept manifest with the facts beside it; None if there is none."""
        if not self._workspace.exists(self._relative):
            return None
        try:
            table = self._workspace.read_table(self._relative)
        except DamagedError:
            self._note(
                f"the stored manifest of {self._corpus.card.id} was damaged and is built again"
            )
            return None
        if not table.schema.equals(SCHEMA):
            return None
        try:
            facts: dict[str, Any] = json.loads(table.schema.metadata[_FACTS])
            digests = ManifestDigests(
                rows=facts["rows"], audio=facts["audio"], parts=tuple(facts["parts"])
            )
            problems = tuple(Problem(**problem) for problem in facts["problems"])
        except (KeyError, TypeError):
            return None  # another version of sercore wrote it
        manifest = Manifest(
            self._corpus.card.id, self._reading, table.cast(SCHEMA), problems, known=digests
        )
        return manifest, facts

    def _still_holds(self, kept: Manifest, facts: dict[str, Any]) -> bool:
        """Return whether recordings that were written shortly before they were read are the same.

        The stamp cannot show that (`sercore.corpora.contents`).
        """
        places = list(zip(kept.column("path"), kept.column("row"), strict=True))
        contents = self._contents_of(self._files, places)
        if contents.digests != kept.column("content"):
            return False
        if contents.settled:
            self._write(kept, facts["stamp"], contents)
        return True

    def _build(self, stamp: str, before: Manifest | None) -> Manifest:
        found: list[Contents] = []

        def contents(files: CorpusFiles, places: Sequence[Place]) -> list[str]:
            found.append(self._contents_of(files, places))
            return found[0].digests

        manifest = build_manifest(self._corpus, self._files, self._reading, contents, before)
        self._write(manifest, stamp, found[0])
        return manifest

    def _write(self, manifest: Manifest, stamp: str, contents: Contents) -> None:
        facts = {
            "stamp": stamp,
            "settled": contents.settled,
            "problems": [asdict(problem) for problem in manifest.problems],
            **asdict(manifest.digests),
        }
        table = manifest.table.replace_schema_metadata({_FACTS: json.dumps(facts)})
        self._workspace.write_table(self._relative, table)
        self._copy(manifest)

    def _copy(self, manifest: Manifest) -> None:
        """Keep the rows under the manifest's digest too, where reports look for them."""
        relative = manifest_path(manifest)
        if self._workspace.exists(relative):
            try:
                self._workspace.read_sealed(relative)
            except DamagedError:
                self._note(
                    f"the stored rows of {manifest.corpus} were damaged and are written again"
                )
            else:
                return
        self._workspace.write_table(relative, manifest.table)


def manifest_path(manifest: Manifest) -> str:
    """Return where the workspace keeps the rows of a manifest, as Parquet."""
    return f"manifests/{manifest.corpus}/{manifest.digest}.parquet"


def _ignore(_: str) -> None:
    pass
