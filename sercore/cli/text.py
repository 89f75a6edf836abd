"""Text that comes from files, plugins and users, made safe for a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_UNSAFE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories: control characters, lone surrogates, line and paragraph separators."""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text around them."""


def printable(value: object, *, keep: str = "") -> str:
    r"""Return a value's text with every character that steers a terminal as a visible escape.

    Escape sequences, line breaks, direction marks and undecodable bytes of file names are shown as
    ``\x1b``, ``\n``, ``\u202e`` and ``\udcff``. Letters of all scripts stay as they are.

    Args:
        value: what is shown.
        keep: control characters that stay, such as the line breaks of a text of several lines.

    >>> print(printable("a\x1b]0;title\x07b"))
    a\x1b]0;title\x07b
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in keep or not _is_unsafe(character) else _escape(character)
        for character in text
    )


def printable_json(text: str) -> str:
    """Return a JSON text of the same value that is safe for a terminal.

    Args:
        text: as `json.dumps` returns it, so that line breaks stand between values only.
    """
    return "".join(
        f"\\u{ord(character):04x}" if character != "\n" and _is_unsafe(character) else character
        for character in text
    )


def plain(value: object) -> Text:
    """Return a value for rich, which neither styles it nor reads markup such as ``[red]`` in it."""
    from rich.text import Text

    return Text(printable(value))


def add_row(table: Table, *values: Any) -> None:
    """Add a row of plain values to a table; None is shown as a dash."""
    table.add_row(*(plain("-" if value is None else value) for value in values))


def print_table(console: Console, table: Table) -> None:
    """Print a table; in a terminal that is too narrow for its words, print a list of its rows.

    The list has one line for each value, headed by the first column.
    """
    from rich.measure import Measurement
    from rich.padding import Padding
    from rich.text import Text

    needed = Measurement.get(console, console.options.update(max_width=10_000), table).minimum
    if needed <= console.width or len(table.columns) < 2:
        console.print(table)
        return
    if table.title:
        console.print(table.title, style="bold")
    columns = [(str(column.header), list(column.cells)) for column in table.columns]
    for row in range(table.row_count):
        (_, heads), *rest = columns
        console.print(Text.assemble("\n", (str(heads[row]), "bold")), soft_wrap=True)
        for name, cells in rest:
            text = str(cells[row]).strip()
            if text and text != "-":
                line = Text.assemble((f"{name}: ", "dim"), text.replace("\n", ", "))
                console.print(Padding(line, (0, 0, 0, 2)))


def _is_unsafe(character: str) -> bool:
    return character in _BIDI or unicodedata.category(character) in _UNSAFE


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
