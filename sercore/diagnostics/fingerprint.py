"""The fingerprint of a corpus: a small table that says which recordings a copy must have.

A fingerprint is a text file: comment lines with the corpus and the source, then tab-separated
columns. `utterance_id` is required. Each other column may be missing or empty:

- `duration_s`: seconds, four decimals.
- `rate`, `channels`: of the file.
- `sha256`: of the encoded recording.
- `audio`: SHA-256 of rate, channels and decoded samples (`sercore.audio.decode.Recording.digest`).
  It is the same in every lossless container. Samples are not resampled first, because resamplers
  differ between versions.
- `envelope`: the course of the level in 16 bytes (`sercore.audio.measures.envelope_of`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from typing import TYPE_CHECKING

from sercore.errors import CorpusError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sercore.corpora.manifest import Manifest

_FORMAT = "sercore fingerprint 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What a fingerprint says about one utterance; None where it says nothing."""

    duration_s: float | None = None
    rate: int | None = None
    channels: int | None = None
    sha256: str | None = None
    audio: str | None = None
    envelope: str | None = None
    """Hexadecimal."""


_COLUMNS = tuple(field.name for field in fields(Print))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The fingerprint of one copy of a corpus."""

    corpus: str
    """Id of the corpus."""
    source: str
    """The copy, as in "compared with the published files (repository, revision)"."""
    prints: Mapping[str, Print]
    """By utterance id."""


def fingerprint_of(manifest: Manifest, audit: pa.Table, source: str) -> Fingerprint:
    """Return the fingerprint of a copy at hand.

    Args:
        manifest: its utterances, with contents.
        audit: a row per utterance, see `sercore.audio.audit.SCHEMA`; failed ones are left out.
        source: names the copy.
    """
    return Fingerprint(corpus=manifest.corpus, source=source, prints=prints_of(manifest, audit))


def prints_of(manifest: Manifest, audit: pa.Table) -> dict[str, Print]:
    """Return what can be compared of a copy at hand, by utterance id. See `fingerprint_of`."""
    rows = zip(audit.to_pylist(), manifest.column("content"), strict=True)
    return {
        row["utterance_id"]: Print(
            duration_s=round(row["duration_s"], 4),
            rate=row["source_rate"],
            channels=row["channels"],
            sha256=content,
            audio=row["audio_digest"],
            envelope=row["envelope"].hex(),
        )
        for row, content in rows
        if row["error"] is None
    }


def fingerprint_text(fingerprint: Fingerprint) -> str:
    """Return a fingerprint as the text of a file; columns that say nothing are left out."""
    used = [
        name
        for name in _COLUMNS
        if any(getattr(one, name) is not None for one in fingerprint.prints.values())
    ]
    text = io.StringIO()
    text.write(f"# {_FORMAT}\n# corpus: {fingerprint.corpus}\n")
    text.write(f"# source: {' '.join(fingerprint.source.split())}\n")
    writer = csv.writer(text, "excel-tab", lineterminator="\n")
    writer.writerow(["utterance_id", *used])
    for utterance_id, one in sorted(fingerprint.prints.items()):
        writer.writerow([utterance_id, *(_shown(getattr(one, name)) for name in used)])
    return text.getvalue()


def read_fingerprint(path: Path) -> Fingerprint:
    """Read the file of a fingerprint.

    Raises:
        CorpusError: it cannot be read, or is no fingerprint.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise CorpusError(
            f"the fingerprint {path} cannot be read: {reason}",
            hint="name a file that 'sercore fingerprint' wrote",
        ) from error
    lines = text.splitlines()
    head = dict(_header(lines))
    try:
        if lines[0] != f"# {_FORMAT}":
            raise ValueError("its first line is not that of a fingerprint")  # noqa: TRY301
        rows = csv.DictReader(lines[len(head) + 1 :], dialect="excel-tab", strict=True)
        prints = {row["utterance_id"]: _print(row) for row in rows}
        return Fingerprint(corpus=head["corpus"], source=head["source"], prints=prints)
    except (IndexError, KeyError, ValueError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CorpusError(
            f"{path} is not a fingerprint: {reason}",
            hint="name a file that 'sercore fingerprint' wrote",
        ) from error


def _header(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the comment lines after the first one."""
    for line in lines[1:]:
        if not line.startswith("# "):
            return
        name, _, value = line[2:].partition(": ")
        yield name, value


def _print(row: Mapping[str, str]) -> Print:
    duration, rate, channels = (row.get(name) for name in ("duration_s", "rate", "channels"))
    return Print(
        duration_s=float(duration) if duration else None,
        rate=int(rate) if rate else None,
        channels=int(channels) if channels else None,
        sha256=row.get("sha256") or None,
        audio=row.get("audio") or None,
        envelope=row.get("envelope") or None,
    )


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
