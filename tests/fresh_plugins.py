"""Plugins of tests, installed as distributions of their own into a folder for ``PYTHONPATH``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

HERE = Path(__file__).parent / "plugins"


def install(folder, module, *, name=None, version="1.0", source=None, beside=None):
    """Write a distribution with its entry point and RECORD; return the folder.

    `beside` maps names of further modules to their source.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if source is None:
        shutil.copy(HERE / f"{module}.py", folder / f"{module}.py")
    else:
        (folder / f"{module}.py").write_text(source)
    distribution = module.replace("_", "-")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    modules = {module: None, **(beside or {})}
    for other, text in (beside or {}).items():
        (folder / f"{other}.py").write_text(text)
    (info / "RECORD").write_text("".join(f"{listed}.py,,\n" for listed in modules))
    entry = name or distribution.rpartition("-")[2]
    (info / "entry_points.txt").write_text(f"[sercore]\n{entry} = {module}\n")
    return folder


def environment(folder, **more):
    """Return the environment of a process that finds the plugins in a folder."""
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}
