"""No damaged byte is read as a result."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from sercore.errors import DamagedError
from sercore.storage.seals import BLANK_SEAL
from sercore.storage.seals import KEY
from sercore.storage.seals import sealed
from sercore.storage.workspace import Workspace


def write_json(workspace):
    workspace.write_json("file", {"b": [1, 2.5, None], "a": {"text": "ä\u202e"}})
    return workspace.read_json


def write_table(workspace):
    workspace.write_table("file", pa.table({"a": [1, None], "b": ["x", "y"]}))
    return workspace.read_table


def write_weights(workspace):
    data = safetensors.numpy.save({"w": np.arange(6.0)}, metadata={KEY: BLANK_SEAL})
    workspace.write_sealed("file", data)
    return workspace.read_sealed


WRITERS = pytest.mark.parametrize("write", [write_json, write_table, write_weights])


@WRITERS
def test_every_flipped_byte_and_every_cut_is_found(tmp_path, write):
    workspace = Workspace(tmp_path)
    read = write(workspace)
    whole = workspace.read_bytes("file")
    read("file")
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << (position % 8)
        (tmp_path / "file").write_bytes(flipped)
        with pytest.raises(DamagedError, match="file is damaged"):
            read("file")
    for length in range(0, len(whole), 7):
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(DamagedError, match="file is damaged"):
            read("file")


@WRITERS
def test_the_same_content_has_the_same_bytes(tmp_path, write):
    first, second = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    write(first)
    write(second)

    assert first.read_bytes("file") == second.read_bytes("file")


def test_the_seal_is_not_part_of_the_value(tmp_path):
    workspace = Workspace(tmp_path)
    table = pa.table({"a": [1]}).replace_schema_metadata({"note": "kept"})
    workspace.write_json("x.json", {"a": 1})
    workspace.write_table("x.parquet", table)
    workspace.write_table("y.parquet", pa.table({"a": [1]}))

    assert workspace.read_json("x.json") == {"a": 1}
    assert workspace.read_table("x.parquet").schema.metadata == {b"note": b"kept"}
    assert workspace.read_table("y.parquet").schema.metadata is None
    # Other programs read a sealed Parquet file like any other.
    assert pq.read_table(io.BytesIO(workspace.read_bytes("x.parquet"))).equals(table)


def test_content_may_quote_another_seal(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.write_json("first.json", {"a": 1})
    quoted = workspace.read_bytes("first.json").decode()
    workspace.write_json("second.json", {"before": quoted, "z-after": quoted})

    assert workspace.read_json("second.json")["before"] == quoted


@pytest.mark.parametrize("data", [b"no seal", BLANK_SEAL.encode() * 2])
def test_a_file_is_sealed_once(data):
    with pytest.raises(ValueError, match="blank seal once"):
        sealed(data)


def test_the_member_of_the_seal_is_reserved(tmp_path):
    with pytest.raises(ValueError, match="the member that holds the digest"):
        Workspace(tmp_path).write_json("x.json", {KEY: 1})
