"""From an error to the one sentence that a reader gets."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from sercore.errors import SercoreError
from sercore.storage.digests import digest_of

if TYPE_CHECKING:
    from sercore.storage.workspace import Workspace


def describe(error: Exception) -> tuple[str, str | None]:
    """Return one sentence for an error, and its traceback if the error was not foreseen."""
    if isinstance(error, SercoreError):
        return str(error), None
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {text}" if text else name), "".join(traceback.format_exception(error))


class Explainer:
    """Explains errors of one run, and stores the tracebacks of those that were not foreseen.

    Args:
        workspace: where the run is.
        folder: of the run, inside the workspace.
    """

    def __init__(self, workspace: Workspace, folder: str) -> None:
        self._workspace = workspace
        self._folder = folder

    def explain(self, error: Exception) -> str:
        """Return one sentence for an error."""
        return self.with_trace(*describe(error))

    def with_trace(self, reason: str, trace: str | None) -> str:
        """Store a traceback, if there is one, and return the sentence with its place."""
        if trace is None:
            return reason
        relative = f"{self._folder}/errors/{digest_of(trace)[:12]}.txt"
        try:
            self._workspace.write_bytes(relative, trace.encode())
        except SercoreError:
            return reason
        return f"{reason}; the traceback is in {self._workspace.path(relative)}"
