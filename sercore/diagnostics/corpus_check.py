"""The state of one corpus on disk: what is there, whether it is complete, and how it sounds."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
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
from sercore.errors import CorpusError
from sercore.errors import CorpusMissingError
from sercore.errors import SercoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import Emotion
    from sercore.corpora.manifest import Manifest
    from sercore.diagnostics.fingerprint import Fingerprint
    from sercore.diagnostics.health import Health
    from sercore.diagnostics.identity import Identity
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace

Progress = Callable[[str, int, int], None]
"""Called with the corpus, and the numbers of recordings that are decoded and to be decoded."""


@dataclass(frozen=True, kw_only=True)
class CorpusCheck:
    """The state of one corpus."""

    id: str
    title: str
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
    identity: tuple[Identity, ...] = ()
    """How the audio compares with the published copy, and with those that the user named."""
    health: Health | None = None
    """What was measured of the audio, if it was decoded."""

    @property
    def found(self) -> bool:
        """Whether it is on this disk."""
        return self.root is not None

    @property
    def is_bad(self) -> bool:
        """Whether a user should repair something."""
        return self.verdict in ("problems", "unusable")

    def as_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        values = asdict(replace(self, identity=()))
        for problem, found in zip(values["problems"], self.problems, strict=True):
            problem["severity"] = found.severity.value
        return {**values, "identity": [identity.as_dict() for identity in self.identity]}


@dataclass(kw_only=True)
class CorpusChecker:
    """Checks corpora one after the other, and notices audio that several of them have."""

    data: tuple[Path, ...]
    """Folders that hold corpora."""
    settings: Settings
    workspace: Workspace
    reading: str
    """Which utterances."""
    deep: bool
    """Whether every recording is decoded."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """Other copies, which a corpus is compared with; its recordings are decoded for that."""
    progress: Progress | None = None
    _heard: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Corpus and utterance by the digest of their audio."""
    _places: Callable[[Path], Iterable[Path]] = field(default_factory=lambda: cache(places_in))
    """Data folders are listed once for all corpora."""

    def check(self, corpus: Corpus, place: Path | None) -> CorpusCheck:
        """Return the state of a corpus.

        Args:
            corpus: the corpus.
            place: its folder or archive; None: it is looked for.
        """
        card = corpus.card
        expected = card.expected.get(self.reading)
        check = CorpusCheck(
            id=card.id,
            title=card.title,
            verdict="not found",
            expected=expected.utterances if expected else None,
            expected_classes=_classes(expected.classes) if expected else None,
        )
        if card.demo:
            # It is generated when a run needs it.
            return replace(check, verdict="built in")
        root = place
        try:
            root = place or locate(corpus, self.data, self.settings, self.workspace, self._places)
        except CorpusMissingError as error:
            return replace(check, obtain=str(error))
        except SercoreError as error:
            return _unusable(check, root, error)
        try:
            if root is None:
                return replace(check, obtain=how_to_obtain(card))
            files = open_files(corpus, root, self.settings, self.workspace)
            return self._examined(corpus, files, replace(check, place=str(root)))
        except SercoreError as error:
            return _unusable(check, root, error)

    def _examined(self, corpus: Corpus, files: CorpusFiles, check: CorpusCheck) -> CorpusCheck:
        others = self._fingerprints(corpus)
        if self.deep or any(other in self.fingerprints for other in others):
            manifest, audit, problems = self._decoded(corpus, files)
            check = replace(check, **self._heard_of(corpus, manifest, audit, others))
            altered = [one.problem for one in check.identity if one.problem is not None]
            check = replace(check, problems=(*problems, *altered))
        else:
            manifest = build_manifest(corpus, files, self.reading)
        problems = (*manifest.problems, *check.problems)
        return replace(
            check,
            verdict=_verdict(problems),
            root=str(files.root),
            files=sum(1 for _ in files),
            utterances=len(manifest),
            classes=paper_counts(manifest, corpus),
            problems=problems,
        )

    def _decoded(
        self, corpus: Corpus, files: CorpusFiles
    ) -> tuple[Manifest, pa.Table, tuple[Problem, ...]]:
        from sercore.audio.kept_audits import audited

        def progress(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(corpus.card.id, done, total)

        manifest, audit, problems = audited(
            corpus, files, self.reading, self.workspace, progress=progress
        )
        return manifest, audit, (*problems, *self._shared(manifest, audit))

    def _heard_of(
        self, corpus: Corpus, manifest: Manifest, audit: pa.Table, others: Iterable[Fingerprint]
    ) -> dict[str, Any]:
        """Return identity and health of decoded recordings."""
        from sercore.diagnostics.fingerprint import prints_of
        from sercore.diagnostics.health import health_of
        from sercore.diagnostics.identity import compare

        prints = prints_of(manifest, audit)
        return {
            "identity": tuple(compare(other, prints) for other in others),
            "health": health_of(corpus, manifest, audit),
        }

    def _fingerprints(self, corpus: Corpus) -> list[Fingerprint]:
        """Return the fingerprints of the plugin, of the settings and of the command line.

        Raises:
            CorpusError: a file cannot be read, or belongs to another corpus.
        """
        from sercore.diagnostics.fingerprint import read_fingerprint

        own = self.settings.datasets.get(corpus.card.id)
        named = own.fingerprint if own is not None else None
        files = [file for file in (corpus.card.fingerprint, named) if file is not None]
        given = [one for one in self.fingerprints if one.corpus == corpus.card.id]
        # A table of thirty thousand lines is not read for nothing.
        read = [read_fingerprint(file) for file in files] if self.deep or given else []
        for one in read:
            if one.corpus != corpus.card.id:
                raise CorpusError(
                    f"the fingerprint {named} belongs to '{one.corpus}', not to {corpus.card.id}",
                    hint=f"correct datasets.{corpus.card.id}.fingerprint in sercore.toml",
                )
        return [*read, *given]

    def _shared(self, manifest: Manifest, audit: pa.Table) -> tuple[Problem, ...]:
        """Return one problem for each corpus that was checked before and has some of the audio."""
        name = manifest.corpus
        found: dict[str, list[tuple[str, str]]] = {}
        digests = audit.column("audio_digest").to_pylist()
        for utterance_id, digest in zip(manifest.utterance_ids, digests, strict=True):
            if digest is None:
                continue
            other, other_id = self._heard.setdefault(digest, (name, utterance_id))
            if other != name:
                found.setdefault(other, []).append((utterance_id, other_id))
        return tuple(
            Problem(
                kind="shared",
                where=name,
                message=f"{len(pairs)} of its recordings are also in {other}, such as "
                f"{pairs[0][0]}, there {pairs[0][1]}",
                hint="scores across the two corpora are too good",
            )
            for other, pairs in found.items()
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
