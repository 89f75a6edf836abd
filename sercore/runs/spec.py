"""What all tasks of a run have in common, stored once in the workspace.

A task names the digest of a specification. A worker that has the workspace rebuilds from it the
corpora, the backbone and the options that the driver planned with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sercore.__about__ import __version__
from sercore.errors import SercoreError
from sercore.errors import TaskError
from sercore.evaluation.protocols import Protocol
from sercore.runs.resolve import CorpusPlace
from sercore.settings import DatasetSettings
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.runs.events import RunOptions
    from sercore.runs.planned import Plan
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace

FrameBudget = int | Literal["auto"] | None


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What all tasks of a run have in common."""

    protocol: Protocol
    corpora: Mapping[str, CorpusPlace]
    layer: int | Literal["last", "all"]
    dtype: str
    device: str
    offline: bool
    threads: int
    """Threads of numerical code in every task: they change the last bits of a probe."""
    frame_budget: FrameBudget
    """Frames in one encoder batch; ``auto``: each worker measures what its device holds."""
    layer_means: bool
    version: str = __version__
    """Version of sercore that wrote it."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the specification."""
        return digest_of(self.to_plain())

    def to_plain(self) -> dict[str, Any]:
        """Return the specification as JSON values."""
        return {
            **asdict(self),
            "corpora": {name: place.to_plain() for name, place in sorted(self.corpora.items())},
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> RunSpec:
        """Return the specification that `to_plain` wrote.

        Raises:
            TaskError: the values are not a specification of this version of sercore.
        """
        if values.get("version") != __version__:
            raise TaskError(
                f"the run was planned with sercore {values.get('version')} and this worker has "
                f"sercore {__version__}",
                hint="install the same version on all machines",
            )
        plain = dict(values)
        try:
            protocol = dict(plain.pop("protocol"))
            for name in ("class_rules", "adjustments"):
                protocol[name] = tuple(protocol[name])
            corpora = {
                name: CorpusPlace.from_plain(place) for name, place in plain.pop("corpora").items()
            }
            return cls(protocol=Protocol(**protocol), corpora=corpora, **plain)
        except (TypeError, KeyError, AttributeError) as error:
            raise TaskError(f"the specification of the run cannot be read: {error}") from error


def spec_of(plan: Plan, settings: Settings, options: RunOptions, threads: int) -> RunSpec:
    """Return the specification of a planned run."""
    selection = plan.selection
    places = {
        corpus.id: CorpusPlace(
            path=corpus.place.absolute(),
            settings=settings.datasets.get(corpus.id) or DatasetSettings(),
        )
        for corpus in plan.corpora
    }
    return RunSpec(
        protocol=selection.protocol,
        corpora=places,
        layer=selection.layer,
        dtype=selection.dtype,
        device=selection.device,
        offline=selection.offline,
        threads=threads,
        frame_budget=options.frame_budget,
        layer_means=options.layer_means,
    )


def write_spec(workspace: Workspace, spec: RunSpec) -> str:
    """Store a specification, unless an intact one is there, and return its digest."""
    relative = _path(spec.digest)
    try:
        read_spec(workspace, spec.digest)
    except SercoreError:
        workspace.write_json(relative, spec.to_plain())
    return spec.digest


def read_spec(workspace: Workspace, digest: str) -> RunSpec:
    """Return a stored specification.

    Raises:
        WorkspaceError: it is missing or not readable.
        TaskError: it was written by another version of sercore.
    """
    return RunSpec.from_plain(workspace.read_json(_path(digest)))


def _path(digest: str) -> str:
    return f"specs/{digest}.json"
