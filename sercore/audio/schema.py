"""What decoding finds out about a recording, as columns of a table."""

from __future__ import annotations

import pyarrow as pa

AUDIO_SCHEMA = pa.schema(
    [
        pa.field("duration_s", pa.float64()),
        pa.field("source_rate", pa.int32()),
        pa.field("channels", pa.int32()),
        pa.field("audio_digest", pa.string()),
        pa.field("error", pa.string()),
    ]
)
"""Columns as in `sercore.audio.decode.Recording`. Where decoding failed, all but `error` (one
sentence) are null."""
