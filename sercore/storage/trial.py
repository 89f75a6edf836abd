"""A workspace that is read and never written: for planning without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from typing import BinaryIO

from sercore.storage.workspace import Workspace


class TrialWorkspace(Workspace):
    """Shows a workspace, and writes changes into another folder.

    Args:
        workspace: what is shown; it stays as it is.
        scratch: an empty folder on this machine that gets everything that is written.
    """

    def __init__(self, workspace: Workspace, scratch: Path) -> None:
        super().__init__(workspace.root)
        self._scratch = Workspace(scratch)

    def path(self, relative: str) -> str:
        """Return where a file is read: the one that was written on trial, or the stored one."""
        if self._scratch.exists(relative):
            return self._scratch.path(relative)
        return super().path(relative)

    def exists(self, relative: str) -> bool:
        """Return whether a file or folder is stored or was written on trial."""
        return self._scratch.exists(relative) or super().exists(relative)

    def is_on_trial(self, place: Path) -> bool:
        """Return whether a place on this disk was written on trial."""
        return place.is_relative_to(self._scratch.root)

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted."""
        stored = self._files.list(super().path(folder))
        return sorted({*self._scratch.list(folder), *(name for name in stored if name[0] != ".")})

    @contextmanager
    def write(self, relative: str) -> Iterator[BinaryIO]:
        """Write on trial. See `Workspace.write`."""
        with self._scratch.write(relative) as file:
            yield file

    @contextmanager
    def new_folder(self, relative: str, *, keep_existing: bool = False) -> Iterator[Path]:
        """Fill a folder on trial. See `Workspace.new_folder`."""
        with self._scratch.new_folder(relative, keep_existing=keep_existing) as folder:
            yield folder

    def remove(self, relative: str) -> None:
        """Remove what was written on trial; what is stored stays."""
        self._scratch.remove(relative)

    def touch(self, relative: str) -> None:
        """Do nothing: a trial uses no file."""

    def sweep(self, **_: Any) -> int:
        """Do nothing: a trial removes no file."""
        return 0

    def lease(self, key: str, what: str, **options: Any) -> AbstractContextManager[Any]:
        """Hold a lease of the trial, which nobody else wants."""
        return self._scratch.lease(key, what, **options)

    def try_lease(self, key: str, **options: Any) -> AbstractContextManager[Any]:
        """Hold a lease of the trial, which nobody else wants."""
        return self._scratch.try_lease(key, **options)


@contextmanager
def on_trial(workspace: Workspace) -> Iterator[Workspace]:
    """Show a workspace for the block; what is written in the block is dropped at its end."""
    with TemporaryDirectory(prefix="sercore-trial-") as folder:
        yield TrialWorkspace(workspace, Path(folder))
