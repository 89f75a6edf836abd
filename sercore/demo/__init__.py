"""Synthetic demo corpora and the weight-free baseline: sercore without data, weights or network.

They are registered by the hooks that every plugin uses. Importing this package is light; sound is
made by `sercore.demo.voice` when a corpus is written, torch is imported when the baseline is
loaded.
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
