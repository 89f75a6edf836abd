"""Simultaneous comparison of all pairs: Tukey's quantiles and groups of ties in letters."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

_GRID = np.array([1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 60, 120, np.inf])


def tukey_quantile(n_groups: int, df: Values, level: float) -> Values:
    """Return float64 (...): quantiles of the studentised range, divided by the square root of two.

    A difference whose ratio to its standard error exceeds the quantile is found with a family-wise
    error of 1 - `level`. The quantile is computed at fourteen df and interpolated in 1 / df, since
    one exact value takes a tenth of a second.

    Args:
        n_groups: how many backbones are compared.
        df: float64 (...), degrees of freedom.
        level: one less the family-wise error.
    """
    quantiles = np.array(_quantiles(n_groups, level))
    inverse = 1 / np.asarray(df, dtype=np.float64)
    return np.asarray(np.interp(inverse, 1 / _GRID[::-1], quantiles[::-1]) / np.sqrt(2))


def tie_letters(differs: npt.NDArray[np.bool_]) -> list[str]:
    """Return letters for each group: two groups share one exactly where they do not differ.

    Start with one letter for all. For every pair that differs, replace each letter that both have
    by two letters, each without one of the pair; then drop letters whose members another letter
    has as well. Source: insert and absorb, Piepho (2004), doi:10.1198/1061860043515.

    Args:
        differs: bool (groups, groups), symmetric; pass the groups best first, so that ``a`` is
            the letter of the best.
    """
    n_groups = len(differs)
    letters = [frozenset(range(n_groups))]
    for first in range(n_groups):
        for second in range(first + 1, n_groups):
            if differs[first, second]:
                letters = _absorb(_split(letters, first, second))
    letters.sort(key=sorted)
    names = [_letter(place) for place in range(len(letters))]
    return [
        "".join(name for name, members in zip(names, letters, strict=True) if group in members)
        for group in range(n_groups)
    ]


@lru_cache(maxsize=32)
def _quantiles(n_groups: int, level: float) -> tuple[float, ...]:
    from scipy.stats import studentized_range

    return tuple(float(studentized_range.ppf(level, n_groups, df)) for df in _GRID)


def _split(letters: Sequence[frozenset[int]], first: int, second: int) -> list[frozenset[int]]:
    found: list[frozenset[int]] = []
    for members in letters:
        if first in members and second in members:
            found += [members - {first}, members - {second}]
        else:
            found.append(members)
    return found


def _absorb(letters: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    unique = list(dict.fromkeys(letters))
    return [members for members in unique if not any(members < other for other in unique)]


def _letter(place: int) -> str:
    alphabet = string.ascii_lowercase
    times, index = divmod(place, len(alphabet))
    return alphabet[index] + (str(times) if times else "")
