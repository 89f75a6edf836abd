"""A workspace that is read and never written: for planning without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from typing import Any
from typing import BinaryIO

from sercore.storage.workspace import Workspace

if TYPE_CHECKING:
    from sercore.storage.local_files import FileFacts


class TrialWorkspace(Workspace):
    """Shows a workspace, and writes changes into another folder.

    Args:
        workspace: what is shown; it stays as it is.
        scratch: an empty folder on this machine that gets everything that is written.
    """

    def __init__(self, workspace: Workspace, scratch: Path) -> None:
        super().__init__(workspace.root)
        self._stored = Workspace(workspace.root)
        self._scratch = Workspace(scratch)

    @property
    def on_this_machine(self) -> Workspace:
        """A workspace on this machine that is read and never written, too."""
        if self.is_local:
            return self
        return TrialWorkspace(super().on_this_machine, Path(self._scratch.root))

    def path(self, relative: str) -> str:
        """Return where a file is read: the one that was written on trial, or the stored one."""
        return self._source(relative).path(relative)

    def exists(self, relative: str) -> bool:
        """Return whether a file or folder is stored or was written on trial."""
        return self._scratch.exists(relative) or self._stored.exists(relative)

    def facts(self, relative: str) -> FileFacts | None:
        """Return what a listing says about a file. See `Workspace.facts`."""
        return self._source(relative).facts(relative)

    def is_on_trial(self, place: Path) -> bool:
        """Return whether a place on this disk was written on trial."""
        return place.is_relative_to(self._scratch.root)

    def list(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted."""
        return sorted({*self._scratch.list(folder), *self._stored.list(folder)})

    def open(self, relative: str) -> BinaryIO:
        """Open a file for reading. See `Workspace.open`."""
        return self._source(relative).open(relative)

    def read_bytes(self, relative: str) -> bytes:
        """Return a file's bytes. See `Workspace.read_bytes`."""
        return self._source(relative).read_bytes(relative)

    def _source(self, relative: str) -> Workspace:
        """Return the workspace from which a file is read."""
        return self._scratch if self._scratch.exists(relative) else self._stored

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
