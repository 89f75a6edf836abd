"""The probes that sercore brings itself.

What is imported here is light: a probe describes itself without torch, and imports it when it is
fitted or loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.probes.framewise import FAST
from sercore.probes.framewise import FRAMEWISE
from sercore.probes.logistic import LOGISTIC
from sercore.probes.pooled import POOLED

if TYPE_CHECKING:
    from sercore.probes.interface import Probe

PROBES: tuple[Probe, ...] = (FRAMEWISE, FAST, POOLED, LOGISTIC)
"""Registered by the core through the hook ``sercore_probes``."""

__all__ = ["FAST", "FRAMEWISE", "LOGISTIC", "POOLED", "PROBES"]
