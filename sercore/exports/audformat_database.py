"""A corpus as an audformat database (https://audeering.github.io/audformat/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import audformat
import pandas as pd

from sercore.__about__ import __version__
from sercore.errors import SettingsError
from sercore.exports.manifests import flat_table

if TYPE_CHECKING:
    from pathlib import Path

    from sercore.exports.manifests import ExportedCorpus

_TEXTS = ("utterance_id", "native_label", "group", "text_id", "take", "intensity", "official_split")
_CLOSED = ("emotion", "speaker", "gender")


def write_database(corpus: ExportedCorpus, folder: Path) -> None:
    """Write the header and the tables of a database; its media are the files of the corpus.

    The table ``utterances`` has all of them. Each division has the tables ``<name>.train`` and
    ``<name>.test``.

    Raises:
        SettingsError: several utterances share a file and no times tell them apart.
    """
    table = flat_table(corpus).to_pandas()
    index = _index(corpus, table)
    card, manifest = corpus.planned.corpus.card, corpus.planned.manifest
    database = audformat.Database(
        name=corpus.id,
        source=card.homepage or "",
        usage=audformat.define.Usage.OTHER,  # what a licence allows is for its reader to decide
        languages=[card.language_code] if _is_language(card.language_code) else [],
        description=f"{card.title}: labels and splits of the protocol {corpus.protocol.id}",
        license=card.licence,
        meta={"manifest": manifest.digest, "sercore": __version__},
    )
    present: list[str] = [
        name for name in (*_CLOSED, *_TEXTS, "channel") if table[name].notna().any()
    ]
    for name in present:
        database.schemes[name] = _scheme(name, corpus, table)
    _add_table(database, "utterances", table.set_index(index), present)
    for side in ("train", "test"):
        database.splits[side] = audformat.Split(type=side)
    for split in corpus.splits:
        for side, rows in (("train", split.train), ("test", split.test)):
            part = table.iloc[rows].set_index(index[rows])
            columns = [name for name in ("emotion", "speaker") if name in present]
            name = f"{corpus.split_name(split)}.{side}"
            _add_table(database, name, part, columns, split=side)
    database.save(str(folder), storage_format="csv")


def _index(corpus: ExportedCorpus, table: pd.DataFrame) -> Any:
    """Return the pandas index of the utterances: their files, or their parts of files."""
    if table["row"].notna().any():
        raise SettingsError(
            f"the recordings of {corpus.id} lie in tables, and audformat names one file for each",
            hint="choose --format csv or hf",
        )
    if not table["start_s"].notna().any() and not table["end_s"].notna().any():
        index = audformat.filewise_index(table["path"])
    else:
        starts = pd.to_timedelta(table["start_s"].fillna(0.0), unit="s")
        index = audformat.segmented_index(
            table["path"], starts, pd.to_timedelta(table["end_s"], unit="s")
        )
    if index.has_duplicates:
        twice = Counter(table["path"]).most_common(1)[0][0]
        raise SettingsError(
            f"several utterances of {corpus.id} are the same part of {twice} (another channel), "
            "and audformat tells them apart by their times alone",
            hint="choose --format csv or hf",
        )
    return index


def _scheme(name: str, corpus: ExportedCorpus, table: pd.DataFrame) -> audformat.Scheme:
    if name == "channel":
        return audformat.Scheme(audformat.define.DataType.INTEGER)
    if name == "emotion":
        return audformat.Scheme(labels=list(corpus.classes))
    if name in _CLOSED:
        return audformat.Scheme(labels=sorted(table[name].dropna().unique()))
    return audformat.Scheme(audformat.define.DataType.STRING)


def _add_table(
    database: audformat.Database,
    name: str,
    table: pd.DataFrame,
    columns: Sequence[str],
    split: str | None = None,
) -> None:
    database[name] = audformat.Table(table.index, split_id=split)
    for column in columns:
        database[name][column] = audformat.Column(scheme_id=column)
        database[name][column].set(table[column].to_numpy())


def _is_language(code: str) -> bool:
    try:
        audformat.utils.map_language(code)
    except ValueError:
        return False
    return True
