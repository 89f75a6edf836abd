"""Sizes as people write them."""

from __future__ import annotations

import re

from sercore.errors import SettingsError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises:
        SettingsError: it is not a size.

    >>> parse_size("200GB"), parse_size("1.5 TB"), parse_size("2GiB")
    (200000000000, 1500000000000, 2147483648)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text, re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise SettingsError(f"'{text}' is not a size", hint="write for example 200GB or 1.5TiB")
    unit = _UNITS[match[2].lower()]
    if match[3]:
        unit = 1024 ** "bkmgt".index(match[2].lower())
    return int(float(match[1]) * unit)
