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

MEASURES_SCHEMA = pa.schema(
    [
        pa.field("level_db", pa.float64()),
        pa.field("peak", pa.float64()),
        pa.field("clipped", pa.float64()),
        pa.field("offset", pa.float64()),
        pa.field("leading_s", pa.float64()),
        pa.field("trailing_s", pa.float64()),
        pa.field("padding_s", pa.float64()),
        pa.field("envelope", pa.binary()),
    ]
)
"""Columns as in `sercore.audio.measures.Measures`; null where decoding failed."""
