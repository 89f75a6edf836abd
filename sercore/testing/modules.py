"""Tests that the module of every plugin must pass; authors inherit `PluginContract`."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib import metadata

import pytest

from sercore.plugins import hookspecs
from sercore.plugins.registry import GROUP
from sercore.plugins.registry import registry

_HEAVY = ("torch", "transformers", "torchaudio", "numpy", "pyarrow", "pandas", "scipy", "sklearn")


class PluginContract:
    """The tests. Subclass it and override the fixture `module`."""

    @pytest.fixture(scope="class")
    @classmethod
    def module(cls) -> str:
        """Return the name of the module under test; subclasses override it."""
        raise NotImplementedError("override the fixture 'module'")

    def test_it_states_the_version_of_the_hooks(self, module: str) -> None:
        """It states in SERCORE_API which version of the hooks it needs."""
        wanted = getattr(import_module(module), "SERCORE_API", None)

        assert type(wanted) is int, "write SERCORE_API = 1"
        assert 1 <= wanted <= hookspecs.API_VERSION

    def test_it_has_an_entry_point(self, module: str) -> None:
        """An installed distribution has an entry point for it, and it loads."""
        points = [point for point in metadata.entry_points(group=GROUP) if point.module == module]
        infos = [info for info in registry().plugins if info.module.partition(":")[0] == module]

        assert points, f"no distribution has an entry point '{module}' in the group '{GROUP}'"
        assert [info.error for info in infos if info.error] == []

    def test_importing_it_is_quick(self, module: str) -> None:
        """Importing it imports neither torch nor another large library."""
        program = (
            f"import sys, {module}\nprint(*[name for name in {_HEAVY!r} if name in sys.modules])"
        )
        answer = subprocess.run(  # noqa: S603 - the program is ours
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )

        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.split() == [], "import these inside the functions that use them"
