"""Folders of the workspace that are filled once: unpacked archives and generated corpora.

A table beside each folder lists its files with their sizes. If a file is missing or has another
size, the folder is filled again. Other files, such as those of file browsers, do not matter.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sercore.errors import DamagedError

if TYPE_CHECKING:
    import pyarrow as pa

    from sercore.storage.workspace import Workspace

_PATH, _SIZE = "path", "size"


def filled_folder(workspace: Workspace, relative: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder of the workspace, filled by a function unless it is whole already.

    Args:
        workspace: the workspace; must be on this machine.
        relative: the folder, whose name says its content.
        fill: writes every file into an empty folder.

    Raises:
        DiskFullError: no space left.
        WorkspaceError: the workspace cannot be written or is not on this machine.
    """
    record = f"{relative}.files.parquet"
    if workspace.exists(relative):
        place = Path(workspace.path(relative))
        if _is_whole(workspace, record, dict(_files(place))):
            return place
        workspace.remove(relative)
    with workspace.new_folder(relative, keep_existing=True) as folder:
        fill(folder)
    place = Path(workspace.path(relative))
    _write(workspace, record, dict(_files(place)))
    return place


def _is_whole(workspace: Workspace, record: str, found: dict[bytes, int]) -> bool:
    """Return whether all files of a folder are there.

    Without a record, its writer was killed or did not write records: what is found is recorded.
    """
    if not workspace.exists(record):
        _write(workspace, record, found)
        return True
    try:
        table = workspace.read_table(record)
    except DamagedError:
        return False
    columns = (table.column(name).to_pylist() for name in (_PATH, _SIZE))
    return all(found.get(path) == size for path, size in zip(*columns, strict=True))


def _write(workspace: Workspace, record: str, found: dict[bytes, int]) -> None:
    workspace.write_table(record, _table(found))


def _table(found: dict[bytes, int]) -> pa.Table:
    """Return every file, by its path in the folder as the file system has it, with its bytes."""
    import pyarrow as pa

    schema = pa.schema(
        [pa.field(_PATH, pa.binary(), nullable=False), pa.field(_SIZE, pa.int64(), nullable=False)]
    )
    return pa.table({_PATH: list(found), _SIZE: list(found.values())}, schema=schema)


def _files(folder: Path) -> Iterator[tuple[bytes, int]]:
    pending = [(str(folder), b"")]
    while pending:
        place, prefix = pending.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                shown = prefix + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, shown + b"/"))
                else:
                    yield shown, entry.stat(follow_symlinks=False).st_size
