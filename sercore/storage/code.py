"""The identity of code: what a result depends on beside its data.

A key that holds only a plugin's name returns an old result after the plugin has changed. The
identity of a plugin's code therefore enters the key of everything that the plugin computes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points
from importlib.metadata import packages_distributions
from pathlib import Path

from sercore.storage.digests import digest_of

_CORE = __name__.partition(".")[0]
_GROUP = "sercore"
_CODE = frozenset({".py", ".so", ".pyd"})


def code_identity(*modules: str) -> str:
    """Return the SHA-256 (hexadecimal) of the code that some modules belong to.

    It covers the whole package, not only the named module:

    - a module of a distribution: the distribution's version and all its code files. These are the
      files in its RECORD and the module's top-level package. An editable installation records no
      code: there it is the top-level package, or for a single module all modules in its folder;
    - a module of sercore itself: the subpackage that holds it, without the version, because the
      schema versions say when stored results of an older sercore are invalid;
    - a module without a distribution: its top-level package, or all modules in its folder.

    The place of the files on this disk does not matter. The files are read once per process.

    Args:
        modules: dotted module names, in any order.

    >>> code_identity("json") == code_identity("json.decoder")
    True
    """
    units = sorted({name if _is_core(name) else name.partition(".")[0] for name in modules})
    return digest_of([_identity_of(unit) for unit in units])


def forget_code_identities() -> None:
    """Read all code files again at the next call, as a new process does."""
    _identity_of.cache_clear()
    _owners.cache_clear()


@cache
def _identity_of(unit: str) -> dict[str, object]:
    if _is_core(unit):
        return {"package": _CORE, "files": _digests(_core_files(unit))}
    place = _origin(unit)
    owner = _distribution_of(unit)
    files = dict(_own_files(unit, place))
    if owner is not None:
        files.update(_recorded_files(owner))
    if place is not None and not files:
        files.update(_folder_files(place, owner))
    return {
        "package": unit,
        "distribution": owner.metadata["Name"] if owner else None,
        "version": owner.version if owner else None,
        "files": _digests(files.items()),
    }


def _digests(files: Iterable[tuple[str, Path]]) -> list[tuple[str, str]]:
    return sorted((name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files)


def _is_core(module: str) -> bool:
    return module == _CORE or module.startswith(f"{_CORE}.")


def _core_files(module: str) -> Iterator[tuple[str, Path]]:
    root = Path(__file__).parent.parent
    name = (*module.split(".")[1:2], "__init__")[0]
    if (root / name).is_dir():
        yield from _package_files(root / name, name)
    elif (root / f"{name}.py").is_file():
        yield f"{name}.py", root / f"{name}.py"


def _package_files(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.suffix in _CODE and path.is_file():
            yield f"{name}/{path.relative_to(folder).as_posix()}", path


def _own_files(unit: str, place: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield the files of a top-level package; nothing for a single module."""
    if place is not None and place.name == "__init__.py":
        yield from _package_files(place.parent, unit)
    elif place is None:
        found = sys.modules.get(unit)
        for folder in getattr(found, "__path__", None) or ():  # a namespace package
            yield from _package_files(Path(folder), unit)


def _recorded_files(owner: Distribution) -> Iterator[tuple[str, Path]]:
    for file in owner.files or ():
        path = Path(str(file.locate()))
        if file.suffix in _CODE and ".." not in file.parts and path.is_file():
            yield file.as_posix(), path


def _folder_files(place: Path, owner: Distribution | None) -> Iterator[tuple[str, Path]]:
    """Yield the modules beside a single module, unless they may belong to other distributions."""
    shared = any(place.parent.glob("*.dist-info"))
    editable = owner is not None and not shared
    paths = [place] if shared else sorted(place.parent.glob("*.py"))
    for path in paths:
        # Beside an editable project's modules stand its tests, which compute nothing.
        if path == place or not (editable and path.name.startswith(("test_", "conftest."))):
            yield path.name, path


def _origin(unit: str) -> Path | None:
    """Return the file of a top-level module or package; None where there is no file."""
    text = getattr(sys.modules.get(unit), "__file__", None)
    if text is None and unit not in sys.modules:
        spec = importlib.util.find_spec(unit)
        text = spec.origin if spec is not None and spec.has_location else None
    return Path(text) if text and Path(text).is_file() else None


def _distribution_of(unit: str) -> Distribution | None:
    """Return the distribution that installed a top-level module or package."""
    owners = _owners()
    if unit in owners:
        return owners[unit]
    if unit in sys.stdlib_module_names:
        return None
    names = packages_distributions().get(unit)  # slow: it reads what every distribution installed
    return Distribution.from_name(names[0]) if names else None


@cache
def _owners() -> dict[str, Distribution | None]:
    """Return the distribution of each plugin by the top-level name of its module."""
    points: Iterable[EntryPoint] = entry_points(group=_GROUP)
    return {point.module.partition(".")[0]: point.dist for point in points}
