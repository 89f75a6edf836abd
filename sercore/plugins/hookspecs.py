"""The contract between sercore and its plugins.

A plugin is a module with an entry point in the group ``sercore``. It says which version of this
contract it was written for and implements any of the hooks below::

    from sercore import hookimpl

    SERCORE_API = 1

    @hookimpl
    def sercore_corpora():
        return [MY_CORPUS]

Hooks return light, frozen descriptions: importing a plugin must not import torch, transformers,
numpy or pyarrow. The order in which plugins are called means nothing; names decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from sercore.backbones.interface import Backbone
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.published_folds import PublishedFolds
    from sercore.executors import Executor
    from sercore.plugins.events import CellEvent
    from sercore.plugins.events import RunEvent
    from sercore.probes.interface import Probe

    _F = TypeVar("_F", bound=Callable[..., Any])

API_VERSION = 1
"""The version of this contract; a plugin states in ``SERCORE_API`` which one it needs.

The first version is 1. A plugin that states a later one, or no whole number, is refused.
"""

PROJECT = "sercore"

_hookspec = pluggy.HookspecMarker(PROJECT)
_hookimpl = pluggy.HookimplMarker(PROJECT)


def hookimpl(function: _F) -> _F:
    """Mark a function of a plugin as the implementation of the hook of the same name."""
    return _hookimpl(function)


@_hookspec
def sercore_corpora() -> Iterable[Corpus]:
    """Register corpora."""
    return ()


@_hookspec
def sercore_label_mappers() -> Iterable[LabelMapper]:
    """Register label mappers, the choices of ``--labels``."""
    return ()


@_hookspec
def sercore_backbones() -> Iterable[Backbone]:
    """Register backbones, the rows of the benchmark."""
    return ()


@_hookspec
def sercore_metrics() -> Iterable[Metric]:
    """Register metrics. A metric is computed from stored predictions, on the whole test set."""
    return ()


@_hookspec
def sercore_probes() -> Iterable[Probe]:
    """Register probes, the small models that are trained on frozen frames."""
    return ()


@_hookspec
def sercore_protocols() -> Iterable[Protocol]:
    """Register protocols: bundles of reading, mapper, split, class rule, adjustment and metric."""
    return ()


@_hookspec
def sercore_folds() -> Iterable[PublishedFolds]:
    """Register published folds of any corpus; ``--protocol official:NAME`` uses them."""
    return ()


@_hookspec
def sercore_executors() -> Iterable[Executor]:
    """Register executors, which decide where the tasks of a run are done."""
    return ()


@_hookspec
def sercore_cell_finished(event: CellEvent) -> None:
    """Hear that a cell is done or has failed (for experiment trackers).

    Called once for each cell of each fold and seed. A tracker that raises costs one warning.

    Args:
        event: the cell, its status, its scores and its record.
    """


@_hookspec
def sercore_run_finished(event: RunEvent) -> None:
    """Hear that a run has ended (for experiment trackers).

    Args:
        event: the run's name, folder, counts by status, record and reductions.
    """
