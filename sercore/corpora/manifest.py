"""The manifest: one row an utterance, in one schema, whatever the corpus looked like.

Building one reads names, annotations and sizes, never audio. Its digest depends on what the corpus
holds, not on where it lies or when it was copied.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.corpora.interface import Utterance
from sercore.corpora.interface import label_of
from sercore.corpora.labels import Emotion
from sercore.corpora.problems import Problem
from sercore.errors import CorpusError
from sercore.errors import UnknownLabelError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper

SCHEMA = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("row", pa.int64()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("channel", pa.int32()),
        pa.field("native_label", pa.string(), nullable=False),
        pa.field("speaker", pa.list_(pa.string())),
        pa.field("group", pa.string()),
        pa.field("group_kind", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("text_id", pa.string()),
        pa.field("take", pa.string()),
        pa.field("intensity", pa.string()),
        pa.field("official_split", pa.string()),
        pa.field("size", pa.int64(), nullable=False),
    ]
)
"""Columns as in `sercore.corpora.interface.Utterance`; sorted by `utterance_id`."""

# Where a file lies below the folder that the user named is not what the corpus is.
_IDENTITY = tuple(name for name in SCHEMA.names if name != "path")


@dataclass(frozen=True)
class Manifest:
    """The utterances of one reading of one corpus, sorted by id.

    Args:
        corpus: the corpus's id.
        reading: which utterances, one of `sercore.corpora.interface.READINGS`.
        table: rows as in `SCHEMA`.
        problems: what was noticed while building it.
        known_digest: its digest, where that was computed before.
    """

    corpus: str
    reading: str
    table: pa.Table
    problems: tuple[Problem, ...] = ()
    known_digest: str | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the rows, the place of the files on this disk left out.

        Two readings with the same utterances share it, and so their features.
        """
        if self.known_digest is not None:
            return self.known_digest
        columns = [self.table.column(name).to_pylist() for name in _IDENTITY]
        return digest_of([self.corpus, _IDENTITY, columns])

    @cached_property
    def utterance_ids(self) -> list[str]:
        """Ids in row order."""
        return [str(each) for each in self.column("utterance_id")]

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values."""
        return list(self.table.column(name).to_pylist())

    def utterance(self, row: int) -> Utterance:
        """Return one row as an utterance."""
        values = self.table.slice(row, 1).to_pylist()[0]
        if values["speaker"] is not None:
            values["speaker"] = tuple(values["speaker"])
        return Utterance(**values)

    def labels(self, corpus: Corpus, mapper: LabelMapper) -> npt.NDArray[np.int8]:
        """Return class indices under a mapper, shape (utterances,); -1 where it is left out."""
        index = {name: position for position, name in enumerate(mapper.classes)}
        mapped: dict[str, int] = {}
        for native in set(self.column("native_label")):
            name = mapper.map(label_of(corpus, native))
            mapped[native] = -1 if name is None else index[name]
        return np.array([mapped[native] for native in self.column("native_label")], dtype=np.int8)

    def class_counts(self, corpus: Corpus, mapper: LabelMapper) -> dict[str, int]:
        """Return how many utterances fall into each class of a mapper."""
        labels = self.labels(corpus, mapper)
        return {name: int(np.sum(labels == i)) for i, name in enumerate(mapper.classes)}


def paper_counts(manifest: Manifest, corpus: Corpus) -> dict[str, int]:
    """Return utterances per class under the mapper `paper`, as cards state them; zeros left out."""
    found = Counter(label_of(corpus, native).paper for native in manifest.column("native_label"))
    return {name.value: found[name] for name in Emotion if found[name]}


def build_manifest(corpus: Corpus, files: CorpusFiles, reading: str) -> Manifest:
    """Build the manifest of a corpus on disk.

    Raises:
        CorpusError: the folder holds no utterance of this corpus or cannot be read.
        UnknownLabelError: a file carries a label that the corpus does not declare.
    """
    scan = corpus.scan(files, reading)
    if not scan.utterances:
        raise CorpusError(
            f"{files.root} holds no utterance of {corpus.card.title}",
            hint=f"name the folder that holds it: --dataset {corpus.card.id}=PATH",
        )
    problems = list(scan.problems)
    kept: dict[str, Utterance] = {}
    for utterance in sorted(scan.utterances, key=lambda each: (each.utterance_id, each.path)):
        if utterance.native_label not in corpus.labels:
            declared = ", ".join(sorted(corpus.labels))
            raise UnknownLabelError(
                f"{corpus.card.id}: {utterance.path} carries the label "
                f"'{utterance.native_label}', and {corpus.card.title} declares {declared}",
                hint="correct the file's name or remove it",
            )
        reason = corpus.card.known_bad.get(utterance.utterance_id)
        if reason is not None:
            problems.append(Problem(kind="known-bad", where=utterance.path, message=reason))
        elif utterance.utterance_id in kept:
            first = kept[utterance.utterance_id]
            problems.append(
                Problem(
                    kind="duplicate",
                    where=utterance.path,
                    message=f"it is the same utterance as {first.path} and was left out",
                    hint="keep one of the two",
                )
            )
        else:
            kept[utterance.utterance_id] = utterance
    count = _count_problem(corpus, reading, kept.values())
    if count is not None:
        problems.append(count)
    return Manifest(corpus.card.id, reading, _table(kept.values()), tuple(problems))


def _table(utterances: Iterable[Utterance]) -> pa.Table:
    rows = list(utterances)
    # Not by dataclasses.asdict, which copies deeply and took half the time of a large manifest.
    columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}
    return pa.table(columns, schema=SCHEMA)


def _count_problem(corpus: Corpus, reading: str, utterances: Iterable[Utterance]) -> Problem | None:
    expected = corpus.card.expected.get(reading)
    if expected is None:
        return None
    found = Counter(label_of(corpus, each.native_label).paper for each in utterances)
    if expected.admits(found):
        return None
    if found.total() != expected.utterances:
        message = f"{found.total()} utterances where a complete copy has {expected.utterances}"
    else:
        differing = [
            f"{name} {found[name]} instead of {n}"
            for name, n in expected.classes.items()
            if found[name] != n
        ]
        message = f"the class counts differ from a complete copy: {', '.join(differing)}"
    return Problem(
        kind="count",
        where=corpus.card.id,
        message=message,
        hint="scores from it are not those of the complete corpus",
    )
