"""What is known about one plugin."""

from __future__ import annotations

from dataclasses import dataclass

BUILT_IN = ("sercore.plugins.builtin", "sercore.demo")
"""Modules through which sercore registers its own things, by the hooks that plugins use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """Where a plugin comes from, and whether it loaded."""

    name: str
    module: str
    distribution: str
    version: str
    error: str | None = None
    """One sentence: why the plugin is not usable; None when it is."""
