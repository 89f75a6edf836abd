"""Corpora and backbones of this project, installed or not.

The extra ``all`` of sercore requires every one of their distributions. Their names are read from
there, so that no second list must be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError
from importlib.metadata import distribution
from importlib.metadata import requires

_PREFIXES = {"corpus": "sercore-dataset-", "backbone": "sercore-backbone-"}
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)[^;]*;.*\bextra\s*==\s*['\"]all['\"]")


def official_plugins(kind: str, requirements: Iterable[str] | None = None) -> Mapping[str, str]:
    """Return the official plugins of a kind: their registered name, and their distribution.

    Args:
        kind: the kind of what they register, as in `sercore.plugins.registry.Catalog`.
        requirements: lines as in the metadata of a distribution; those of the installed sercore,
            when None.
    """
    prefix = _PREFIXES.get(kind)
    if prefix is None:
        return {}
    lines = _own_requirements() if requirements is None else requirements
    names = [found["name"] for line in lines if (found := _REQUIREMENT.match(line))]
    return {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}


def missing_hint(kind: str, name: str, known: Iterable[str]) -> str:
    """Return what to do about a name that no loaded plugin registers.

    Args:
        kind: the kind of the wanted thing.
        name: the name that was asked for.
        known: the registered names of this kind.
    """
    official = official_plugins(kind)
    candidates = {*known, *official}
    close = [name] if name in candidates else get_close_matches(name, candidates, n=1)
    if not close:
        return "'sercore list' shows what is installed"
    question = "" if close[0] == name else f"did you mean '{close[0]}'? "
    if close[0] in known:
        return question.strip()
    if _is_installed(official[close[0]]):
        return (
            f"{question}{official[close[0]]} is installed but not loaded; "
            "'sercore list plugins' shows why"
        )
    return f"{question}install it with 'pip install {official[close[0]]}'"


def _own_requirements() -> list[str]:
    try:
        return requires("sercore") or []
    except PackageNotFoundError:  # imported from a folder
        return []


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
