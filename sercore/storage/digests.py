"""Digests of values: one JSON text for a value, and the SHA-256 of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_of(value: object) -> str:
    """Return the SHA-256 (hexadecimal) of a value's canonical JSON.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose nested values are JSON texts, so that it fits a table row."""
    return {
        key: canonical_json(value) if isinstance(value, (dict, list, tuple)) else value
        for key, value in record.items()
    }
