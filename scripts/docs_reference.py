"""The reference pages of the documentation site, generated from the code.

The command line is read from click, the settings from the dataclasses of ``sercore.settings``. For
hooks and the Python interface the pages name objects, and mkdocstrings writes their docstrings.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise

import click

import sercore
import sercore.settings
from sercore.cli import cli
from sercore.plugins import hookspecs

RUN_NAMES = ("evaluate", "load")
"""The names of the Python interface that users call; the others are for plugins."""

SETTINGS = """\
# Settings: sercore.toml

The keys of the settings file `sercore.toml`. It is read from the current folder, or from the
place that `--config` or `SERCORE_CONFIG` names. A relative path in it is relative to the file.
Options and `SERCORE_*` variables override it: see [the command line](../command-line.md#settings).

"""

HOOKS = f"""\
# Hook reference

A plugin is a module with an entry point in the group `sercore`. It says which version of this
contract it was written for (`SERCORE_API = {hookspecs.API_VERSION}`), and implements any of the
hooks below with `@sercore.hookimpl`. [Write a plugin in an hour](../plugins.md) leads to a first
one.

Hooks return light, frozen descriptions: importing a plugin must not import torch, transformers,
numpy or pyarrow. The order in which plugins are called means nothing. Two plugins that claim one
name are an error. The [Python reference](python.md) describes what hooks return.

"""


def reference_pages() -> dict[str, str]:
    """Return the text of every reference page by its path in the site."""
    return {
        "reference/cli.md": "".join(_commands()),
        "reference/settings.md": "".join(_settings()),
        "reference/hooks.md": "".join(_hooks()),
        "reference/python.md": "".join(_names()),
    }


def hook_names() -> list[str]:
    """Return the names of all hooks, in the order of their specifications."""
    return [name for name in vars(hookspecs) if name.startswith("sercore_")]


def commands(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    """Yield a context for every command of a group, those of its subgroups included."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def command_contexts() -> Iterator[click.Context]:
    """Yield a context for every command of sercore."""
    yield from commands(cli, click.Context(cli, info_name="sercore"))


def _commands() -> Iterator[str]:
    yield "# Commands and options\n\n"
    yield "All commands of `sercore`, with their options, arguments and exit statuses. "
    yield "[The command line](../command-line.md) explains what they share.\n\n"
    for context in command_contexts():
        command = context.command
        level = "#" * context.command_path.count(" ")
        yield f"{level}# {context.command_path}\n\n"
        yield f"```text\n{command.get_usage(context)}\n```\n\n"
        yield f"{_prose(command.help)}\n\n"
        rows = [
            record
            for parameter in command.get_params(context)
            if (record := parameter.get_help_record(context)) and "--help" not in record[0]
        ]
        if rows:
            yield "| option | meaning |\n|---|---|\n"
            yield from (f"| {_code(option)} | {_cell(words)} |\n" for option, words in rows)
            yield "\n"
        if command.epilog:
            yield f"{_prose(command.epilog)}\n\n"


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("\b\n", "").replace("<", "&lt;")


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"([\[|])", r"\\\1", text)).replace("<", "&lt;")


def _settings() -> Iterator[str]:
    yield SETTINGS
    yield from _table(sercore.settings.Settings)


def settings_keys(table: type) -> Iterator[tuple[str, str, str, str]]:
    """Yield the name, type, default and meaning of every field of a table of the settings."""
    meanings = _meanings(table)
    for field in dataclasses.fields(table):
        default = "" if field.default in (dataclasses.MISSING, None, ()) else str(field.default)
        shown = default.lower() if isinstance(field.default, bool) else default
        yield field.name, str(field.type), shown, meanings.get(field.name, "")


def _table(table: type) -> Iterator[str]:
    """Yield a table of the settings as Markdown, then the tables inside it."""
    inner: list[tuple[str, type]] = []
    yield "| key | type | default | meaning |\n|---|---|---|---|\n"
    for name, annotation, default, meaning in settings_keys(table):
        if (table.__name__, name) == ("Settings", "source"):
            continue  # the file that was read, and no key of it
        found = re.fullmatch(r"Mapping\[str, (\w+Settings)\]", annotation)
        if found:
            inner.append((name, getattr(sercore.settings, found[1])))
            continue
        shown = _code(default) if default else "none"
        yield f"| `{name}` | {_kind(annotation)} | {shown} | {_cell(meaning)} |\n"
    for name, child in inner:
        yield f"\n## `[{name}.NAME]`\n\n{inspect.getdoc(child)}\n\n"
        yield from _table(child)


def _meanings(table: type) -> dict[str, str]:
    """Return the string below every field of a dataclass, by field."""
    (node,) = ast.parse(inspect.getsource(table)).body
    assert isinstance(node, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(str(after.value.value)).replace("``", "`")
        for field, after in pairwise(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }


def _kind(annotation: str) -> str:
    """Return the TOML type of an annotation."""
    names = {"tuple": "list of strings", "Mapping": "table", "bool": "true or false"}
    return next((name for start, name in names.items() if annotation.startswith(start)), "string")


def _hooks() -> Iterator[str]:
    yield HOOKS
    for name in hook_names():
        yield _directive(f"{hookspecs.__name__}.{name}")


def _names() -> Iterator[str]:
    yield "# Python reference\n\n"
    yield "The public names of `sercore`. [Evaluate from Python](../python.md) has examples.\n\n"
    plugins = [name for name in sercore.__all__ if name not in RUN_NAMES]
    for title, names in {"Run and read": RUN_NAMES, "For plugins": plugins}.items():
        yield f"## {title}\n\n"
        for name in names:
            if inspect.getdoc(getattr(sercore, name)) and not name.isupper() and name[0] != "_":
                yield _directive(f"sercore.{name}", level=3)


def _directive(path: str, level: int = 2) -> str:
    return (
        f"::: {path}\n    options:\n      heading_level: {level}\n      show_root_heading: true\n\n"
    )
