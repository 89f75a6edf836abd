"""Set the version of every distribution, and date the section of the CHANGELOG.

Usage::

    python -m scripts.set_version 0.2.0

This changes ``sercore/__about__.py``, every ``pyproject.toml`` (version and bounds), CITATION.cff
and CHANGELOG.md, where what stands under "Unreleased" and in ``changes`` becomes the section of
the version. A
pre-release (``0.2.0rc1``) leaves that section open. Nothing is written if any of them cannot be.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC
from datetime import date
from datetime import datetime
from pathlib import Path

from scripts.changelog import collected
from scripts.changelog import fragments
from scripts.distributions import ROOT
from scripts.distributions import VERSION
from scripts.distributions import core_version
from scripts.distributions import files
from scripts.distributions import update

OPEN = "## Unreleased"
"""Heading of the section of the CHANGELOG that collects what is not released."""


def changed(root: Path, version: str, day: date) -> dict[Path, str]:
    """Return the new text of every file that states the version.

    Args:
        root: the repository.
        version: the version to set.
        day: the day of the release.

    Raises:
        ValueError: the version has another form, does not come after what was released, or the
            CHANGELOG holds nothing to release.
    """
    wanted = files(root, version)  # refuses another form
    citation, changelog = root / "CITATION.cff", root / "CHANGELOG.md"
    present, history = core_version(root), changelog.read_text(encoding="utf-8")
    released = re.findall(r"(?m)^## (\d+\.\d+\.\d+)\b", history)
    for earlier in released:
        if _order(version) <= _order(earlier):
            raise ValueError(f"{version} does not come after {earlier}, which CHANGELOG.md names")
    if _is_pre(present) and _order(version) < _order(present):
        raise ValueError(f"{version} does not come after {present}, the present version")
    about = root / "sercore" / "__about__.py"
    text = about.read_text(encoding="utf-8")
    wanted[about] = text.replace(f'__version__ = "{present}"', f'__version__ = "{version}"')
    final = not _is_pre(version)
    cited = citation.read_text(encoding="utf-8")
    wanted[citation] = _cited(cited, version, day if final else None)
    if final:
        wanted[changelog] = _released(_with(collected(root), history), version, day)
    return wanted


def _is_pre(version: str) -> bool:
    parts = VERSION.fullmatch(version)
    return parts is not None and parts["pre"] is not None


def _order(version: str) -> tuple[list[int], str]:
    """Return a key that sorts versions; "~" puts a release after its pre-releases."""
    number, pre = re.fullmatch(r"([\d.]+)(\D+\d+)?", version).groups()  # type: ignore[union-attr]
    return [int(part) for part in number.split(".")], pre or "~"


def _cited(text: str, version: str, day: date | None) -> str:
    """Return CITATION.cff with the version and, of a release, its day."""
    text, count = re.subn(r"(?m)^version: .*$", f"version: {version}", text)
    if count != 1:
        raise ValueError("CITATION.cff must hold one line 'version: ...'")
    text = re.sub(r"(?m)^date-released: .*\n", "", text)
    if day:
        text = re.sub(r"(?m)^(version: .*\n)", rf"\g<1>date-released: {day.isoformat()}\n", text)
    return text


def _with(changes: str, text: str) -> str:
    """Return the CHANGELOG with the changes of the files in ``changes`` in its open section."""
    return text.replace(f"{OPEN}\n", f"{OPEN}\n\n{changes}", 1) if changes else text


def _released(text: str, version: str, day: date) -> str:
    """Return the CHANGELOG with its open section as that of the version, and an empty open one."""
    found = re.search(rf"(?ms)^{OPEN}\n(?P<body>.*?)(?=^## |\Z)", text)
    if not found or not found["body"].strip():
        raise ValueError(f"CHANGELOG.md holds nothing under '{OPEN}' to release")
    heading = f"{OPEN}\n\n## {version} ({day.isoformat()})\n"
    return text.replace(f"{OPEN}\n", heading, 1)


def main(arguments: Sequence[str]) -> int:
    """Set the version; return the exit status."""
    parser = argparse.ArgumentParser(description="Set the version of every distribution.")
    parser.add_argument("version", help="MAJOR.MINOR.PATCH, or with aN, bN or rcN")
    options = parser.parse_args(arguments)
    try:
        paths = update(changed(ROOT, options.version, datetime.now(UTC).date()))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not _is_pre(options.version):  # their text is in CHANGELOG.md now
        for path in fragments():
            path.unlink()
    for path in paths:
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
