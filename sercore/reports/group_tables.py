"""All plain tables of a group of backbones, in the order of a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sercore.reports.calibration import calibration_tables
from sercore.reports.levels import level_tables
from sercore.reports.recovery import recovery_tables
from sercore.reports.verdict_tables import verdict_tables

if TYPE_CHECKING:
    from sercore.reports.tables import PlainTable
    from sercore.reports.views import ComparisonGroup


def group_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield verdicts, and all tables that stand beside them."""
    yield from verdict_tables(group)
    yield from supporting_tables(group)


def supporting_tables(group: ComparisonGroup) -> Iterator[PlainTable]:
    """Yield ceiling and floor, calibration, and what estimated class frequencies recover."""
    yield from level_tables(group)
    yield from calibration_tables(group)
    yield from recovery_tables(group)
