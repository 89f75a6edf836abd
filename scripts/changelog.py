"""The changes since the last release, collected from ``changes/``.

python -m scripts.changelog    # print them
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.distributions import ROOT

TYPES = ("added", "changed", "fixed", "removed")


def fragments(root: Path = ROOT) -> list[Path]:
    """Return the files that describe one change each, sorted.

    Raises:
        ValueError: a file has another name than ``TOPIC.TYPE.md``.
    """
    found = sorted(
        path
        for path in (root / "changes").glob("*.md")
        if path.name not in ("README.md", "template.md")
    )
    for path in found:
        parts = path.name.split(".")
        if len(parts) != 3 or parts[1] not in TYPES:
            raise ValueError(f"{path.name} is not named TOPIC.TYPE.md with TYPE {', '.join(TYPES)}")
    return found


def collected(root: Path = ROOT) -> str:
    """Return all changes as Markdown, by type; empty if there are none."""
    if not fragments(root):
        return ""
    printed = subprocess.run(
        [
            *(sys.executable, "-m", "towncrier", "build", "--draft"),
            *("--dir", str(root), "--version", "next"),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    begin = printed.index("### ")
    return printed[begin:].strip() + "\n"


if __name__ == "__main__":
    print(collected() or "nothing has changed since the last release", end="")
