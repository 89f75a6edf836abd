"""sercore: which frozen speech backbone hears emotion, in its own domain and out of it?

The names below are what plugin authors and notebooks need; each is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

from sercore.__about__ import __version__

if TYPE_CHECKING:
    from sercore.backbones import BackboneCard
    from sercore.corpora import CorpusCard
    from sercore.corpora import Counts
    from sercore.corpora import Download
    from sercore.corpora import Problem
    from sercore.corpora import Scan
    from sercore.corpora import Utterance
    from sercore.errors import CorpusError
    from sercore.errors import SercoreError
    from sercore.hookspecs import hookimpl
    from sercore.labels import Emotion
    from sercore.labels import Label
    from sercore.labels import LabelMapper
    from sercore.layouts import AnnotatedCorpus
    from sercore.layouts import Annotation
    from sercore.layouts import FileNameCorpus
    from sercore.layouts import ParquetCorpus
    from sercore.metrics import Evaluation
    from sercore.metrics import Metric

_HOMES = {
    "AnnotatedCorpus": "sercore.layouts",
    "Annotation": "sercore.layouts",
    "BackboneCard": "sercore.backbones",
    "CorpusCard": "sercore.corpora",
    "CorpusError": "sercore.errors",
    "Counts": "sercore.corpora",
    "Download": "sercore.corpora",
    "Emotion": "sercore.labels",
    "Evaluation": "sercore.metrics",
    "FileNameCorpus": "sercore.layouts",
    "Label": "sercore.labels",
    "LabelMapper": "sercore.labels",
    "Metric": "sercore.metrics",
    "ParquetCorpus": "sercore.layouts",
    "Problem": "sercore.corpora",
    "Scan": "sercore.corpora",
    "SercoreError": "sercore.errors",
    "Utterance": "sercore.corpora",
    "hookimpl": "sercore.hookspecs",
}

__all__ = [
    "AnnotatedCorpus",
    "Annotation",
    "BackboneCard",
    "CorpusCard",
    "CorpusError",
    "Counts",
    "Download",
    "Emotion",
    "Evaluation",
    "FileNameCorpus",
    "Label",
    "LabelMapper",
    "Metric",
    "ParquetCorpus",
    "Problem",
    "Scan",
    "SercoreError",
    "Utterance",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'sercore' has no attribute '{name}'") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
