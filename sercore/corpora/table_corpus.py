"""The reader of plugins for corpora whose tables say which recording has which label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import TYPE_CHECKING

from sercore.corpora.paths import require_paths
from sercore.corpora.row_reader import RowReader
from sercore.corpora.row_reader import Spelling
from sercore.corpora.table_columns import Columns
from sercore.corpora.table_files import open_table
from sercore.settings import SPEAKER_SEPARATOR

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import CorpusCard
    from sercore.corpora.interface import Scan
    from sercore.corpora.labels import Emotion
    from sercore.corpora.labels import Label


@dataclass(frozen=True, kw_only=True)
class TableCorpus:
    """A corpus whose tables name its recordings and their labels.

    A table is CSV, TSV, JSON Lines or Parquet, the last one with or without embedded audio. It has
    a column with the path of every recording, relative to the folder of the table, one with its
    label, and any of `sercore.corpora.table_columns.FACTS`.

    Args:
        card: the facts about it.
        labels: the meaning of each native label; letter case does not matter.
        tables: glob patterns of the tables.
        columns: names of columns by what they hold (``{"label": "emotion"}``); a fact that is
            left out is its own name.
        aliases: native labels by another spelling in some copies.
        speaker_separator: between the speakers of a conversation; empty: there are none.
    """

    card: CorpusCard
    labels: Mapping[str, Emotion | Label]
    tables: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    speaker_separator: str = SPEAKER_SEPARATOR

    def scan(self, files: CorpusFiles, reading: str) -> Scan:
        """Read the tables below a folder. See `sercore.corpora.Corpus.scan`."""
        del reading
        columns = Columns(names=self.columns)
        rows = (
            row
            for path in require_paths(files, self.card, *self.tables)
            for row in open_table(files, path).rows(columns)
        )
        spelling = Spelling.of(self.labels, self.aliases)
        found = RowReader(files, spelling, self.speaker_separator).scan(rows)
        problems = dict.fromkeys((*files.problems, *found.problems))
        return replace(found, problems=tuple(problems))
