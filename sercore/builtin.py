"""What sercore brings itself, registered through the very hooks that plugins use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sercore.executors.local import LocalExecutor
from sercore.hookspecs import hookimpl
from sercore.labels import MAPPERS
from sercore.metrics import METRICS
from sercore.probe import PROBES
from sercore.protocols import PROTOCOLS

if TYPE_CHECKING:
    from sercore.executors import Executor
    from sercore.labels import LabelMapper
    from sercore.metrics import Metric
    from sercore.probes import Probe
    from sercore.protocols import Protocol


@hookimpl
def sercore_label_mappers() -> Iterable[LabelMapper]:
    return MAPPERS


@hookimpl
def sercore_metrics() -> Iterable[Metric]:
    return METRICS


@hookimpl
def sercore_probes() -> Iterable[Probe]:
    return PROBES


@hookimpl
def sercore_protocols() -> Iterable[Protocol]:
    return PROTOCOLS


@hookimpl
def sercore_executors() -> Iterable[Executor]:
    return (LocalExecutor(),)
