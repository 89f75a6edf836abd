"""A digest inside every stored file, so that no damaged byte is ever read as a result.

A file carries the marker ``sercore-sha256:`` and 64 hexadecimal digits in a place where its format
allows free text: a member of a JSON object, the metadata of a Parquet, safetensors or Arrow file.
The digits are the SHA-256 of the whole file with zeros in their place. So one rule covers all
formats and every byte of a file, and no second file is needed that can get lost or be older.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

KEY = "seal"
"""The name of the member or metadata entry that holds the digest."""

_MARK = "sercore-sha256:"
_ZEROS = "0" * 64
BLANK_SEAL = _MARK + _ZEROS
"""What a writer puts into a file's metadata before it calls `sealed`."""

_SEAL = re.compile(_MARK.encode() + b"([0-9a-f]{64})")


def sealed(data: bytes) -> bytes:
    """Return a file's bytes with the blank seal replaced by the digest.

    Raises:
        ValueError: the bytes do not hold `BLANK_SEAL` exactly once.
    """
    blank = BLANK_SEAL.encode()
    if data.count(blank) != 1:
        raise ValueError(f"the bytes must hold the blank seal once, not {data.count(blank)} times")
    return data.replace(blank, (_MARK + hashlib.sha256(data).hexdigest()).encode())


def sealed_json(value: Mapping[str, Any]) -> bytes:
    """Return an object as indented JSON with sorted keys and a seal.

    Raises:
        ValueError: it has a member with the name of the seal.
    """
    if KEY in value:
        raise ValueError(f"'{KEY}' is the member that holds the digest")
    content = {**value, KEY: BLANK_SEAL}
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return sealed((text + "\n").encode())


def opened_json(data: bytes) -> Any:
    """Return the value of JSON that `sealed_json` made; the seal is not verified here.

    Raises:
        ValueError, KeyError, TypeError: the bytes are no such JSON.
    """
    value = json.loads(data)
    del value[KEY]
    return value


def damage(data: bytes) -> str | None:
    """Return what is wrong with a sealed file, as the end of a sentence; None if it is intact."""
    view = memoryview(data)
    found = False
    # The content may quote another file's seal, so any of the seals may be its own.
    for match in _SEAL.finditer(data):
        found = True
        digest = hashlib.sha256(view[: match.start(1)])
        digest.update(_ZEROS.encode())
        digest.update(view[match.end(1) :])
        if digest.hexdigest().encode() == match[1]:
            return None
    return "its bytes do not match its digest" if found else "it carries no digest"
