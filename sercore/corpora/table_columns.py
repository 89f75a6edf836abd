"""What the columns of a table hold, and what one row of it says.

`sercore.corpora.table_files` reads tables of this kind; `sercore.corpora.table_corpus` makes
utterances of their rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from sercore.errors import CorpusError

FACTS = ("id", "path", "label", "speaker", "gender", "text", "split", "start", "end")
"""What a column can hold. These are the names of the columns, too, unless others are given."""

_USUAL: Mapping[str, tuple[str, ...]] = {
    "path": ("file", "file_name", "filename", "filepath", "file_path", "audio", "wav"),
    "label": ("emotion", "class", "category", "target"),
    "speaker": ("speaker_id", "spk", "spk_id", "actor", "actor_id"),
    "gender": ("sex", "speaker_gender"),
    "text": ("transcription", "transcript", "sentence"),
    "split": ("subset", "partition"),
    "start": ("start_s", "start_time", "begin"),
    "end": ("end_s", "end_time", "stop"),
}
"""Other usual names of columns: messages suggest them, and they are not read unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """What one row of a table says about one utterance."""

    where: str
    """Table and line or row, for messages."""
    values: Mapping[str, Any]
    """The values by what they are (`FACTS`). A column that does not exist is left out."""
    folder: str = ""
    """The folder in the corpus that its path is relative to."""
    embedded: str | None = None
    """The Parquet file that embeds its audio; None: `values` has the path of a file."""
    row: int | None = None
    """Its row in that file, counted from 0."""
    size: int | None = None
    """Bytes of the embedded audio; None if the row has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of a table are read, and the advice if one is missing.

    Args:
        names: names of columns by what they hold; a fact that is left out is its own name.
        required: the facts without which the table cannot be used.
        section: the section of sercore.toml where the user names columns; None for a plugin.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ("path", "label")
    section: str | None = None

    def without(self, *facts: str) -> Columns:
        """Return the columns with some facts not required."""
        return replace(self, required=tuple(one for one in self.required if one not in facts))

    def name(self, fact: str) -> str:
        """Return the name of the column that holds a fact."""
        return self.names.get(fact, fact)

    def find(self, header: Sequence[str], table: str) -> dict[str, str]:
        """Return the columns of a table that exist, by what they hold.

        Args:
            header: the names of all columns; letter case and surrounding blanks are ignored.
            table: the table, for messages.

        Raises:
            CorpusError: a required column, or one that the user named, does not exist.
        """
        known = _by_folded(header)
        found = {
            fact: known[_folded(self.name(fact))]
            for fact in FACTS
            if _folded(self.name(fact)) in known
        }
        missing = [
            fact
            for fact in FACTS
            if fact not in found and (fact in self.required or fact in self.names)
        ]
        if missing:
            shown = ", ".join(name.strip() for name in header)
            raise CorpusError(
                f"{table} has no column {', '.join(map(self.name, missing))}; "
                f"its columns are {shown or 'none'}",
                hint=self._advice(header, found, missing),
            )
        return found

    def similar(self, header: Sequence[str]) -> dict[str, str]:
        """Return columns under other usual names, which are not read, by what they may hold."""
        known = _by_folded(header)
        used = {_folded(self.name(fact)) for fact in FACTS}
        found = {}
        for fact, usual in _USUAL.items():
            free = [known[name].strip() for name in usual if name in known and name not in used]
            if free and _folded(self.name(fact)) not in known:
                found[fact] = free[0]
        return found

    def _advice(
        self, header: Sequence[str], found: Mapping[str, str], missing: Sequence[str]
    ) -> str:
        if self.section is None:
            return "use the table that the authors distribute"
        kept = {fact: name for fact, name in self.names.items() if fact in found}
        names = kept | dict.fromkeys(missing, "?") | self.similar(header)
        filled = " with the name of a column for every ?" if "?" in names.values() else ""
        return f"write {column_line(names)}{filled} under {self.section} in sercore.toml"


def column_line(names: Mapping[str, str]) -> str:
    """Return names of columns as a line of sercore.toml."""
    return f"columns = {inline_table(names)}"


def inline_table(names: Mapping[str, str]) -> str:
    """Return names by name as a table of TOML in one line, whose strings are those of JSON."""
    pairs = (f"{toml_key(key)} = {quoted(name)}" for key, name in names.items())
    return f"{{ {', '.join(pairs)} }}"


def toml_key(key: str) -> str:
    """Return a key of TOML, in quotes if it needs them."""
    is_bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if is_bare else quoted(key)


def quoted(text: str) -> str:
    """Return a string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _by_folded(header: Sequence[str]) -> dict[str, str]:
    """Return the names of columns by their spelling without case; of equal ones the first."""
    return {_folded(name): name for name in reversed(header)}


def _folded(name: str) -> str:
    return name.strip().casefold()
