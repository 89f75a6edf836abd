"""The manifest: one row for each utterance, in one schema for all corpora.

It is built from names, annotations and sizes. The digests of the audio come from
`sercore.corpora.contents`, which reads only files that may have changed. The digest of a manifest
depends on what the corpus holds, not on where it lies or when it was copied.
"""

from __future__ import annotations

from collections import Counter
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from itertools import count
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
import pyarrow as pa

from sercore.corpora.checks import count_problem
from sercore.corpora.checks import usable_utterances
from sercore.corpora.checks import without_harmless
from sercore.corpora.interface import Utterance
from sercore.corpora.interface import label_of
from sercore.corpora.labels import Emotion
from sercore.errors import CorpusError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    import numpy.typing as npt

    from sercore.corpora.contents import Place
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Corpus
    from sercore.corpora.labels import LabelMapper
    from sercore.corpora.problems import Problem

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
        pa.field("content", pa.string()),
        pa.field("part", pa.int32(), nullable=False),
    ]
)
"""Columns as in `sercore.corpora.interface.Utterance`, sorted by `utterance_id`, and two more.

`content` is the SHA-256 of the recording (`sercore.corpora.contents`); null if it was not read.
`part` says which utterances are extracted together (`assign_parts`).
"""

_UTTERANCE = tuple(name for name in SCHEMA.names if name not in ("content", "part"))

# Neither the path of a file on this disk nor the work that is done together identifies a corpus.
_IDENTITY = tuple(name for name in SCHEMA.names if name not in ("path", "part"))

# The input of an encoder: no name and no label of an utterance.
_AUDIO = ("content", "start_s", "end_s", "channel")

PART_SIZE = 64
"""Utterances in a part at most: what an interrupted extraction loses, and what one changed
recording extracts again."""

_KEPT_SHARE = 0.5
"""Parts of an earlier manifest are kept if it holds at least this share of the utterances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDigests:
    """What identifies a manifest, SHA-256 (hexadecimal)."""

    rows: str
    """Of all rows: annotations, sizes and audio."""
    audio: str
    """Of the audio of each row, and of the division into parts; no annotation."""
    parts: tuple[str, ...]
    """Of the audio of each part, in the order of `Manifest.part_rows`."""


@dataclass(frozen=True)
class Manifest:
    """The utterances of one reading of one corpus, sorted by id.

    Args:
        corpus: id of the corpus.
        reading: which utterances, one of `sercore.corpora.interface.READINGS`.
        table: rows as in `SCHEMA`.
        problems: what was noticed while building it.
        known: its digests, if they were computed before.
    """

    corpus: str
    reading: str
    table: pa.Table
    problems: tuple[Problem, ...] = ()
    known: ManifestDigests | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def digest(self) -> str:
        """SHA-256 over the rows, without the paths on this disk and the division into parts."""
        return self.digests.rows

    @cached_property
    def digests(self) -> ManifestDigests:
        """The digests that keys are made of."""
        if self.known is not None:
            return self.known
        columns = [self.column(name) for name in _IDENTITY]
        content = list(zip(*(self.column(name) for name in _AUDIO), strict=True))
        return ManifestDigests(
            rows=digest_of([self.corpus, _IDENTITY, columns]),
            audio=digest_of([self.column("part"), content]),
            parts=tuple(
                digest_of([content[row] for row in rows.tolist()]) for rows in self.part_rows
            ),
        )

    @cached_property
    def part_rows(self) -> list[npt.NDArray[np.int64]]:
        """Rows of each part, int64, the longest recordings first.

        The order depends on the recordings alone, so that another name changes nothing.
        """
        keys = [self.column(name) for name in ("part", "size", *_AUDIO)]
        part, size, content, start, end, channel = keys
        order = sorted(
            range(len(self)),
            key=lambda row: (
                *(part[row], -size[row], content[row] or ""),
                *(start[row] or 0.0, end[row] or 0.0, channel[row] or 0),
            ),
        )
        rows = np.array(order, dtype=np.int64)
        numbers = np.array([part[row] for row in order], dtype=np.int64)
        return np.split(rows, np.flatnonzero(np.diff(numbers)) + 1) if len(rows) else []

    @cached_property
    def has_contents(self) -> bool:
        """Whether it says what the audio of each utterance is."""
        return bool(self.table.column("content").null_count == 0)

    @cached_property
    def utterance_ids(self) -> list[str]:
        """Ids in row order."""
        return [str(utterance_id) for utterance_id in self.column("utterance_id")]

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values."""
        return list(self.table.column(name).to_pylist())

    def utterance(self, row: int) -> Utterance:
        """Return one row as an utterance."""
        values = self.table.select(_UTTERANCE).slice(row, 1).to_pylist()[0]
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
    found: Counter[Emotion] = Counter()
    for native, number in Counter(manifest.column("native_label")).items():
        found[label_of(corpus, native).paper] += number
    return {name.value: found[name] for name in Emotion if found[name]}


