"""A corpus as other tools get it: its utterances, its labels and the splits of a protocol."""

from __future__ import annotations

import io
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from sercore.plugins.declared import all_corpora
from sercore.plugins.declared import named_corpora
from sercore.runs.plan import place_of
from sercore.runs.resolve import folds_of
from sercore.runs.resolve import read_corpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sercore.evaluation.protocols import Protocol
    from sercore.evaluation.splits import Fold
    from sercore.plugins.registry import Registry
    from sercore.runs.planned import PlannedCorpus
    from sercore.settings import Settings
    from sercore.storage.workspace import Workspace

MULTIPLE = ";"
"""Between the names of several speakers, in formats without lists."""


class ExportedSplit(NamedTuple):
    """One fold of one split seed."""

    seed: int
    fold: int
    train: list[int]
    """Rows of the manifest."""
    test: list[int]


@dataclass(frozen=True, slots=True)
class ExportedCorpus:
    """A corpus with its splits."""

    planned: PlannedCorpus
    protocol: Protocol
    splits: tuple[ExportedSplit, ...]

    @property
    def id(self) -> str:
        """The registered name of the corpus."""
        return self.planned.id

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the label mapper knows."""
        return tuple(self.planned.mapper.classes)

    @property
    def emotions(self) -> list[str | None]:
        """The class of each utterance; None where the mapper leaves it out."""
        return [
            None if label < 0 else self.classes[label] for label in self.planned.labels.tolist()
        ]

    def split_name(self, split: ExportedSplit) -> str:
        """Return the name of a division: ``standard-seed34``, or ``official-seed34-fold0``."""
        name = f"{self.protocol.id}-seed{split.seed}"
        return f"{name}-fold{split.fold}" if self.has_folds else name

    @property
    def has_folds(self) -> bool:
        """Whether a seed has several folds."""
        return any(split.fold > 0 for split in self.splits)


def read_corpora(
    datasets: Mapping[str, Path | None],
    protocol: Protocol,
    seeds: Sequence[int],
    *,
    data: Sequence[Path],
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> list[ExportedCorpus]:
    """Return corpora with the splits that a run of the protocol uses.

    Args:
        datasets: names of corpora, with the folder where one was given.
        protocol: says which utterances, which labels and which splits.
        seeds: split seeds.
        data: folders that hold corpora under their usual names.
        settings: more folders, files to leave out, and corpora that the user declared.
        registry: what is installed.
        workspace: keeps the manifests.
        progress: as in `sercore.corpora.manifest_cache.load_manifest`.
        note: likewise.

    Raises:
        UnknownNameError: no plugin and no setting names a corpus.
        CorpusError: it is missing or cannot be read.
        ProtocolError: it cannot be split so.
    """
    found = []
    for corpus, path in named_corpora(all_corpora(registry, settings), datasets):
        name = corpus.card.id
        place = place_of(corpus, path, data, settings, workspace)
        planned = read_corpus(
            name, place, protocol, registry, workspace, progress=progress, note=note
        )
        splits = [
            _split(seed, fold) for seed in seeds for fold in folds_of(planned, protocol, seed)
        ]
        found.append(ExportedCorpus(planned, protocol, tuple(splits)))
    return found


def _split(seed: int, fold: Fold) -> ExportedSplit:
    return ExportedSplit(seed, fold.index, fold.train.tolist(), fold.test.tolist())


_FACTS = (
    *("utterance_id", "path", "row", "start_s", "end_s", "channel", "native_label"),
    *("speaker", "group", "group_kind", "gender", "text_id", "take", "intensity"),
    "official_split",
)


def utterances_table(corpus: ExportedCorpus) -> pa.Table:
    """Return one row for each utterance, with its class and the digest of its recording.

    `path` is relative to the folder of the corpus. `sha256` is that of the recording; null if no
    audio was read.
    """
    manifest = corpus.planned.manifest.table
    table = manifest.select(_FACTS)
    table = table.append_column("sha256", manifest["content"])
    return table.add_column(
        _FACTS.index("native_label"), "emotion", pa.array(corpus.emotions, pa.string())
    )


def flat_table(corpus: ExportedCorpus) -> pa.Table:
    """Return the utterances with a column for each split seed, and speakers as one text.

    A column is called ``standard-seed34`` and holds ``train`` or ``test``, or, for a protocol with
    folds, the number of the fold that tests the utterance. It is null where the utterance is in
    neither part.
    """
    table = utterances_table(corpus)
    place = table.schema.get_field_index("speaker")
    speakers = [
        None if names is None else MULTIPLE.join(names) for names in table["speaker"].to_pylist()
    ]
    table = table.set_column(place, "speaker", pa.array(speakers, pa.string()))
    for seed in dict.fromkeys(split.seed for split in corpus.splits):
        name = f"{corpus.protocol.id}-seed{seed}"
        table = table.append_column(name, pa.array(_sides(corpus, seed), pa.string()))
    return table


def _sides(corpus: ExportedCorpus, seed: int) -> list[str | None]:
    sides: list[str | None] = [None] * len(corpus.planned.manifest)
    for split in corpus.splits:
        if split.seed != seed:
            continue
        for row in split.test:
            sides[row] = str(split.fold) if corpus.has_folds else "test"
        if not corpus.has_folds:
            for row in split.train:
                sides[row] = "train"
    return sides


SPLIT_SCHEMA = pa.schema(
    [
        ("corpus", pa.string()),
        ("manifest", pa.string()),
        ("protocol", pa.string()),
        ("seed", pa.int64()),
        ("fold", pa.int32()),
        ("side", pa.string()),
        ("utterance_id", pa.string()),
    ]
)


def splits_table(corpora: Sequence[ExportedCorpus]) -> pa.Table:
    """Return the splits alone: who trains and who tests, without labels and paths."""
    rows: dict[str, list[Any]] = {name: [] for name in SPLIT_SCHEMA.names}
    for corpus in corpora:
        ids = corpus.planned.manifest.utterance_ids
        for split in corpus.splits:
            for side, members in (("train", split.train), ("test", split.test)):
                rows["utterance_id"] += [ids[row] for row in members]
                rows["side"] += [side] * len(members)
                rows["seed"] += [split.seed] * len(members)
                rows["fold"] += [split.fold] * len(members)
                rows["corpus"] += [corpus.id] * len(members)
                rows["manifest"] += [corpus.planned.manifest.digest] * len(members)
                rows["protocol"] += [corpus.protocol.id] * len(members)
    return pa.table(rows, schema=SPLIT_SCHEMA)


def csv_of(table: pa.Table) -> bytes:
    """Return a table as CSV (UTF-8, a header, empty fields for null)."""
    buffer = io.BytesIO()
    pacsv.write_csv(table, buffer, pacsv.WriteOptions(quoting_style="needed"))
    return buffer.getvalue()
