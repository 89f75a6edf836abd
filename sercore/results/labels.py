"""What tells matrices apart in print: probe, layer and whatever else occurs more than once."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sercore.results.matrices import Setting

_SHARED: Mapping[str, str] = {
    "probe": "probe {}",
    "probe_settings": "probe settings {}",
    "split": "split {}",
    "reading": "reading {}",
    "mapper": "labels {}",
    "averaging": "averaging {}",
}
"""Fields that all matrices of one comparison share, and how each is printed."""

_OWN: Mapping[str, str] = {
    "layer": "layer {}",
    "audio_path": "audio path {}",
    "dtype": "{}",
    "checkpoint": "checkpoint {}",
    "revision": "revision {:.8}",
    "weights": "weights {:.8}",
}
"""Fields in which the matrices of one backbone can differ inside a comparison."""

_ALWAYS = frozenset({"probe", "layer"})
"""Shown in every title as soon as two values occur; the others only where they are needed."""


class MatrixLabels:
    """Names the parts of settings that titles need, so that no two matrices look alike.

    Args:
        settings: of all matrices that are printed together.
    """

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._settings = tuple(dict.fromkeys(settings))

    def shared(self, setting: Setting) -> tuple[str, ...]:
        """Return what the title of a comparison needs besides protocol, class rule and metric."""
        alike = [other for other in self._settings if _heading(other) == _heading(setting)]
        return tuple(self._differing(setting, alike, _SHARED))

    def own(self, setting: Setting) -> tuple[str, ...]:
        """Return what the title of a matrix needs besides its backbone."""
        alike = [
            other
            for other in self._settings
            if other.backbone == setting.backbone and other.comparison_key == setting.comparison_key
        ]
        return tuple(self._differing(setting, alike, _OWN))

    def title(self, setting: Setting) -> str:
        """Return the backbone of a matrix with all that tells it apart from the others."""
        return " · ".join((setting.backbone, *self.shared(setting), *self.own(setting)))

    def _differing(
        self, setting: Setting, alike: Iterable[Setting], texts: Mapping[str, str]
    ) -> Iterable[str]:
        alike = tuple(alike)
        for name, text in texts.items():
            value = getattr(setting, name)
            others = self._settings if name in _ALWAYS else alike
            if name == "probe_settings":
                # Different probes have different settings anyway.
                others = tuple(other for other in others if other.probe == setting.probe)
            if len({getattr(other, name) for other in others}) > 1:
                yield text.format(value if value is not None else "unknown")


def _heading(setting: Setting) -> tuple[object, ...]:
    """Return what the title of every comparison shows."""
    return (
        setting.protocol,
        setting.class_rule,
        setting.adjustment,
        setting.metric,
        setting.demo,
        setting.corpora,
    )
