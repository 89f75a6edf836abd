"""Check the installation, the corpora on disk and the weights of backbones."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.diagnostics.libraries import LibraryTrial
from sercore.diagnostics.recognized import recognize_all
from sercore.errors import BackboneError
from sercore.errors import SercoreError
from sercore.plugins.declared import all_corpora
from sercore.plugins.declared import named_corpora

if TYPE_CHECKING:
    from sercore.diagnostics.corpus_check import CorpusCheck
    from sercore.diagnostics.corpus_check import CorpusChecker
    from sercore.diagnostics.libraries import LibraryCheck
    from sercore.diagnostics.recognized import Recognized
    from sercore.plugins.registry import Registry
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class BackboneCheck:
    """Where the weights of one backbone are."""

    id: str
    verdict: str
    """``found``, ``no weights needed``, ``not here`` or ``unusable``."""
    place: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything that `sercore doctor` finds."""

    libraries: tuple[LibraryCheck, ...]
    plugins: tuple[dict[str, Any], ...]
    conflicts: tuple[str, ...]
    """One sentence for each name that two plugins claim."""
    corpora: tuple[CorpusCheck, ...]
    recognized: tuple[Recognized, ...]
    """Folders and archives that look like a corpus and were not found by name."""
    backbones: tuple[BackboneCheck, ...]
    workspace: dict[str, Any]

    @property
    def is_well(self) -> bool:
        """Whether nothing is broken. Missing corpora and weights are no fault."""
        return (
            not any(library.error for library in self.libraries)
            and not any(plugin["error"] for plugin in self.plugins)
            and not self.conflicts
            and not any(corpus.is_bad for corpus in self.corpora)
            and not any(backbone.verdict == "unusable" for backbone in self.backbones)
            and self.workspace["error"] is None
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values."""
        values = asdict(replace(self, corpora=()))
        corpora = [check.as_dict() for check in self.corpora]
        return {**values, "corpora": corpora, "well": self.is_well}


def examine(
    registry: Registry, checker: CorpusChecker, named: Mapping[str, Path | None]
) -> Diagnosis:
    """Check everything.

    Args:
        registry: the installed plugins.
        checker: checks the corpora.
        named: corpora to check, with their folders; if empty, all but the synthetic ones.

    Raises:
        UnknownNameError: a named corpus is not installed.
    """
    libraries = _library_trial()
    known = all_corpora(registry, checker.settings)
    chosen = [corpus for corpus, _ in named_corpora(known, named)] or [
        corpus for corpus in known if not corpus.card.demo
    ]
    with _rare_collections():
        checks = tuple(checker.check(corpus, named.get(corpus.card.id)) for corpus in chosen)
        places = [check.place for check in checks]
        recognized = recognize_all(checker.data, chosen, places, checker.reading)
    return Diagnosis(
        libraries=libraries.result(),
        plugins=tuple(asdict(info) for info in registry.plugins),
        conflicts=registry.conflicts,
        corpora=checks,
        recognized=recognized,
        backbones=tuple(_check_backbone(registry, name) for name in registry.backbones.items),
        workspace=_check_workspace(checker.workspace),
    )


@cache
def _library_trial() -> LibraryTrial:
    """Return the trial of this process: what is installed does not change meanwhile."""
    return LibraryTrial()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for circular garbage rarely.

    A listing is a hundred thousand small objects without circles, and looking at all of them again
    and again took a fifth of the time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(200_000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _check_backbone(registry: Registry, name: str) -> BackboneCheck:
    backbone = registry.backbones.get(name)
    try:
        checkpoint = backbone.resolve(offline=True)
    except BackboneError as error:
        from sercore.errors import BackboneUnavailableError

        absent = isinstance(error, BackboneUnavailableError)
        verdict = "not here" if absent else "unusable"
        return BackboneCheck(id=name, verdict=verdict, reason=str(error))
    if checkpoint.location is None:
        return BackboneCheck(id=name, verdict="no weights needed")
    return BackboneCheck(id=name, verdict="found", place=checkpoint.location)


def _check_workspace(workspace: Workspace) -> dict[str, Any]:
    error = None
    try:
        workspace.write_bytes(".doctor", b"")
        workspace.remove(".doctor")
    except SercoreError as failure:
        error = str(failure)
    free = None
    if workspace.is_local and error is None:
        free = round(shutil.disk_usage(workspace.root).free / 1e9, 1)
    return {"root": workspace.root, "free_gb": free, "error": error}
