"""What the page says about a run as a whole, from its record."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sercore.results.record import backbones_of
from sercore.results.record import corpora_of
from sercore.results.record import section
from sercore.results.text import date_text

if TYPE_CHECKING:
    from sercore.reports.views import RunContent


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts and lists about a run."""

    name: str
    facts: tuple[tuple[str, str], ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    """Title and lines."""


def run_facts(run: RunContent) -> RunFacts:
    """Return what the page says about a run."""
    lists = (
        ("Problems", run.problems),
        ("Notes", run.notes),
        ("Corpora", tuple(_corpora(run.record))),
        ("Backbones", tuple(_backbones(run.record))),
    )
    return RunFacts(
        name=run.name,
        facts=tuple(
            (name, str(value)) for name, value in _facts(run.record) if value not in (None, "")
        ),
        lists=tuple((title, lines) for title, lines in lists if lines),
    )


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    protocol, settings = section(record, "protocol"), section(record, "settings")
    environment = section(record, "environment")
    yield "status", record.get("status")
    yield "written", date_text(record["written"]) if record.get("written") else None
    yield "protocol", protocol.get("id")
    yield "split", protocol.get("split")
    yield "folds", protocol.get("n_folds")
    yield (
        "subset of utterances (reading), label mapper",
        _joined(protocol.get("reading"), protocol.get("mapper")),
    )
    yield "audio path", protocol.get("audio_path")
    yield "probe", settings.get("probe")
    yield "layer, dtype, device", _joined(*map(settings.get, ("layer", "dtype", "device")))
    yield "first seed, seeds", _joined(settings.get("seed"), settings.get("n_seeds"))
    yield "sercore", environment.get("sercore")
    yield "machine", environment.get("system")
    yield "libraries", _packages(section(environment, "packages"))


def _corpora(record: Mapping[str, Any]) -> Iterator[str]:
    for name, corpus in corpora_of(record).items():
        yield (
            f"{name}: {corpus.title}, {corpus.utterances} utterances, licence "
            f"{corpus.licence or 'not stated'}, manifest {str(corpus.manifest)[:12]}"
        )


def _backbones(record: Mapping[str, Any]) -> Iterator[str]:
    for name, backbone in backbones_of(record).items():
        yield f"{name}: {backbone.checkpoint}, revision {backbone.revision or 'unknown'}"


def _joined(*values: object) -> str:
    return ", ".join(str(value) for value in values if value is not None)


def _packages(packages: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items() if version)
