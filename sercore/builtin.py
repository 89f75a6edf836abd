"""What sercore brings itself, registered through the very hooks that plugins use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sercore.hookspecs import hookimpl
from sercore.labels import MAPPERS

if TYPE_CHECKING:
    from sercore.labels import LabelMapper


@hookimpl
def sercore_label_mappers() -> Iterable[LabelMapper]:
    return MAPPERS
