"""Corpora without a plugin, declared and opened as a run does it."""

from __future__ import annotations

from pathlib import Path

from sounds import noise
from sounds import wav_bytes

from sercore.corpora.declared import DeclaredCorpus
from sercore.corpora.manifest import build_manifest
from sercore.settings import DatasetSettings
from sercore.settings import parse_source
from sercore.storage.workspace import Workspace

LABELS = {"angry": "anger", "happy": "happiness"}


def write_recordings(root, *paths):
    """Write a real wav file, with a sound of its own, at every path."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(wav_bytes(noise(number, 400)))
    return root


def declare(source, folder=Path(), **settings):
    """Return a declared corpus called ``mine``."""
    settings.setdefault("labels", LABELS)
    own = DatasetSettings(source=parse_source(source, folder), **settings)
    return DeclaredCorpus(name="mine", settings=own)


def read(corpus, workspace):
    """Return the manifest of a declared corpus, through all that opens one for a run."""
    place = corpus.find(offline=True)
    files = corpus.open(place, Workspace(workspace))
    return build_manifest(corpus, files, "corrected")


def rows(manifest, *names):
    """Return some columns of a manifest, row by row."""
    return list(zip(*(manifest.column(name) for name in names), strict=True))


def problems(manifest):
    """Return the kind and the sentence of every problem."""
    return [(problem.kind, str(problem)) for problem in manifest.problems]
