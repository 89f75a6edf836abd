"""Print what the tests without torch need: the requirements of the core and its extras.

The heavy libraries are left out, so that another Python can be tried in a minute::

    python -m scripts.light_requirements             # as in pyproject.toml
    python -m scripts.light_requirements --lowest    # the lowest versions that it allows
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from scripts.distributions import EXTRA_ALL
from scripts.distributions import ROOT
from scripts.distributions import plugins

HEAVY = ("ray", "torch", "torchaudio", "transformers")
TOOLS = ("import-linter", "mypy", "ruff")
"""Requirements of the extra ``dev`` that no test without torch needs."""


def requirements(root: Path = ROOT, *, lowest: bool = False) -> list[str]:
    """Return the requirements, sorted, those of the plugins included.

    Args:
        root: the repository.
        lowest: pin what users install to the lowest version that is allowed; what only development
            needs stays as it is.

    Raises:
        ValueError: a requirement has no lower bound, and ``lowest`` is set.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    users = [*project["dependencies"], *extras["report"]]
    for plugin in plugins(root):
        if plugin.kind not in EXTRA_ALL:
            continue  # its tests skip without its library
        facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))["project"]
        users += facts["dependencies"]
    if lowest:
        users = [pinned(text) for text in users]
    left_out = {"sercore", *HEAVY, *TOOLS}
    return sorted({text for text in (*users, *extras["dev"]) if name_of(text) not in left_out})


def name_of(requirement: str) -> str:
    """Return the name of the distribution that a requirement asks for."""
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def pinned(requirement: str) -> str:
    """Return a requirement on exactly its lower bound.

    Raises:
        ValueError: it has none.
    """
    found = re.search(r">=\s*([\w.]+)", requirement)
    if not found:
        raise ValueError(f"'{requirement}' has no lower bound; write {requirement}>=VERSION")
    return f"{name_of(requirement)}=={found[1]}"


def main(arguments: Sequence[str]) -> int:
    """Print the requirements, one a line; return the exit status."""
    print("\n".join(requirements(lowest="--lowest" in arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
