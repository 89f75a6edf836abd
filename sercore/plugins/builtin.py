"""What sercore brings itself, registered through the very hooks that plugins use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sercore.corpora.labels import MAPPERS
from sercore.evaluation.metrics import METRICS
from sercore.evaluation.protocols import PROTOCOLS
from sercore.executors.local import LocalExecutor
from sercore.plugins.hookspecs import hookimpl
from sercore.probes.framewise import FAST
from sercore.probes.framewise import FRAMEWISE
from sercore.probes.logistic import LOGISTIC
from sercore.probes.pooled import POOLED

if TYPE_CHECKING:
    from sercore.corpora.labels import LabelMapper
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol
    from sercore.executors import Executor
    from sercore.probes.interface import Probe


@hookimpl
def sercore_label_mappers() -> Iterable[LabelMapper]:
    return MAPPERS


@hookimpl
def sercore_metrics() -> Iterable[Metric]:
    return METRICS


@hookimpl
def sercore_probes() -> Iterable[Probe]:
    return (FRAMEWISE, FAST, POOLED, LOGISTIC)


@hookimpl
def sercore_protocols() -> Iterable[Protocol]:
    return PROTOCOLS


@hookimpl
def sercore_executors() -> Iterable[Executor]:
    return (LocalExecutor(),)
