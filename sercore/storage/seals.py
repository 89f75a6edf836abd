"""A digest inside every stored file, so that no damaged byte is ever read as a result.

A file carries the marker ``sercore-sha256:`` and 64 hexadecimal digits in a place where its format
allows free text: a member of a JSON object, the metadata of a Parquet, safetensors or Arrow file.
The digits are the SHA-256 of the whole file with zeros in their place. So one rule covers all
formats and every byte of a file, and no second file is needed that can get lost or be older.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    import pyarrow as pa

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
        ValueError: the object has a member with the name of the seal, or a number that is not
            finite.
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


def sealed_parquet(table: pa.Table) -> bytes:
    """Return a table as Parquet (zstd) with a seal.

    Raises:
        pyarrow.ArrowException: the table cannot be written.
    """
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer, table.schema, compression="zstd", use_dictionary=_texts(table.schema)
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({KEY: BLANK_SEAL})
    return sealed(buffer.getvalue())


def _texts(schema: pa.Schema) -> list[str]:
    """Return the Parquet paths of the columns of texts, and of lists of texts.

    Texts repeat, and a dictionary makes them small. Numbers do not repeat: with a dictionary,
    logits take half as much space again, and a quarter more time to read.
    """
    import pyarrow as pa

    paths = []
    for field in schema:
        listed = pa.types.is_list(field.type)
        if pa.types.is_string(field.type.value_type if listed else field.type):
            paths.append(f"{field.name}.list.element" if listed else field.name)
    return paths


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
