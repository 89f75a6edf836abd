"""Build every distribution of this repository into a folder, and check what was built.

Two builds of the same commit have the same bytes, whatever the folder, the time and the user::

    python -m scripts.build_distributions                      # all, into dist/
    python -m scripts.build_distributions --only 'sercore'     # those that match a shell pattern
    python -m scripts.build_distributions --output FOLDER

Every wheel is built a second time from the sdist, outside the repository. One corpus and the core
are installed from their sdists into an empty folder, where ``sercore list`` must show the corpus.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.parser import Parser
from fnmatch import fnmatch
from pathlib import Path

from scripts.distributions import ROOT
from scripts.distributions import Plugin
from scripts.distributions import core_version
from scripts.distributions import files
from scripts.distributions import plugins
from scripts.distributions import update

DEFAULT_OUTPUT = ROOT / "dist"
"""This folder is emptied before a build; every other must be empty."""

INSTALLED = "sercore-dataset-urdu"
"""The plugin that is installed from its sdist: it depends on nothing but the core."""


class BuildError(Exception):
    """A distribution could not be built, or is not what it must be."""


@dataclass(frozen=True)
class Source:
    """A folder that is built."""

    name: str
    folder: Path

    @property
    def stem(self) -> str:
        """Start of the names of its files."""
        return self.name.replace("-", "_")

    @property
    def contents(self) -> set[str]:
        """Names of the files that its wheel installs, if it is a plugin."""
        return set(Plugin(self.folder).contents)

    def wheel(self, output: Path) -> Path:
        """Return the path of its wheel in a folder."""
        return output / f"{self.stem}-{core_version(ROOT)}-py3-none-any.whl"

    def sdist(self, output: Path) -> Path:
        """Return the path of its source archive in a folder."""
        return output / f"{self.stem}-{core_version(ROOT)}.tar.gz"


def sources() -> list[Source]:
    """Return the core and then every plugin."""
    return [Source("sercore", ROOT), *(Source(known.name, known.folder) for known in plugins(ROOT))]


def build(chosen: Sequence[Source], output: Path) -> None:
    """Build the wheels and sdists of some sources into a folder, which must be empty or absent.

    Raises:
        BuildError: the folder holds something, or a build failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise BuildError(f"{output} is not empty; remove it or name another --output")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source: _hatchling(source.folder, output), chosen))


def check(chosen: Sequence[Source], output: Path) -> None:
    """Check the contents of built distributions, and that each sdist builds its wheel.

    Raises:
        BuildError: a distribution is not what it must be.
    """
    expected = {path for source in chosen for path in (source.wheel(output), source.sdist(output))}
    if set(output.iterdir()) != expected:
        names = sorted(path.name for path in set(output.iterdir()) ^ expected)
        raise BuildError(f"{output} holds other files than expected: {', '.join(names)}")
    for source in chosen:
        _check_wheel(source, output)
        _check_sdist(source, output)
    paths = sorted(map(str, expected))
    _run([sys.executable, "-m", "twine", "check", "--strict", *paths], cwd=output)


def check_rebuilt(chosen: Sequence[Source], output: Path) -> None:
    """Build every wheel from its sdist in a temporary folder; it must have the same bytes.

    Raises:
        BuildError: a wheel differs.
    """

    def rebuilt(source: Source) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            with tarfile.open(source.sdist(output)) as archive:
                archive.extractall(place, filter="data")
            (folder,) = place.iterdir()
            _hatchling(folder, place, "wheel")
            if digest(source.wheel(place)) != digest(source.wheel(output)):
                raise BuildError(f"{source.name}: its sdist builds another wheel")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(rebuilt, chosen))


