"""The decoded recordings of a corpus as columns, with their classes and speakers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sercore.corpora.interface import label_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from sercore.corpora.interface import Corpus
    from sercore.corpora.manifest import Manifest

_NUMBERS = (
    *("level_db", "duration_s", "leading_s", "trailing_s", "source_rate", "channels"),
    *("clipped", "offset", "padding_s"),
)


@dataclass(frozen=True, slots=True)
class Sound:
    """The decoded recordings of a corpus, as columns of equal length."""

    ids: list[str]
    classes: npt.NDArray[np.str_]
    speakers: npt.NDArray[np.str_]
    """Empty where no speaker is known."""
    columns: Mapping[str, npt.NDArray[np.float64]]
    """By name as in `sercore.audio.audit.SCHEMA`."""

    def __len__(self) -> int:
        return len(self.ids)


def sound_of(corpus: Corpus, manifest: Manifest, audit: pa.Table) -> Sound:
    """Return the decoded recordings of a corpus with their classes and speakers."""
    decoded = np.array([error is None for error in audit.column("error").to_pylist()], dtype=bool)
    speakers = ["-".join(names) if names else "" for names in manifest.column("speaker")]
    classes = [label_of(corpus, native).paper.value for native in manifest.column("native_label")]

    kept = audit.filter(decoded)
    return Sound(
        ids=kept.column("utterance_id").to_pylist(),
        classes=np.array(classes, dtype=np.str_)[decoded],
        speakers=np.array(speakers, dtype=np.str_)[decoded],
        columns={name: np.array(kept.column(name).to_pylist(), dtype=float) for name in _NUMBERS},
    )
