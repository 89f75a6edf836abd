"""Decode every recording of a corpus: find damaged, silent and duplicate ones."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING

import pyarrow as pa

from sercore.audio.decode import read_utterance
from sercore.audio.schema import AUDIO_SCHEMA
from sercore.backbones.interface import MAX_SECONDS
from sercore.corpora.problems import Problem
from sercore.errors import AudioError
from sercore.errors import SilentAudioError

if TYPE_CHECKING:
    from sercore.corpora.files import CorpusFiles
    from sercore.corpora.manifest import Manifest

SCHEMA = pa.schema([pa.field("utterance_id", pa.string(), nullable=False), *AUDIO_SCHEMA])
"""Columns of the audit of a corpus, one row per utterance."""

_WORKERS = 2
_OVERLONG_FACTOR = 8.0

Progress = Callable[[int, int], None]
"""Called with the number of decoded recordings and the number of all."""


def audit_audio(
    files: CorpusFiles, manifest: Manifest, progress: Progress | None = None
) -> tuple[pa.Table, tuple[Problem, ...]]:
    """Decode every utterance of a corpus, at its own rate, two at a time.

    Returns:
        One row per utterance as in `SCHEMA`, in the order of the manifest; and problems of the
        kinds ``undecodable``, ``silent`` (no samples or only zeros), ``overlong`` (much longer
        than the others of the corpus) and ``duplicate`` (the same audio as another utterance).
    """

    def decode(row: int) -> tuple[dict[str, object], Problem | None]:
        utterance = manifest.utterance(row)
        found: dict[str, object] = dict.fromkeys(SCHEMA.names)
        found["utterance_id"] = utterance.utterance_id
        try:
            recording = read_utterance(files, utterance, rate=None)
        except AudioError as error:
            kind = "silent" if isinstance(error, SilentAudioError) else "undecodable"
            return found | {"error": str(error)}, Problem(
                kind=kind, where=utterance.utterance_id, message=error.message, hint=error.hint
            )
        return found | {
            "duration_s": recording.duration_s,
            "source_rate": recording.source_rate,
            "channels": recording.source_channels,
            "audio_digest": recording.digest,
        }, None

    rows: list[dict[str, object]] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for row, problem in pool.map(decode, range(len(manifest))):
            rows.append(row)
            if problem is not None:
                problems.append(problem)
            if progress is not None:
                progress(len(rows), len(manifest))
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    durations = table.column("duration_s").to_pylist()
    problems += overlong(manifest.utterance_ids, durations)
    problems += repeated_audio(manifest.utterance_ids, table.column("audio_digest").to_pylist())
    return table, tuple(problems)


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
