"""Check the installation, the corpora on disk and the weights of backbones."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from collections.abc import Iterable
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

from sercore.corpora.download import how_to_obtain
from sercore.corpora.locate import locate
from sercore.corpora.locate import open_files
from sercore.corpora.locate import places_in
from sercore.corpora.manifest import build_manifest
from sercore.corpora.manifest import paper_counts
from sercore.corpora.problems import Problem
from sercore.diagnostics.libraries import LibraryTrial
from sercore.diagnostics.recognized import recognize_all
from sercore.errors import BackboneError
from sercore.errors import CorpusMissingError
from sercore.errors import SercoreError
from sercore.plugins.declared import all_corpora
from sercore.plugins.declared import named_corpora

if TYPE_CHECKING:
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import Emotion
    from sercore.diagnostics.libraries import LibraryCheck
    from sercore.diagnostics.recognized import Recognized
    from sercore.plugins.registry import Registry
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class CorpusCheck:
    """The state of one corpus."""

    id: str
    verdict: str
    """``complete``, whatever notes there are; ``differs`` from a complete copy (warnings);
    ``problems`` (faults); ``unusable``; ``not found``; or ``built in``."""
    place: str | None = None
    """The folder or archive of the corpus. None: it was not found."""
    root: str | None = None
    """The folder that is read: the content of an archive if it was unpacked."""
    files: int | None = None
    """Files below it, without those of operating systems and those to ignore."""
    utterances: int | None = None
    """Utterances of the reading."""
    expected: int | None = None
    """Utterances of the reading in a complete copy."""
    classes: dict[str, int] | None = None
    """Utterances by class, under the label mapper ``paper``; empty classes left out."""
    expected_classes: dict[str, int] | None = None
    """The same for a complete copy."""
    problems: tuple[Problem, ...] = ()
    """Everything a user should know about this copy, notes included."""
    obtain: str | None = None
    """How to get the corpus, if it was not found."""

    @property
    def found(self) -> bool:
        """Whether it is on this disk."""
        return self.root is not None

    @property
    def is_bad(self) -> bool:
        """Whether a user should repair something."""
        return self.verdict in ("problems", "unusable")


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
        values = asdict(self)
        for corpus, check in zip(values["corpora"], self.corpora, strict=True):
            for problem, found in zip(corpus["problems"], check.problems, strict=True):
                problem["severity"] = found.severity.value
        return {**values, "well": self.is_well}


def examine(
    registry: Registry,
    settings: Settings,
    workspace: Workspace,
    data: Iterable[Path],
    named: dict[str, Path | None],
    *,
    reading: str,
    deep: bool,
) -> Diagnosis:
    """Check everything.

    Args:
        registry: the installed plugins.
        settings: the user's settings, with the places of corpora.
        workspace: the folder for results.
        data: folders that hold corpora.
        named: corpora to check, with their folders; if empty, all but the synthetic ones.
        reading: which utterances.
        deep: whether every recording is decoded.
    """
    libraries = _library_trial()
    known = all_corpora(registry, settings)
    chosen = [corpus for corpus, _ in named_corpora(known, named)] or [
        corpus for corpus in known if not corpus.card.demo
    ]
    folders = tuple(data)
    places = cache(places_in)  # listed once for all corpora
    with _rare_collections():
        checks = tuple(
            _check_corpus(
                corpus,
                named.get(corpus.card.id),
                folders,
                settings,
                workspace,
                places,
                reading=reading,
                deep=deep,
            )
            for corpus in chosen
        )
        recognized = recognize_all(folders, chosen, [check.place for check in checks], reading)
    return Diagnosis(
        libraries=libraries.result(),
        plugins=tuple(asdict(info) for info in registry.plugins),
        conflicts=registry.conflicts,
        corpora=checks,
        recognized=recognized,
        backbones=tuple(_check_backbone(registry, name) for name in registry.backbones.items),
        workspace=_check_workspace(workspace),
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


def _check_corpus(
    corpus: Corpus,
    place: Path | None,
    data: tuple[Path, ...],
    settings: Settings,
    workspace: Workspace,
    places: Callable[[Path], Iterable[Path]],
    *,
    reading: str,
    deep: bool,
) -> CorpusCheck:
    card = corpus.card
    expected = card.expected.get(reading)
    check = CorpusCheck(
        id=card.id,
        verdict="not found",
        expected=expected.utterances if expected else None,
        expected_classes=_classes(expected.classes) if expected else None,
    )
    if card.demo:
        # It is generated when a run needs it.
        return replace(check, verdict="built in")
    root = place
    try:
        root = place or locate(corpus, data, settings, workspace, places)
    except CorpusMissingError as error:
        return replace(check, obtain=str(error))
    except SercoreError as error:
        return _unusable(check, root, error)
    if root is None:
        return replace(check, obtain=how_to_obtain(card))
    try:
        files = open_files(corpus, root, settings, workspace)
        manifest = build_manifest(corpus, files, reading)
    except SercoreError as error:
        return _unusable(check, root, error)
    problems = list(manifest.problems)
    if deep:
        from sercore.audio.audit import audit_audio

        problems += audit_audio(files, manifest)[1]
    return replace(
        check,
        verdict=_verdict(problems),
        place=str(root),
        root=str(files.root),
        files=sum(1 for _ in files),
        utterances=len(manifest),
        classes=paper_counts(manifest, corpus),
        problems=tuple(problems),
    )


def _unusable(check: CorpusCheck, root: Path | None, error: SercoreError) -> CorpusCheck:
    """Return the check of a corpus that cannot be read."""
    problem = Problem(kind="unreadable", where=check.id, message=error.message, hint=error.hint)
    at = str(root) if root else None
    return replace(check, verdict="unusable", place=at, root=at, problems=(problem,))


def _verdict(problems: Iterable[Problem]) -> str:
    found = tuple(problems)
    if any(problem.is_fault for problem in found):
        return "problems"
    return "differs" if any(problem.makes_incomplete for problem in found) else "complete"


def _classes(counts: Mapping[Emotion, int]) -> dict[str, int]:
    return {emotion.value: n for emotion, n in counts.items() if n}


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