def build_manifest(
    corpus: Corpus,
    files: CorpusFiles,
    reading: str,
    contents: Callable[[CorpusFiles, Sequence[Place]], Sequence[str]] | None = None,
    before: Manifest | None = None,
) -> Manifest:
    """Build the manifest of a corpus on disk.

    Args:
        corpus: the corpus.
        files: the corpus on disk.
        reading: which utterances.
        contents: returns the digests of recordings, as `sercore.corpora.contents.read_contents`
            does. None: no audio is read, and nothing can be extracted from the manifest.
        before: an earlier manifest, whose division into parts is kept where that is possible.

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
    kept = usable_utterances(corpus, files, scan.utterances, problems)
    incomplete = count_problem(corpus, reading, kept)
    if incomplete is not None:
        problems.append(incomplete)
    elif reading in corpus.card.expected:
        problems = without_harmless(problems)
    digests: Sequence[str | None] = [None] * len(kept)
    if contents is not None:
        digests = contents(files, [(utterance.path, utterance.row) for utterance in kept])
    parts = assign_parts(kept, digests, before)
    return Manifest(corpus.card.id, reading, _table(kept, digests, parts), tuple(problems))


def assign_parts(
    utterances: Sequence[Utterance], contents: Sequence[str | None], before: Manifest | None = None
) -> list[int]:
    """Divide a corpus into parts of at most `PART_SIZE` utterances of similar length.

    Without an earlier manifest that is a pure function of sizes and ids. With one, an utterance
    keeps its part: it is recognised by its id, or else by its recording if the id is new (the
    file was renamed). New utterances fill parts that lost some. So a renamed file changes no part,
    and a changed, added or removed file changes one.

    Args:
        utterances: the utterances of the corpus.
        contents: the content of each.
        before: an earlier manifest of the same corpus.

    Returns:
        The part of each utterance.
    """
    n = len(utterances)
    parts = [-1] * n if before is None else _kept_parts(utterances, contents, before)
    if sum(part >= 0 for part in parts) < _KEPT_SHARE * n:
        parts = [-1] * n
    members = Counter(part for part in parts if part >= 0)
    following = max(members, default=-1) + 1
    room = (part for part in range(following) for _ in range(members[part], PART_SIZE))
    places = chain(room, (following + number // PART_SIZE for number in count()))
    missing = [row for row in range(n) if parts[row] < 0]
    missing.sort(key=lambda row: (-utterances[row].size, utterances[row].utterance_id))
    for row, part in zip(missing, places, strict=False):
        parts[row] = part
    return parts


def _kept_parts(
    utterances: Sequence[Utterance], contents: Sequence[str | None], before: Manifest
) -> list[int]:
    """Return the part that holds each utterance already; -1 for a new one."""
    by_id = dict(zip(before.utterance_ids, before.column("part"), strict=True))
    present = {utterance.utterance_id for utterance in utterances}
    gone: dict[str, list[int]] = defaultdict(list)
    for utterance_id, content in zip(before.utterance_ids, before.column("content"), strict=True):
        if utterance_id not in present and content is not None:
            gone[content].append(by_id[utterance_id])
    parts = []
    for utterance, content in zip(utterances, contents, strict=True):
        part = by_id.get(utterance.utterance_id, -1)
        if part < 0 and content is not None and gone.get(content):
            part = gone[content].pop(0)
        parts.append(part)
    return parts


def _table(
    utterances: Sequence[Utterance], contents: Sequence[str | None], parts: Sequence[int]
) -> pa.Table:
    # dataclasses.asdict copies deeply and took half the time of a large manifest.
    columns: dict[str, Any] = {
        name: [getattr(utterance, name) for utterance in utterances] for name in _UTTERANCE
    }
    return pa.table(columns | {"content": contents, "part": parts}, schema=SCHEMA)
