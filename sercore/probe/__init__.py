"""The probes that sercore brings itself.

What is imported here is light: a probe describes itself without torch, and imports it when it is
fitted or loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.probe.framewise import FRAMEWISE

if TYPE_CHECKING:
    from sercore.probes import Probe

PROBES: tuple[Probe, ...] = (FRAMEWISE,)
"""Registered by the core through the hook ``sercore_probes``."""

__all__ = ["FRAMEWISE", "PROBES"]
