"""What a user should know about a corpus on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem matters."""

    NOTE = "note"
    """Nothing to do: the utterances of the corpus are not affected."""
    WARNING = "warning"
    """Worth a look: scores may differ from those of the authors' complete copy."""
    FAULT = "fault"
    """To be repaired: an utterance is missing, damaged or a copy of another."""


_SEVERITIES = {
    "known-bad": Severity.NOTE,
    "stray-file": Severity.NOTE,
    "duplicate-file": Severity.NOTE,
    "skipped": Severity.NOTE,
    "count": Severity.WARNING,
    "conflict": Severity.WARNING,
    "missing-annotation": Severity.WARNING,
    "overlong": Severity.WARNING,
    "altered": Severity.WARNING,
    "shared": Severity.WARNING,
    "unreadable": Severity.FAULT,
    "missing-file": Severity.FAULT,
    "empty-file": Severity.FAULT,
    "undecodable": Severity.FAULT,
    "silent": Severity.FAULT,
    "duplicate": Severity.FAULT,
}
_INCOMPLETE = frozenset(
    {"count", "unreadable", "missing-file", "empty-file", "undecodable", "silent"}
)
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about a corpus on disk that its user should know, in one sentence."""

    kind: str
    """Decides the severity. Notes: ``known-bad`` (unusable in every copy), ``stray-file``,
    ``duplicate-file``, ``skipped``. Warnings: ``count``, ``conflict`` (between annotations),
    ``missing-annotation``, ``overlong``, ``altered`` (other audio than that of the published copy),
    ``shared`` (audio that another corpus has, too). Faults: ``unreadable``, ``missing-file``,
    ``empty-file``, ``undecodable``, ``silent``, ``duplicate`` (the same audio). Any other kind is
    a warning."""
    where: str
    """The file, folder or utterance."""
    message: str
    hint: str | None = None

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return _SEVERITIES.get(self.kind, Severity.WARNING)

    @property
    def is_fault(self) -> bool:
        """Whether it fails a run or `sercore doctor`."""
        return self.severity is Severity.FAULT

    @property
    def makes_incomplete(self) -> bool:
        """Whether the copy cannot count as complete: utterances are missing or damaged."""
        return self.kind in _INCOMPLETE

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text


def summarized(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield problems, the most severe first; many that differ only in their place become one.

    The place of such a one names the first three files and the number of the others.
    """
    groups: dict[tuple[str, str, str | None], list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[problem.kind, problem.message, problem.hint].append(problem)
    order = list(Severity)[::-1]
    for group in sorted(groups.values(), key=lambda members: order.index(members[0].severity)):
        if len(group) <= _SHOWN:
            yield from group
            continue
        first = group[0]
        places = ", ".join(problem.where for problem in group[:_SHOWN])
        yield Problem(
            kind=first.kind,
            where=f"{places} and {len(group) - _SHOWN} more",
            message=first.message,
            hint=first.hint,
        )