def check_installed(output: Path) -> None:
    """Install the core and one plugin from their sdists; ``sercore list`` must show the plugin.

    Other libraries come from this environment; its installations of sercore do not.

    Raises:
        BuildError: the plugin is not listed, or is listed as broken.
    """
    chosen = [source for source in sources() if source.name in {"sercore", INSTALLED}]
    with tempfile.TemporaryDirectory() as temporary:
        site, libraries = Path(temporary, "site"), Path(temporary, "libraries")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        flags = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
        _run([*pip, *flags, *(str(source.sdist(output)) for source in chosen)], cwd=temporary)
        _link_libraries(libraries)
        code = (
            f"import sys; sys.path[:0] = {[str(site), str(libraries)]!r}; "
            "from sercore.cli import main; main()"
        )
        # Without the module `site`, no .pth file is read, and with it no editable installation.
        command = [sys.executable, "-I", "-S", "-c", code, "list", "plugins", "--json"]
        listed = json.loads(_run(command, cwd=temporary))["plugins"]
    found = {row["distribution"]: row["error"] for row in listed}
    if found != {"sercore": None, INSTALLED: None}:
        raise BuildError(f"'sercore list plugins' shows {found} instead of sercore and {INSTALLED}")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def set_time() -> None:
    """Give all files in archives the time of the last commit, unless ``SOURCE_DATE_EPOCH`` is set.

    Raises:
        BuildError: this is not a checkout, and the variable is not set.
    """
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError("this folder is not a git checkout; set SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = done.stdout.strip()


def _check_wheel(source: Source, output: Path) -> None:
    info = f"{source.stem}-{core_version(ROOT)}.dist-info"
    with zipfile.ZipFile(source.wheel(output)) as archive:
        names = set(archive.namelist())
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        licence = f"{info}/licenses/LICENSE"
        if licence not in names or archive.read(licence) != (ROOT / "LICENSE").read_bytes():
            raise BuildError(f"{source.name}: the wheel does not hold the licence")
    parts = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    code = names - parts - {licence}
    if source.folder == ROOT:
        if not all(name.startswith("sercore/") for name in code) or "sercore/py.typed" not in code:
            raise BuildError("sercore: the wheel must hold the package, py.typed and nothing else")
    elif code != source.contents:
        raise BuildError(
            f"{source.name}: the wheel holds {sorted(code)} instead of {sorted(source.contents)}"
        )
    dead = re.findall(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)", str(metadata.get_payload()))
    if dead:
        raise BuildError(f"{source.name}: README links to {', '.join(dead)}, dead on an index")


def _check_sdist(source: Source, output: Path) -> None:
    with tarfile.open(source.sdist(output)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"}
    if source.folder != ROOT:
        extra = names - wanted - source.contents - {".gitignore"}
        if extra:
            raise BuildError(
                f"{source.name}: the sdist holds {sorted(extra)}, which is not its own"
            )
    if not wanted <= names:
        raise BuildError(f"{source.name}: the sdist lacks {sorted(wanted - names)}")


def _hatchling(folder: Path, output: Path, *targets: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(output)]
    _run([*command, *(text for target in targets for text in ("-t", target))], cwd=folder)


def _link_libraries(folder: Path) -> None:
    folder.mkdir()
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not path.name.startswith(("sercore", "_editable_impl_sercore")):
            (folder / path.name).symlink_to(path)


def _run(command: Sequence[str], *, cwd: Path | str) -> str:
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command)} failed in {cwd}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build_and_check(patterns: Sequence[str], output: Path) -> None:
    """Build the distributions whose names match shell patterns, and check them.

    Raises:
        BuildError: no distribution matches, generated files are outdated, a build failed, or a
            distribution is not what it must be.
    """
    chosen = [
        source for source in sources() if any(fnmatch(source.name, pattern) for pattern in patterns)
    ]
    if not chosen:
        raise BuildError(f"no distribution matches {' '.join(patterns)}")
    if stale := update(files(), check=True):
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        raise BuildError(f"outdated: {names}; run python -m scripts.distributions")
    set_time()
    if output == DEFAULT_OUTPUT:
        shutil.rmtree(output, ignore_errors=True)
    build(chosen, output)
    check(chosen, output)
    check_rebuilt(chosen, output)
    if {"sercore", INSTALLED} <= {source.name for source in chosen}:
        check_installed(output)


def main(arguments: Sequence[str]) -> int:
    """Build and check; return the exit status."""
    parser = argparse.ArgumentParser(description="Build every distribution, and check it.")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="default: dist")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN")
    options = parser.parse_args(arguments)
    output = options.output.resolve()
    try:
        build_and_check(options.only, output)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in sorted(output.iterdir()):
        print(f"{digest(path)}  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
