"""Read the audio files that Parquet files embed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from sercore.corpora.tables import audio_column
from sercore.errors import AudioError
from sercore.errors import CorpusError


def embedded_bytes(path: Path, row: int, name: str) -> bytes:
    """Return the audio file in a row of a Parquet file."""
    import pyarrow as pa

    try:
        facts = path.stat()
        # Identifies the file within this process; it is part of no key or digest.
        version = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        column, starts = _parquet_layout(path, version)
        group = next((i for i in range(len(starts) - 1) if starts[i] <= row < starts[i + 1]), None)
        if group is None:
            raise AudioError(
                f"{name}: the file has only {starts[-1]} rows",
                hint="replace it by the copy that the authors distribute",
            )
        value = _parquet_values(path, version, column, group)[row - starts[group]].as_py()
    except pa.ArrowException as error:
        reason = " ".join(str(error).partition("\n")[0].split()).rstrip(".")
        raise AudioError(
            f"{name} cannot be decoded: {reason}", hint="replace it by an undamaged copy"
        ) from error
    except CorpusError as error:
        raise AudioError(error.message, hint=error.hint) from error
    if value is None:
        raise AudioError(f"{name} contains no audio", hint="replace the file by an undamaged copy")
    return bytes(value)


@lru_cache(maxsize=64)
def _parquet_layout(path: Path, version: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Return the column of a parquet file with audio, and the first row of each row group."""
    import pyarrow.parquet as pq

    del version
    with pq.ParquetFile(path) as file:
        starts = [0]
        for group in range(file.num_row_groups):
            starts.append(starts[-1] + file.metadata.row_group(group).num_rows)
        return audio_column(file.schema_arrow, path.name), tuple(starts)


# Extraction is ordered by length, so consecutive utterances lie in different row groups.
@lru_cache(maxsize=4)
def _parquet_values(path: Path, version: tuple[int, ...], column: str, group: int) -> Any:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    del version
    with pq.ParquetFile(path) as file:
        values = file.read_row_group(group, columns=[column]).column(0)
    inner = column.partition(".")[2]
    return pc.struct_field(values, inner) if inner else values
