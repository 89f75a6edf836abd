"""What a bundle is made of: the names of its members, its columns, and its index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Final

import pyarrow as pa

FORMAT: Final = "sercore-bundle"
VERSION: Final = 1
"""Raised when an older sercore would read a new bundle wrongly."""

INDEX: Final = "bundle.json"
"""The index: what the bundle is, and the size and SHA-256 of all other members."""
RECORD: Final = "run.json"
SCORES: Final = "scores.parquet"

UNIT_SCHEMA = pa.schema(
    [
        ("speaker", pa.list_(pa.string())),
        ("group", pa.string()),
        ("group_kind", pa.string()),
        ("text_id", pa.string()),
        ("native_label", pa.string()),
    ]
)
"""Columns of the manifests of a bundle: which utterances share a speaker, a group or a text.

The names are numbers in the order of the real names. The class stands for the native label.
"""

SPLIT_SCHEMA = pa.schema([("row", pa.int64()), ("part", pa.string())])
"""Columns of the splits of a bundle: which rows of the manifest trained a probe."""

PREDICTION_COLUMNS: Final = ("row", "label", "logits")
"""Columns of the predictions of a bundle. A row of a manifest stands for its utterance."""

SUFFIX: Final = ".zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """Where a bundle comes from."""

    run: str
    """Name of the run in the workspace of its group."""
    group: str | None
    """Who computed the run, as they call themselves."""
    contact: str | None
    """How to reach them."""
    sercore: str
    """Version of sercore that wrote the bundle."""
    digest: str
    """SHA-256 of the index, which holds the digests of all members: it names the bundle."""
    predictions: int
    """Sets of predictions in the bundle."""
    lacking: int
    """Sets of predictions that the scores name and the bundle lacks."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """Version by distribution, of the plugins that the run used; empty where unknown."""

    @property
    def title(self) -> str:
        """The run and its group: ``default (Speech Lab)``."""
        return f"{self.run} ({self.group})" if self.group else self.run
