"""What is installed, broken, found on disk, and how it compares with what is expected."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import asdict
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.errors import BackboneError
from sercore.errors import SercoreError
from sercore.manifest import build_manifest
from sercore.manifest import paper_counts
from sercore.plan import locate
from sercore.plan import open_files

if TYPE_CHECKING:
    from sercore.corpora import Corpus
    from sercore.plugins import Registry
    from sercore.settings import Settings
    from sercore.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class LibraryCheck:
    """Whether a library loads."""

    name: str
    version: str | None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class CorpusCheck:
    """What was found of one corpus."""

    id: str
    verdict: str
    """``complete``, ``differs``, ``problems``, ``unusable`` or ``not found``."""
    root: str | None = None
    files: int | None = None
    utterances: int | None = None
    expected: int | None = None
    classes: dict[str, int] | None = None
    expected_classes: dict[str, int] | None = None
    problems: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Whether something is there that a user should repair."""
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
    """Everything that `sercore doctor` finds out."""

    libraries: tuple[LibraryCheck, ...]
    plugins: tuple[dict[str, Any], ...]
    corpora: tuple[CorpusCheck, ...]
    backbones: tuple[BackboneCheck, ...]
    workspace: dict[str, Any]

    @property
    def is_well(self) -> bool:
        """Whether nothing is broken; what is merely not there does not count."""
        return (
            not any(each.error for each in self.libraries)
            and not any(each["error"] for each in self.plugins)
            and not any(each.is_bad for each in self.corpora)
            and not any(each.verdict == "unusable" for each in self.backbones)
            and self.workspace["error"] is None
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values."""
        return {**asdict(self), "well": self.is_well}


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
    """Examine everything.

    Args:
        registry: what is installed.
        settings: where corpora lie.
        workspace: where results would go.
        data: folders that hold corpora.
        named: corpora to look at, with their folders; all when empty.
        reading: which utterances.
        deep: whether every recording is decoded.
    """
    chosen = [registry.corpora.get(name) for name in named] or list(registry.corpora)
    folders = tuple(data)
    return Diagnosis(
        libraries=check_libraries(),
        plugins=tuple(asdict(info) for info in registry.plugins),
        corpora=tuple(
            _check_corpus(
                corpus,
                named.get(corpus.card.id),
                folders,
                settings,
                workspace,
                reading=reading,
                deep=deep,
            )
            for corpus in chosen
        ),
        backbones=tuple(_check_backbone(registry, name) for name in registry.backbones.items),
        workspace=_check_workspace(workspace),
    )


def check_libraries() -> tuple[LibraryCheck, ...]:
    """Import what fails in ways that its own message does not explain."""
    checks = []
    for name in ("torch", "torchaudio", "transformers", "soundfile", "av", "soxr", "pyarrow"):
        error = _import_error(name)
        if error is not None and name == "torchaudio":
            # It is linked to one build of torch; beside another it cannot load, and then every
            # audio feature extractor of transformers fails too.
            error = (
                f"torchaudio {_version('torchaudio')} cannot load beside torch "
                f"{_version('torch')} ({error}); install the two together in one command: "
                "pip install --force-reinstall torch torchaudio"
            )
        checks.append(LibraryCheck(name=name, version=_version(name), error=error))
    return tuple(checks)


def _import_error(name: str) -> str | None:
    from importlib import import_module

    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 - a shared library can fail in any way
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _check_corpus(
    corpus: Corpus,
    place: Path | None,
    data: tuple[Path, ...],
    settings: Settings,
    workspace: Workspace,
    *,
    reading: str,
    deep: bool,
) -> CorpusCheck:
    card = corpus.card
    expected = card.expected.get(reading)
    n_expected = expected.utterances if expected else None
    if card.demo:
        # It writes itself when a run needs it: nothing can be missing.
        return CorpusCheck(id=card.id, verdict="built in", expected=n_expected)
    try:
        root = place or locate(corpus, data, settings, workspace)
        if root is None:
            return CorpusCheck(
                id=card.id, verdict="not found", expected=n_expected, problems=(card.obtain,)
            )
        files = open_files(corpus, root, settings, workspace)
        manifest = build_manifest(corpus, files, reading)
    except SercoreError as error:
        return CorpusCheck(
            id=card.id,
            verdict="unusable",
            root=str(place) if place else None,
            expected=n_expected,
            problems=(str(error),),
        )
    problems = list(manifest.problems)
    if deep:
        from sercore.survey import survey

        problems += survey(files, manifest)[1]
    serious = [problem for problem in problems if not problem.is_note]
    differs = any(problem.kind == "count" for problem in problems)
    return CorpusCheck(
        id=card.id,
        verdict="problems" if serious else "differs" if differs else "complete",
        root=str(files.root),
        files=sum(1 for _ in files),
        utterances=len(manifest),
        expected=n_expected,
        classes=paper_counts(manifest, corpus),
        expected_classes=(
            {str(name): n for name, n in expected.classes.items()} if expected else None
        ),
        problems=tuple(str(problem) for problem in problems),
    )


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
