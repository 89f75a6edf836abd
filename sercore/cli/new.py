"""``sercore new``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from sercore.cli import options as shared
from sercore.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_USAGES = {
    "dataset": "sercore run --dataset {id}=FOLDER --backbone logmel",
    "backbone": "sercore run --demo --backbone {id}",
    "metric": "sercore score RUN --metric {id}",
    "probe": "sercore run --demo --probe {id}",
    "tracker": "sercore run --demo",
}


@click.command()
@click.argument("kind", type=click.Choice(list(_USAGES)), metavar="KIND")
@click.argument("name", metavar="NAME")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write. [default: sercore-KIND-NAME in the current folder]",
)
@shared.json_option
def new(kind: str, name: str, output: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Write a plugin distribution that builds, installs and passes its checks.

    KIND is dataset, backbone, metric, probe or tracker. NAME is what users type: lower-case
    letters, digits and single hyphens.
    """
    written = write_plugin(kind, name, output)
    if as_json:
        shared.print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        click.echo(printable(path))
    folder = written[0].parent
    click.echo(
        printable(f"next: pip install -e '{folder}[test]' && sercore check {name}"), err=True
    )


def write_plugin(kind: str, name: str, output: Path | None = None) -> list[Path]:
    """Write a plugin distribution, and return its files.

    Args:
        kind: dataset, backbone, metric, probe or tracker.
        name: the name that users type.
        output: the folder; ``sercore-KIND-NAME`` in the current folder if None.

    Raises:
        SettingsError: the name cannot be used, a plugin has it, or the folder is not empty.
    """
    from sercore.errors import SettingsError

    values = _values(kind, name)
    folder = output or Path(values["distribution"])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} exists and is not empty", hint="name another with --output")
    wanted = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{values['module']}.py": f"{kind}.py",
        f"tests/test_{values['module']}.py": f"{kind}_test.py",
    }
    written = []
    for path, template in wanted.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_filled(template, values), encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{target} cannot be written: {error.strerror}") from None
        written.append(target)
    return written


def _values(kind: str, name: str) -> Mapping[str, str]:
    from sercore.__about__ import __version__
    from sercore.errors import SettingsError
    from sercore.plugins.official import official_plugins
    from sercore.plugins.registry import NAME

    if not NAME.fullmatch(name):
        raise SettingsError(
            f"'{name}' is no name for a plugin",
            hint="use lower-case letters, digits and single hyphens",
        )
    distribution = f"sercore-{kind}-{name}"
    if name in official_plugins({"dataset": "corpus"}.get(kind, kind)):
        raise SettingsError(f"{distribution} exists already", hint="choose another name")
    module = distribution.replace("-", "_")
    major, minor, *_ = __version__.split(".")
    return {
        "id": name,
        "kind": {"dataset": "corpus"}.get(kind, kind),
        "title": name.replace("-", " ").capitalize(),
        "distribution": distribution,
        "module": module,
        "constant": _constant(name),
        "variable": f"{_constant(name)}_LOG",
        "bounds": f">={major}.{minor},<{int(major) + 1}",
        "usage": _USAGES[kind].format(id=name),
    }


def _constant(name: str) -> str:
    """Return a Python constant; a name may start with a digit."""
    text = name.upper().replace("-", "_")
    return text if text.isidentifier() else f"THE_{text}"


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = (files("sercore.cli") / "new_files" / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values)
