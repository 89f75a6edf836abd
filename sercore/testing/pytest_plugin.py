"""The plugin of pytest: ``pytest --sercore-check ID`` runs the contract of an installed plugin."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

_MODULE = """\
from sercore.testing.contracts import contract

TestContract = contract({name!r}, {kind!r}, folder={folder!r})
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("sercore", "contracts of sercore plugins")
    group.addoption(
        "--sercore-check",
        action="append",
        default=[],
        metavar="[KIND:]ID[=FOLDER]",
        help="run the contract of an installed sercore plugin; FOLDER has files of a corpus",
    )


def write_module(path: Path, name: str, kind: str | None, folder: str | None) -> None:
    """Write the test module of a plugin.

    Args:
        path: the module.
        name: name of the plugin.
        kind: its kind; None if the name is that of one plugin.
        folder: of a corpus: where files of it lie.
    """
    path.write_text(_MODULE.format(name=name, kind=kind, folder=folder), encoding="utf-8")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Write one test module for every plugin to check, and add it to the arguments."""
    wanted = config.getoption("--sercore-check")
    if not wanted:
        return
    holder = tempfile.TemporaryDirectory(prefix="sercore-check-")
    config.add_cleanup(holder.cleanup)
    added = []
    for number, text in enumerate(wanted):
        name, _, folder = text.partition("=")
        kind, _, plain = name.rpartition(":")
        path = Path(holder.name) / f"test_sercore_{number}_{uuid4().hex}.py"
        write_module(path, plain, kind or None, folder or None)
        added.append(str(path))
    given = config.invocation_params.args
    is_named = any(not str(word).startswith("-") and Path(str(word)).exists() for word in given)
    config.args[:] = [*(config.args if is_named else []), *added]
