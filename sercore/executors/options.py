"""The options of an executor: what it declares, and what sercore.toml changes of it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Union
from typing import get_args
from typing import get_origin
from typing import get_type_hints

from sercore.errors import SettingsError

if TYPE_CHECKING:
    from sercore.executors.interface import Executor

_WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def executor_options(
    executor: Executor, given: Mapping[str, Any], source: Path | None = None
) -> Any:
    """Return the options of an executor with what the user set.

    Args:
        executor: declares the options, their types and their defaults.
        given: what ``[executors.ID]`` says.
        source: the settings file, for messages.

    Raises:
        SettingsError: an option is unknown or has a value that cannot be used.
    """
    place = f"{source or 'sercore.toml'}: executors.{executor.id}"
    if executor.options is None:
        if given:
            raise SettingsError(f"{place}: the executor '{executor.id}' has no options")
        return None
    known = {field.name for field in fields(executor.options)}
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {_listed(known)}"
            raise SettingsError(f"{place} has an unknown option '{name}'", hint=hint)
    hints = get_type_hints(type(executor.options))
    values = {
        name: _checked(value, hints[name], f"{place}.{name}") for name, value in given.items()
    }
    try:
        return replace(executor.options, **values)
    except ValueError as error:
        raise SettingsError(f"{place}: {error}") from None


def _checked(value: Any, kind: Any, place: str) -> Any:
    """Return a value of TOML as the type that a field declares."""
    allowed = _alternatives(kind)
    if isinstance(value, list) and any(get_origin(option) is tuple for option in allowed):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
    elif type(value) is int and float in allowed and int not in allowed:
        return float(value)
    elif type(value) in allowed:
        return value
    wanted = " or ".join(_WORDS.get(option, "a list of strings") for option in allowed)
    raise SettingsError(f"{place} must be {wanted}, not {value!r}")


def _alternatives(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        return [option for option in get_args(kind) if option is not type(None)]
    return [kind]


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
