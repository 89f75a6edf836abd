"""Decode every recording of a corpus: measure it, and find damaged, silent and repeated ones."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import MutableMapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING
from typing import Any

import pyarrow as pa

from sercore.audio.decode import read_source
from sercore.audio.measures import measure
from sercore.audio.schema import AUDIO_SCHEMA
from sercore.audio.schema import MEASURES_SCHEMA
from sercore.backbones.interface import MAX_SECONDS
from sercore.corpora.contents import UNREADABLE
from sercore.corpora.problems import Problem
from sercore.devices import available_processors
from sercore.errors import AudioError
from sercore.errors import SilentAudioError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.interface import Utterance
    from sercore.corpora.manifest import Manifest

SCHEMA = pa.schema(
    [pa.field("utterance_id", pa.string(), nullable=False), *AUDIO_SCHEMA, *MEASURES_SCHEMA]
)
"""Columns of the audit of a corpus, one row per utterance. Where decoding failed, `error` is one
sentence, and all others but the id are null."""

_OVERLONG_FACTOR = 8.0

Progress = Callable[[int, int], None]
"""Called with the number of decoded recordings, and of all that have to be decoded."""

AudioKey = tuple[str, float | None, float | None, int | None]
"""What was heard: the content of a recording (`sercore.corpora.contents`), and the start, end and
channel of the utterance in it."""

Facts = dict[str, Any]
"""A row of the audit without the utterance's id and without an error."""


def audit_audio(
    files: CorpusFiles,
    manifest: Manifest,
    progress: Progress | None = None,
    known: MutableMapping[AudioKey, Facts] | None = None,
) -> tuple[pa.Table, tuple[Problem, ...]]:
    """Decode every utterance of a corpus, at its own rate, one per processor at a time.

    Args:
        files: the corpus on disk.
        manifest: its utterances.
        progress: called after every decoded recording.
        known: the facts of recordings that need not be decoded again, if the manifest has their
            contents; those of all others are added. A recording that fails is never added.

    Returns:
        One row per utterance as in `SCHEMA`, in the order of the manifest; and problems of the
        kinds ``undecodable``, ``silent`` (no samples or only zeros), ``overlong`` (much longer
        than the others of the corpus) and ``duplicate`` (the same audio as another utterance).
    """
    known = {} if known is None else known
    keys = audio_keys(manifest)
    rows = [known.get(key) for key in keys]
    missing = [number for number, row in enumerate(rows) if row is None]
    problems: list[Problem] = []
    with ThreadPoolExecutor(available_processors(), thread_name_prefix="sercore-audit") as pool:
        decoded = pool.map(lambda row: _facts(files, manifest.utterance(row)), missing)
        for done, (row, found) in enumerate(zip(missing, decoded, strict=True), start=1):
            if isinstance(found, Problem):
                problems.append(found)
                rows[row] = {"error": f"{found.message}; {found.hint}"}
            else:
                rows[row] = found
                if keys[row][0] not in (None, UNREADABLE):
                    known[keys[row]] = found
            if progress is not None:
                progress(done, len(missing))
    ids = manifest.utterance_ids
    complete = [
        {**dict.fromkeys(SCHEMA.names), "utterance_id": utterance_id, **(row or {})}
        for utterance_id, row in zip(ids, rows, strict=True)
    ]
    table = pa.Table.from_pylist(complete, schema=SCHEMA)
    problems += overlong(ids, table.column("duration_s").to_pylist())
    problems += repeated_audio(ids, table.column("audio_digest").to_pylist())
    return table, tuple(problems)


def audio_keys(manifest: Manifest) -> list[AudioKey]:
    """Return what is heard in each utterance of a manifest; the content may be None."""
    return list(zip(*map(manifest.column, ("content", "start_s", "end_s", "channel")), strict=True))


def _facts(files: CorpusFiles, utterance: Utterance) -> Facts | Problem:
    """Decode and measure one utterance; return the reason if that is not possible."""
    try:
        source = read_source(files, utterance)
    except AudioError as error:
        kind = "silent" if isinstance(error, SilentAudioError) else "undecodable"
        where = utterance.utterance_id
        return Problem(kind=kind, where=where, message=error.message, hint=error.hint)
    return {
        "duration_s": source.duration_s,
        "source_rate": source.rate,
        "channels": source.channels,
        "audio_digest": source.digest,
        **asdict(measure(source)),
    }


def overlong(
    utterance_ids: Sequence[str], durations_s: Sequence[float | None]
) -> tuple[Problem, ...]:
    """Return a problem for every utterance that is probably a wrong cut, because it is too long.

    Such an utterance is longer than the 30 s that encoders hear, and much longer than the median
    of its corpus.

    Args:
        utterance_ids: in manifest order.
        durations_s: seconds, in the same order; None if decoding failed.
    """
    known = [seconds for seconds in durations_s if seconds is not None]
    if not known:
        return ()
    limit_s = max(MAX_SECONDS, _OVERLONG_FACTOR * median(known))
    return tuple(
        Problem(
            kind="overlong",
            where=utterance_id,
            message=f"it lasts {seconds:.0f} s, and the median of the corpus is "
            f"{median(known):.1f} s",
            hint=f"it may be a wrong cut; only its first {MAX_SECONDS:g} s are used",
        )
        for utterance_id, seconds in zip(utterance_ids, durations_s, strict=True)
        if seconds is not None and seconds > limit_s
    )


def repeated_audio(
    utterance_ids: Iterable[str], digests: Iterable[str | None]
) -> tuple[Problem, ...]:
    """Return a problem for every utterance whose decoded audio equals that of an earlier one.

    Args:
        utterance_ids: in manifest order.
        digests: of the decoded audio, in the same order; None if decoding failed.
    """
    first: dict[str, str] = {}
    problems = []
    for utterance_id, digest in zip(utterance_ids, digests, strict=True):
        if digest is None:
            continue
        earlier = first.setdefault(digest, utterance_id)
        if earlier != utterance_id:
            problems.append(
                Problem(
                    kind="duplicate",
                    where=utterance_id,
                    message=f"it is the same audio as {earlier}",
                    hint="compare both with a fresh copy: duplicates leak into test sets",
                )
            )
    return tuple(problems)
