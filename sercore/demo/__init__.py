"""Synthetic demo corpora and a baseline without weights: sercore without data or network.

They are registered through the hooks that plugins use. Importing this package is cheap:
`sercore.demo.voice` synthesises sound when a corpus is written, and torch is imported when the
baseline is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sercore.demo.corpora import DEMO_CORPORA
from sercore.demo.logmel import LOGMEL
from sercore.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from sercore.backbones.interface import Backbone
    from sercore.corpora.interface import Corpus


@hookimpl
def sercore_corpora() -> Iterable[Corpus]:
    return DEMO_CORPORA


@hookimpl
def sercore_backbones() -> Iterable[Backbone]:
    return (LOGMEL,)
