"""Batches of extraction: utterances of similar length, decoded before the encoder needs them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import TypeVar

from sercore.features.parts import ExtractedUtterance

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Sequence
    from concurrent.futures import Future
    from concurrent.futures import ThreadPoolExecutor

    from sercore.audio.decode import Recording
    from sercore.backbones.interface import EncodedUtterance

    _A = TypeVar("_A")
    _B = TypeVar("_B")

_PADDING = 0.08
"""Share of a batch that may be padding, so that a corpus of a few dozen utterances of all lengths
is not computed at the length of its longest."""


@dataclass(frozen=True, slots=True)
class DecodedUtterance:
    """One utterance after decoding: a recording, or the reason why there is no recording."""

    row: int
    path: str
    recording: Recording | None
    error: str | None = None
    error_kind: str = "undecodable"

    @property
    def n_samples(self) -> int:
        """Samples at the backbone's rate; 0 without a recording."""
        return len(self.recording.samples) if self.recording is not None else 0

    def extracted(self, encoded: EncodedUtterance | None) -> ExtractedUtterance:
        """Return what is stored for the utterance."""
        recording = self.recording
        return ExtractedUtterance(
            row=self.row,
            path=self.path,
            frames=encoded.frames if encoded else None,
            layer_means=encoded.layer_means if encoded else None,
            duration_s=recording.duration_s if recording else None,
            source_rate=recording.source_rate if recording else None,
            channels=recording.source_channels if recording else None,
            audio_digest=recording.digest if recording else None,
            error=self.error,
            error_kind=self.error_kind,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances of one part that go through the encoder together."""

    part: int
    members: tuple[DecodedUtterance, ...]
    is_last: bool
    """Whether it ends its part."""


def cut_batches(
    members: Sequence[DecodedUtterance], cost: Callable[[int], int], frame_budget: int
) -> list[tuple[DecodedUtterance, ...]]:
    """Cut utterances into batches of similar length within a frame budget.

    Args:
        members: utterances that have a recording.
        cost: frames that the encoder computes for a number of samples.
        frame_budget: frames of one batch at most, padding included; an utterance that alone
            exceeds it is a batch of its own.
    """
    batches: list[list[DecodedUtterance]] = []
    largest = real = 0
    # Longest first: the first member of a batch decides what every row of it costs. Equal
    # lengths keep the order of the part, which depends on the recordings alone.
    for member in sorted(members, key=lambda member: -member.n_samples):
        frames = cost(member.n_samples)
        padded = (len(batches[-1]) + 1) * largest if batches else 0
        is_dense = padded - real - frames <= _PADDING * padded
        if batches and padded <= frame_budget and is_dense:
            batches[-1].append(member)
            real += frames
        else:
            batches.append([member])
            largest = real = frames
    return [tuple(batch) for batch in batches]


def read_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[_A], _B],
    items: Iterable[_A],
    depth: int,
) -> Iterator[tuple[_A, _B]]:
    """Apply a function in threads, in order, at most `depth` items ahead of the caller."""
    pending: deque[tuple[_A, Future[_B]]] = deque()
    for item in items:
        pending.append((item, pool.submit(function, item)))
        if len(pending) > depth:
            first, future = pending.popleft()
            yield first, future.result()
    while pending:
        first, future = pending.popleft()
        yield first, future.result()
