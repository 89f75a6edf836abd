"""The distributions of this repository, and the files that are generated for every plugin.

A plugin folder must build outside the repository. Its ``pyproject.toml`` therefore states the
version and every other fact itself, and the folder holds a copy of the licence. This script writes
both from one template. Only the description and the dependencies on other libraries are written by
hand; the script keeps them. It also writes the extra ``all`` of the core, which requires every
corpus and backbone, and from which the core knows their names::

    python -m scripts.distributions            # update all files
    python -m scripts.distributions --check    # list outdated files; exit status 1 if there are any
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "datasets": "dataset",
    "backbones": "backbone",
    "executors": "executor",
    "trackers": "tracker",
}
"""Folders below ``plugins``, and the word that stands for them in a distribution's name."""

EXTRA_ALL = ("dataset", "backbone")
"""Kinds that the extra ``all`` of the core requires. Others bring large libraries of services that
only some users have, so they are installed one by one."""

VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.\d+(?P<pre>(?:a|b|rc)\d+)?")
"""Versions that distributions of this repository may have."""

TEMPLATE = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
description = {description}
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
license-files = ["LICENSE"]
keywords = ["sercore", "speech emotion recognition", "{kind}"]
classifiers = [
    "Development Status :: 3 - Alpha",
    "Intended Audience :: Science/Research",
    "Programming Language :: Python :: 3",
    "Topic :: Multimedia :: Sound/Audio :: Speech",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
]
dependencies = {dependencies}

[project.entry-points.sercore]
{id} = "{module}"
"""
"""The ``pyproject.toml`` of a plugin."""

WITH_FINGERPRINT = """
[tool.hatch.build.targets.wheel]
only-include = ["{module}.py", "{module}_fingerprint.tsv"]
"""
"""The end of the ``pyproject.toml`` of a corpus that ships a fingerprint."""


@dataclass(frozen=True)
class Plugin:
    """One plugin distribution of this repository."""

    folder: Path
    """``plugins/KIND/ID``; everything else follows from this path."""

    @property
    def id(self) -> str:
        """Name of its entry point, under which a corpus or backbone is registered."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """``dataset``, ``backbone``, ``executor`` or ``tracker``."""
        return KINDS[self.folder.parent.name]

    @property
    def name(self) -> str:
        """Name of the distribution."""
        return f"sercore-{self.kind}-{self.id}"

    @property
    def module(self) -> str:
        """Name of its only module."""
        return self.name.replace("-", "_")

    @property
    def contents(self) -> tuple[str, ...]:
        """Names of the files that a wheel installs: the module, and a fingerprint if it has one."""
        fingerprint = f"{self.module}_fingerprint.tsv"
        return f"{self.module}.py", *(
            [fingerprint] if (self.folder / fingerprint).is_file() else []
        )

    @property
    def pyproject(self) -> Path:
        """The file that describes the distribution."""
        return self.folder / "pyproject.toml"


def plugins(root: Path = ROOT) -> list[Plugin]:
    """Return every plugin below ``root/plugins``, sorted by the name of its distribution."""
    found = [Plugin(path.parent) for path in root.glob("plugins/*/*/pyproject.toml")]
    return sorted(found, key=lambda plugin: plugin.name)


def core_version(root: Path = ROOT) -> str:
    """Return the version of the core, which every plugin shares."""
    text = (root / "sercore" / "__about__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise ValueError("sercore/__about__.py states no __version__")
    return found[1]


def bounds(version: str) -> str:
    """Return the releases that work with a version: from its minor release to the next major one.

    A pre-release is its own lower bound, because it comes before the release that it prepares.

    Raises:
        ValueError: the version has another form.
    """
    parts = VERSION.fullmatch(version)
    if not parts:
        raise ValueError(
            f"'{version}' is no version; write MAJOR.MINOR.PATCH, or add aN, bN or rcN"
        )
    lowest = version if parts["pre"] else f"{parts['major']}.{parts['minor']}"
    return f">={lowest},<{int(parts['major']) + 1}"


def files(root: Path = ROOT, version: str | None = None) -> dict[Path, str]:
    """Return what every generated file must contain.

    Args:
        root: the repository.
        version: the version of all distributions; that of the core, when None.
    """
    version = version or core_version(root)
    licence = (root / "LICENSE").read_text(encoding="utf-8")
    found = plugins(root)
    wanted = {plugin.folder / "LICENSE": licence for plugin in found}
    wanted |= {plugin.pyproject: render(plugin, version) for plugin in found}
    wanted[root / "pyproject.toml"] = _with_extra(
        (root / "pyproject.toml").read_text(encoding="utf-8"), found, version
    )
    return wanted


def _with_extra(text: str, found: Sequence[Plugin], version: str) -> str:
    """Return the core's ``pyproject.toml`` with an extra ``all`` of every corpus and backbone."""
    wanted = [plugin for plugin in found if plugin.kind in EXTRA_ALL]
    lines = "".join(f'    "{plugin.name}{bounds(version)}",\n' for plugin in wanted)
    changed, count = re.subn(r"(?ms)^all = \[\n.*?^\]", lambda _: f"all = [\n{lines}]", text)
    if count != 1:
        raise ValueError("pyproject.toml must hold one extra 'all', a line for each of its plugins")
    return changed


def render(plugin: Plugin, version: str) -> str:
    """Return the ``pyproject.toml`` of a plugin; keep its description and its other libraries."""
    facts = tomllib.loads(plugin.pyproject.read_text(encoding="utf-8"))["project"]
    others = [text for text in facts["dependencies"] if not re.match(r"sercore\b(?!-)", text)]
    template = TEMPLATE + (WITH_FINGERPRINT if len(plugin.contents) > 1 else "")
    return template.format(
        name=plugin.name,
        version=version,
        description=json.dumps(facts["description"], ensure_ascii=False),
        kind={"dataset": "corpus"}.get(plugin.kind, plugin.kind),
        dependencies=json.dumps([f"sercore{bounds(version)}", *others]),
        id=plugin.id,
        module=plugin.module,
    )


def update(wanted: dict[Path, str], *, check: bool = False) -> list[Path]:
    """Write the files that differ, or only return their paths if ``check`` is set."""
    stale = [path for path, text in wanted.items() if not _holds(path, text)]
    for path in () if check else stale:
        path.write_text(wanted[path], encoding="utf-8", newline="\n")
    return sorted(stale)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def main(arguments: Sequence[str]) -> int:
    """Update or check the generated files; return the exit status."""
    check = "--check" in arguments
    stale = update(files(), check=check)
    _print(stale)
    return 1 if stale and check else 0


def _print(paths: Iterable[Path]) -> None:
    for path in paths:
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
