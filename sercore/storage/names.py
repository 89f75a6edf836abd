"""Names and paths that stay inside a workspace."""

from __future__ import annotations

import re

from sercore.errors import SettingsError
from sercore.errors import WorkspaceError

LONGEST_NAME = 100
"""Characters that a name may have."""

_NAME = re.compile(r"[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*")


def check_name(name: str, what: str = "the name") -> str:
    """Return a name that a user gave, if it can be one segment of a path.

    Args:
        name: for example the name of a run.
        what: what the name is for, as the error message calls it.

    Raises:
        SettingsError: the name is empty or too long, starts with a dot, or has a character that
            is not an ASCII letter, a digit or one of ``. _ - + ~``.

    >>> check_name("wavlm-2024.1")
    'wavlm-2024.1'
    """
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise SettingsError(
            f"{what} '{name}' cannot be used",
            hint=f"use 1 to {LONGEST_NAME} letters (A-Z, a-z), digits and . _ - + ~, "
            "and do not start with a dot",
        )
    return name


def run_folder(name: str) -> str:
    """Return the folder of a run, relative to the workspace. Raises as `check_name` does."""
    return f"runs/{check_name(name, 'the run name')}"


def check_relative(relative: str) -> str:
    """Return a POSIX path, if it stays below the folder that it is relative to.

    Raises:
        WorkspaceError: the path is absolute, has a ``..`` segment or a NUL character.
    """
    if relative.startswith("/") or "\0" in relative or ".." in relative.split("/"):
        raise WorkspaceError(
            f"the path '{relative}' leads out of the workspace",
            hint="give a path below the workspace, without '..'",
        )
    return relative
