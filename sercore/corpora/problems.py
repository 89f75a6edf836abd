"""What a user should know about a corpus on disk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about a corpus on disk that its user should know, in one sentence."""

    kind: str
    """``unknown-label``, ``stray-file``, ``undecodable``, ``silent``, ``duplicate``,
    ``missing-annotation``, ``missing-file``, ``unreadable``, ``count`` or ``known-bad``."""
    where: str
    """The file, folder or utterance."""
    message: str
    hint: str | None = None

    @property
    def is_note(self) -> bool:
        """Whether it is told but fails nothing: a known bad file, or a copy that is not whole."""
        return self.kind in ("known-bad", "count")

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text
