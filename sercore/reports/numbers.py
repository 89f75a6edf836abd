"""Numbers and names of the page in few characters."""

from __future__ import annotations

DIGITS = 5
"""Decimals of the numbers in the page."""

SHOWN = 3
"""Decimals that tables print."""

_STEP = 10 ** (DIGITS - SHOWN)


def quantised(value: float | None) -> int | None:
    """Return a value in units of 10 to the power of minus `DIGITS`; None if it is undefined.

    Rounding twice can move the last decimal that tables print, and languages break ties
    differently. So the integer is moved by one where the page would print another number than the
    other formats.

    >>> quantised(0.123456), quantised(0.1234996), quantised(0.0625)
    (12346, 12349, 6249)
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    near: int = round(value * 10**DIGITS)
    wanted = f"{value:.{SHOWN}f}"
    for candidate in (near, near - 1, near + 1):
        is_tie = candidate % _STEP == _STEP // 2
        if not is_tie and f"{candidate / 10**DIGITS:.{SHOWN}f}" == wanted:
            return candidate
    return near


class Names:
    """Names by their place in a list, so that a name that occurs often is stored once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, name: str) -> int:
        """Return the place of a name."""
        return self._places.setdefault(name, len(self._places))

    def listed(self) -> list[str]:
        """Return all names by their places."""
        return list(self._places)


class PageNames:
    """What the views of a page have in common."""

    def __init__(self) -> None:
        self.corpora = Names()
        self.classes = Names()
        self.texts = Names()

    def pair(self, pair: tuple[str, str]) -> list[int]:
        """Return the places of a train corpus and a test corpus."""
        return [self.corpora.place(pair[0]), self.corpora.place(pair[1])]
