"""sercore: which frozen speech backbone hears emotion, in its own domain and out of it?

The names below are what plugins and notebooks need. Each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

from sercore.__about__ import __version__

if TYPE_CHECKING:
    from sercore.backbones.huggingface import TransformersBackbone
    from sercore.backbones.huggingface.cards import whisper_card
    from sercore.backbones.interface import Backbone
    from sercore.backbones.interface import BackboneCard
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import EncodedUtterance
    from sercore.backbones.interface import Encoder
    from sercore.backbones.interface import EncoderOptions
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.interface import Counts
    from sercore.corpora.interface import Download
    from sercore.corpora.interface import Scan
    from sercore.corpora.interface import Utterance
    from sercore.corpora.labels import Emotion
    from sercore.corpora.labels import Label
    from sercore.corpora.labels import LabelMapper
    from sercore.corpora.paths import paths_like
    from sercore.corpora.paths import require_paths
    from sercore.corpora.problems import Problem
    from sercore.corpora.readers import GENDERS
    from sercore.corpora.readers import AnnotatedCorpus
    from sercore.corpora.readers import Annotation
    from sercore.corpora.readers import FileNameCorpus
    from sercore.corpora.readers import ParquetCorpus
    from sercore.corpora.table_corpus import TableCorpus
    from sercore.corpora.tables import column_positions
    from sercore.corpora.tables import csv_rows
    from sercore.corpora.tables import decode_text
    from sercore.errors import AudioError
    from sercore.errors import BackboneError
    from sercore.errors import BackboneUnavailableError
    from sercore.errors import CorpusError
    from sercore.errors import SercoreError
    from sercore.evaluation.metrics import Evaluation
    from sercore.evaluation.metrics import Metric
    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.published_folds import PublishedFolds
    from sercore.executors import ExecutionContext
    from sercore.executors import Executor
    from sercore.executors import Outcome
    from sercore.executors import Outcomes
    from sercore.executors import Resources
    from sercore.executors import Task
    from sercore.executors import TaskQueue
    from sercore.executors import TaskReport
    from sercore.features.packed import PackedFrames
    from sercore.notebook.evaluate import evaluate
    from sercore.notebook.evaluate import load
    from sercore.notebook.result import Result
    from sercore.plugins.events import CellEvent
    from sercore.plugins.events import RunEvent
    from sercore.plugins.hookspecs import hookimpl
    from sercore.probes.interface import EpochRecord
    from sercore.probes.interface import FittedProbe
    from sercore.probes.interface import Probe
    from sercore.runs.worker import do_task

_HOMES = {
    "AnnotatedCorpus": "sercore.corpora.readers",
    "Annotation": "sercore.corpora.readers",
    "AudioError": "sercore.errors",
    "Backbone": "sercore.backbones.interface",
    "BackboneCard": "sercore.backbones.interface",
    "BackboneError": "sercore.errors",
    "BackboneUnavailableError": "sercore.errors",
    "CellEvent": "sercore.plugins.events",
    "Checkpoint": "sercore.backbones.interface",
    "Corpus": "sercore.corpora.interface",
    "CorpusCard": "sercore.corpora.interface",
    "CorpusError": "sercore.errors",
    "CorpusFiles": "sercore.corpora.files",
    "Counts": "sercore.corpora.interface",
    "Download": "sercore.corpora.interface",
    "Emotion": "sercore.corpora.labels",
    "EncodedUtterance": "sercore.backbones.interface",
    "Encoder": "sercore.backbones.interface",
    "EncoderOptions": "sercore.backbones.interface",
    "EpochRecord": "sercore.probes.interface",
    "Evaluation": "sercore.evaluation.metrics",
    "ExecutionContext": "sercore.executors",
    "Executor": "sercore.executors",
    "FileNameCorpus": "sercore.corpora.readers",
    "FittedProbe": "sercore.probes.interface",
    "GENDERS": "sercore.corpora.readers",
    "Label": "sercore.corpora.labels",
    "LabelMapper": "sercore.corpora.labels",
    "Metric": "sercore.evaluation.metrics",
    "Outcome": "sercore.executors",
    "Outcomes": "sercore.executors",
    "PackedFrames": "sercore.features.packed",
    "ParquetCorpus": "sercore.corpora.readers",
    "Probe": "sercore.probes.interface",
    "Problem": "sercore.corpora.problems",
    "Protocol": "sercore.evaluation.protocols",
    "PublishedFolds": "sercore.evaluation.published_folds",
    "Resources": "sercore.executors",
    "Result": "sercore.notebook.result",
    "RunEvent": "sercore.plugins.events",
    "Scan": "sercore.corpora.interface",
    "SercoreError": "sercore.errors",
    "TableCorpus": "sercore.corpora.table_corpus",
    "Task": "sercore.executors",
    "TaskQueue": "sercore.executors",
    "TaskReport": "sercore.executors",
    "TransformersBackbone": "sercore.backbones.huggingface",
    "Utterance": "sercore.corpora.interface",
    "column_positions": "sercore.corpora.tables",
    "csv_rows": "sercore.corpora.tables",
    "decode_text": "sercore.corpora.tables",
    "do_task": "sercore.runs.worker",
    "evaluate": "sercore.notebook.evaluate",
    "hookimpl": "sercore.plugins.hookspecs",
    "load": "sercore.notebook.evaluate",
    "paths_like": "sercore.corpora.paths",
    "require_paths": "sercore.corpora.paths",
    "whisper_card": "sercore.backbones.huggingface.cards",
}

__all__ = [
    "GENDERS",
    "AnnotatedCorpus",
    "Annotation",
    "AudioError",
    "Backbone",
    "BackboneCard",
    "BackboneError",
    "BackboneUnavailableError",
    "CellEvent",
    "Checkpoint",
    "Corpus",
    "CorpusCard",
    "CorpusError",
    "CorpusFiles",
    "Counts",
    "Download",
    "Emotion",
    "EncodedUtterance",
    "Encoder",
    "EncoderOptions",
    "EpochRecord",
    "Evaluation",
    "ExecutionContext",
    "Executor",
    "FileNameCorpus",
    "FittedProbe",
    "Label",
    "LabelMapper",
    "Metric",
    "Outcome",
    "Outcomes",
    "PackedFrames",
    "ParquetCorpus",
    "Probe",
    "Problem",
    "Protocol",
    "PublishedFolds",
    "Resources",
    "Result",
    "RunEvent",
    "Scan",
    "SercoreError",
    "TableCorpus",
    "Task",
    "TaskQueue",
    "TaskReport",
    "TransformersBackbone",
    "Utterance",
    "__version__",
    "column_positions",
    "csv_rows",
    "decode_text",
    "do_task",
    "evaluate",
    "hookimpl",
    "load",
    "paths_like",
    "require_paths",
    "whisper_card",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'sercore' has no attribute '{name}'") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
